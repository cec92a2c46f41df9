"""Runs that people trained join the pages: at once, apart by recipe, and never at the cost of a page or a shipped number."""

import dataclasses
import io
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from boundlab.runs.folder import open_run
from boundlab.specs.recipes import described, recipe
from boundlab.specs.run import RunSpec
from boundlab.system.files import write_parquet
from boundlab.training import worker
from boundlab.ui import shelf
from boundlab.ui.page import PAGES
from boundlab.ui.pages.anatomy.sides import MODES
from boundlab.ui.shelf import run_name
from tests.ui.test_pages import FIGURES, chart, line, open_link
from tests.ui.test_study_pages import ANATOMY, CERTIFICATES, STUDY, THEORY, figures

# Start, the Playground, Train and Your checkpoint have tests of their own
# Ranking and Memorisation draw other recipes, and have too
NUMBERED = [
    page for page in PAGES if {"dataset", "recipe"} <= set(page.params) and page.key not in ("ranking", "memorisation")
]
LAMBDA = next(page for page in PAGES if page.key == "lambda")


def spec_of(**given):
    return RunSpec.from_dict({"dataset": "digits"} | given)


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ({"seed": 9, "weight_decay": 0.1, "arch": {"channels": 5, "conv_layers": 1}}, "short"),
        ({"epochs": 60}, "short, 60 epochs"),
        ({"dataset": "mnist", "n_train": 6000, "epochs": 40}, "short, n = 6,000, 40 epochs"),
        ({"dataset": "mnist", "epochs": 5}, "short"),
        ({"lr": 0.05, "momentum": 0.5, "batch_size": 64}, "short, batch size 64, lr 0.05, momentum 0.5"),
        ({"arch": {"kernel_size": 3, "stride": 2, "padding": 1}}, "short, kernel 3, stride 2, padding 1"),
        ({"arch": {"bias": True}}, "short, biases"),
        ({"arch": {"kind": "lc", "channels": [4, 3], "kernel_size": [3, 2]}}, "short, kernel 3/2"),
        ({"arch": {"groups": [1, 4, 4], "dilation": 2, "head": "gap"}}, "short, dilation 2, groups 1/4/4, head gap"),
        ({"arch": {"conv_layers": 2, "pool": ["max2", ""]}}, "short, pool max2/-"),
        ({"label_noise": 0.2}, "short, label noise 0.2"),
        ({"dataset": "mnist", "arch": {"normalize": None}}, "short, raw pixels"),
        ({"arch": {"normalize": [0.3, 2], "weight_norm": False}}, "short, no weight norm, pixels less 0.3, over 2"),
        ({"preset": "paper", "dataset": "mnist"}, "paper"),
        ({"preset": "paper", "dataset": "mnist", "arch": {"bias": False}}, "paper, no biases"),
        ({"labels": [[0], [1, 2]], "arch": {"kind": "mlp", "hidden": [3]}}, "short"),
        ({"preset": "certified", "loss": "mse"}, "certified, loss mse"),
    ],
)
def test_a_recipe_names_what_differs_from_the_presets_standard(given, label):
    assert recipe(spec_of(**given)) == label


def test_every_field_of_a_spec_is_an_axis_a_choice_or_part_of_the_recipe():
    """A field added later must be told apart somewhere, or unlike runs would be averaged."""
    elsewhere = {
        "dataset",
        "labels",
        "weight_decay",
        "preset",
        "certificate_weight",
        "seed",
        "unknown",
    }  # the last is of the recipe
    elsewhere |= {"kind", "in_shape", "channels", "conv_layers", "hidden", "classes"}
    named = {"n_train", "epochs", "loss", "batch_size", "lr", "momentum", "kernel_size", "stride", "padding"}
    named |= {
        "label_noise",
        "bias",
        "weight_norm",
        "normalize",
        "dilation",
        "groups",
        "pool",
        "head",
        "local",
        "negative_slope",
    }
    spec = spec_of()
    assert {f.name for part in (spec.arch, spec.train) for f in dataclasses.fields(part)} == elsewhere | named


def test_a_leaky_network_is_of_another_recipe_than_one_with_relu():
    leaky, mixed = spec_of(arch={"negative_slope": 0.1}), spec_of(arch={"conv_layers": 2, "local": [True, False]})
    assert recipe(leaky) == "short, leaky 0.1" != recipe(spec_of())
    assert recipe(mixed) == "short, locally connected True/False"
    assert " ".join(described(leaky)).count("leaky") == 1


@pytest.fixture
def out(tmp_path, monkeypatch):
    """An empty folder of runs trained here, looked at before every use."""
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path / "own"))
    monkeypatch.setattr(shelf, "SCAN_EVERY", 0.0)
    (tmp_path / "own").mkdir()
    st.cache_data.clear()
    yield tmp_path / "own"
    st.cache_data.clear()


@pytest.fixture(scope="session")
def odd_runs(tmp_path_factory):
    """Finished runs that no figure has a place for: an MLP, a sub-task, λ = 0, one trained for its certificate."""
    specs = [
        spec_of(epochs=1, arch={"kind": "mlp", "hidden": [4]}),
        spec_of(epochs=1, labels=[[0], [1]], arch={"channels": 2, "conv_layers": 1}),
        spec_of(epochs=1, weight_decay=0, arch={"channels": 2, "conv_layers": 1, "in_shape": [1, 6, 6]}),
        spec_of(preset="certified", epochs=5, arch={"channels": 2, "conv_layers": 1, "kernel_size": 2, "stride": 2}),
    ]
    folder = tmp_path_factory.mktemp("odd")
    return [worker.train_run(spec, folder) for spec in specs]


def put(out, folder):
    shutil.copytree(folder, out / folder.name)
    return open_run(out / folder.name)


def stand_in(out, source, finished, **changed):
    """A finished run of the shipped ones' own recipe, which takes minutes: its spec, with a shipped run's records."""
    arch = {name: changed.pop(name) for name in list(changed) if hasattr(source.spec.arch, name)}
    spec = RunSpec(dataclasses.replace(source.spec.arch, **arch), dataclasses.replace(source.spec.train, **changed))
    folder = out / spec.id
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec.to_dict()))
    (folder / "sample.json").write_text(json.dumps(source.sample.to_dict()))
    shutil.copy(finished / "network.safetensors", folder)
    write_parquet(source.records.drop(columns="run", errors="ignore"), folder / "epochs.parquet")
    (folder / "status.json").write_text('{"state": "done"}')
    return open_run(folder)


@pytest.fixture(scope="session")
def source(pack):
    return next(run for run in pack if run.id.startswith("digits-conv-3-16-wd0.002-s0"))


def control(app, name):
    """The segmented control or list bound to that part of the link, None where there is none."""
    groups = [g for g in app.get("button_group") if name == g.key]
    return next(iter([*groups, *(s for s in app.selectbox if s.key == name)]), None)


def on_screen(app):
    """Everything said and drawn, without what changes from session to session."""
    drawn = [{"data": f["data"], "axes": {k: v for k, v in f["layout"].items() if "axis" in k}} for f in figures(app)]
    tables = [d.value.to_csv() for d in app.dataframe]
    return [c.value for c in app.caption], [m.value for m in app.markdown], drawn, tables


@pytest.mark.parametrize("page", NUMBERED, ids=lambda p: p.key)
def test_a_differently_trained_run_changes_no_shipped_number(page, out, finished):
    before = open_link(page, dataset="digits")
    assert not any(control(before, name) for name in ("recipe", "runs"))
    put(out, finished)
    after = open_link(page, dataset="digits")
    assert not after.exception
    assert not after.warning
    assert control(after, "recipe").options == ["short", "short, 24 epochs"]
    assert control(after, "runs").options == ["all", "shipped"]
    assert on_screen(after) == on_screen(before)
    assert [t.label for t in after.toggle] == [t.label for t in before.toggle]


@pytest.mark.parametrize("page", NUMBERED, ids=lambda p: p.key)
def test_a_link_opens_a_differently_trained_run(page, out, finished):
    put(out, finished)
    app = open_link(page, dataset="digits", recipe="short, 24 epochs", flagged="true")
    assert not app.exception
    assert not app.warning
    assert "CONV-2-4" in app.caption[0].value
    assert "recipe short, 24 epochs" in app.caption[0].value
    assert "trained here" in app.caption[0].value


@pytest.mark.parametrize(
    "page", [page for page in FIGURES if page.key in ("lambda", "width", "depth")], ids=lambda p: p.key
)
def test_a_run_that_stands_alone_is_said_to(page, out, source, finished):
    """A run of a recipe that no other has is a point without a line: the page says so, and what would make a line."""
    stand_in(out, source, finished, lr=0.05)
    app = open_link(page, dataset="digits", recipe="short, lr 0.05", flagged="true")
    assert not app.exception
    (words,) = [m.value for m in app.markdown if m.value.startswith("**Points, not lines**")]
    for part in (
        "CONV-3-16 at λ = 0.002, trained here",
        "short, lr 0.05",
        "Train it in the same way",
        "*During training*",
    ):
        assert part in words
    usual = open_link(page, dataset="digits")
    assert not any("Points, not lines" in m.value for m in usual.markdown)


@pytest.mark.parametrize("page", NUMBERED, ids=lambda p: p.key)
def test_a_bad_link_is_named(page, out, finished):
    put(out, finished)
    app = open_link(page, dataset="digits", recipe="long", runs="mine")
    assert not app.exception
    notes = " ".join(w.value for w in app.warning)
    assert "Recipe: the link asks for `long`" in notes
    assert "Runs: the link asks for `mine`" in notes
    assert not open_link(page, **dict.fromkeys(page.params, "")).exception


def own_note(app):
    """Whether the picture says which lines are the reader's."""
    return [a["text"] for a in chart(app)["layout"]["annotations"] if "your runs" in a["text"]]


def test_a_run_of_the_same_recipe_is_drawn_over_the_shipped_line_and_can_be_taken_out(out, source, finished):
    before = open_link(LAMBDA, dataset="digits")
    shipped, heights = line(before, "Sparse", "x"), line(before, "Sparse")
    assert not own_note(before)
    stand_in(out, source, finished, weight_decay=0.0025)
    app = open_link(LAMBDA, dataset="digits")
    assert (line(app, "Sparse", "x"), line(app, "Sparse")) == (shipped, heights)
    assert line(app, "Sparse", "x", own=True) == [0.0025]
    (own,) = [trace for trace in chart(app)["data"] if trace["name"] == "Sparse (Galanti 2023), trained here"]
    (theirs,) = [trace for trace in chart(app)["data"] if trace["name"] == "Sparse (Galanti 2023)"]
    assert own["line"]["color"] == theirs["line"]["color"]
    assert own["line"]["dash"] != theirs["line"]["dash"]
    assert own_note(app) == ["⊕ dashed: your runs"]
    assert "with 1 run trained here" in app.caption[0].value
    assert control(app, "recipe") is None
    control(app, "runs").set_value("shipped").run()
    assert not own_note(app)
    assert line(app, "Sparse", "x") == shipped
    assert "trained here" not in app.caption[0].value
    assert line(open_link(LAMBDA, dataset="digits", runs="shipped"), "Sparse", "x") == shipped


def test_runs_of_another_recipe_are_drawn_over_the_shipped_ones_one_recipe_at_a_time(out, source, finished):
    plain = open_link(LAMBDA, dataset="digits")
    for decay in (0.0015, 0.0025):
        stand_in(out, source, finished, weight_decay=decay, label_noise=0.2)
    stand_in(out, source, finished, weight_decay=0.0035, label_noise=0.3)
    app = open_link(LAMBDA, dataset="digits", own="short, label noise 0.2")
    assert not app.warning
    assert line(app, "Sparse") == line(plain, "Sparse")
    assert line(app, "Sparse", "x", own=True) == [0.0015, 0.0025]
    early = open_link(LAMBDA, dataset="digits", own="short, label noise 0.2", epoch="20")
    assert line(early, "Sparse", own=True) == line(app, "Sparse", own=True)  # as they were when trained
    assert line(early, "Sparse") != line(app, "Sparse")
    control(app, "own").set_value("short, label noise 0.3").run()
    assert line(app, "Sparse", "x", own=True) == [0.0035]
    control(app, "own").set_value("off").run()
    assert not own_note(app)
    assert app.query_params["own"] == "off"
    elsewhere = open_link(LAMBDA, dataset="digits", channels="8")
    assert not elsewhere.warning
    assert control(elsewhere, "own") is None  # none of that network
    for page in FIGURES:
        assert not open_link(page, dataset="digits").exception


def test_the_csv_says_which_points_are_the_readers(out, source, finished, monkeypatch):
    stand_in(out, source, finished, weight_decay=0.0025)
    files, real = [], st.download_button
    monkeypatch.setattr(
        st, "download_button", lambda label, data, *a, **k: files.append((label, data)) or real(label, data, *a, **k)
    )
    app = open_link(LAMBDA, dataset="digits")
    table = pd.read_csv(io.StringIO(dict(files)["CSV"]()))
    mine = table[(table["source"] == "trained here") & (table["series"] == "sparse")]
    assert mine["x"].tolist() == [0.0025]
    np.testing.assert_allclose(np.log2(mine["mean"]), line(app, "Sparse", own=True), atol=1e-4)


@pytest.mark.parametrize("page", [*FIGURES, *STUDY], ids=lambda p: p.key)
def test_a_further_seed_is_one_more_on_every_page(page, out, source, finished):
    stand_in(out, source, finished, seed=7)
    seeds = "3 seeds" if page in FIGURES else "seed 7"  # a figure draws it over them
    asked = {"seed": "7"} | ({} if page is LAMBDA else {"wd": "0.002"})
    app = open_link(page, dataset="digits", **{name: asked[name] for name in asked if name in page.params})
    assert not app.exception
    assert not app.warning
    assert seeds in app.caption[0].value
    assert "trained here" in app.caption[0].value


@pytest.mark.parametrize("page", [FIGURES[0], *STUDY], ids=lambda p: p.key)
def test_a_network_that_did_not_train_is_not_called_missing(page, out, source, finished):
    """Where a slider or a link asks for it, the page says why it is left out, and shows it on request."""
    stand_in(out, source, finished, weight_decay=0.02)  # so that the value is on the sliders
    errors = source.records["train_error"].where(source.records["train_error"].isna(), 0.9)
    dead = dataclasses.replace(source, records=source.records.assign(train_error=errors))
    stand_in(out, dead, finished, weight_decay=0.02, channels=8, conv_layers=3)
    app = open_link(page, dataset="digits", channels="8", wd="0.02")
    assert not app.exception
    assert any(m.value.startswith("**CONV-3-8 at λ = 0.02 did not train**") for m in app.markdown)
    next(button for button in app.button if button.label == "Show it all the same").click().run()
    assert not app.exception
    assert not any("did not train**" in m.value for m in app.markdown)
    assert "λ = 0.02" in " ".join(c.value for c in app.caption)
    assert app.query_params["flagged"] == "true"


def test_more_than_four_recipes_go_into_a_list_while_the_page_is_open(out, source, finished):
    for noise in (0.1, 0.2, 0.3):
        stand_in(out, source, finished, label_noise=noise)
    app = open_link(LAMBDA, dataset="digits")
    control(app, "recipe").set_value("short, label noise 0.2").run()
    assert "label noise 0.2" in app.caption[0].value
    stand_in(out, source, finished, label_noise=0.4)
    app.run()
    assert not app.exception
    assert "label noise 0.2" in app.caption[0].value  # still what the reader chose
    assert control(app, "recipe").options[:2] == ["short", "short, label noise 0.1"]
    assert len(control(app, "recipe").options) == 5
    control(app, "recipe").set_value("short, label noise 0.4").run()
    assert not app.exception
    assert "label noise 0.4" in app.caption[0].value
    linked = open_link(LAMBDA, dataset="digits", recipe="short, label noise 0.3")
    assert not linked.warning
    assert "label noise 0.3" in linked.caption[0].value


@pytest.mark.parametrize("page", STUDY, ids=lambda p: p.key)
def test_what_no_figure_shows_is_reached_by_name(page, out, odd_runs):
    assert "trained here" not in control(open_link(page), "networks").options
    for folder in odd_runs:
        run = put(out, folder)
        app = open_link(page, networks="trained here", run=run_name(run))
        assert not app.exception, run.id
        assert not any("Run:" in w.value for w in app.warning)
        assert run.spec.arch.title in app.caption[0].value
        assert "trained here" in app.caption[0].value
    app = open_link(page, networks="trained here", run="nobody's")
    assert any("Run: the link asks for" in w.value for w in app.warning)
    for page in FIGURES:
        plain = open_link(page, dataset="digits")
        assert control(plain, "runs") is None


@pytest.mark.parametrize("mode", MODES)
def test_the_anatomy_of_a_run_trained_here(mode, out, odd_runs, finished):
    for folder in [finished, *odd_runs]:
        put(out, folder)
    for folder in [finished, *odd_runs]:
        app = open_link(ANATOMY, view=mode, networks="trained here", run=run_name(open_run(folder)))
        assert not app.exception
        assert app.get("plotly_chart") or app.info


def test_two_runs_trained_here_side_by_side(out, source, finished):
    one, two = put(out, finished), stand_in(out, source, finished, label_noise=0.5)
    link = {"view": "two networks", "networks": "trained here"}
    app = open_link(ANATOMY, **link, run=run_name(one), run2=run_name(two))
    assert not app.warning
    assert "recipe short, label noise 0.5" in app.caption[0].value
    app = open_link(ANATOMY, **link, run=run_name(one), run2=run_name(source))
    assert not app.warning
    assert "hatched**: CONV-3-16" in app.caption[0].value


def test_a_broken_folder_is_named_and_breaks_nothing(out, finished, odd_runs):
    put(out, finished)
    for number, name in enumerate(("spec.json", "sample.json", "epochs.parquet", "status.json", "network.safetensors")):
        folder = out / f"broken-{number}"
        shutil.copytree(finished, folder)
        if name == "network.safetensors":
            (folder / name).unlink()
        else:
            (folder / name).write_text("[1")
    shutil.copytree(finished, out / "other-name")
    (out / "a-file").write_text("not a folder")
    (out / "not-started").mkdir()
    for page in NUMBERED:
        app = open_link(page)
        assert not app.exception
        (note,) = [c.value for c in app.sidebar.caption]
        assert note.startswith(
            "Left out, 6 not readable: `broken-0`, `broken-1`, `broken-2`, `broken-3`, `broken-4` and 1 more"
        )
    assert [run.id for run in shelf.own_runs()] == [finished.name]


def test_a_run_comes_and_goes_while_the_page_is_open(out, source, finished):
    app = open_link(LAMBDA, dataset="digits")
    run = stand_in(out, source, finished, weight_decay=0.0025)
    assert line(app.run(), "Sparse", "x", own=True) == [0.0025]
    kept = shelf.shelf().runs[run.id]
    assert shelf.shelf().runs[run.id] is kept  # read once
    shutil.rmtree(out / run.id)
    assert "trained here" not in json.dumps([trace["name"] for trace in chart(app.run())["data"]])
    assert control(app, "runs") is None
    assert shelf.find_run(run.id) is kept  # for a page that listed it a moment ago


def test_a_run_that_still_trains_does_not_join(out, source, finished):
    run = stand_in(out, source, finished, weight_decay=0.0025)
    (out / run.id / "status.json").write_text('{"state": "running"}')
    assert shelf.own_runs() == []
    assert shelf.shelf().broken == {}


def test_a_shipped_run_trained_again_is_shown_once(out, source, finished):
    before = open_link(LAMBDA, dataset="digits")
    again = stand_in(out, source, finished)
    assert again.id == source.id
    after = open_link(LAMBDA, dataset="digits")
    assert on_screen(after) == on_screen(before)
    assert control(after, "runs") is None
    app = open_link(THEORY, networks="trained here", run=run_name(again))
    assert not app.warning
    assert source.spec.arch.title in app.caption[0].value


def test_a_missing_folder_is_no_run(monkeypatch, tmp_path):
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path / "nowhere"))
    assert shelf.own_runs() == []
    assert not (tmp_path / "nowhere").exists()


def test_the_folder_is_looked_at_once_a_second(out, finished, monkeypatch):
    monkeypatch.setattr(shelf, "SCAN_EVERY", 3600.0)
    assert shelf.own_runs() == []
    put(out, finished)
    assert shelf.own_runs() == []
    monkeypatch.setattr(shelf, "SCAN_EVERY", 0.0)
    assert [run.id for run in shelf.own_runs()] == [finished.name]


def test_the_tests_do_not_see_the_developers_runs():
    assert os.environ["BOUNDLAB_RUNS"]
    assert shelf.own_runs() == []


def test_certified_runs_are_compared_with_their_own_recipe(out, odd_runs):
    run = put(out, odd_runs[-1])
    app = open_link(CERTIFICATES, networks="trained here", run=run_name(run), slope="true")
    assert "There are runs of this task at one weight only." in [c.value for c in app.caption]


def test_show_offers_what_the_convention_has_and_the_link_keeps_the_rest():
    wanted = ["Sparse (Galanti 2023)", "Bartlett 2017"]
    app = open_link(LAMBDA, show=wanted)
    assert not app.warning
    pills = next(g for g in app.get("button_group") if "show" in g.proto.id)
    assert "Bartlett 2017" not in [o.content for o in pills.proto.options]
    assert [t["name"] for t in chart(app)["data"] if t["name"] in wanted] == wanted[:1]
    assert sorted(app.query_params["show"]) == sorted(wanted)
    next(g for g in app.get("button_group") if "convention" in g.proto.id).set_value("theorem").run()
    assert {t["name"] for t in chart(app)["data"] if t["name"] in wanted} == set(wanted)
    next(g for g in app.get("button_group") if "show_theorem" in g.proto.id).set_value(wanted[1:]).run()
    next(g for g in app.get("button_group") if "convention" in g.proto.id).set_value("published").run()
    assert app.query_params["show"] == wanted[1]
    assert not [t for t in chart(app)["data"] if t["name"] in wanted]
