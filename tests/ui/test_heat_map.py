"""The heat map of the figure pages: its link, its three variables, what is missing in it, in every convention and quantity."""

import io
import json

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from boundlab.analysis.run_codes import join_codes
from boundlab.analysis.tables import SERIES, final_table
from boundlab.bounds import ALL
from boundlab.charts.theme import SELECTED_COLOUR, STYLES
from boundlab.specs.settings import CONVENTIONS, Settings
from boundlab.ui import shelf
from boundlab.ui.page import PAGES
from tests.ui.test_links import offered
from tests.ui.test_own_runs import out, source, stand_in  # noqa: F401 (fixtures)
from tests.ui.test_pages import FIGURES, chart, open_link

PAGE = {page.key: page for page in PAGES}
FIRST = {"training": "λ × width", "lambda": "λ × width", "width": "width × depth", "depth": "λ × depth"}


def heat(app):
    (trace,) = [trace for trace in chart(app)["data"] if trace["type"] == "heatmap"]
    return trace


def cells(app):
    """(x, y) as the axes have them -> the value drawn there."""
    layout = chart(app)["layout"]
    z = [[math if math is not None else np.nan for math in row] for row in heat(app)["z"]]
    return {
        (x, y): z[i][j]
        for i, y in enumerate(layout["yaxis"]["ticktext"])
        for j, x in enumerate(layout["xaxis"]["ticktext"])
        if np.isfinite(z[i][j])
    }


@pytest.mark.parametrize("page", FIGURES, ids=lambda page: page.key)
def test_a_link_opens_the_heat_map_of_a_page(page):
    app = open_link(page, panels="heat map")
    assert not app.exception
    assert not app.warning
    assert app.selectbox(key="axes").value == FIRST[page.key]
    assert app.query_params == {"panels": "heat map"}
    assert len(cells(app)) >= 8
    assert len(app.select_slider) == 1
    (player,) = [c for c in app.get("bidi_component") if "frames" in c.proto.json]
    sent = json.loads(player.proto.json)
    assert sent["labels"] == []  # nothing to play, but a picture to save and a link to copy
    assert sent["stamp"] == chart(app)["layout"]["meta"]["stamp"]
    assert "MNIST" in sent["caption"]


@pytest.mark.parametrize(
    ("axes", "link", "third"),
    [
        ("λ × width", {"layers": "4"}, {"conv_layers": 4}),
        ("λ × depth", {"channels": "16"}, {"channels": 16}),
        ("width × depth", {"wd": "0.001"}, {"weight_decay": 0.001}),
    ],
)
@pytest.mark.parametrize("page", FIGURES, ids=lambda page: page.key)
def test_the_third_variable_is_chosen_by_its_slider_on_every_page(page, axes, link, third, pack):
    app = open_link(page, panels="heat map", axes=axes, dataset="digits", **link)
    assert not app.exception
    assert not app.warning
    table = final_table([run for run in pack if run.spec.train.dataset == "digits"], Settings())
    table = table[(table["series"] == "sparse") & table["trained"] & table["at_plateau"]]
    for column, value in third.items():
        table = table[table[column] == value]
    x, y = [{"λ": "weight_decay", "width": "channels", "depth": "conv_layers"}[name] for name in axes.split(" × ")]
    wanted = table.groupby([x, y])["value"].mean()
    got = cells(app)
    assert len(got) == len(wanted)
    for (u, v), value in wanted.items():
        assert 10 ** got[f"{u:g}", f"{v:g}"] == pytest.approx(value)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("series", SERIES)
def test_the_colour_is_any_bound_or_error_of_the_convention(convention, series):
    app = open_link(PAGE["depth"], panels="heat map", convention=convention, quantity=STYLES[series].name)
    assert not app.exception
    refused = [bound.key for bound in ALL if convention not in bound.formulas]
    if series in refused:
        assert any("Colour: the link asks for" in warning.value for warning in app.warning)
        return
    assert not app.warning
    assert heat(app)["name"].startswith(
        STYLES[series].name if convention != "strict" or series != "sparse" else "Theorem S"
    )
    assert any(m.value.startswith(("**", "The **")) and "from L = " in m.value for m in app.markdown)


def test_a_moved_slider_keeps_colours_and_axes():
    app = open_link(PAGE["lambda"], panels="heat map")
    before = chart(app)["layout"]
    app.select_slider(key="layers").set_value("5").run()
    assert not app.exception
    after = chart(app)["layout"]
    for name in ("coloraxis", "xaxis", "yaxis", "height", "margin"):
        assert after[name] == before[name]
    assert app.query_params["layers"] == "5"
    assert set(cells(app)) != set()


def test_missing_cells_are_empty_marked_and_offered():
    app = open_link(PAGE["depth"], panels="heat map", channels="64")
    marks = [trace for trace in chart(app)["data"] if trace["name"] == "not trained"]
    assert len({len(trace["x"]) for trace in marks}) == 1
    layout = chart(app)["layout"]
    whole = len(layout["xaxis"]["ticktext"]) * len(layout["yaxis"]["ticktext"])
    assert len(marks[0]["x"]) + len(cells(app)) == whole
    assert "CONV-8-64 at λ = 0.004<br>not trained; click to train it" in marks[-1]["customdata"]
    links = offered(app)
    decays = [value for form in links.values() for value in form["weight_decay"]]
    assert len(decays) == len(marks[0]["x"])
    assert "Train CONV-8-64 at λ = 0.0008, 0.0009, 0.001, 0.002, 0.003, 0.004, 0.0115" in links


def places(app, which):
    """Column and row of cells, by what stands at the axes."""
    layout = chart(app)["layout"]
    columns, rows = (layout[axis]["ticktext"] for axis in ("xaxis", "yaxis"))
    return {(columns.index(u), rows.index(v)) for u, v in which}


def test_what_is_left_out_is_marked_so_and_shown_on_request(out, source, finished, pack):  # noqa: F811
    stand_in(out, source, finished, weight_decay=0.00015)  # far from the plateau
    app = open_link(PAGE["lambda"], panels="heat map", dataset="digits")
    good = set(cells(app))
    assert ("0.00015", "16") not in good
    app = open_link(PAGE["lambda"], panels="heat map", dataset="digits", flagged="true")
    left_out = set(cells(app)) - good
    assert ("0.00015", "16") in left_out
    shipped = [
        r
        for r in pack
        if r.spec.train.dataset == "digits" and r.spec.arch.conv_layers == 3 and not (r.trained and r.at_plateau)
    ]
    assert len(left_out) == 1 + len({(r.spec.train.weight_decay, r.spec.arch.channels) for r in shipped})
    framed = [shape for shape in chart(app)["layout"]["shapes"] if shape["type"] == "rect"]
    assert {(round((s["x0"] + s["x1"]) / 2), round((s["y0"] + s["y1"]) / 2)) for s in framed} == places(app, left_out)
    assert any(f"Ringed in red: {1 + len(shipped)} of the runs" in c.value for c in app.caption)


def test_a_run_trained_here_fills_its_cell(out, source, finished, monkeypatch):  # noqa: F811
    before = set(cells(open_link(PAGE["lambda"], panels="heat map", dataset="digits")))
    stand_in(out, source, finished, weight_decay=0.0025)
    after = set(cells(open_link(PAGE["lambda"], panels="heat map", dataset="digits")))
    assert after - before == {("0.0025", "16")}


def test_the_csv_is_what_is_drawn(monkeypatch):
    files, real = [], st.download_button
    monkeypatch.setattr(
        st, "download_button", lambda label, data, *a, **k: files.append(data) or real(label, data, *a, **k)
    )
    app = open_link(PAGE["lambda"], panels="heat map", quantity="Test error", dataset="digits", layers="3")
    table = pd.read_csv(io.StringIO(files[-1]()))
    there = table.dropna(subset=["mean"])
    drawn = cells(app)
    assert len(there) == len(drawn)
    for row in there.itertuples():
        assert drawn[f"{row.weight_decay:g}", f"{row.channels:g}"] == pytest.approx(100 * row.mean)
    assert set(table["series"]) == {"test_error"}
    assert set(table["conv_layers"]) == {3}
    assert {"low", "high", "seeds", "trained", "at_plateau", "convention", "delta"} <= set(table)


def test_the_table_speaks_plainly_and_the_bar_has_no_title_that_moves_the_axis():
    app = open_link(PAGE["width"], panels="heat map")
    columns = list(app.dataframe[0].value.columns)
    assert columns[:3] == ["channels H per layer", "convolutional layers L", "mean over seeds"]
    assert not [name for name in columns if "_" in name]
    assert chart(app)["layout"]["coloraxis"]["colorbar"]["title"]["text"] == ""


def test_lines_and_heat_map_and_back():
    app = open_link(PAGE["width"], dataset="digits", scale="linear")
    next(button for button in app.button if button.label == "All networks as a heat map").click().run()
    assert not app.exception
    assert app.query_params["panels"] == "heat map"
    assert len(cells(app)) > 4
    app.selectbox(key="axes").set_value("λ × width").run()
    assert app.query_params["axes"] == "λ × width"
    app.selectbox(key="panels").set_value("one").run()
    assert not app.exception
    assert chart(app)["layout"]["yaxis"]["title"]["text"] == "value"
    assert {"axes", "panels"} & set(app.query_params) == set()


def test_a_page_does_not_bring_the_value_of_its_own_axis_along():
    app = open_link(PAGE["width"], wd="0.001", layers="3")
    app.query_params.clear()  # as the menu does
    app.switch_page(PAGE["lambda"].path).run()
    assert not app.warning
    assert "wd" not in app.query_params
    assert not shelf.own_runs()


def test_selected_runs_light_up_in_their_cells(pack):
    run = next(run for run in pack if run.id.startswith("digits-conv-3-16-wd0.002-s0"))
    app = open_link(PAGE["lambda"], panels="heat map", dataset="digits", selected=join_codes([run.id]))
    assert not app.exception
    layout = chart(app)["layout"]
    framed = [shape for shape in layout["shapes"] if shape["line"]["color"] == SELECTED_COLOUR[False]]
    (shape,) = framed
    assert layout["xaxis"]["ticktext"][round((shape["x0"] + shape["x1"]) / 2)] == "0.002"
    assert layout["yaxis"]["ticktext"][round((shape["y0"] + shape["y1"]) / 2)] == "16"
