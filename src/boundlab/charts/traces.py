"""The traces of a trend picture, each as a fixed part (style) and a moving part (numbers), so that frames are cheap.

A moving part is all that differs between two frames: a picture is fixed | moving, a frame is moving alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from boundlab.analysis.tables import Axis
from boundlab.charts.theme import ALERT, FONT, HEIGHT, LEADER, LEADS, NAME, Style, faded, spread, styles
from boundlab.text import format_epoch, readable

TOP, BOTTOM, END_LABELS = 34, 62, 132
_GUTTER = 0.065  # of the x axis: the room for slanting leaders
Cell = dict[str, Any]
Cells = dict[tuple[str, float], np.ndarray]  # (series, frame) -> the numbers of FIELDS; each over x
FIELDS = ["mean", "low", "high", "seeds", "flagged", "as_of"]


@dataclass(frozen=True)
class Canvas:
    """What must not move when a handle does: ranges (y as drawn), ticks of x, scale, panel titles, background."""

    x: tuple[float, float]
    y: tuple[float, float]
    ticks: Sequence[float] = field(default_factory=tuple)
    dark: bool = False
    scale: str = "log2"  # one of `curves.SCALES`
    convention: str = "published"  # how bounds are called
    x_log: bool = False
    panels: dict[float, str] = field(default_factory=lambda: {0.0: ""})  # value of the column `panel` -> title

    @property
    def styles(self) -> Mapping[str, Style]:
        return styles(self.convention)

    @property
    def gutter(self) -> float:
        """Where, right of the last points, leaders turn towards the names."""
        low, high = self.x
        return high ** (1 - _GUTTER) * low**_GUTTER if self.x_log else high - _GUTTER * (high - low)

    @property
    def logarithmic(self) -> bool:
        return self.scale != "linear"


@dataclass(frozen=True)
class Panel:
    """One panel's numbers: its x positions and cells."""

    x: np.ndarray
    cells: Cells


def panel_of(curves: pd.DataFrame, axis: Axis) -> Panel:
    """Gather one panel's rows of `curves.by_axis` into arrays over its x positions, NaN where there is no point."""
    wide = curves.pivot(index=["series", "frame"], columns=axis.column, values=FIELDS).astype(float)
    x = wide.columns.levels[1].to_numpy(float)
    blocks = wide.to_numpy().reshape(len(wide), len(FIELDS), len(x))
    return Panel(x, dict(zip(wide.index, blocks, strict=True)))


def heights(values: np.ndarray, canvas: Canvas) -> np.ndarray:
    """Where values are drawn; NaN for those that have no place on a log axis."""
    if not canvas.logarithmic:
        return values
    return np.log2(np.where(values > 0, values, np.nan))


def _numbers(values: np.ndarray) -> tuple[float | None, ...]:
    """As tuples: the garbage collector does not look into those of numbers, however many frames are kept."""
    return tuple(None if math.isnan(v) else round(v, 4) for v in values.tolist())


def _told(cell: np.ndarray, name: str, canvas: Canvas) -> tuple[str, ...]:
    """The numbers in the hover: the mean, over several seeds the smallest and largest, and when it was measured."""
    return tuple("" if math.isnan(point[0]) else _point(point, name, canvas.scale) for point in cell.T.tolist())


def _point(point: list[float], name: str, scale: str) -> str:
    mean, low, high, seeds, _, as_of = point
    if scale == "relative":
        words = f"× {mean:.3g}"
    else:
        words = readable(mean, name) + (f" ({readable(low, name)} to {readable(high, name)})" if seeds > 1 else "")
    return words if math.isnan(as_of) else f"{words}, epoch {format_epoch(as_of)}"


def line_fixed(panel: Panel, name: str, canvas: Canvas) -> Cell:
    """Errors are measured at epoch ends and joined over the records between; a gap that has no place leaves a hole."""
    style, colour = canvas.styles[name], canvas.styles[name].colour(canvas.dark)
    return {
        "type": "scatter",
        "x": panel.x.tolist(),
        "name": style.name,
        "mode": "lines+markers",
        "line": {"color": colour, "width": style.width, "dash": style.dash},
        "marker": {
            "symbol": style.symbol,
            "size": _marker(panel, name),
            "color": colour,
        },
        "connectgaps": name != "gap" or not canvas.logarithmic,
        "hovertemplate": f"{style.short} <b>%{{customdata}}</b><extra></extra>",
    }


def _marker(panel: Panel, name: str) -> int:
    """Larger where it leads, and where a lone point is all there is of a line."""
    points = 6 if len(panel.x) > 12 else 9 if len(panel.x) > 1 else 13
    return points + (3 if name in LEADS else 0)


def line_moving(cell: np.ndarray, name: str, canvas: Canvas) -> Cell:
    return {"y": _numbers(heights(cell[0], canvas)), "customdata": _told(cell, name, canvas)}


def band_fixed(panel: Panel, name: str, canvas: Canvas) -> Cell:
    """From the smallest to the largest seed."""
    return {
        "type": "scatter",
        "x": [*panel.x.tolist(), *panel.x[::-1].tolist()],
        "name": f"{canvas.styles[name].name}, seeds",
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": faded(canvas.styles[name].colour(canvas.dark), 0.3),
        "hoverinfo": "skip",
    }


def band_moving(cell: np.ndarray, canvas: Canvas) -> Cell:
    """High from left to right, low back again; no band where a point of the line is missing."""
    mean, low, high = cell[:3]
    low = np.where(low > 0, low, mean) if canvas.logarithmic else low  # on a log axis down to the mean at most
    outline = np.concatenate([heights(high, canvas), heights(low, canvas)[::-1]])
    return {"y": _numbers(np.full_like(outline, np.nan) if np.isnan(outline).any() else outline)}


def rings_fixed(dark: bool) -> Cell:
    """Around every point of a run that did not train or did not reach the plateau."""
    ring = {"symbol": "circle-open", "size": 20, "color": ALERT[dark], "line": {"width": 2.5}}
    return {"type": "scatter", "name": "flagged", "mode": "markers", "marker": ring, "hoverinfo": "skip"}


def rings_moving(panel: Panel, shown: Sequence[str], frame: float, canvas: Canvas) -> Cell:
    cells = [panel.cells[name, frame] for name in shown if (name, frame) in panel.cells]
    x = [panel.x[cell[4] > 0] for cell in cells]
    y = [heights(cell[0], canvas)[cell[4] > 0] for cell in cells]
    return {"x": tuple(np.concatenate([[], *x]).tolist()), "y": _numbers(np.concatenate([[], *y]))}


def labels_fixed(shown: Sequence[str], canvas: Canvas) -> Cell:
    """Names at the right ends of the lines, on an axis of their own in the right margin."""
    return {
        "type": "scatter",
        "mode": "text",
        "name": "names",
        "x": [1.0] * len(shown),
        "textposition": "middle right",
        "textfont": {"size": FONT, "color": [canvas.styles[name].colour(canvas.dark) for name in shown]},
        "cliponaxis": False,
        "hoverinfo": "skip",
    }


def leaders_fixed(dark: bool) -> Cell:
    """From the ends of the lines to their names: level through the picture, aslant beside its right edge."""
    line = {"color": LEADER[dark], "width": 1.5, "dash": "dot"}  # no line of data is thin and grey dots
    return {"type": "scatter", "mode": "lines", "name": "leaders", "line": line, "hoverinfo": "skip"}


def names_moving(panel: Panel, shown: Sequence[str], frame: float, canvas: Canvas) -> tuple[Cell, Cell]:
    """Leaders and names. Names are moved apart where lines meet; a line whose end is off the picture is named at its edge,
    with an arrow; a star marks what was measured at an earlier epoch."""
    ends: dict[str, tuple[float, float]] = {}
    old: set[str] = set()  # values that stand still between epoch ends
    for name in shown:
        if (name, frame) in panel.cells:
            line = heights(panel.cells[name, frame][0], canvas)
            if len(there := np.flatnonzero(np.isfinite(line))):
                ends[name] = (float(panel.x[there[-1]]), float(line[there[-1]]))
                old |= {name} if np.isfinite(panel.cells[name, frame][5][there[-1]]) else set()
    low, high = canvas.y
    gap = NAME * (high - low) / (HEIGHT - TOP - BOTTOM)
    inside = [min(max(end, low + gap / 2), high - gap / 2) for _, end in ends.values()]
    places = dict(zip(ends, spread(inside, gap, low, high), strict=True))
    words = {name: _name(name, name in old, end, canvas) for name, (_, end) in ends.items()}
    nowhere = (float(panel.x[-1]), math.nan, math.nan)
    drawn = [
        (*ends[name], places[name]) if name in ends and low <= ends[name][1] <= high else nowhere for name in shown
    ]
    return leaders(drawn, canvas), {
        "y": _numbers(np.array([places.get(name, np.nan) for name in shown])),
        "text": tuple(words.get(name, "") for name in shown),
    }


def _name(name: str, old: bool, end: float, canvas: Canvas) -> str:
    arrow = " ↑" if end > canvas.y[1] else " ↓" if end < canvas.y[0] else ""
    text = f" {canvas.styles[name].short}{'*' if old else ''}{arrow}"
    return f"<b>{text}</b>" if name in LEADS else text


def leaders(drawn: Sequence[tuple[float, float, float]], canvas: Canvas) -> Cell:
    """`drawn`: x and height of a line's end, height of its name; NaN for none. Of a line that ends early the first part is
    level."""
    x: list[float | None] = []
    y: list[float] = []
    digits = max(0, 3 - math.floor(math.log10(canvas.y[1] - canvas.y[0])))  # a fraction of a pixel
    edge, gutter = float(f"{canvas.x[1]:.4g}"), float(f"{canvas.gutter:.4g}")
    for start, end, place in drawn:
        turn = [start] if start >= gutter else [start, gutter]
        x += [*turn, edge, None]
        y += [*(end for _ in turn), place, math.nan]
    return {"x": tuple(x), "y": tuple(None if math.isnan(v) else round(v, digits) for v in y)}


def paper_line(curve: pd.DataFrame, name: str, title: str, canvas: Canvas) -> Cell:
    """One of the paper's curves, faint; `told`: the paper's own x, where x was rescaled. It does not move."""
    style, colour = canvas.styles[name], canvas.styles[name].colour(canvas.dark)
    exponents = curve["log2_value"].to_numpy(float)
    hover = [
        f"2<sup>{v:.2f}</sup> ± {e:g} in log₂, at {x:g}" + ("" if pd.isna(d) else f"; ours is {d:+.2f} in log₂")
        for x, v, e, d in zip(curve["told"], exponents, curve["approx_error_log2"], curve["difference"], strict=True)
    ]
    return {
        "type": "scatter",
        "x": curve["x"].tolist(),
        "y": _numbers(exponents if canvas.logarithmic else 2**exponents),
        "name": f"{style.name}, {title}",
        "mode": "lines+markers",
        "opacity": 0.6,
        "line": {"color": colour, "width": 1.5, "dash": "4px,4px"},
        "marker": {"symbol": "cross-thin-open", "size": 9, "color": colour, "line": {"width": 1.5, "color": colour}},
        "customdata": hover,
        "hovertemplate": f"{style.short}, paper's {title}: %{{customdata}}<extra></extra>",
    }
