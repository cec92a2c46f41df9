"""Every page from a cold deep link, through Streamlit's own test runner; no torch in the web process."""

import re
import subprocess
import sys

import pytest
from streamlit.testing.v1 import AppTest

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
    import json

    return json.loads(figure.proto.spec)


def line(app, name):
    return next(trace for trace in chart(app)["data"] if trace["name"].startswith(name))


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


def test_moving_a_slider_moves_the_lines_and_not_the_axes():
    app = open_link(FIGURES[0])
    before = chart(app)
    app.select_slider(key="wd").set_value("0.0008").run()
    after = chart(app)
    assert before["layout"]["yaxis"]["range"] == after["layout"]["yaxis"]["range"]
    assert before["layout"]["xaxis"]["range"] == after["layout"]["xaxis"]["range"]
    assert line(app, "Sparse")["y"] != next(t for t in before["data"] if t["name"].startswith("Sparse"))["y"]


def test_hiding_a_series_and_overlaying_the_paper():
    page = next(p for p in PAGES if p.key == "lambda")
    app = open_link(page, show="Sparse (Galanti 2023)", paper="CONV-3-200")
    assert not app.exception
    assert [t["name"] for t in chart(app)["data"]] == ["Sparse (Galanti 2023), CONV-3-200", "Sparse (Galanti 2023)"]
    assert any("read off its figure 4" in c.value for c in app.caption)


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
