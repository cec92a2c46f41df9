"""The pictures of the live view, each with what it says: bounds and errors, loss, margins, norms per layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from boundlab.analysis.curves import by_slot, last_known, of_one_run
from boundlab.analysis.margin_tradeoff import over_epochs
from boundlab.analysis.tables import AXES, MEASURED, SERIES, growing_table, layers_table
from boundlab.bounds import BY_KEY
from boundlab.bounds.base import evaluate, only
from boundlab.charts.canvas import Canvas
from boundlab.charts.margins_of_run import fan
from boundlab.charts.norms_over_epochs import layers_chart
from boundlab.charts.progress import bounds_chart, loss_chart, whole_steps, x_range
from boundlab.charts.theme import HEIGHT
from boundlab.runs.part_errors import PartErrors
from boundlab.runs.run import Run
from boundlab.specs.settings import Settings
from boundlab.ui.page import is_dark
from boundlab.words import figures, live

VIEWS = ("bounds and errors", "loss", "margins", "norms per layer")
NONE = "none"
_POINTS = 120  # per line
_OCTAVES = 5  # the axis of values grows by powers of 2^5


@dataclass(frozen=True)
class Watched:
    """What one refresh draws: the run, the run behind it, the reader's settings; `parts`: errors of a part of the images, newer
    than those of all in the records."""

    run: Run
    other: Run | None
    settings: Settings
    parts: tuple[PartErrors, ...] = ()

    @property
    def span(self) -> float:
        """Epochs on the x axis; of a loop that does not say how many there will be 5, 10, 20, 40, ..."""
        epochs, seen = float(self.run.spec.train.epochs), self.run.epochs
        goes_on = self.run.spec.watched and self.run.state == "running"
        if goes_on and (seen.empty or float(seen["epoch"].max()) >= epochs):
            return 5.0 * 2 ** math.ceil(math.log2(max(epochs, 5.0) / 5.0))
        return epochs

    @property
    def drops(self) -> list[float]:
        """Epochs within the training at which the learning rate falls."""
        per_epoch = -(-self.run.sample.n // self.run.spec.train.batch_size)
        return [drop / per_epoch for drop in self.run.spec.drop_steps(per_epoch) if drop / per_epoch < self.span]

    @property
    def revision(self) -> str:
        """Changes where a reader's zoom should not be kept."""
        return f"{self.run.id}/{self.settings.convention}" + (f"/{self.span:g}" if self.run.spec.watched else "")

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


@st.cache_data(show_spinner=False, max_entries=64)
def _curves(
    _run: Run, fingerprint: tuple[object, ...], settings: Settings, span: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`curves.of_one_run` rows of what is drawn of one run, and the tidy rows of its last record."""
    records = by_slot(_run.records, span, _POINTS)
    table = last_known(growing_table(_run, records, settings))
    # no rings in this picture
    now = table[table["step"] == records["step"].iloc[-1]].assign(trained=True, at_plateau=True)
    return of_one_run(table, AXES["epoch"]), now


def _rows(run: Run, watched: Watched) -> tuple[pd.DataFrame, pd.DataFrame]:
    last = run.records.iloc[-1]
    fingerprint = (run.id, len(run.records), len(run.epochs), float(last["step"]), float(last["path_l1"]))
    curves, now = _curves(run, fingerprint, watched.settings, watched.span)
    return curves[curves["epoch"] <= watched.span], now


def with_parts(curves: pd.DataFrame, parts: Sequence[PartErrors]) -> pd.DataFrame:
    """Errors that stand still until all images are measured again, as a part of the images has them meanwhile: a run shows how
    it does from its first epoch on."""
    if not parts:
        return curves
    curves = curves.reset_index(drop=True)
    epochs = np.array([part.epoch for part in parts])
    newest = np.searchsorted(epochs, curves["epoch"].to_numpy(float) + 1e-9) - 1  # -1: no part yet
    at = epochs[np.maximum(newest, 0)]
    for series in ("train_error", "test_error"):
        stale = (curves["series"] == series) & (newest >= 0) & (at > curves["as_of"].to_numpy(float))
        values = np.array([getattr(part, series) for part in parts])[newest[stale]]
        for column in ("mean", "low", "high"):
            curves.loc[stale, column] = values
        curves.loc[stale, "as_of"] = at[stale]
    return curves


def _bounds(watched: Watched) -> go.Figure | None:
    convention = watched.settings.convention
    shown = [key for key in SERIES if key in MEASURED or convention in BY_KEY[key].formulas]
    curves = with_parts(_rows(watched.run, watched)[0], watched.parts)
    other = _rows(watched.other, watched)[0] if watched.other else None
    if curves.empty:
        return None
    tables = [table for table in (curves, other) if table is not None]
    logs = [np.log2(t["mean"][(t["series"] != "gap") & (t["mean"] > 0)].to_numpy(float)) for t in tables]
    y = watched.axis(VIEWS[0], logs, _OCTAVES)
    canvas = Canvas(x_range(watched.span), (y[0] - 0.3, y[1] + 0.3), dark=is_dark(), convention=convention)
    return bounds_chart(curves, shown, canvas, other)


def _bounds_words(watched: Watched) -> list[str]:
    curves, now = _rows(watched.run, watched)
    words = live.bounds_notice(curves, watched.run, watched.settings)
    if watched.other:
        words += f" {live.against(curves, _rows(watched.other, watched)[0])}"
    gap = now[now["series"] == "gap"]["value"]
    unseen = ["The gap is zero or negative now: no place on a log axis; the CSV has it."] if (gap <= 0).any() else []
    return [words, *figures.not_drawn(now, "linear"), *unseen]


def _losses(run: Run, span: float) -> pd.DataFrame:
    known = run.records[run.records["loss"].notna() & (run.records["epoch"] <= span)]
    return by_slot(known, span, _POINTS)[["epoch", "loss"]].astype(float) if len(known) else known[["epoch", "loss"]]


def _loss(watched: Watched) -> go.Figure | None:
    loss = _losses(watched.run, watched.span)
    other = _losses(watched.other, watched.span) if watched.other else None
    if loss.empty:
        return None
    tables = [table for table in (loss, other) if table is not None]
    y = watched.axis(VIEWS[1], [np.log10(t["loss"][t["loss"] > 0].to_numpy()) for t in tables], 1)
    return loss_chart(loss, watched.span, (y[0] - 0.05, y[1] + 0.05), watched.drops, other, is_dark())


def _loss_words(watched: Watched) -> list[str]:
    return [live.loss_notice(watched.run, watched.drops)]


def _margins(watched: Watched) -> go.Figure | None:
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


def _margins_words(watched: Watched) -> list[str]:
    words = "Median of the training margins, 50 % and 90 % of them in the bands; measured at epoch ends."
    return [live.margins_notice(over_epochs(watched.run), watched.run), words]


def _layers(watched: Watched) -> go.Figure | None:
    table = layers_table(watched.run, by_slot(watched.run.records, watched.span, _POINTS))
    other = None
    if watched.other:
        records = watched.other.records
        other = layers_table(watched.other, by_slot(records[records["epoch"] <= watched.span], watched.span, _POINTS))
    parts = [t.drop(columns="epoch").to_numpy(float) for t in (table, other) if t is not None]
    y = watched.axis(VIEWS[3], [np.log2(np.where(part > 0, part, np.nan)) for part in parts], 1)
    return layers_chart(table, watched.span, (y[0] - 0.1, y[1] + 0.1), watched.drops, other, is_dark())


def _layers_words(watched: Watched) -> list[str]:
    return [live.layers_notice(layers_table(watched.run, watched.run.records.iloc[[0, -1]]))]


DRAW: dict[str, tuple[Callable[[Watched], go.Figure | None], Callable[[Watched], list[str]]]] = {
    "bounds and errors": (_bounds, _bounds_words),
    "loss": (_loss, _loss_words),
    "margins": (_margins, _margins_words),
    "norms per layer": (_layers, _layers_words),
}
