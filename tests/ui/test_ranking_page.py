"""The ranking page: the analysis' numbers, for the networks that are listed, from any link."""

import json

import pytest

from boundlab.analysis.measures import measures_table
from boundlab.analysis.ranking import ranked
from boundlab.charts.ranking import short_name
from boundlab.specs.recipes import figured, recipe
from boundlab.ui.page import PAGES
from tests.ui.test_pages import open_link

PAGE = next(page for page in PAGES if page.key == "ranking")


def charts(app):
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def test_its_numbers_are_those_of_the_analysis(whole_pack):
    app = open_link(PAGE, dataset="mnist", convention="theorem", target="test error", delta="0.05")
    assert not app.exception
    assert not app.warning
    listed = [
        run for run in whole_pack if run.spec.train.dataset == "mnist" and figured(run.spec) and run.spec.arch.papers
        and run.trained and run.at_plateau and recipe(run.spec) == "short"
    ]  # fmt: skip
    expected = ranked(measures_table(listed, 0.05), "test_error").set_index("measure")
    left, right = charts(app)
    dots, axis = left["data"][-1], left["layout"]["yaxis"]
    names = dict(zip(axis["tickvals"], (text.strip("<>/b") for text in axis["ticktext"]), strict=True))
    shown = {names[place]: value for place, value in zip(dots["y"], dots["x"], strict=True)}
    keys = [key for key in expected.index if ":" not in key or key.endswith(":theorem")]
    assert len(shown) == len(keys) > 10
    for key in keys:
        assert shown[short_name(key).strip("<>/b")] == pytest.approx(expected.loc[key, "tau"], abs=1e-9)
    assert len(right["data"][0]["x"]) == len(listed)


@pytest.mark.parametrize(("counted", "axis"), [("one variable moved", "Ψ"), ("worst case", "wrong pairs")])
def test_what_is_counted_is_what_is_drawn(counted, axis):
    app = open_link(PAGE, dataset="digits", counted=counted, number="Path norm")
    assert not app.exception
    left, right = charts(app)
    assert axis in left["layout"]["xaxis"]["title"]["text"]
    assert right["layout"]["xaxis"]["title"]["text"] == "Path norm"


def test_a_bad_link_is_answered_with_a_note_and_the_default():
    app = open_link(PAGE, dataset="imagenet", number="nonsense", counted="x", colour="red")
    assert not app.exception
    notes = " ".join(w.value for w in app.warning)
    assert all(word in notes for word in ("imagenet", "nonsense", "colour"))
    assert charts(app)
