"""The ranking page: the analysis' numbers, for the networks that are listed, from any link."""

import json

import pytest
import streamlit as st

from boundlab.analysis.measures import measures_table
from boundlab.analysis.ranking import ranked
from boundlab.analysis.run_codes import join_codes, run_code
from boundlab.charts.ranking import short_name
from boundlab.specs.recipes import figured, recipe
from boundlab.ui import chart
from boundlab.ui.page import PAGES
from boundlab.ui.pages.ranking import linked
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


def listed(pack, dataset):
    return [
        run for run in pack if run.spec.train.dataset == dataset and run.trained and run.at_plateau and recipe(run.spec) == "short"
    ]  # fmt: skip


def test_a_selection_in_the_link_is_ringed_ordered_again_and_listed(pack):
    chosen = listed(pack, "mnist")[::4]
    app = open_link(PAGE, dataset="mnist", number="Path norm", selected=join_codes(run.id for run in chosen))
    assert not app.exception
    assert not app.warning
    left, right = charts(app)
    among = ranked(measures_table(chosen), "gap").set_index("measure")
    lit = left["data"][-1]
    assert lit["name"] == "selected"
    assert {data[-1]: x for data, x in zip(lit["customdata"], lit["x"], strict=True)} == pytest.approx(
        {key: among.loc[key, "tau"] for key in among.index if ":" not in key or key.endswith(":published")}
    )
    dots = right["data"][0]
    ringed = {
        code for code, width in zip(dots["customdata"], dots["marker"]["line"]["width"], strict=True) if width > 1
    }
    assert ringed == {run_code(run.id) for run in chosen}
    words = " ".join(m.value for m in app.main.markdown)
    pairs = len(chosen) * (len(chosen) - 1) // 2
    assert f"Among the **{len(chosen)} networks selected**, {pairs:,} pairs: Path norm τ = " in words
    assert len(next(d for d in app.dataframe if "Generalization gap" in d.value).value) == len(chosen)
    next(button for button in app.button if button.key == "clear_ranking").click().run()
    assert "selected" not in app.query_params
    assert charts(app)[0]["data"][-1].get("name") != "selected"


def test_runs_selected_elsewhere_are_kept_though_nothing_here_is_ringed(pack):
    codes = join_codes([listed(pack, "digits")[0].id])
    app = open_link(PAGE, dataset="mnist", selected=codes)
    assert not app.exception
    assert app.query_params["selected"] == codes
    assert not [button for button in app.button if button.key == "clear_ranking"]


def test_one_selected_network_cannot_be_ordered_and_the_page_says_so(pack):
    app = open_link(PAGE, dataset="mnist", selected=join_codes([listed(pack, "mnist")[0].id]))
    assert not app.exception
    assert "**one network selected**: too few" in " ".join(m.value for m in app.main.markdown)


def test_a_filter_by_any_column_leaves_its_networks(pack):
    app = open_link(PAGE, dataset="digits", where=["channels=8..16", "test_error=..0.1"])
    assert not app.exception
    kept = [
        run for run in listed(pack, "digits") if 8 <= run.spec.arch.channels <= 16 and run.final["test_error"] <= 0.1
    ]  # fmt: skip
    assert len(charts(app)[1]["data"][0]["x"]) == len(kept) > 8
    pairs = len(kept) * (len(kept) - 1) // 2
    assert f"over {pairs:,} pairs" in " ".join(m.value for m in app.main.markdown)


def test_a_click_on_the_ranks_chooses_that_number_and_nothing_else(monkeypatch):
    state = {}
    monkeypatch.setattr(st, "session_state", state)
    for sent in (None, 3, [], ["name", 9, "nonsense"], ["name", 9, ["path_norm"]]):
        monkeypatch.setattr(chart, "picked", lambda key, sent=sent: [sent])
        linked._take_number({"path_norm": "Path norm"})
        assert not state
    monkeypatch.setattr(chart, "picked", lambda key: [["name", 9, "path_norm"]])
    linked._take_number({"path_norm": "Path norm"})
    assert state == {"number": "Path norm"}


def test_networks_that_are_framed_are_selected_and_an_empty_frame_changes_nothing(monkeypatch):
    chosen = []
    monkeypatch.setattr(linked, "select_runs", chosen.append)
    monkeypatch.setattr(linked, "known_codes", lambda: {"AAAAA": "a", "BBBBB": "b"})
    for sent, names in (([], None), (["CCCCC", 7, None], None), (["BBBBB", "CCCCC", "AAAAA"], ["b", "a"])):
        monkeypatch.setattr(chart, "picked", lambda key, sent=sent: sent)
        linked._take_runs()
        assert chosen == ([] if names is None else [names])


def test_what_a_browser_reports_is_read_without_trust(monkeypatch):
    for state, found in (
        ({}, []), ({"c": {"selection": {"points": [{"customdata": "AAAAA"}, 5, {"x": 1}]}}}, ["AAAAA", None])
    ):  # fmt: skip
        monkeypatch.setattr(st, "session_state", state)
        assert chart.picked("c") == found
