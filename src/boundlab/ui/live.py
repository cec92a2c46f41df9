"""The live view of one run while it trains, and after; called inside a fragment that reruns every second."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from boundlab.bounds import ALL, BY_KEY, evaluate, only
from boundlab.charts.layers import layers_chart
from boundlab.charts.margins import fan
from boundlab.charts.progress import alive, bounds_chart, loss_chart, update_of, whole_steps, x_range
from boundlab.charts.theme import HEIGHT
from boundlab.charts.traces import Canvas
from boundlab.charts.trend import Picture
from boundlab.curves import by_slot, last_known, of_one_run
from boundlab.margins import over_epochs
from boundlab.runs import Run
from boundlab.specs import Settings
from boundlab.tables import AXES, MEASURED, SERIES, growing_table, layers_table
from boundlab.ui import live_words, prose
from boundlab.ui.controls import Controls
from boundlab.ui.explain import explain
from boundlab.ui.page import is_dark
from boundlab.ui.player import player

VIEWS = ("bounds and errors", "loss", "margins", "norms per layer")
NONE = "none"
_POINTS = 120  # per line
_OCTAVES = 5  # the axis of values grows by powers of 2^5
_COMPARE_HELP = "A shipped run drawn behind, dashed. The first ones are the most alike: data, layers, channels, λ."


@dataclass(frozen=True)
class _Watched:
    """What one refresh draws: the run, the run behind it, the reader's settings."""

    run: Run
    other: Run | None
    settings: Settings

    @property
    def span(self) -> float:
        """Epochs on the x axis."""
        return float(self.run.spec.train.epochs)

    @property
    def drops(self) -> list[float]:
        """Epochs within the training at which the learning rate falls."""
        per_epoch = -(-self.run.sample.n // self.run.spec.train.batch_size)
        return [drop / per_epoch for drop in self.run.spec.drop_steps(per_epoch) if drop / per_epoch < self.span]

    @property
    def revision(self) -> str:
        """Changes where a reader's zoom should not be kept."""
        return f"{self.run.id}/{self.settings.convention}"

    def axis(self, view: str, values: Sequence[np.ndarray], step: float) -> tuple[float, float]:
        """Range of the y axis over finite `values`, in whole steps; for one picture it never shrinks."""
        every = np.concatenate([np.ravel(part) for part in values])
        every = every[np.isfinite(every)]
        low, high = (float(every.min()), float(every.max())) if len(every) else (-step / 2, step / 2)
        what = (self.revision, self.other.id if self.other else NONE)
        before, known = st.session_state.get(f"live_axis_{view}", (None, None))
        reach = whole_steps(low, high, step, known if before == what else None)
        st.session_state[f"live_axis_{view}"] = (what, reach)
        return reach


def _likeness(run: Run, other: Run) -> tuple[float, ...]:
    """Smaller is more alike; the first difference decides."""

    def apart(one: float | None, two: float | None) -> float:
        return abs(math.log(max(one or 0, 1e-6)) - math.log(max(two or 0, 1e-6)))

    (a, t), (b, u) = ((r.spec.arch, r.spec.train) for r in (run, other))
    sizes = [(a.conv_layers, b.conv_layers), (a.channels, b.channels), (t.weight_decay, u.weight_decay)]
    equal = (
        t.preset == u.preset,
        t.certificate_weight == u.certificate_weight,
        t.batch_size == u.batch_size,
        a == b,
        run.sample.n == other.sample.n,
    )
    distance = [apart(*pair) for pair in sizes]
    return (
        float(t.labels != u.labels),
        float(a.kind != b.kind),
        float(t.loss != u.loss),
        *distance,
        *(float(not same) for same in equal),
        float(u.seed),
    )


@st.cache_data(show_spinner=False, max_entries=64)
def _choices(_run: Run, name: str, _shipped: Sequence[Run], ids: int) -> dict[str, int]:
    """Label -> position in `_shipped` of one seed of each network, the most alike first."""
    found: dict[object, int] = {}
    order = sorted(range(len(_shipped)), key=lambda i: _likeness(_run, _shipped[i]))
    for i in order:
        spec = _shipped[i].spec
        if _shipped[i].id != name:
            found.setdefault((spec.arch, dataclasses.replace(spec.train, seed=0)), i)
    labels = [live_words.name(_shipped[i].spec) for i in found.values()]
    unique = [
        label if labels.count(label) == 1 else f"{label} ({_shipped[i].id[-6:]})"
        for label, i in zip(labels, found.values(), strict=True)
    ]
    return dict(zip(unique, found.values(), strict=True))


def _compare(controls: Controls, run: Run, shipped: Sequence[Run]) -> Run | None:
    found = _choices(run, run.id, shipped, len(shipped))
    options, default = [*found, NONE], next(iter(found), NONE)
    if st.session_state.get("compare") != NONE:  # no comparison was chosen for good; another run has another likeness
        controls.renew("compare", options, default)
    chosen = controls.choose("Compare with", options, "compare", _COMPARE_HELP, default, 300)
    return None if chosen == NONE else shipped[found[chosen]]


@st.cache_data(show_spinner=False, max_entries=64)
def _curves(
    _run: Run, fingerprint: tuple[object, ...], settings: Settings, span: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`curves.of_one_run` rows of what is drawn of one run, and the tidy rows of its last record."""
    records = by_slot(_run.records, span, _POINTS)
    table = last_known(growing_table(_run, records, settings))
    now = table[table["step"] == records["step"].iloc[-1]].assign(
        trained=True, at_plateau=True
    )  # no rings in this picture
    return of_one_run(table, AXES["epoch"]), now


def _rows(run: Run, watched: _Watched) -> tuple[pd.DataFrame, pd.DataFrame]:
    last = run.records.iloc[-1]
    fingerprint = (run.id, len(run.records), len(run.epochs), float(last["step"]), float(last["path_l1"]))
    curves, now = _curves(run, fingerprint, watched.settings, watched.span)
    return curves[curves["epoch"] <= watched.span], now


def _bounds(watched: _Watched) -> go.Figure | None:
    convention = watched.settings.convention
    shown = [key for key in SERIES if key in MEASURED or convention in BY_KEY[key].formulas]
    curves = _rows(watched.run, watched)[0]
    other = _rows(watched.other, watched)[0] if watched.other else None
    if curves.empty:
        return None
    tables = [table for table in (curves, other) if table is not None]
    logs = [np.log2(t["mean"][(t["series"] != "gap") & (t["mean"] > 0)].to_numpy(float)) for t in tables]
    y = watched.axis(VIEWS[0], logs, _OCTAVES)
    canvas = Canvas(x_range(watched.span), (y[0] - 0.3, y[1] + 0.3), dark=is_dark())
    return bounds_chart(curves, shown, canvas, other)


def _bounds_words(watched: _Watched) -> list[str]:
    curves, now = _rows(watched.run, watched)
    words = live_words.bounds_notice(curves, watched.run, watched.settings)
    if watched.other:
        words += f" {live_words.against(curves, _rows(watched.other, watched)[0])}"
    gap = now[now["series"] == "gap"]["value"]
    unseen = ["The gap is zero or negative now: no place on a log axis; the CSV has it."] if (gap <= 0).any() else []
    return [words, *prose.not_drawn(now, "linear"), *unseen]


def _losses(run: Run, span: float) -> pd.DataFrame:
    known = run.records[run.records["loss"].notna() & (run.records["epoch"] <= span)]
    return by_slot(known, span, _POINTS)[["epoch", "loss"]].astype(float) if len(known) else known[["epoch", "loss"]]


def _loss(watched: _Watched) -> go.Figure | None:
    loss = _losses(watched.run, watched.span)
    other = _losses(watched.other, watched.span) if watched.other else None
    if loss.empty:
        return None
    tables = [table for table in (loss, other) if table is not None]
    y = watched.axis(VIEWS[1], [np.log10(t["loss"][t["loss"] > 0].to_numpy()) for t in tables], 1)
    return loss_chart(loss, watched.span, (y[0] - 0.05, y[1] + 0.05), watched.drops, other, is_dark())


def _loss_words(watched: _Watched) -> list[str]:
    return [live_words.loss_notice(watched.run, watched.drops)]


def _margins(watched: _Watched) -> go.Figure | None:
    run = watched.run
    if run.epochs.empty:
        return None
    table = over_epochs(run)
    other = over_epochs(watched.other) if watched.other else None
    other = other[other["epoch"] <= watched.span] if other is not None else None
    margin = 1.0  # of the published curves and the theorems
    if watched.settings.convention == "strict":
        value = evaluate(BY_KEY["sparse"], run.norms(run.epochs.iloc[-1:]), run.sample, watched.settings)
        margin = margin if value.margin is None else only(value.margin)
    tables = [t for t in (table, other) if t is not None]
    low, high = watched.axis(VIEWS[2], [t[["q5", "q95"]].to_numpy() for t in tables] + [np.array([0.0, 1.1])], 0.5)
    figure = fan(table, float(run.records["epoch"].iloc[-1]), margin, (low, high), is_dark(), other)
    figure.layout.update(height=HEIGHT)
    figure.layout.xaxis.range = x_range(watched.span)
    return figure


def _margins_words(watched: _Watched) -> list[str]:
    words = "Median of the training margins, 50 % and 90 % of them in the bands; measured at epoch ends."
    return [live_words.margins_notice(over_epochs(watched.run), watched.run), words]


def _layers(watched: _Watched) -> go.Figure | None:
    table = layers_table(watched.run, by_slot(watched.run.records, watched.span, _POINTS))
    other = None
    if watched.other:
        records = watched.other.records
        other = layers_table(watched.other, by_slot(records[records["epoch"] <= watched.span], watched.span, _POINTS))
    parts = [t.drop(columns="epoch").to_numpy(float) for t in (table, other) if t is not None]
    y = watched.axis(VIEWS[3], [np.log2(np.where(part > 0, part, np.nan)) for part in parts], 1)
    return layers_chart(table, watched.span, (y[0] - 0.1, y[1] + 0.1), watched.drops, other, is_dark())


def _layers_words(watched: _Watched) -> list[str]:
    return [live_words.layers_notice(layers_table(watched.run, watched.run.records.iloc[[0, -1]]))]


_DRAW: dict[str, tuple[Callable[[_Watched], go.Figure | None], Callable[[_Watched], list[str]]]] = {
    "bounds and errors": (_bounds, _bounds_words),
    "loss": (_loss, _loss_words),
    "margins": (_margins, _margins_words),
    "norms per layer": (_layers, _layers_words),
}


def _chart(view: str, watched: _Watched, figure: go.Figure) -> None:
    """The chart as it was when this picture was first drawn, and through the player what is new since."""
    other = watched.other.id if watched.other else NONE
    picture = (view, watched.revision, other, is_dark(), len(figure.data))
    if st.session_state.get("live_first", (None,))[0] != picture:
        st.session_state["live_first"] = (picture, alive(figure, f"{view}/{watched.revision}"))
    first: go.Figure = st.session_state["live_first"][1]
    file, words = f"{watched.run.id}-{view.replace(' ', '-')}", live_words.about(watched.run, watched.settings)
    player("live_player", Picture(first, [], [], ""), "", [], 0, file, words, update_of(figure))
    st.plotly_chart(
        first,
        key="live_chart",
        config={"displaylogo": False},
        alt=f"{view} of the run over its epochs; the words below the chart say what it shows",
    )


def _csv(run: Run, settings: Settings) -> Callable[[], str]:
    """Every bound and error at every recorded step, made when asked for."""
    return lambda: growing_table(run, run.records, settings).to_csv(index=False, float_format="%.10g")


def live_view(controls: Controls, run: Run, shipped: Sequence[Run]) -> None:
    """Controls, one picture, what to notice, CSV. `shipped`: shipped runs of the same data set, to compare with."""
    with st.container(horizontal=True):
        view = controls.pick("Live view", VIEWS, "live")
        settings = controls.settings()
        other = _compare(controls, run, shipped)
    watched = _Watched(run, other, settings)
    draw, words = _DRAW[view]
    if run.records.empty or (figure := draw(watched)) is None:
        st.info("Nothing has been measured yet that this view could draw.")
        return
    with st.container(key="stage_live"):
        _chart(view, watched, figure)
    st.caption(" ".join([live_words.about(run, settings) + ".", live_words.compared(run, other) if other else ""]))
    notice, *lines = words(watched)
    st.markdown(" ".join(filter(None, [live_words.learning(run), notice])))
    for line in lines:
        st.caption(line)
    st.download_button(
        "CSV: every bound at every recorded step",
        _csv(run, settings),
        f"{run.id}.csv",
        "text/csv",
        key="live_csv",
        icon=":material/download:",
        on_click="ignore",
    )
    if view == VIEWS[0]:
        explain(settings.convention, [bound.key for bound in ALL if settings.convention in bound.formulas])
