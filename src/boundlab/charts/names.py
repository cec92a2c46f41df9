"""Names at the right ends of the lines, and the leaders that go there; fixed and moving parts as in `traces`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from boundlab.charts.canvas import BOTTOM, TOP, Canvas
from boundlab.charts.theme import FONT, HEIGHT, LEADER, LEADS, NAME, spread
from boundlab.charts.traces import Panel, Trace, heights, rounded


def labels_fixed(shown: Sequence[str], canvas: Canvas) -> Trace:
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


def leaders_fixed(dark: bool) -> Trace:
    """From the ends of the lines to their names: level through the picture, aslant beside its right edge."""
    line = {"color": LEADER[dark], "width": 1.5, "dash": "dot"}  # no line of data is thin and grey dots
    return {"type": "scatter", "mode": "lines", "name": "leaders", "line": line, "hoverinfo": "skip"}


def names_moving(panel: Panel, shown: Sequence[str], frame: float, canvas: Canvas) -> tuple[Trace, Trace]:
    """Leaders and names. Names are moved apart where lines meet; a line whose end is off the picture is named at its edge,
    with an arrow; a star marks what was measured at an earlier epoch."""
    ends: dict[str, tuple[float, float]] = {}
    old: set[str] = set()  # values that stand still between epoch ends
    for name in shown:
        points = panel.at(name, frame)
        line = heights(points.mean, canvas)
        if len(there := np.flatnonzero(np.isfinite(line))):
            ends[name] = (float(panel.x[there[-1]]), float(line[there[-1]]))
            old |= {name} if np.isfinite(points.as_of[there[-1]]) else set()
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
        "y": rounded(np.array([places.get(name, np.nan) for name in shown])),
        "text": tuple(words.get(name, "") for name in shown),
    }


def _name(name: str, old: bool, end: float, canvas: Canvas) -> str:
    arrow = " ↑" if end > canvas.y[1] else " ↓" if end < canvas.y[0] else ""
    text = f" {canvas.styles[name].short}{'*' if old else ''}{arrow}"
    return f"<b>{text}</b>" if name in LEADS else text


def leaders(drawn: Sequence[tuple[float, float, float]], canvas: Canvas) -> Trace:
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
