"""Every page from a cold deep link, through Streamlit's own test runner; no torch in the web process."""

import base64
import dataclasses
import io
import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from boundlab.analysis.run_codes import join_codes
from boundlab.charts.theme import STYLES
from boundlab.runs.run import Found
from boundlab.specs.run import RunSpec
from boundlab.specs.settings import Settings
from boundlab.ui import run_tables, shelf, shipped
from boundlab.ui.page import PAGES
from tests.conftest import ROOT

FIGURES = [page for page in PAGES if page.key in ("training", "lambda", "width", "depth")]


def open_link(page, notes=True, **params):
    """The page as a fresh session sees it when it arrives by a link; `notes`: with what is folded opened."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.session_state["notes"] = notes
    for name, value in params.items():
        app.query_params[name] = value
    if page.key != "start":
        app.switch_page(page.path)
    return app.run()


def chart(app):
    """The chart as the browser shows it: the player moves it where its figure was drawn from other frames."""
    (figure,) = app.get("plotly_chart")
    drawn = json.loads(figure.proto.spec)
    for sent in players(app):
        if sent["shift"]:
            shift = json.loads(sent["shift"])
            drawn = {"data": shift["data"], "layout": drawn["layout"] | shift["layout"]}
        moved = sent["shift"] or sent["serial"] not in (None, drawn["layout"]["meta"]["stamp"])
        if sent["frames"] and moved:
            for index, part in zip(sent["traces"], sent["frames"][sent["at"]], strict=True):
                drawn["data"][index] |= part
    return drawn


def players(app):
    """What every player on the page got."""
    sent = [json.loads(c.proto.json) for c in app.get("bidi_component") if "frames" in c.proto.json]
    return [one | {"frames": json.loads(one["frames"])} for one in sent]


def numbers(sent):
    """An array as sent to the browser: plotly packs some in base64."""
    if isinstance(sent, dict):
        return np.frombuffer(base64.b64decode(sent["bdata"]), sent["dtype"]).tolist()
    return sent


def line(app, name, axis="y", own=False):
    """Numbers of one line, the points that are there; `own`: of the runs trained here, over it."""
    names = [style.name for style in STYLES.values() if style.name.startswith(name)]
    names = [f"{name}, trained here" for name in names] if own else names
    trace = next(trace for trace in chart(app)["data"] if trace["name"] in names)
    return [x for x, y in zip(numbers(trace[axis]), numbers(trace["y"]), strict=True) if y is not None]


@pytest.mark.parametrize("page", FIGURES, ids=lambda p: p.key)
def test_a_page_opens_with_its_chart_and_no_warning(page):
    app = open_link(page)
    assert not app.exception
    assert not app.warning
    assert len(app.get("plotly_chart")) == 1
    assert [link.proto.label for link in app.sidebar.get("page_link")] == [p.title for p in PAGES]


LINKED = {
    "training": ({"channels": "8", "wd": "0.001"}, "CONV-3-8 · digits 8×8 · λ = 0.001"),
    "lambda": ({"channels": "8", "epoch": "20"}, "CONV-3-8 · digits 8×8 · λ = 0.0008 to {most:g} · after 20 epochs"),
    "width": ({"wd": "0.001", "epoch": "0"}, "digits 8×8 · λ = 0.001 · after 0 epochs"),
    "depth": ({"wd": "0.001", "epoch": "100"}, "digits 8×8 · λ = 0.001 · after 100 epochs"),
}


@pytest.mark.parametrize("page", FIGURES, ids=lambda p: p.key)
def test_a_link_sets_every_control(page, pack):
    own, words = LINKED[page.key]
    drawn = [run for run in pack if run.id.startswith("digits-conv-3-8-") and run.trained and run.at_plateau]
    words = words.format(most=max(run.spec.train.weight_decay for run in drawn))
    everywhere = {"dataset": "digits", "convention": "theorem", "delta": "0.05", "scale": "linear"}
    app = open_link(page, **everywhere, **own)
    assert not app.exception
    assert not app.warning
    caption = app.caption[0].value
    assert words in caption
    assert "δ = 0.05 · theorem" in caption
    assert "n = 1,437" in caption
    assert chart(app)["layout"]["yaxis"]["title"]["text"] == "value"
    assert {name: app.query_params[name] for name in own} == own


@pytest.mark.parametrize("page", FIGURES, ids=lambda p: p.key)
def test_a_bad_link_is_answered_with_a_note_and_the_default(page):
    app = open_link(page, dataset="imagenet", delta="7", colour="<b>red</b>")
    assert not app.exception
    notes = " ".join(w.value for w in app.warning)
    for word in ("colour", "imagenet", "`7`"):
        assert word in notes
    assert "MNIST" in app.caption[0].value
    assert "δ = 0.001" in app.caption[0].value


@pytest.mark.parametrize("page", FIGURES, ids=lambda p: p.key)
def test_empty_and_repeated_parameters(page):
    app = open_link(page, **dict.fromkeys(page.params, ""))
    assert not app.exception
    assert "· published" in app.caption[0].value
    app = open_link(page, dataset=["mnist", "digits"])
    assert not app.exception
    assert any("only one of them can be shown" in w.value for w in app.warning)


@pytest.mark.parametrize("page", FIGURES, ids=lambda p: p.key)
def test_the_notes_are_folded_to_begin_with(page):
    app = open_link(page, notes=False)
    assert not app.exception
    assert not app.caption
    assert not app.dataframe
    assert not app.info
    (sentence,) = [m.value for m in app.main.markdown if not m.value.startswith("#")]
    assert "sparse bound" in sentence
    assert "test error" in sentence


ORDER = {"training": (1, 1), "lambda": (4, 2), "width": (2, 3), "depth": (3, 4)}


@pytest.mark.parametrize("page", FIGURES, ids=lambda p: p.key)
def test_a_figure_is_named_by_its_number_in_the_paper_and_in_the_announcement(page):
    number, place = ORDER[page.key]
    (head,) = open_link(page).subheader
    assert f"figure {number} · announcement {place}" in head.value
    assert "comparison, λ, channels, layers" in head.help


@pytest.mark.parametrize("page", FIGURES, ids=lambda p: p.key)
def test_a_position_the_handle_does_not_have_is_named(page):
    key = "wd" if page.key == "training" else "epoch"
    app = open_link(page, **{key: "77"})
    assert not app.exception
    assert "`77`" in app.warning[0].value
    assert key not in app.query_params


def test_a_choice_that_no_longer_exists_is_dropped_without_blaming_a_link():
    app = open_link(FIGURES[0], dataset="digits", channels="32")
    next(g for g in app.get("button_group") if "dataset" in g.proto.id).set_value("mnist").run()
    assert not app.exception
    assert not app.warning
    assert "MNIST" in app.caption[0].value


def test_hiding_every_line_is_no_mistake_of_the_link():
    app = open_link(FIGURES[0])
    next(g for g in app.get("button_group") if "show" in g.proto.id).set_value([]).run()
    assert not app.exception
    assert not app.warning
    (names,) = chart(app)["data"]  # no line, and no name either
    assert (names["name"], names["text"]) == ("names", [])


def frames(app):
    """What the player got: per position, the moving traces."""
    (sent,) = players(app)
    return sent


def test_the_handle_moves_the_lines_and_not_the_axes():
    page = FIGURES[0]
    strong, weak = open_link(page), open_link(page, wd="0.0008")
    for key in ("xaxis", "yaxis"):
        assert chart(strong)["layout"][key]["range"] == chart(weak)["layout"][key]["range"]
    assert line(weak, "Sparse")[-1] > line(strong, "Sparse")[-1] + 1  # less decay: the bound more than doubles


@pytest.mark.parametrize("page", FIGURES, ids=lambda p: p.key)
def test_the_player_has_a_frame_per_position_and_the_chart_is_the_one_it_stands_at(page):
    app = open_link(page, dataset="digits")
    sent, drawn = frames(app), chart(app)
    assert len(sent["frames"]) == len(sent["labels"]) > 3
    assert sent["stamp"] == drawn["layout"]["meta"]["stamp"]
    assert sent["at"] == drawn["layout"]["meta"]["base"]
    for index, part in zip(sent["traces"], sent["frames"][sent["at"]], strict=True):
        assert list(part["y"]) == numbers(drawn["data"][index]["y"])
    assert len(json.dumps(sent)) < 250_000


def test_panels_split_the_picture():
    page = next(p for p in PAGES if p.key == "lambda")
    app = open_link(page, dataset="digits", panels="channels")
    assert not app.exception
    assert not app.warning
    titles = [a["text"] for a in chart(app)["layout"]["annotations"]]
    assert {"<b>H = 8</b>", "<b>H = 16</b>", "<b>H = 32</b>"} <= set(titles)
    assert any(m.value.startswith("**H = 8**: From λ") for m in app.markdown)


def test_hiding_a_series_and_overlaying_the_paper():
    page = next(p for p in PAGES if p.key == "lambda")
    app = open_link(page, show="Sparse (Galanti 2023)", paper="CONV-3-200")
    assert not app.exception
    names = [t["name"] for t in chart(app)["data"]]
    assert names[0] == "Sparse (Galanti 2023), CONV-3-200"
    assert {n for n in names[1:] if "seeds" not in n} == {"Sparse (Galanti 2023)", "leaders", "names"}
    assert "; ours is " in chart(app)["data"][0]["customdata"][0]  # the difference per point
    note = next(c.value for c in app.caption if c.value.startswith("Faint dashed lines"))
    assert "Every other point is a run of ours" in note
    assert re.search(r"minus the paper's, in log₂: Sparse [−+]\d\.\d to", note)


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"dataset": "digits"}, "The paper trained on MNIST"),
        ({"convention": "theorem"}, "The paper plots the published convention"),
    ],
)
def test_no_difference_is_taken_where_there_is_none_to_take(params, why):
    page = next(p for p in PAGES if p.key == "lambda")
    app = open_link(page, paper="CONV-3-200", **params)
    assert any(why in c.value for c in app.caption)
    assert "ours is" not in json.dumps(chart(app)["data"])


@pytest.fixture
def dead_runs(pack, monkeypatch):
    """The shipped pack, but the networks at the largest weight decay never trained."""

    def untrained(run):
        errors = run.records["train_error"].where(run.records["train_error"].isna(), 0.9)
        return dataclasses.replace(run, records=run.records.assign(train_error=errors))

    dead = [run for run in pack if run.id.startswith("mnist-conv-3-16-wd0.004-")]
    changed = [untrained(run) if run in dead else run for run in pack]
    monkeypatch.setattr(shipped, "open_pack", lambda folder: Found(changed, {}))
    for cache in (st.cache_data, st.cache_resource):
        cache.clear()
    yield dead
    for cache in (st.cache_data, st.cache_resource):
        cache.clear()


def test_a_run_that_did_not_train_is_left_out_until_asked_for(dead_runs):
    page = next(p for p in PAGES if p.key == "lambda")
    app = open_link(page)
    assert 0.004 not in line(app, "Sparse", "x")
    (toggle,) = app.toggle
    count = len(dead_runs)
    runs = "one run" if count == 1 else f"{count} runs"
    assert toggle.label == f"Include {runs} that did not train or did not reach the plateau"
    toggle.set_value(True).run()
    assert 0.004 in line(app, "Sparse", "x")
    assert "flagged" in [trace["name"] for trace in chart(app)["data"]]
    assert any(f"Ringed in red: {count} of the runs" in c.value for c in app.caption)
    assert 0.004 in line(open_link(page, flagged="true"), "Sparse", "x")


@pytest.fixture
def a_paper_run(pack, monkeypatch):
    """The shipped pack and, standing in for a run of `data/grid_paper.toml`, one that says it is CONV-3-200 at λ = 0.003."""
    source = next(run for run in pack if run.id.startswith("mnist-conv-3-16-wd0.003-s0"))
    arch = dataclasses.replace(source.spec.arch, channels=200, bias=True)
    train = dataclasses.replace(source.spec.train, preset="paper", epochs=110, lr=0.01)
    runs = [
        dataclasses.replace(source, spec=RunSpec(arch, dataclasses.replace(train, weight_decay=decay)))
        for decay in (1e-3, 3e-3)
    ]
    monkeypatch.setattr(shipped, "open_pack", lambda folder: Found([*pack, *runs], {}))
    for cache in (st.cache_data, st.cache_resource):
        cache.clear()
    yield
    for cache in (st.cache_data, st.cache_resource):
        cache.clear()


def test_runs_of_the_papers_own_recipe_are_kept_apart_and_compared(a_paper_run):
    page = next(p for p in PAGES if p.key == "lambda")
    app = open_link(page, paper="CONV-3-200")
    assert "CONV-3-16 ·" in app.caption[0].value
    app = open_link(page, paper="CONV-3-200", recipe="paper, 110 epochs")
    assert not app.exception
    assert "CONV-3-200 bias" in app.caption[0].value
    assert len(line(app, "Sparse (Gal", "x")) == 2
    note = next(c.value for c in app.caption if c.value.startswith("Faint dashed lines"))
    assert "None of ours has the paper's size" not in note
    assert "minus the paper's" in note
    epochs = open_link(FIGURES[0], paper="CONV-3-200", recipe="paper, 110 epochs", wd="0.003")
    assert not epochs.exception
    assert max(chart(epochs)["data"][0]["x"]) > 100  # the paper's epochs as they are, not shrunk to ours


def test_runs_made_for_their_certificate_are_not_on_the_figure_pages(pack, monkeypatch):
    source = next(run for run in pack if run.id.startswith("mnist-conv-3-16-wd0.003-s0"))
    loss = {"preset": "certified", "loss": "certificate", "weight_decay": 0.0}
    certified = dataclasses.replace(
        source, spec=RunSpec(source.spec.arch, dataclasses.replace(source.spec.train, **loss))
    )
    monkeypatch.setattr(shelf, "shipped_runs", lambda: [certified, source])
    assert shelf.visible_runs().figured("mnist") == [source]
    caches = (st.cache_data, st.cache_resource)
    for cache in caches:
        cache.clear()
    assert set(run_tables.runs_of("mnist")["run"]) == {source.id}
    assert set(run_tables.table("mnist", Settings())["run"]) == {source.id}
    for cache in caches:
        cache.clear()


@pytest.mark.parametrize("page", FIGURES, ids=lambda p: p.key)
def test_points_of_selected_runs_are_ringed_and_no_others(page, pack):
    drawn = [run for run in pack if run.id.startswith("digits-conv-3-16-wd0.001-s0-")]
    link = {"dataset": "digits", "layers": "3", "channels": "16", "wd": "0.001"}
    app = open_link(
        page, **{k: v for k, v in link.items() if k in page.takes or k == "dataset"}, selected=join_codes([drawn[0].id])
    )
    assert not app.exception
    assert not app.warning
    (rings,) = [trace for trace in chart(app)["data"] if trace["name"] == "selected"]
    at = {"training": None, "lambda": 0.001, "width": 16, "depth": 3}[page.key]
    assert set(rings["x"]) == {at} if at else len(set(rings["x"])) > 3
    leading = (
        line(app, "Theorem S2") if "Theorem S2" in [t["name"] for t in chart(app)["data"]] else line(app, "Sparse")
    )
    assert {round(y, 3) for y in rings["y"]} & {round(y, 3) for y in leading}
    assert any("runs you selected" in note["text"] for note in chart(app)["layout"]["annotations"])
    other = open_link(
        page, dataset="digits", selected=join_codes([next(r.id for r in pack if r.id.startswith("mnist"))])
    )
    assert "selected" not in [trace["name"] for trace in chart(other)["data"]]
    assert not other.warning
    assert "selected" in other.query_params


def test_published_is_never_shown_as_a_guarantee():
    for page in FIGURES:
        app = open_link(page)
        assert "not guarantees" in app.info[0].value
        assert "Theorem S" in open_link(page, convention="strict").info[0].value


def test_strict_draws_only_the_sparse_bound_and_says_why():
    page = next(p for p in PAGES if p.key == "lambda")
    app = open_link(page, convention="strict")
    names = {t["name"] for t in chart(app)["data"]}
    assert not names & {"Golowich 2018", "Ledent 2021", "Graf 2022", "Long–Sedghi 2020"}
    assert any(re.search("Not drawn: .*Ledent 2021.*Graf 2022.*Theorems S and S2", c.value) for c in app.caption)


@pytest.mark.parametrize("page", FIGURES, ids=lambda p: p.key)
def test_what_is_not_drawn_is_one_line_that_opens_on_the_reasons(page):
    app = open_link(page, dataset="digits", convention="strict")
    opens = [box for box in app.expander if box.label.startswith("Not drawn, and why: ")]
    assert len(opens) == 1
    inside = [caption.value for caption in opens[0].caption]
    assert any("Graf 2022" in reason and "Theorems S and S2" in reason for reason in inside)
    assert [caption.value for caption in app.main.caption if caption.value.startswith("Not drawn")] == [
        reason for reason in inside if reason.startswith("Not drawn")
    ]  # nowhere else


def test_the_sentence_under_the_chart_agrees_with_the_table():
    page = next(p for p in PAGES if p.key == "lambda")
    app = open_link(page)
    sparse = app.dataframe[0].value.groupby("weight decay λ")["Sparse (Galanti 2023)"].mean()
    first, last = sparse.iloc[[0, -1]]
    sentence = next(m.value for m in app.markdown if m.value.startswith("From λ") and "at epoch 5" in m.value)
    headline = next(m.value for m in app.markdown if m.value.startswith("From λ"))
    assert f"falls {first / last:.1f}-fold, to **{last:.3g}** (no guarantee)" in headline
    errors = app.dataframe[0].value.groupby("weight decay λ")["Test error"].mean().iloc[[0, -1]]
    assert errors.iloc[1] > errors.iloc[0]
    assert f"test error rises to **{100 * errors.iloc[1]:.2f} %**" in headline
    assert (
        f"at epoch 5, the sparse bound falls by a factor of {first / last:.1f} ({first:.3g} → {last:.3g})" in sentence
    )


def test_between_epoch_ends_the_words_say_when_the_errors_were_measured():
    page = next(p for p in PAGES if p.key == "lambda")
    between, end = open_link(page, epoch="0.93"), open_link(page, epoch="1")
    assert any("test error (last measured at epoch 0) goes from" in m.value for m in between.markdown)
    assert any(c.value.startswith("\\* Errors and margins") for c in between.caption)
    assert not any("last measured" in m.value for m in end.markdown)
    assert not any(c.value.startswith("\\*") for c in end.caption)


def test_the_csv_is_what_is_drawn(monkeypatch):
    page = next(p for p in PAGES if p.key == "lambda")
    files = []
    real = st.download_button
    monkeypatch.setattr(
        st, "download_button", lambda label, data, *a, **k: files.append((label, data)) or real(label, data, *a, **k)
    )
    app = open_link(page, show=["Golowich 2018", "Sparse (Galanti 2023)"], paper="CONV-3-600", epoch="2")
    table = pd.read_csv(io.StringIO(dict(files)["CSV"]()))
    ours = table[table["source"] == "our runs"]
    assert set(ours["series"]) == {"golowich", "sparse"}
    np.testing.assert_allclose(np.log2(ours[ours["series"] == "sparse"]["mean"]), line(app, "Sparse (Gal"), atol=1e-4)
    assert (table["source"] == "paper's figure 4, CONV-3-600, read off the plot").sum() == 12
    assert set(ours["scale"]) == {"log2"}
    assert set(table["n"]) == {50000}
    assert set(ours["epoch"]) == {2}


def test_a_fresh_interpreter_that_serves_every_page_has_no_torch():
    code = f"""
import sys
from streamlit.testing.v1 import AppTest
for path in {[p.path for p in PAGES]!r}:
    app = AppTest.from_file({str(ROOT / "app.py")!r}, default_timeout=120)
    if path != "app.py":
        app.switch_page(path)
    app.run()
    assert not app.exception and app.markdown, path
print([m for m in ("torch", "sklearn", "pooch") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def shown_numbers(app):
    """What the tables of a page print, as the browser gets it, numbers only."""
    printed = []
    for table in app.dataframe:
        assert "%." not in table.proto.columns  # no printf format: those write 1.174e+04
        reader = pa.ipc.open_stream(table.proto.arrow_data.styler.display_values)
        printed += [str(cell) for column in reader.read_all().to_pydict().values() for cell in column]
    return printed


@pytest.mark.parametrize("page", FIGURES, ids=lambda p: p.key)
@pytest.mark.parametrize("convention", ["published", "theorem"])
def test_tables_print_numbers_as_people_write_them(page, convention):
    printed = shown_numbers(open_link(page, convention=convention))
    assert not [cell for cell in printed if re.search(r"\de[+-]?\d", cell)]
    assert [cell for cell in printed if re.fullmatch(r"\d{1,3},\d{3}", cell)]  # 11,740
    assert [cell for cell in printed if re.fullmatch(r"\d\.\d×10[⁰¹²³⁴⁵⁶⁷⁸⁹]+", cell)]


@pytest.mark.parametrize("page", FIGURES, ids=lambda p: p.key)
def test_the_notes_end_with_what_cites_the_view(page):
    (text,) = [code.value for code in open_link(page, dataset="digits").code if "boundlab_view" in code.value]
    assert f"{{{page.title}}}" in text
    assert shipped.shipped_hash()[:16] in text
    assert "galanti2023norm" in text
    (other,) = [code.value for code in open_link(page, dataset="mnist").code if "boundlab_view" in code.value]
    assert other != text
