"""The client that speaks Streamlit's protocol, on a real server: it moves sliders and sees other charts. Nothing is timed."""

import asyncio
import json
from collections import defaultdict

import pytest

pytest.importorskip("websockets", reason="no websockets: it comes with streamlit 1.67 or later")

from tests.e2e.serving import serving
from tests.load.__main__ import said
from tests.load.measure import PLACES, measure
from tests.load.protocol import Place, ProtocolError, reading


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


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_every_value_that_a_reader_moves_to_is_trained_and_has_its_own_chart(server, place):
    charts, values = asyncio.run(_charts(server, place, 1))
    assert values > 1
    assert len(set(charts)) == values


def test_a_reader_leaves_out_the_struck_out_values_and_no_others(server, pack):
    async def values(place):
        async with reading(server, place) as reader:
            return reader.values

    decays = defaultdict(set)
    for arch, train in ((run.spec.arch, run.spec.train) for run in pack):
        if (train.dataset, train.preset, arch.kind) == ("mnist", "short", "conv"):
            decays[arch.conv_layers].add(f"{train.weight_decay:g}")
    trained = sorted(decays[8], key=float)
    assert 1 < len(trained) < len(set().union(*decays.values()))  # some were trained at other depths only
    assert asyncio.run(values(Place("width", "dataset=mnist&layers=8", "Weight decay λ"))) == trained


ONE_WEIGHT = "networks=certified&task=MNIST+0+or+1%2C+LINEAR"


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        (Place("width", "dataset=mnist", "Channels H"), "should have one slider"),  # the axis itself
        (Place("nowhere", "", "Channels H"), "page_not_found"),
        (Place("certificates", ONE_WEIGHT, "accurate → certified"), "should have one slider"),  # disabled: one value
    ],
)
def test_a_place_without_its_slider_is_an_error(server, place, problem):
    with pytest.raises(ProtocolError, match=problem):
        asyncio.run(_charts(server, place, 1))


@pytest.mark.parametrize(("job", "settle"), [(False, 0), (True, 300)])
def test_the_load_script_counts_moves_errors_memory_and_descriptors(tmp_path, job, settle):
    result = asyncio.run(measure(sessions=3, think=0.2, seconds=2, out=tmp_path, job=job, settle=settle))
    assert json.loads(json.dumps(result)) == result
    assert result["error_messages"] == []
    assert result["opening"]["count"] == 3
    assert result["moves"]["count"] >= 3
    times = [result["moves"][key] for key in ("p50_ms", "p95_ms", "p99_ms", "longest_ms")]
    assert times == sorted(times)
    assert times[0] > 0
    before, during, after = (result[key] for key in ("before", "with_readers", "after"))
    assert during["descriptors"] >= before["descriptors"] + 3  # a socket each
    if settle:  # the sockets close at once, the rest when Streamlit forgets who left
        assert after["descriptors"] <= before["descriptors"]
    assert all(size["server_MB"] > 30 for size in (before, during, after))
    assert len(result["job"]) == int(job)
    assert during["with_workers_MB"] > during["server_MB"] + 30 * job - 1  # torch is in the worker
    assert "errors: 0" in said(result)


def test_a_reader_whose_page_fails_is_counted(tmp_path):
    places = [PLACES[0], Place("nowhere", "", "Channels H")]
    result = asyncio.run(measure(sessions=2, think=0.1, seconds=0.5, out=tmp_path, job=False, places=places))
    assert (result["errors"], result["opening"]["count"]) == (1, 1)
    assert result["error_messages"][0].startswith("opening nowhere?")
    assert result["moves"]["count"] >= 1
