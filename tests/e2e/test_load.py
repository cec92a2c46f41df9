"""The client that speaks Streamlit's protocol, on a real server: it moves sliders and sees other charts. Nothing is timed."""

import asyncio

import pytest

pytest.importorskip("websockets", reason="no websockets: it comes with streamlit 1.67 or later")

from tests.e2e.load import PLACES
from tests.e2e.protocol import Place, ProtocolError, reading
from tests.e2e.serving import serving


@pytest.fixture(scope="module")
def server():
    with serving() as url:
        yield url


async def _charts(url, place, moves):
    async with reading(url, place) as reader:
        return [(await reader.step()).chart for _ in range(moves * len(reader.values))], len(reader.values)


def test_two_sessions_move_their_sliders_and_see_their_own_charts(server):
    async def both():
        return await asyncio.gather(*(_charts(server, place, 2) for place in PLACES[:2]))

    seen = asyncio.run(both())
    for charts, values in seen:
        assert values > 1
        assert charts[:values] == charts[values:]  # the second round: the same value, the same chart
        assert len(set(charts)) == values
    assert not set(seen[0][0]) & set(seen[1][0])


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        (Place("width", "dataset=mnist", "Channels H"), "should have one slider"),  # the axis itself
        (Place("nowhere", "", "Channels H"), "page_not_found"),
        (Place("lambda", "dataset=digits&layers=4", "Channels H"), "should have one slider"),  # disabled: one value
    ],
)
def test_a_place_without_its_slider_is_an_error(server, place, problem):
    with pytest.raises(ProtocolError, match=problem):
        asyncio.run(_charts(server, place, 1))
