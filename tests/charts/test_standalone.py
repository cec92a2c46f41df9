"""A picture in one file: its numbers and frames are there, and nothing that comes from outside is markup in it."""

import json
import re

import plotly.graph_objects as go
import pytest

from boundlab.charts.standalone import standalone
from boundlab.charts.trend import Picture

NASTY = '</script><img src=x onerror=alert(1)><!-- "&amp;" $film'
FRAMES = ([{"y": [1, 2]}], [{"y": [3, 4]}])


def picture(**more):
    figure = go.Figure(go.Scatter(x=[1, 2], y=[1, 2], name=NASTY))
    figure.update_layout(updatemenus=[{"buttons": []}], meta={"stamp": "s"}, height=300)
    return Picture(figure, FRAMES, [0], "s", **more)


def film_of(page):
    """What the file's own script is given."""
    (found,) = re.findall(r"^const film = (.*);$", page, re.M)
    return json.loads(found)


def test_numbers_frames_words_and_place_are_there():
    page = standalone(picture(), "λ =", ["a", "b"], 1, "what it is", ["one **two**", "three"])
    film = film_of(page)
    assert film["frames"] == [list(frame) for frame in FRAMES]
    assert (film["traces"], film["at"], film["labels"], film["words"]) == ([0], 1, ["a", "b"], ["one two", "three"])
    assert film["data"][0]["x"] == [1, 2]
    assert not {"updatemenus", "meta"} & set(film["layout"])
    assert "Saved at λ b: what it is" in page
    assert page.count("https://") == page.count("https://", 0, page.index("<body>")), "the file asks for nothing"


def test_frames_that_were_written_once_and_another_ground_are_taken():
    shift = {"data": [{"y": [9, 9]}], "layout": {"height": 500}, "canvas": "c"}
    made = picture(written=json.dumps([[{"y": [7, 8]}], [{"y": [5, 6]}]]), shift=json.dumps(shift))
    film = film_of(standalone(made, "n", ["a", "b"], 0, "c"))
    assert film["frames"][0] == [{"y": [7, 8]}]
    assert film["data"] == [{"y": [9, 9]}]
    assert film["layout"]["height"] == 500


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_from_outside_is_markup(dark):
    page = standalone(picture(), NASTY, [NASTY, NASTY], 0, NASTY, [NASTY, NASTY], dark)
    own = page[: page.index("<script>")] + page[page.index("</head>") :]
    assert "<img" not in own
    assert own.count("</script>") == 1
    assert film_of(page)["labels"] == [NASTY, NASTY]
    assert film_of(page)["data"][0]["name"] == NASTY
    assert "connect-src" not in page
    assert "default-src 'none'" in page
