"""Every series against one axis (epoch, weight decay, width, depth), in one panel or several, and the frames that move it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.analysis.tables import Axis
from boundlab.charts import names, traces
from boundlab.charts.canvas import Canvas
from boundlab.charts.frame import NAMES_AXIS, axis_name, layout, own_note, selected_note
from boundlab.charts.traces import Panel, Trace


@dataclass(frozen=True)
class Picture:
    """A figure at one position of the handle, and per position what Plotly needs to move it there."""

    figure: go.Figure
    frames: tuple[tuple[Trace, ...], ...]  # per position, new data of the traces `moving`
    moving: list[int]
    stamp: str  # changes with what the frames show
    written: str = ""  # the frames as JSON, where that was written once for all who see them
    ground: str = ""  # changes with what stands still
    shift: str = ""  # as JSON what stands still, where the figure was drawn with another ground


class _Parts:
    """Fixed parts once, moving parts per frame, in one order."""

    def __init__(self, panels: list[Panel], own: list[Panel], shown: Sequence[str], canvas: Canvas) -> None:
        self.panels, self.own, self.shown, self.canvas = panels, own, shown, canvas
        every = [points for panel in panels for points in panel.points.values()]
        self.several = any(np.nanmax(points.seeds) > 1 for points in every)
        self.flagged = any(np.nansum(points.flagged) > 0 for points in every)
        mine = [points for panel in own for points in panel.points.values()]
        self.selected = any(np.nansum(points.selected) > 0 for points in [*every, *mine])

    def fixed(self) -> list[Trace]:
        """Of every trace what no frame changes."""
        out = []
        for number, panel in enumerate(self.panels, 1):
            here = {"xaxis": axis_name(number)}
            if self.several:
                out += [here | traces.band_fixed(panel, name, self.canvas) for name in self.shown]
            out += [here | traces.line_fixed(panel, name, self.canvas) for name in self.shown]
            for mine in self.own[number - 1 : number]:
                out += [here | traces.own_fixed(mine, name, self.canvas) for name in self.shown]
            out += [here | traces.rings_fixed(self.canvas.dark)] if self.flagged else []
            for _ in (0, *self.own[number - 1 : number]) if self.selected else ():
                out += [here | traces.selected_fixed(self.canvas.dark)]
        return out + [part for number in range(1, len(self.panels) + 1) for part in self._named(number)]

    def _named(self, number: int) -> list[Trace]:
        """Leaders and names of a panel's lines: those of the last panel are seen, on a narrow screen those of the one that is
        shown (ui/player)."""
        seen = {"meta": number, "visible": number == len(self.panels)}
        leaders = {"xaxis": axis_name(number)} | names.leaders_fixed(self.canvas.dark)
        labels = {"xaxis": axis_name(NAMES_AXIS)} | names.labels_fixed(self.shown, self.canvas)
        return [seen | leaders, seen | labels] if self.shown else [seen | labels]

    def moving(self, frame: float) -> tuple[Trace, ...]:
        """Of every trace what this frame has."""
        out = []
        for number, panel in enumerate(self.panels):
            points = {name: panel.at(name, frame) for name in self.shown}
            if self.several:
                out += [traces.band_moving(points[name], self.canvas) for name in self.shown]
            out += [traces.line_moving(points[name], name, self.canvas) for name in self.shown]
            for mine in self.own[number : number + 1]:
                out += [traces.line_moving(mine.at(name, frame), name, self.canvas) for name in self.shown]
            out += [traces.rings_moving(panel, self.shown, frame, self.canvas)] if self.flagged else []
            for one in (panel, *self.own[number : number + 1]) if self.selected else ():
                out += [traces.selected_moving(one, self.shown, frame, self.canvas)]
        for number, panel in enumerate(self.panels):
            named = next((one for one in (panel, *self.own[number : number + 1]) if one.has(frame)), panel)
            ends = names.names_moving(named, self.shown, frame, self.canvas)
            out += ends if self.shown else ends[1:]
        return tuple(out)


def _paper(paper: pd.DataFrame | None, shown: Sequence[str], canvas: Canvas) -> list[Trace]:
    """The paper's curves in every panel."""
    if paper is None:
        return []
    curves = [(name, paper[paper["series"] == name]) for name in shown]
    return [
        {"xaxis": axis_name(number)} | traces.paper_line(curve, name, curve["panel"].iloc[0], canvas)
        for number in range(1, len(canvas.panels) + 1)
        for name, curve in curves
        if len(curve)
    ]


@dataclass(frozen=True)
class Film:
    """A picture at every position of the handle, without the figure of any: what all positions share is made once."""

    still: list[Trace]
    fixed: list[Trace]
    frames: tuple[tuple[Trace, ...], ...]
    layout: dict[str, Any]
    stamp: str
    canvas: str  # changes where a reader's zoom should not be kept
    kin: str = ""  # the same for films that a browser can make of each other's figures

    @cached_property
    def ground(self) -> str:
        """Changes with what stands still."""
        return stamp_of([self.still, self.fixed, self.layout])

    @cached_property
    def shift(self) -> str:
        """What stands still, as JSON, for a browser that shows the figure of another film."""
        parts = {"data": [*self.still, *self.fixed], "layout": self.layout, "canvas": self.canvas}
        return json.dumps(parts, ensure_ascii=False)

    @cached_property
    def written(self) -> str:
        """The frames as JSON; no frames where there is only one."""
        return json.dumps(self.frames if len(self.frames) > 1 else (), ensure_ascii=False)

    @property
    def moving(self) -> list[int]:
        """The traces that the frames are about."""
        return list(range(len(self.still), len(self.still) + len(self.fixed)))

    def at(self, base: int = -1) -> Picture:
        """The picture with its figure drawn at position `base`."""
        meta = self.layout.get("meta", {}) | {
            "stamp": self.stamp,
            "base": base % len(self.frames),
            "canvas": self.canvas,
            "ground": self.ground,
        }
        data = [*self.still, *(fixed | part for fixed, part in zip(self.fixed, self.frames[base], strict=True))]
        figure = go.Figure({"data": data, "layout": self.layout | {"meta": meta}})
        return Picture(
            figure, self.frames if len(self.frames) > 1 else (), self.moving, self.stamp, self.written, self.ground
        )


def stamp_of(content: object) -> str:
    """Short text that changes with the content, which JSON can hold."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _same_x(
    fixed: list[Trace], frames: tuple[tuple[Trace, ...], ...]
) -> tuple[list[Trace], tuple[tuple[Trace, ...], ...]]:
    """An x that is the same in all frames is no part of any."""
    still = [{"x": part["x"]} if "x" in part else {} for part in frames[0]]
    still = [x if all(frame[i].get("x") == x.get("x") for frame in frames) else {} for i, x in enumerate(still)]
    moving = tuple(
        tuple({k: v for k, v in part.items() if k not in x} for part, x in zip(frame, still, strict=True))
        for frame in frames
    )
    return [{**part, **x} for part, x in zip(fixed, still, strict=True)], moving


def film(
    curves: pd.DataFrame,
    axis: Axis,
    shown: Sequence[str],
    canvas: Canvas,
    paper: pd.DataFrame | None = None,
    behind: Sequence[Trace] = (),
    own: pd.DataFrame | None = None,
) -> Film:
    """`curves`: rows of `curves.by_axis`; `shown`: series in drawing order; `paper`: one panel's digitised rows with `paper_x`
    (the paper's x) and `difference` (ours minus the paper's, log2); `behind`: traces that do not move, below all others; `own`:
    rows like `curves`, of the runs that the reader trained, drawn over them."""
    own = curves[:0] if own is None else own
    panels = [traces.panel_of(curves[curves["panel"] == key], axis) for key in canvas.panels]
    mine = [traces.panel_of(own[own["panel"] == key], axis) for key in canvas.panels] if len(own) else []
    parts, still = _Parts(panels, mine, shown, canvas), [*behind, *_paper(paper, shown, canvas)]
    fixed, frames = _same_x(
        parts.fixed(), tuple(parts.moving(step) for step in sorted({*curves["frame"], *own["frame"]}))
    )
    place = [axis.key, canvas.x, canvas.y, list(canvas.panels), canvas.scale, canvas.convention]
    look = layout(axis, canvas)
    look["annotations"] += [own_note(canvas)] if mine else []
    look["annotations"] += [selected_note(canvas, lower=bool(mine))] if parts.selected else []
    stamp = stamp_of([frames, still, fixed, look])
    return Film(still, fixed, frames, look, stamp, stamp_of(place), stamp_of([sorted(look), canvas.dark]))


def trend(
    curves: pd.DataFrame,
    axis: Axis,
    shown: Sequence[str],
    canvas: Canvas,
    paper: pd.DataFrame | None = None,
    base: int = -1,
    behind: Sequence[Trace] = (),
) -> Picture:
    """One picture of a `film`; `base`: the position its figure is drawn at."""
    return film(curves, axis, shown, canvas, paper, behind).at(base)
