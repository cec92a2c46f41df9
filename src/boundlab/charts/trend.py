"""Every series against one axis (epoch, weight decay, width, depth), in one panel or several, and the frames that move it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.charts import traces
from boundlab.charts.theme import (
    FONT,
    GRID,
    HEIGHT,
    INK,
    axis_look,
    linear_axis,
    log2_axis,
    tick,
    vacuous_note,
    vacuous_zone,
)
from boundlab.charts.traces import BOTTOM, RIGHT, TOP, Canvas, Panel, Part
from boundlab.tables import Axis

_NAMES_AXIS = 99  # x axis of the line names, in the right margin
_GAP = 0.03  # between panels, as a fraction of the width


@dataclass(frozen=True)
class Picture:
    """A figure at one position of the handle, and per position what Plotly needs to move it there."""

    figure: go.Figure
    frames: tuple[tuple[Part, ...], ...]  # per position, new data of the traces `moving`
    moving: list[int]
    stamp: str  # changes with what the frames show


def _axis_name(number: int) -> str:
    return "x" if number == 1 else f"x{number}"


class _Parts:
    """Fixed parts once, moving parts per frame, in one order."""

    def __init__(self, panels: list[Panel], shown: Sequence[str], canvas: Canvas) -> None:
        self.panels, self.shown, self.canvas = panels, shown, canvas
        every = [cell for panel in panels for cell in panel.cells.values()]
        self.several = any(np.nanmax(cell[3]) > 1 for cell in every)
        self.flagged = any(np.nansum(cell[4]) > 0 for cell in every)

    def fixed(self) -> list[Part]:
        out = []
        for number, panel in enumerate(self.panels, 1):
            here = {"xaxis": _axis_name(number)}
            if self.several:
                out += [here | traces.band_fixed(panel, name, self.canvas.dark) for name in self.shown]
            out += [here | traces.line_fixed(panel, name, self.canvas) for name in self.shown]
            out += [here | traces.rings_fixed(self.canvas.dark)] if self.flagged else []
        return [*out, {"xaxis": _axis_name(_NAMES_AXIS)} | traces.labels_fixed(self.shown, self.canvas.dark)]

    def moving(self, frame: float) -> tuple[Part, ...]:
        out = []
        for panel in self.panels:
            nothing = np.full((len(traces.FIELDS), len(panel.x)), np.nan)
            cells = {name: panel.cells.get((name, frame), nothing) for name in self.shown}
            if self.several:
                out += [traces.band_moving(cells[name], self.canvas) for name in self.shown]
            out += [traces.line_moving(cells[name], name, self.canvas) for name in self.shown]
            out += [traces.rings_moving(panel, self.shown, frame, self.canvas)] if self.flagged else []
        return (*out, traces.labels_moving(self.panels[-1], self.shown, frame, self.canvas))


def _paper(paper: pd.DataFrame | None, shown: Sequence[str], canvas: Canvas) -> list[Part]:
    """The paper's curves in every panel."""
    if paper is None:
        return []
    curves = [(name, paper[paper["series"] == name]) for name in shown]
    return [
        {"xaxis": _axis_name(number)} | traces.paper_line(curve, name, curve["panel"].iloc[0], canvas)
        for number in range(1, len(canvas.panels) + 1)
        for name, curve in curves
        if len(curve)
    ]


def _x_axis(axis: Axis, canvas: Canvas, domain: tuple[float, float]) -> dict[str, Any]:
    look = axis_look("", canvas.dark) | {
        "type": "log" if axis.log else "linear",
        "range": list(np.log10(canvas.x) if axis.log else canvas.x),
        "domain": list(domain),
        "anchor": "y",
        "unifiedhovertitle": {"text": f"<b>{axis.title} = %{{x:.4~g}}</b>"},
    }
    if ticks := _thin(canvas.ticks, axis, 6 // len(canvas.panels) + 1):
        look |= {"tickvals": ticks, "ticktext": [tick(t) for t in ticks], "minor": {"ticks": ""}}
    return look


def _thin(ticks: Sequence[float], axis: Axis, most: int) -> list[float]:
    """At most `most` ticks, none closer to its neighbour than a label is wide; the first and last stay."""
    if not ticks:
        return []
    where = np.log(ticks) if axis.log else np.asarray(ticks, float)
    room = (where[-1] - where[0]) / (1.5 * most)
    kept = [0]
    for i in range(1, len(ticks)):
        if where[i] - where[kept[-1]] >= room and (i == len(ticks) - 1 or where[-1] - where[i] >= room):
            kept.append(i)
    return [ticks[i] for i in kept]


def _y_axis(axis: Axis, canvas: Canvas) -> dict[str, Any]:
    if canvas.scale == "linear":
        return linear_axis(*canvas.y, canvas.dark)
    title = "value (log₂ scale)" if canvas.scale == "log2" else f"value ÷ value at its first {axis.symbol} (log₂ scale)"
    return log2_axis(*canvas.y, canvas.dark, title)


def _layout(axis: Axis, canvas: Canvas) -> dict[str, Any]:
    count = len(canvas.panels)
    width = (1 - _GAP * (count - 1)) / count
    domains = [(i * (width + _GAP), i * (width + _GAP) + width) for i in range(count)]
    one = 1.0 if canvas.scale == "linear" else 0.0
    layout: dict[str, Any] = {
        "height": HEIGHT,
        "margin": {"l": 70, "r": RIGHT, "t": TOP if count > 1 else 10, "b": BOTTOM},
        "showlegend": False,
        "hovermode": "x unified",
        "font": {"size": FONT, "color": INK[canvas.dark]},
        "hoverlabel": {"font": {"size": FONT - 2, "color": INK[canvas.dark]}},
        "yaxis": _y_axis(axis, canvas),
        f"xaxis{_NAMES_AXIS}": {
            "overlaying": _axis_name(count),
            "range": [0, 1],
            "visible": False,
            "fixedrange": True,
            "anchor": "y",
        },
        "updatemenus": [remote()],
        "annotations": [*_titles(canvas, domains), _below(axis, canvas.dark)],
    }
    if canvas.scale == "relative":
        layout["shapes"] = [_first_point(canvas.dark)]
    else:
        layout["shapes"] = vacuous_zone("y", canvas.y[1], canvas.dark, one)
        side = {"x": 0.01, "xanchor": "left"} if canvas.logarithmic else {"x": 0.99, "xanchor": "right"}
        layout["annotations"].append(
            vacuous_note(canvas.dark, xref="paper", y=0.99, yref="paper", yanchor="top", **side)
        )
    for number, domain in enumerate(domains, 1):
        layout["xaxis" + ("" if number == 1 else str(number))] = _x_axis(axis, canvas, domain)
    return layout


def _titles(canvas: Canvas, domains: list[tuple[float, float]]) -> list[dict[str, Any]]:
    return [
        {
            "text": f"<b>{title}</b>",
            "showarrow": False,
            "x": sum(domain) / 2,
            "xref": "paper",
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "font": {"size": FONT, "color": INK[canvas.dark]},
        }
        for title, domain in zip(canvas.panels.values(), domains, strict=True)
        if title
    ]


def _below(axis: Axis, dark: bool) -> dict[str, Any]:
    """The title of the x axis, once for all panels."""
    place = {"x": 0.5, "xref": "paper", "y": 0, "yref": "paper", "yanchor": "top", "yshift": -30}
    return {"text": axis.title, "showarrow": False, "font": {"size": FONT + 1, "color": INK[dark]}} | place


def _first_point(dark: bool) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": 0,
        "y1": 0,
        "line": {"color": GRID[dark], "width": 3},
    }


def remote() -> dict[str, Any]:
    """An invisible button: through it ui/player moves the chart (Plotly itself is out of a component's reach)."""
    nothing = "rgba(0,0,0,0)"
    return {
        "type": "buttons",
        "showactive": False,
        "x": 0,
        "y": 0,
        "pad": {"t": 0, "l": 0, "b": 0, "r": 0},
        "bgcolor": nothing,
        "borderwidth": 0,
        "font": {"size": 1, "color": nothing},
        "buttons": [{"label": " ", "method": "animate", "args": [[None]]}],
    }


@dataclass(frozen=True)
class Film:
    """A picture at every position of the handle, without the figure of any: what all positions share is made once."""

    still: list[Part]
    fixed: list[Part]
    frames: tuple[tuple[Part, ...], ...]
    layout: dict[str, Any]
    stamp: str
    canvas: str  # changes where a reader's zoom should not be kept

    def at(self, base: int = -1) -> Picture:
        """The picture with its figure drawn at position `base`."""
        meta = {"stamp": self.stamp, "base": base % len(self.frames), "canvas": self.canvas}
        data = [*self.still, *(fixed | part for fixed, part in zip(self.fixed, self.frames[base], strict=True))]
        figure = go.Figure({"data": data, "layout": self.layout | {"meta": meta}})
        moving = list(range(len(self.still), len(data)))
        return Picture(figure, self.frames if len(self.frames) > 1 else (), moving, self.stamp)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def film(
    curves: pd.DataFrame,
    axis: Axis,
    shown: Sequence[str],
    canvas: Canvas,
    paper: pd.DataFrame | None = None,
    behind: Sequence[Part] = (),
) -> Film:
    """`curves`: rows of `curves.by_axis`; `shown`: series in drawing order; `paper`: one panel's digitised rows with `told`
    (the paper's x) and `difference` (ours minus the paper's, log2); `behind`: traces that do not move, below all others."""
    panels = [traces.panel_of(curves[curves["panel"] == key], axis) for key in canvas.panels]
    parts, still = _Parts(panels, shown, canvas), [*behind, *_paper(paper, shown, canvas)]
    frames = tuple(parts.moving(step) for step in sorted(curves["frame"].unique()))
    place = [axis.key, canvas.x, canvas.y, list(canvas.panels), canvas.scale]
    stamp = _digest([frames, canvas.scale])
    return Film(still, parts.fixed(), frames, _layout(axis, canvas), stamp, _digest(place))


def trend(
    curves: pd.DataFrame,
    axis: Axis,
    shown: Sequence[str],
    canvas: Canvas,
    paper: pd.DataFrame | None = None,
    base: int = -1,
    behind: Sequence[Part] = (),
) -> Picture:
    """One picture of a `film`; `base`: the position its figure is drawn at."""
    return film(curves, axis, shown, canvas, paper, behind).at(base)
