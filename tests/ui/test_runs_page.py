"""The page of all runs: every run, its own numbers, what a link says, what is selected, what is saved."""

import io
import json

import pandas as pd
import pytest
import streamlit as st

from boundlab.analysis.run_codes import join_codes, run_code
from boundlab.analysis.run_columns import column_values, fields_table
from boundlab.ui import selected
from boundlab.ui.page import PAGES
from boundlab.ui.pages.runs import saving
from tests.ui.test_pages import open_link

PAGE = next(page for page in PAGES if page.key == "runs")


def said(app):
    return " ".join(
        [m.value for m in app.main.markdown if not m.value.startswith("#")] + [w.value for w in app.warning]
    )


def grid(app):
    (table,) = app.dataframe
    return table


@pytest.fixture(scope="module")
def table(whole_pack):
    return fields_table(whole_pack)


def test_every_shipped_run_is_a_row_with_its_own_numbers(table, whole_pack):
    app = open_link(PAGE, columns=["run", "test_error", "weight_decay", "golowich:published"])
    assert not app.exception
    assert not app.warning
    shown = grid(app).value.set_index("run")
    assert sorted(shown.index) == sorted(table["run"])
    known = table.assign(golowich=column_values(whole_pack, "golowich:published")).set_index("run").loc[shown.index]
    assert shown["test_error"].tolist() == pytest.approx((100 * known["test_error"]).tolist())
    assert shown["weight_decay"].tolist() == known["weight_decay"].tolist()
    assert shown["golowich:published"].tolist() == pytest.approx(known["golowich"].tolist(), nan_ok=True)


def test_a_link_filters_and_is_kept(table):
    where = ["dataset=digits", "channels=8..16", "test_error=..0.05"]
    app = open_link(PAGE, where=where, columns=["run", "channels"])
    kept = table[(table["dataset"] == "digits") & table["channels"].between(8, 16) & (table["test_error"] <= 0.05)]
    assert 0 < len(kept) < len(table)
    assert set(grid(app).value["run"]) == set(kept["run"])
    assert app.query_params["where"] == where
    assert f"{len(kept):,} of {len(table):,} runs" in said(app)


def test_a_slider_filters_and_the_link_follows(table):
    app = open_link(PAGE, where="channels=4..", columns=["run", "channels"])
    next(slider for slider in app.select_slider if slider.key == "where_channels").set_range("8", "16").run()
    assert set(grid(app).value["channels"]) == {value for value in table["channels"] if 8 <= value <= 16}
    assert app.query_params["where"] == "channels=8..16"
    next(box for box in app.multiselect if box.key == "where_columns").set_value([]).run()
    assert len(grid(app).value) == len(table)
    assert "where" not in app.query_params


def test_a_filter_that_leaves_nothing_says_so():
    app = open_link(PAGE, where="channels=7..7.5")
    assert not app.exception
    assert grid(app).value.empty
    assert "None of" in said(app)


def test_groups_have_the_means_of_their_runs(table):
    app = open_link(PAGE, group="channels", columns=["architecture", "test_error"], data="digits")
    shown = grid(app).value
    mine = table[table["dataset"] == "digits"].groupby("channels", dropna=False)
    assert shown["count"].tolist() == mine.size().tolist()
    assert shown["test_error"].tolist() == pytest.approx((100 * mine["test_error"].mean()).tolist())
    assert list(shown) == ["channels", "count", "test_error"]


def test_a_selection_in_the_link_is_ticked_and_only_it_is_shown(table):
    names = table["run"].iloc[[3, 40, 77]].tolist()
    app = open_link(PAGE, selected=join_codes(names), columns=["run"])
    assert not app.warning
    assert "**3 selected**" in said(app)
    app = open_link(PAGE, selected=join_codes(names), only="true", columns=["run"])
    assert set(grid(app).value["run"]) == set(names)
    assert app.query_params["selected"] == join_codes(names)
    next(button for button in app.button if button.key == "clear_runs").click().run()
    assert "selected" not in app.query_params
    assert not [button for button in app.button if button.key == "clear_runs"]


@pytest.mark.parametrize(("link", "words"), [("AAAA!", "5 letters"), ("AAAAA", "not here"), ("<b>x", "5 letters")])
def test_a_bad_selection_is_named(link, words):
    app = open_link(PAGE, selected=link)
    assert not app.exception
    assert words in " ".join(w.value for w in app.warning)
    assert "selected**" not in said(app)


def test_a_bad_link_is_answered_with_a_note_and_the_default(table):
    app = open_link(
        PAGE, where=["nothing=1", "channels=x"], columns="nonsense", group="beauty", data="imagenet", colour="red"
    )
    assert not app.exception
    notes = " ".join(w.value for w in app.warning)
    assert all(word in notes for word in ("nothing=1", "channels must be", "nonsense", "beauty", "imagenet", "colour"))
    assert len(grid(app).value) == len(table)


def test_ticks_change_the_selection_and_what_is_not_shown_stays(table, monkeypatch):
    from boundlab.ui.pages.runs import table as page_table

    chosen = []
    monkeypatch.setattr(page_table, "select_runs", lambda names: chosen.append(set(names)))
    shown = (("run",), (("a",), ("b", "c"), ("d",)), (0,))
    monkeypatch.setattr(st, "session_state", {"runs_grid_4": {"selection": {"rows": [1, 99]}}})
    page_table._take(4, shown, ("a", "hidden"))
    assert chosen == [{"hidden", "b", "c"}]


def test_more_runs_than_a_link_carries_are_refused(monkeypatch):
    put, state = [], {}
    monkeypatch.setattr(st, "session_state", state)
    monkeypatch.setattr(selected.address, "put", lambda *given: put.append(given))
    selected.select_runs(f"x-{number:012x}" for number in range(selected.MOST_SELECTED + 1))
    assert not put
    assert state == {"selected_too_many": selected.MOST_SELECTED + 1}


def test_what_is_saved_is_the_table():
    rows = pd.DataFrame({"run": ["a", "b"], "test_error": [0.1, 1 / 3]})
    back = pd.read_csv(io.StringIO(saving._csv(rows)))
    assert back["test_error"].tolist() == pytest.approx([0.1, 1 / 3], abs=1e-9)
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(saving._parquet(rows))), rows, check_dtype=False)


def test_parallel_coordinates_are_drawn_once_they_are_asked_for(table):
    assert not open_link(PAGE).get("plotly_chart")
    app = open_link(PAGE, parallel="true", columns=["weight_decay", "test_error"], data="digits")
    (drawn,) = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    (lines,) = drawn["data"]
    assert lines["type"] == "parcoords"
    assert [axis["label"] for axis in lines["dimensions"]] == ["λ", "Test error, %"]
    assert "wider screen" in " ".join(c.value for c in app.caption)
    alone = open_link(PAGE, parallel="true", columns="architecture")
    assert "two columns of numbers" in alone.info[0].value


def test_codes_of_the_reader_s_runs_are_their_own(whole_pack):
    known = selected.known_codes()
    assert {known[run_code(run.id)] for run in whole_pack} == {run.id for run in whole_pack}
