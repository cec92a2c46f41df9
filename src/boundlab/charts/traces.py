"""The traces of a trend picture, each as a fixed part (style) and a moving part (numbers), so that frames are cheap.

A moving part is all that differs between two frames: a picture is fixed | moving, a frame is moving alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from boundlab.analysis.tables import Axis
from boundlab.charts.canvas import Canvas
from boundlab.charts.theme import ALERT, LEADS, SELECTED_COLOUR, faded, lead
from boundlab.text import format_epoch, readable

Trace = dict[str, Any]  # as Plotly has it, whole or a part


class Points(NamedTuple):
    """One series in one frame: columns of `curves.by_axis`, each of shape (number of x positions,); NaN: there is no point."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seeds: np.ndarray
    flagged: np.ndarray
    selected: np.ndarray
    as_of: np.ndarray


@dataclass(frozen=True)
class Panel:
    """One panel's numbers."""

    x: np.ndarray
    points: dict[tuple[str, float], Points]  # by series and frame

    def at(self, name: str, frame: float) -> Points:
        """Of one series in one frame; NaN throughout where it has none there."""
        return self.points.get((name, frame)) or Points(*np.full((len(Points._fields), len(self.x)), np.nan))

    def has(self, frame: float) -> bool:
        """Whether any series has a point in this frame."""
        return any(step == frame for _, step in self.points)


def panel_of(curves: pd.DataFrame, axis: Axis) -> Panel:
    """Gather one panel's rows of `curves.by_axis` into arrays over its x positions, NaN where there is no point."""
    curves = curves if "selected" in curves else curves.assign(selected=False)
    wide = curves.pivot(index=["series", "frame"], columns=axis.column, values=list(Points._fields)).astype(float)
    x = wide.columns.levels[1].to_numpy(float)
    blocks = wide.to_numpy().reshape(len(wide), len(Points._fields), len(x))
    return Panel(x, {key: Points(*block) for key, block in zip(wide.index, blocks, strict=True)})


def heights(values: np.ndarray, canvas: Canvas) -> np.ndarray:
    """Where values are drawn; NaN for those that have no place on a log axis."""
    if not canvas.logarithmic:
        return values
    return np.log2(np.where(values > 0, values, np.nan))


def rounded(values: np.ndarray) -> tuple[float | None, ...]:
    """As tuples: the garbage collector does not look into those of numbers, however many frames are kept."""
    return tuple(None if math.isnan(v) else round(v, 4) for v in values.tolist())


def _hovers(points: Points, name: str, canvas: Canvas) -> tuple[str, ...]:
    """The numbers in the hover: the mean, over several seeds the smallest and largest, and when it was measured."""
    each = zip(*(column.tolist() for column in points), strict=True)
    return tuple("" if math.isnan(point[0]) else _hover(point, name, canvas.scale) for point in each)


def _hover(point: tuple[float, ...], name: str, scale: str) -> str:
    mean, low, high, seeds, *_, as_of = point
    if scale == "relative":
        words = f"× {mean:.3g}"
    else:
        words = readable(mean, name) + (f" ({readable(low, name)} to {readable(high, name)})" if seeds > 1 else "")
    return words if math.isnan(as_of) else f"{words}, epoch {format_epoch(as_of)}"


def line_fixed(panel: Panel, name: str, canvas: Canvas) -> Trace:
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


def line_moving(points: Points, name: str, canvas: Canvas) -> Trace:
    """Heights and hovers."""
    return {"y": rounded(heights(points.mean, canvas)), "customdata": _hovers(points, name, canvas)}


def own_fixed(panel: Panel, name: str, canvas: Canvas) -> Trace:
    """A line of the runs that the reader trained, over that of the shipped ones: dashed, with markers of its own."""
    style, colour = canvas.styles[name], canvas.styles[name].colour(canvas.dark)
    return {
        "type": "scatter",
        "x": panel.x.tolist(),
        "name": f"{style.name}, trained here",
        "mode": "lines+markers",
        "line": {"color": colour, "width": 2, "dash": "5px,3px"},
        "marker": {"symbol": "circle-cross-open", "size": 11, "color": colour, "line": {"width": 2, "color": colour}},
        "connectgaps": True,
        "hovertemplate": f"{style.short}, yours <b>%{{customdata}}</b><extra></extra>",
    }


def band_fixed(panel: Panel, name: str, canvas: Canvas) -> Trace:
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


def band_moving(points: Points, canvas: Canvas) -> Trace:
    """High from left to right, low back again; no band where a point of the line is missing."""
    low = points.low
    if canvas.logarithmic:
        low = np.where(low > 0, low, points.mean)  # a log axis has no place below: down to the mean at most
    outline = np.concatenate([heights(points.high, canvas), heights(low, canvas)[::-1]])
    return {"y": rounded(np.full_like(outline, np.nan) if np.isnan(outline).any() else outline)}


def rings_fixed(dark: bool) -> Trace:
    """Around every point of a run that did not train or did not reach the plateau."""
    ring = {"symbol": "circle-open", "size": 20, "color": ALERT[dark], "line": {"width": 2.5}}
    return {"type": "scatter", "name": "flagged", "mode": "markers", "marker": ring, "hoverinfo": "skip"}


def selected_fixed(dark: bool) -> Trace:
    """Around the points of runs that the reader selected."""
    look = {"width": 3, "color": SELECTED_COLOUR[dark]}
    ring = {"symbol": "circle-open", "size": 22, "color": SELECTED_COLOUR[dark], "line": look}
    return {"type": "scatter", "name": "selected", "mode": "markers", "marker": ring, "hoverinfo": "skip"}


def selected_moving(panel: Panel, shown: Sequence[str], frame: float, canvas: Canvas) -> Trace:
    """Where they are, on the lines that the picture is about."""
    about = {lead(shown), "test_error"} & set(shown) or set(shown)
    return _rings(panel, [name for name in shown if name in about], frame, canvas, "selected")


def rings_moving(panel: Panel, shown: Sequence[str], frame: float, canvas: Canvas) -> Trace:
    """Where they are."""
    return _rings(panel, shown, frame, canvas, "flagged")


def _rings(panel: Panel, shown: Sequence[str], frame: float, canvas: Canvas, which: str) -> Trace:
    drawn = [panel.at(name, frame) for name in shown]
    there = [getattr(points, which) > 0 for points in drawn]
    x = [panel.x[places] for places in there]
    y = [heights(points.mean, canvas)[places] for points, places in zip(drawn, there, strict=True)]
    return {"x": tuple(np.concatenate([[], *x]).tolist()), "y": rounded(np.concatenate([[], *y]))}


def paper_line(curve: pd.DataFrame, name: str, title: str, canvas: Canvas) -> Trace:
    """One of the paper's curves, faint; `paper_x`: the paper's own x, where x was rescaled. It does not move."""
    style, colour = canvas.styles[name], canvas.styles[name].colour(canvas.dark)
    exponents = curve["log2_value"].to_numpy(float)
    hover = [
        f"2<sup>{v:.2f}</sup> ± {e:g} in log₂, at {x:g}" + ("" if pd.isna(d) else f"; ours is {d:+.2f} in log₂")
        for x, v, e, d in zip(curve["paper_x"], exponents, curve["approx_error_log2"], curve["difference"], strict=True)
    ]
    return {
        "type": "scatter",
        "x": curve["x"].tolist(),
        "y": rounded(exponents if canvas.logarithmic else 2**exponents),
        "name": f"{style.name}, {title}",
        "mode": "lines+markers",
        "opacity": 0.6,
        "line": {"color": colour, "width": 1.5, "dash": "4px,4px"},
        "marker": {"symbol": "cross-thin-open", "size": 9, "color": colour, "line": {"width": 1.5, "color": colour}},
        "customdata": hover,
        "hovertemplate": f"{style.short}, paper's {title}: %{{customdata}}<extra></extra>",
    }
