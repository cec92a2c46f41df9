"""The chart of a sweep: as it stands while it trains, and every moment of it once it is there."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from boundlab.analysis.curves import by_axis
from boundlab.analysis.sweep import (
    ERRORS,
    GUARANTEED,
    PUBLISHED,
    ROUNDED,
    SERIES_OF,
    SWEEP_DELTA,
    blank,
    of_conventions,
    of_training,
    with_rounded_values,
)
from boundlab.analysis.tables import AXES
from boundlab.charts.canvas import Canvas
from boundlab.charts.progress import behind_line
from boundlab.charts.theme import FONT, INK, LEADS, VACUOUS, VEIL, faded
from boundlab.charts.traces import Trace, heights
from boundlab.charts.trend import Film, Picture, film
from boundlab.specs.run import PLATEAU, RunSpec
from boundlab.specs.settings import Settings
from boundlab.specs.work import sample_size
from boundlab.ui.run_tables import history

_AXIS = AXES["weight_decay"]
_SHOWN = (*PUBLISHED, *GUARANTEED, ROUNDED, *ERRORS)
_LOW = -9.5  # an error of one in 700, in log2
_FLAT, _PER_LAYER, _HIGHEST = 8, 5, 60  # of the axis, in log2
_MOST_FRAMES = 48
_HEIGHT = 410
Rounded = tuple[tuple[float, float], ...]  # λ, and what Theorem D2 promises there


@dataclass(frozen=True)
class Stage:
    """What a picture is drawn on: all weight decays of the sweep, the height of the axis, the theme, the last sweep behind."""

    decays: tuple[float, ...]
    plateau: float  # the least of them whose norms have come down at the end
    top: float
    dark: bool
    ghost: pd.DataFrame | None = field(default=None)
    ghost_key: str = ""

    @property
    def canvas(self) -> Canvas:
        """Axes that hold still while the curves come down."""
        low, high = self.decays[0], self.decays[-1]
        ratio = high / low
        x = (low / ratio**0.04, high * ratio**0.07)
        return Canvas(x, (_LOW, self.top), self.decays, self.dark, x_log=True)

    @property
    def behind(self) -> list[Trace]:
        """The last sweep, dashed."""
        if self.ghost is None:
            return []
        canvas, lines = self.canvas, []
        for name in _SHOWN:
            rows = self.ghost[self.ghost["series"] == name]
            style = canvas.styles[name]
            x, y = rows[_AXIS.column].to_numpy(float), heights(rows["mean"].to_numpy(float), canvas)
            lines.append(behind_line(x, y, style.colour(self.dark), style.name, 2.5 if name in LEADS else 1.5))
        return lines

    @property
    def key(self) -> str:
        """Names it."""
        return repr((self.decays, self.plateau, self.top, self.dark, self.ghost_key))


def ground(specs: Sequence[RunSpec], dark: bool, ghost: pd.DataFrame | None, ghost_key: str) -> Stage:
    """Of one sweep; the axis is as high as untrained networks of that depth need, and as the last sweep."""
    top = float(min(_HIGHEST, _FLAT + _PER_LAYER * len(specs[0].arch.shapes())))
    if ghost is not None and len(ghost):
        logs = np.log2(ghost["mean"][ghost["mean"] > 0])
        top = max(top, float(np.ceil(logs.max())) + 1)
    decays = tuple(spec.train.weight_decay for spec in specs)
    there = [s.train.weight_decay for s in specs if s.plateau_number(sample_size(s)) >= PLATEAU]
    return Stage(decays, min(there, default=math.inf), top, dark, ghost, ghost_key)


def growing(curves: pd.DataFrame, where: Stage, decay: float) -> Picture:
    """One moment as a frame of a picture that is the same for all moments: with the axes, the last sweep and nothing else, so
    that the first moment only moves it."""
    now = film(curves, _AXIS, _SHOWN, where.canvas)
    frame = tuple({"x": fixed["x"], **part} for fixed, part in zip(now.fixed, now.frames[0], strict=True))
    stamp, still = picture_stamp(where.key, decay), len(where.behind)
    first = _empty(where, decay, stamp)
    return Picture(first, (frame,), list(range(still, still + len(frame))), stamp)


@st.cache_resource(show_spinner=False, max_entries=16)
def _empty(_where: Stage, decay: float, stamp: str) -> go.Figure:
    blank_film = film(blank(_where.decays), _AXIS, _SHOWN, _where.canvas, behind=_where.behind)
    figure = marked(blank_film.at().figure, _where, decay)
    figure.layout.meta = {"stamp": stamp, "base": -1, "canvas": stamp}
    return figure


@st.cache_resource(show_spinner=False, max_entries=24)
def _film(ids: tuple[str, ...], rounded: Rounded, _where: Stage, key: str) -> Film:
    return film(with_rounded_values(_curves(ids), dict(rounded)), _AXIS, _SHOWN, _where.canvas, behind=_where.behind)


@st.cache_data(show_spinner=False, max_entries=48)
def _curves(ids: tuple[str, ...]) -> pd.DataFrame:
    tables = {name: history(ids, Settings(name, SWEEP_DELTA), _MOST_FRAMES, True) for name in SERIES_OF}
    # rings are for networks that learnt nothing; which ones need longer is said once, by a veil
    return of_training(by_axis(of_conventions(tables).assign(at_plateau=True), _AXIS, "epoch"))


def whole_film(ids: Sequence[str], rounded: Rounded, where: Stage) -> Film:
    """Every moment of a finished sweep."""
    return _film(tuple(ids), rounded, where, where.key)


def moments(ids: Sequence[str]) -> list[float]:
    """The moments."""
    return [float(epoch) for epoch in sorted(_curves(tuple(ids))["frame"].unique())]


def curves_at(ids: Sequence[str], rounded: Rounded, epoch: float | None = None) -> pd.DataFrame:
    """`curves.by_axis` rows of a finished sweep at one of its epochs; None: the last."""
    curves = with_rounded_values(_curves(tuple(ids)), dict(rounded))
    return curves[curves["frame"] == (curves["frame"].max() if epoch is None else epoch)]


def points_csv(curves: pd.DataFrame, specs: Sequence[RunSpec]) -> str:
    """What is drawn: a row for every point, and what is the same for all."""
    if curves.empty:
        return ""
    convention = {name: key for key, series in SERIES_OF.items() for name in series} | dict.fromkeys(ERRORS, "measured")
    convention[ROUNDED] = "hidden weights rounded"
    train = specs[0].train
    rows = curves[["weight_decay", "series", "mean"]].rename(columns={"mean": "value"})
    rows = rows.assign(
        convention=[convention[name] for name in rows["series"]],
        architecture=specs[0].arch.title,
        dataset=train.dataset,
        n=sample_size(specs[0]),
        label_noise=train.label_noise,
        delta=SWEEP_DELTA,
        seed=train.seed,
    )
    return rows.to_csv(index=False, float_format="%.10g")


def marked(figure: go.Figure, where: Stage, decay: float) -> go.Figure:
    """The figure with a line at the weight decay whose network stands beside it, and a veil over those that need longer."""
    ink = INK[where.dark]
    figure.layout.height = _HEIGHT
    # untrained networks reach the top of the picture
    figure.update_annotations({"y": 1, "yanchor": "bottom"}, selector={"text": VACUOUS})
    figure.add_shape(type="line", x0=decay, x1=decay, y0=0, y1=1, yref="paper", line={"color": ink, "width": 2.5})
    if where.plateau > where.decays[0]:
        low, high = where.canvas.x
        edge = min([math.sqrt(where.plateau * max(d for d in where.decays if d < where.plateau)), high])
        veil = {"fillcolor": faded(ink, 0.05), "line": {"width": 0}, "layer": "below"}
        figure.add_shape(type="rect", x0=low, x1=edge, y0=0, y1=1, yref="paper", **veil)
        place = {"x": 0.01, "xref": "paper", "xanchor": "left", "y": 0.01, "yref": "paper", "yanchor": "bottom"}
        look = {"showarrow": False, "font": {"size": FONT - 3, "color": ink}, "bgcolor": VEIL[where.dark]}
        figure.add_annotation(text="not settled yet", **look, **place)
    return figure


def picture_stamp(*content: object) -> str:
    """Which picture it is."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]
