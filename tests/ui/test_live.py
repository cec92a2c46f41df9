"""The live view of a run that grows: charts and tables against hand-made data, the view through Streamlit's test runner."""

import csv
import dataclasses
import io
import json
import math
import re

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from boundlab.analysis.curves import by_axis, by_slot, last_known, of_one_run
from boundlab.analysis.tables import AXES, SERIES, growing_table, history_table, layers_table
from boundlab.charts.canvas import Canvas
from boundlab.charts.norms_over_epochs import layers_chart
from boundlab.charts.progress import alive, bounds_chart, loss_chart, update_of, whole_steps, x_range
from boundlab.charts.theme import viridis
from boundlab.quantities.records import norm_columns_of
from boundlab.runs import part_errors
from boundlab.runs.folder import open_run
from boundlab.runs.part_errors import PartErrors
from boundlab.specs.settings import Settings
from boundlab.text import format_epoch
from boundlab.ui.pages.train import live
from boundlab.ui.pages.train.live_views import Watched, with_parts
from boundlab.words import live as live_words
from tests.ui.test_pages import numbers

FEW = ("golowich", "sparse", "test_error")


@pytest.fixture(scope="module")
def run(pack):
    """A shipped run on the digits: errors every tenth epoch, norms more often."""
    return next(r for r in pack if r.id.startswith("digits-conv-3-16-wd0.003-s0"))


def first(run, count):
    return dataclasses.replace(run, records=run.records.iloc[:count], state="running")


def rows(run, settings=None):
    return of_one_run(last_known(growing_table(run, run.records, settings or Settings())), AXES["epoch"])


def test_an_axis_grows_in_steps_and_never_shrinks():
    assert whole_steps(-0.2, 24.3, 5) == (-5, 25)
    assert whole_steps(-0.2, 24.3, 5, (-10, 30)) == (-10, 30)
    assert whole_steps(-6.0, 31.0, 5, (-10, 30)) == (-10, 35)
    assert whole_steps(2.0, 2.0, 5) == (0, 5)
    assert whole_steps(5.0, 5.0, 5) == (5, 10)


def test_thinning_keeps_the_ends_the_errors_and_what_it_kept():
    steps = np.arange(400)
    records = pd.DataFrame({"step": steps, "epoch": steps / 4, "train_error": np.where(steps % 40 == 0, 0.1, np.nan)})
    before: set[int] = set()
    for count in range(1, 401, 7):
        kept = by_slot(records.iloc[:count], 100, 50)
        here = set(kept["step"])
        assert {0, count - 1} <= here
        assert set(steps[:count:40]) <= here
        assert len(here) <= 53
        over = math.floor(records["epoch"].iloc[count - 1] / 2)  # parts of 2 epochs that are over
        assert {s for s in before if s / 8 < over} == {s for s in here & before if s / 8 < over}
        before = {s for s in here if s / 8 < over}


def test_thinning_works_before_any_error_was_measured():
    records = pd.DataFrame({"step": range(9), "epoch": np.arange(9.0)})
    assert by_slot(records, 100, 10)["step"].tolist() == [0, 8]


def test_rows_of_one_run_are_what_by_axis_makes_of_them(run):
    table = last_known(history_table([run], Settings()))
    slow = by_axis(table, AXES["epoch"]).assign(flagged=False)
    fast = of_one_run(table, AXES["epoch"])[slow.columns]
    pd.testing.assert_frame_equal(fast, slow, check_dtype=False)


def test_the_growing_table_is_the_history_and_does_without_errors(run):
    part = first(run, 30)
    pd.testing.assert_frame_equal(growing_table(part, part.records, Settings()), history_table([part], Settings()))
    bare = part.records.iloc[:1].drop(columns=["train_error", "test_error", "ramp", "indicator"])
    table = growing_table(dataclasses.replace(run, records=bare), bare, Settings()).set_index("series")["value"]
    assert table["sparse"] > 0
    assert table[["test_error", "gap", "holdout"]].isna().all()


def test_rho_is_the_product_of_the_layers(run):
    table = layers_table(run, run.records.iloc[[0, 50, -1]])
    assert list(table) == ["epoch", "conv1", "conv2", "conv3", "output", "rho"]
    np.testing.assert_allclose(table[["conv1", "conv2", "conv3", "output"]].prod(axis=1), table["rho"], rtol=1e-12)
    assert table["conv2"].iloc[1] == run.records["layers.1.frobenius"].iloc[50]


def test_errors_of_a_part_stand_in_until_all_images_are_measured_again(run):
    """Of a run whose errors were measured at the start only: the line moves with the parts, and never after a later full one."""
    curves = rows(first(run, 12))
    errors = curves[curves["series"] == "test_error"]
    carried = errors[errors["as_of"].notna()]
    assert len(carried) > 3
    start, end = float(carried["epoch"].iloc[0]), float(carried["epoch"].iloc[-1])
    middle = (start + end) / 2
    parts = [
        PartErrors(1, float(carried["as_of"].iloc[0]), 0.9, 100, 0.8, 50),  # as old as what is known: changes nothing
        PartErrors(2, middle, 0.3, 100, 0.4, 50),
    ]
    drawn = with_parts(curves, parts)
    wanted = np.where(
        (errors["epoch"] >= middle) & errors["as_of"].notna() & (errors["as_of"] < middle), 0.4, errors["mean"]
    )
    np.testing.assert_array_equal(drawn[drawn["series"] == "test_error"]["mean"], wanted)
    assert (wanted == 0.4).any()
    assert (wanted != 0.4).any()
    others = ~curves["series"].isin(["test_error", "train_error"])
    pd.testing.assert_frame_equal(drawn[others.to_numpy()], curves.reset_index(drop=True)[others.to_numpy()])
    assert with_parts(curves, []) is curves


@pytest.mark.parametrize("dark", [False, True])
def test_traces_keep_their_number_and_order_while_the_run_grows(run, pack, dark):
    canvas = Canvas(x_range(200), (-10, 30), dark=dark)
    other = rows(next(r for r in pack if r.id.startswith("digits-conv-3-16-wd0.004-s1")))
    shapes = set()
    for count in (1, 2, 15, 100, len(run.records)):
        figure = bounds_chart(rows(first(run, count)), SERIES, canvas, other)
        shapes.add(tuple(trace.name for trace in figure.data))
        sparse = next(trace for trace in figure.data if trace.name == "Sparse (Galanti 2023)")
        assert len(sparse.x) == count
        assert sparse.marker.size[0] > 0
        assert sparse.marker.size[-1] > 0
    assert len(shapes) == 1
    assert sum(size > 0 for size in sparse.marker.size) == 12 + 1  # of every twelfth the first, and the newest


def browser(figure):
    """A figure as the browser has it."""
    return json.loads(figure.to_json())


@pytest.mark.parametrize("view", ["bounds", "loss", "layers"])
def test_the_update_makes_the_first_figure_the_newest_one(run, pack, view):
    other = next(r for r in pack if r.id.startswith("digits-conv-3-16-wd0.004-s1"))

    def figure(run):
        if view == "bounds":
            made = bounds_chart(rows(run), FEW, Canvas(x_range(200), (-10, 30)), rows(other))
        elif view == "loss":
            made = loss_chart(run.records.dropna(subset=["loss"]), 200, (-3, 0), [120.0], other.records, False)
        else:
            made = layers_chart(
                layers_table(run, run.records), 200, (-1, 10), [], layers_table(other, other.records), False
            )
        return alive(made, "same", "one")

    old, new = figure(first(run, 20)), figure(run)
    assert len(old.data) == len(new.data)
    news = json.loads(json.dumps(update_of(new)))
    patched = browser(old)
    for name, values in news["data"].items():
        for index, value in zip(news["traces"], values, strict=True):
            target = (
                patched["data"][index].setdefault("marker", {}) if name == "marker.size" else patched["data"][index]
            )
            target[name.removeprefix("marker.")] = value
    patched["layout"] |= news["layout"]
    wanted = browser(new)
    for there, want in zip(patched["data"], wanted["data"], strict=True):
        for name in ("x", "y"):
            np.testing.assert_allclose(
                np.asarray(numbers(there[name]), float), np.asarray(numbers(want[name]), float), atol=1e-3
            )
        assert there.get("text") == want.get("text")
    assert patched["layout"]["annotations"] == wanted["layout"]["annotations"]
    assert patched["layout"].get("shapes") == wanted["layout"].get("shapes")


def test_the_loss_is_drawn_in_log10_with_the_drops():
    loss = pd.DataFrame({"epoch": [1.0, 2.0, 3.0], "loss": [1.0, 0.1, 0.0]})
    figure = loss_chart(loss, 10, (-2, 0), [6.0, 8.5], None, False)
    assert numbers(browser(figure)["data"][0]["y"])[:2] == [0.0, -1.0]
    assert numbers(browser(figure)["data"][0]["y"])[2] is None  # no place on a log axis
    assert [shape.x0 for shape in figure.layout.shapes] == [6.0, 8.5]


def test_many_layers_have_a_colour_each_and_the_first_and_last_their_names():
    names = [f"conv{i}" for i in range(1, 31)]
    table = pd.DataFrame(
        {"epoch": [0.0, 1.0], **{name: [2.0, 1.0] for name in names}, "output": [1.0, 1.0], "rho": [2.0**30, 1]}
    )
    assert len(set(viridis(31, False))) == 31
    figure = layers_chart(table, 10, (-1, 31), [], None, False)
    named = [note.text for note in figure.layout.annotations]
    assert named[0] == "conv1"
    assert named[-2:] == ["output", "<b>ρ, the product</b>"]
    assert len(named) == 12


def sparse_curve(values):
    return pd.DataFrame({"series": "sparse", "epoch": np.linspace(0, 100, len(values)), "mean": values})


def test_levelled_off_means_less_than_5_per_cent_over_the_last_fifth(run):
    falling = np.geomspace(100, 1, 101)
    assert "not levelled off" in live_words.levelling(sparse_curve(falling), run)
    flat = np.concatenate([np.geomspace(100, 2, 80), np.full(21, 2.0)])
    assert "**levelled off**: since epoch 80" in live_words.levelling(sparse_curve(flat), run)
    flat[90] = 2.2
    assert "moved by 10 %" in live_words.levelling(sparse_curve(flat), run)
    assert "too early" in live_words.levelling(sparse_curve(flat[:4]), run)
    train = dataclasses.replace(run.spec.train, weight_decay=1e-5)
    weak = dataclasses.replace(run, spec=dataclasses.replace(run.spec, train=train))
    assert "plateau number is 0.1, below 4" in live_words.levelling(sparse_curve(np.full(50, 3.0)), weak)


def test_the_most_alike_run_comes_first_and_never_the_run_itself(run, pack):
    digits = [r for r in pack if r.spec.train.dataset == "digits"]
    found = live._choices(run, run.id, digits, len(digits))
    assert run.id not in {digits[i].id for i in found.values()}
    assert next(iter(found)) == "CONV-3-16, λ = 0.003, seed 1"
    train = dataclasses.replace(run.spec.train, weight_decay=1.05e-3)
    arch = dataclasses.replace(run.spec.arch, channels=15)
    own = dataclasses.replace(run, spec=dataclasses.replace(run.spec, arch=arch, train=train))
    assert next(iter(live._choices(own, own.id, digits, len(digits)))).startswith("CONV-3-16, λ = 0.001, seed 0")


def test_a_run_trained_differently_is_said_to_be(run, pack):
    short = dataclasses.replace(
        run, spec=dataclasses.replace(run.spec, train=dataclasses.replace(run.spec.train, epochs=60))
    )
    assert "200 epochs (here 60 epochs)" in live_words.compared(short, run)
    assert "trained in the same way" in live_words.compared(run, run)


def folder_of(run, path, count, bare=False):
    """A run folder as the worker leaves it after `count` records; `bare`: without the errors of the first."""
    path.mkdir()
    needed = norm_columns_of(run.spec.arch.shapes())
    lines = []
    for record in run.records.drop(columns="run", errors="ignore").iloc[:count].to_dict("records"):
        record = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in record.items()}
        measured = "margin_quantiles" in record and isinstance(record["margin_quantiles"], list) and not bare
        known = {k: v for k, v in record.items() if isinstance(v, list) or (v is not None and v == v)}
        known = known if measured else {k: v for k, v in known.items() if k in needed or k == "loss"}
        known = {"loss": None} | {k: float("nan") for k in needed} | known
        lines.append(json.dumps(known) + "\n")
    for name, value in (
        ("spec", run.spec.to_dict()),
        ("sample", run.sample.to_dict()),
        ("status", {"state": "running"}),
    ):
        (path / f"{name}.json").write_text(json.dumps(value))
    (path / "records.jsonl").write_text("".join(lines))
    return path


def page(folder):
    import streamlit as st

    from boundlab.runs import part_errors
    from boundlab.runs.folder import open_run
    from boundlab.ui.controls import Controls
    from boundlab.ui.pages.train.live import live_view
    from boundlab.ui.shipped import shipped_runs

    @st.fragment
    def view():
        run = open_run(folder)
        alike = [r for r in shipped_runs() if r.spec.train.dataset == run.spec.train.dataset]
        live_view(Controls(), run, alike, part_errors.read_part_errors(folder))

    view()


def opened(folder, **link):
    app = AppTest.from_function(page, default_timeout=60, kwargs={"folder": folder})
    for name, value in link.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    assert not app.warning
    return app


def words(app):
    return " ".join(part.value for part in (*app.markdown, *app.caption, *app.info))


@pytest.mark.parametrize("view", live.VIEWS)
@pytest.mark.parametrize("convention", ["published", "theorem", "strict"])
@pytest.mark.parametrize("stage", ["bare", "one", "half", "all"])
def test_every_view_at_every_stage(run, tmp_path, view, convention, stage):
    count = {"bare": 1, "one": 1, "half": len(run.records) // 2, "all": len(run.records)}[stage]
    app = opened(folder_of(run, tmp_path / "run", count, stage == "bare"), live=view, convention=convention)
    drawn = len(app.get("plotly_chart")) == 1
    nothing = {
        "bounds and errors": stage == "bare" and convention != "published",
        "loss": count == 1,
        "margins": stage == "bare",
        "norms per layer": False,
    }
    assert drawn != nothing[view], words(app)
    if drawn:
        assert (
            f"· {convention} · epoch {format_epoch(open_run(tmp_path / 'run').records['epoch'].iloc[-1])} of 200"
            in words(app)
        )
        assert "Dashed: the shipped run CONV-3-16, λ = 0.003, seed 1" in words(app)
        assert len(app.get("plotly_chart")[0].proto.spec) < 200_000


def test_the_words_follow_the_run(run, tmp_path):
    early = words(opened(folder_of(run, tmp_path / "early", 1)))
    assert "One point so far" in early
    assert "It has not learnt yet" in early
    late = words(opened(folder_of(run, tmp_path / "late", len(run.records))))
    assert "From epoch 0 to 200 the sparse bound falls by a factor of" in late
    assert "levelled off" in late
    assert "not learnt" not in late


def test_no_comparison_is_a_choice_the_link_carries(run, tmp_path):
    app = opened(folder_of(run, tmp_path / "run", 40), compare="none")
    assert "Dashed" not in words(app)


def test_a_refresh_sends_the_same_figure_and_the_news_beside_it(run, tmp_path):
    folder = folder_of(run, tmp_path / "run", 40)
    app = opened(folder)
    before = app.get("plotly_chart")[0].proto.spec
    (folder_of(run, tmp_path / "more", 80) / "records.jsonl").replace(folder / "records.jsonl")
    app.run()
    assert not app.exception
    assert app.get("plotly_chart")[0].proto.spec == before
    assert "epoch 43.89 of 200" in words(app)


def test_the_csv_has_every_bound_at_every_recorded_step(run):
    part = first(run, 12)
    lines = list(csv.DictReader(io.StringIO(live._csv(part, Settings())())))
    assert len(lines) == 12 * len(SERIES)
    assert {float(line["step"]) for line in lines} == set(part.records["step"])


def test_a_refresh_is_small(run, pack):
    shown = [name for name in SERIES if name in set(rows(run)["series"])]
    thin = by_slot(run.records, 200, 120)
    curves = of_one_run(last_known(growing_table(run, thin, Settings())), AXES["epoch"])
    figure = bounds_chart(curves, shown, Canvas(x_range(200), (-10, 30)), curves)
    assert isinstance(figure, go.Figure)
    assert len(json.dumps(update_of(figure))) < 100_000


def test_a_changed_setting_is_a_new_picture_also_of_the_run_behind(run, tmp_path):
    """The dashed lines of the compared run are not in the news: they too must be those of a fresh link."""
    folder = folder_of(run, tmp_path / "run", 40)
    app = opened(folder)
    app.selectbox(key="delta").set_value("0.1").run()
    assert not app.exception
    wanted = opened(folder, delta="0.1")
    drawn, fresh = (json.loads(one.get("plotly_chart")[0].proto.spec) for one in (app, wanted))
    assert [trace["name"] for trace in drawn["data"]] == [trace["name"] for trace in fresh["data"]]
    assert [trace["y"] for trace in drawn["data"]] == [trace["y"] for trace in fresh["data"]]


def test_the_words_are_about_the_newest_errors_and_say_of_which_epoch_and_images(run, tmp_path):
    folder = folder_of(run, tmp_path / "run", 17)  # up to epoch 8.89; the records' errors are those of epoch 0
    assert open_run(folder).final["epoch"] == 0
    before = words(opened(folder))
    assert "At epoch 0: train error 89.56 % of 1,437 training images" in before
    assert "It has not learnt yet" in before
    parts = [PartErrors(45 * epoch, epoch, 0.9 / epoch, 287, 1.0 / epoch, 200) for epoch in range(1, 9)]
    (folder / part_errors.FILE).write_text("".join(part.line() for part in parts))
    for view in live.VIEWS:
        now = words(opened(folder, live=view))
        assert (
            "At epoch 8: train error 11.25 % of 287 training images, test error 12.50 % of 200 test images (the same part "
            "at every epoch; all are measured every 10 epochs)."
        ) in now
        assert "not learnt" not in now
    late = folder_of(run, tmp_path / "late", 40)  # a newer record of all images counts
    (late / part_errors.FILE).write_text("".join(part.line() for part in parts))
    assert re.search(
        r"At epoch 20: train error \S+ % of 1,437 training images, test error \S+ % of 360 test", words(opened(late))
    )


@pytest.mark.parametrize(
    "junk", ["[]", "null", "{", '{"step": 1}', "7", '{"step": "1"}', "[" * 99_999, "\x00", '{"step": 45, "epoch": 1, '
    '"train_error": NaN, "train_images": 1, "test_error": 0.1, "test_images": 1}', '{"step": 45, "epoch": 1, '
    '"train_error": "a", "train_images": 1, "test_error": 0.1, "test_images": 1}'],
)  # fmt: skip
def test_junk_among_the_errors_of_parts_is_left_out(tmp_path, junk):
    good = PartErrors(90, 2.0, 0.5, 287, 0.25, 200)
    (tmp_path / part_errors.FILE).write_text(f"{junk}\n{good.line()}{junk}")
    assert part_errors.read_part_errors(tmp_path) == [good]


def test_the_axis_of_a_loop_without_a_number_of_epochs_grows_in_steps_and_ends_with_the_run(run):
    def at(epochs, state, planned):
        train = dataclasses.replace(run.spec.train, preset="own loop", epochs=planned)
        records = run.records[run.records["epoch"] <= epochs]
        return Watched(
            dataclasses.replace(run, spec=dataclasses.replace(run.spec, train=train), records=records, state=state),
            None,
            Settings(),
        )

    assert [at(n, "running", n).span for n in (10, 20, 50)] == [10, 20, 80]
    assert at(50, "done", 50).span == 50
    assert at(20, "running", 50).span == 50  # how many there will be was said
    assert at(20, "running", 20).revision != at(50, "running", 50).revision
    assert Watched(run, None, Settings()).revision == f"{run.id}/published"
