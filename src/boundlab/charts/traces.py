"""The traces of a trend picture, each as a fixed part (style) and a moving part (numbers), so that frames are cheap.

A moving part is all that differs between two frames: a picture is fixed | moving, a frame is moving alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from boundlab.charts.theme import ALERT, FONT, HEIGHT, STYLES, faded, readable, spread
from boundlab.tables import Axis, epochs

TOP, BOTTOM, RIGHT = 34, 62, 132
Part = dict[str, Any]
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
    panels: dict[float, str] = field(default_factory=lambda: {0.0: ""})  # value of the column `panel` -> title

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
    return words if math.isnan(as_of) else f"{words}, epoch {epochs(as_of)}"


def line_fixed(panel: Panel, name: str, canvas: Canvas) -> Part:
    """Errors are measured at epoch ends and joined over the records between; a gap that has no place leaves a hole."""
    style, colour = STYLES[name], STYLES[name].colour(canvas.dark)
    return {
        "type": "scatter",
        "x": panel.x.tolist(),
        "name": style.name,
        "mode": "lines+markers",
        "line": {"color": colour, "width": style.width, "dash": style.dash},
        "marker": {
            "symbol": style.symbol,
            "size": (6 if len(panel.x) > 12 else 9) + (3 if name == "sparse" else 0),
            "color": colour,
        },
        "connectgaps": name != "gap" or not canvas.logarithmic,
        "hovertemplate": f"{style.short} <b>%{{customdata}}</b><extra></extra>",
    }


def line_moving(cell: np.ndarray, name: str, canvas: Canvas) -> Part:
    return {"y": _numbers(heights(cell[0], canvas)), "customdata": _told(cell, name, canvas)}


def band_fixed(panel: Panel, name: str, dark: bool) -> Part:
    """From the smallest to the largest seed."""
    return {
        "type": "scatter",
        "x": [*panel.x.tolist(), *panel.x[::-1].tolist()],
        "name": f"{STYLES[name].name}, seeds",
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": faded(STYLES[name].colour(dark), 0.3),
        "hoverinfo": "skip",
    }


def band_moving(cell: np.ndarray, canvas: Canvas) -> Part:
    """High from left to right, low back again; no band where a point of the line is missing."""
    mean, low, high = cell[:3]
    low = np.where(low > 0, low, mean) if canvas.logarithmic else low  # on a log axis down to the mean at most
    outline = np.concatenate([heights(high, canvas), heights(low, canvas)[::-1]])
    return {"y": _numbers(np.full_like(outline, np.nan) if np.isnan(outline).any() else outline)}


def rings_fixed(dark: bool) -> Part:
    """Around every point of a run that did not train or did not reach the plateau."""
    ring = {"symbol": "circle-open", "size": 20, "color": ALERT[dark], "line": {"width": 2.5}}
    return {"type": "scatter", "name": "flagged", "mode": "markers", "marker": ring, "hoverinfo": "skip"}


def rings_moving(panel: Panel, shown: Sequence[str], frame: float, canvas: Canvas) -> Part:
    cells = [panel.cells[name, frame] for name in shown if (name, frame) in panel.cells]
    x = [panel.x[cell[4] > 0] for cell in cells]
    y = [heights(cell[0], canvas)[cell[4] > 0] for cell in cells]
    return {"x": tuple(np.concatenate([[], *x]).tolist()), "y": _numbers(np.concatenate([[], *y]))}


def labels_fixed(shown: Sequence[str], dark: bool) -> Part:
    """Names at the right ends of the lines, on an axis of their own in the right margin."""
    return {
        "type": "scatter",
        "mode": "text",
        "name": "names",
        "x": [1.0] * len(shown),
        "textposition": "middle right",
        "textfont": {"size": FONT, "color": [STYLES[name].colour(dark) for name in shown]},
        "cliponaxis": False,
        "hoverinfo": "skip",
    }


def labels_moving(panel: Panel, shown: Sequence[str], frame: float, canvas: Canvas) -> Part:
    """Moved apart where lines meet; a line whose end is off the picture is named at its edge, with an arrow; a star marks
    what was measured at an earlier epoch."""
    ends: dict[str, float] = {}
    old: set[str] = set()  # values that stand still between epoch ends
    for name in shown:
        line = heights(panel.cells[name, frame][0], canvas) if (name, frame) in panel.cells else np.array([])
        if np.isfinite(line).any():
            ends[name] = float(line[np.isfinite(line)][-1])
            old |= {name} if np.isfinite(panel.cells[name, frame][5][np.isfinite(line)][-1]) else set()
    low, high = canvas.y
    gap = 22 * (high - low) / (HEIGHT - TOP - BOTTOM)
    inside = [min(max(end, low + gap / 2), high - gap / 2) for end in ends.values()]
    places = dict(zip(ends, spread(inside, gap, low, high), strict=True))
    names = {
        name: f" {STYLES[name].short}{'*' if name in old else ''}" + (" ↑" if end > high else " ↓" if end < low else "")
        for name, end in ends.items()
    }
    return {
        "y": _numbers(np.array([places.get(name, np.nan) for name in shown])),
        "text": tuple(_bold(names[n]) if n == "sparse" and n in names else names.get(n, "") for n in shown),
    }


def _bold(text: str) -> str:
    return f"<b>{text}</b>"


def paper_line(curve: pd.DataFrame, name: str, title: str, canvas: Canvas) -> Part:
    """One of the paper's curves, faint; `told`: the paper's own x, where x was rescaled. It does not move."""
    style, colour = STYLES[name], STYLES[name].colour(canvas.dark)
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
