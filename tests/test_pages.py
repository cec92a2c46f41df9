"""Every page from a cold deep link, through Streamlit's own test runner; no torch in the web process."""

import base64
import dataclasses
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from boundlab.ui import page as page_module
from boundlab.ui.page import PAGES
from tests.conftest import ROOT

FIGURES = [page for page in PAGES if page.key != "start"]


def open_link(page, **params):
    """The page as a fresh session sees it when it arrives by a link."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    for name, value in params.items():
        app.query_params[name] = value
    if page.key != "start":
        app.switch_page(page.path)
    return app.run()


def chart(app):
    (figure,) = app.get("plotly_chart")
    return json.loads(figure.proto.spec)


def line(app, name, axis="y"):
    """Numbers of one line as sent to the browser (plotly packs them in base64)."""
    packed = next(trace for trace in chart(app)["data"] if trace["name"].startswith(name))[axis]
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"]).tolist()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.key)
def test_a_page_opens_with_its_chart_and_no_warning(page):
    app = open_link(page)
    assert not app.exception
    assert not app.warning
    assert len(app.get("plotly_chart")) == 1
    assert [link.proto.label for link in app.sidebar.get("page_link")] == [p.title for p in PAGES]


@pytest.mark.parametrize("page", FIGURES, ids=lambda p: p.key)
def test_a_link_sets_every_control(page):
    params = {"dataset": "digits", "channels": "8", "convention": "theorem", "delta": "0.05"}
    if page.key == "training":
        params["wd"] = "0.001"
    app = open_link(page, **params)
    assert not app.exception
    assert not app.warning
    caption = app.caption[0].value
    assert "CONV-3-8 · digits 8×8" in caption
    assert "δ = 0.05 · theorem convention" in caption
    assert "n = 1,437" in caption


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.key)
def test_a_bad_link_is_answered_with_a_note_and_the_default(page):
    app = open_link(page, dataset="imagenet", delta="7", colour="<b>red</b>")
    assert not app.exception
    notes = " ".join(w.value for w in app.warning)
    for word in ("colour", "imagenet", "`7`"):
        assert word in notes
    assert "MNIST" in app.caption[0].value
    assert "δ = 0.001" in app.caption[0].value


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.key)
def test_empty_and_repeated_parameters(page):
    names = ("convention", "dataset", "delta", "layers", "channels", "show", "paper")
    app = open_link(page, **{name: "" for name in names if name in page.params})
    assert not app.exception
    assert "published convention" in app.caption[0].value
    app = open_link(page, dataset=["mnist", "digits"])
    assert not app.exception
    assert any("only one of them can be shown" in w.value for w in app.warning)


def test_a_choice_that_no_longer_exists_is_dropped_without_blaming_a_link():
    app = open_link(FIGURES[0], wd="0.001")
    app.select_slider(key="layers").set_value("4").run()
    assert not app.exception
    assert not app.warning
    assert "CONV-4-16" in app.caption[0].value


def test_hiding_every_line_is_no_mistake_of_the_link():
    app = open_link(FIGURES[0])
    next(g for g in app.get("button_group") if "show" in g.proto.id).set_value([]).run()
    assert not app.exception
    assert not app.warning
    assert chart(app)["data"] == []


def test_moving_a_slider_moves_the_lines_and_not_the_axes():
    app = open_link(FIGURES[0])
    before, heights = chart(app)["layout"], line(app, "Sparse")
    app.select_slider(key="wd").set_value("0.0008").run()
    after = chart(app)["layout"]
    assert before["yaxis"]["range"] == after["yaxis"]["range"]
    assert before["xaxis"]["range"] == after["xaxis"]["range"]
    assert line(app, "Sparse")[-1] > heights[-1] + 1  # less decay: the bound more than doubles


def test_hiding_a_series_and_overlaying_the_paper():
    page = next(p for p in PAGES if p.key == "lambda")
    app = open_link(page, show="Sparse (Galanti 2023)", paper="CONV-3-200")
    assert not app.exception
    assert [t["name"] for t in chart(app)["data"]] == ["Sparse (Galanti 2023), CONV-3-200", "Sparse (Galanti 2023)"]
    assert any("read off its figure 4" in c.value for c in app.caption)


@pytest.fixture
def one_dead_run(pack, monkeypatch):
    """The shipped pack, but the network at the largest weight decay never trained."""
    dead = next(run for run in pack if run.id.startswith("mnist-conv-3-16-wd0.004-s0"))
    errors = dead.records["train_error"].where(dead.records["train_error"].isna(), 0.9)
    changed = [
        dataclasses.replace(run, records=run.records.assign(train_error=errors)) if run is dead else run for run in pack
    ]
    monkeypatch.setattr(page_module, "read_pack", lambda folder: changed)
    for cache in (st.cache_data, st.cache_resource):
        cache.clear()
    yield dead
    for cache in (st.cache_data, st.cache_resource):
        cache.clear()


def test_a_run_that_did_not_train_is_left_out_until_asked_for(one_dead_run):
    page = next(p for p in PAGES if p.key == "lambda")
    app = open_link(page)
    assert 0.004 not in line(app, "Sparse", "x")
    (toggle,) = app.toggle
    assert toggle.label == "Include one run that did not train or did not reach the plateau"
    toggle.set_value(True).run()
    assert 0.004 in line(app, "Sparse", "x")
    assert 0.004 in line(open_link(page, flagged="true"), "Sparse", "x")
    start = open_link(next(p for p in PAGES if p.key == "start"))
    assert len(start.toggle) == 1
    assert "λ = 0.004" not in start.caption[0].value


def test_published_is_never_shown_as_a_guarantee():
    for page in PAGES:
        app = open_link(page)
        assert "not guarantees" in app.info[0].value
        assert "Theorem S" in open_link(page, convention="strict").info[0].value


def test_strict_draws_only_the_sparse_bound_and_says_why():
    page = next(p for p in PAGES if p.key == "lambda")
    app = open_link(page, convention="strict")
    names = {t["name"] for t in chart(app)["data"]}
    assert not names & {"Golowich 2018", "Ledent 2021", "Graf 2022", "Long–Sedghi 2020"}
    assert any(re.search("Not drawn: Ledent 2021, Graf 2022.*Theorem S", c.value) for c in app.caption)


def test_the_sentence_under_the_chart_agrees_with_the_table():
    page = next(p for p in PAGES if p.key == "lambda")
    app = open_link(page)
    table = app.dataframe[0].value
    first, last = table["Sparse (Galanti 2023)"].iloc[[0, -1]]
    sentence = next(m.value for m in app.markdown if m.value.startswith("From weight decay"))
    assert f"falls by a factor {first / last:.1f} ({first:.3g} → {last:.3g})" in sentence


def test_a_fresh_interpreter_that_serves_every_page_has_no_torch():
    code = f"""
import sys
from streamlit.testing.v1 import AppTest
for path in {[p.path for p in PAGES]!r}:
    app = AppTest.from_file({str(ROOT / "app.py")!r}, default_timeout=30)
    if path != "app.py":
        app.switch_page(path)
    app.run()
    assert not app.exception and len(app.get("plotly_chart")) == 1, path
print([m for m in ("torch", "sklearn", "pooch") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
