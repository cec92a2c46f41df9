"""Runs as lines across one axis per column: parallel coordinates, on log axes where numbers spread over more than a decade."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.analysis.measures import measure_names
from boundlab.analysis.run_columns import RunColumn
from boundlab.charts.ranking import short_name
from boundlab.charts.theme import FONT, INK, SELECTED_COLOUR
from boundlab.text import tick

_MOST = 7  # axes that are readable side by side
_DECADES = 10  # largest over smallest from which on an axis is logarithmic
_TICKS = 5
_BELOW = 0.5  # decades that 0 stands below the smallest of the others
_CALM = ("#C9CDD3", "#454B55")


def can_be_drawn(table: pd.DataFrame, columns: Sequence[RunColumn]) -> list[RunColumn]:
    """Those of numbers that differ, the first few; seeds are names."""
    found = [column for column in columns if column.kind != "word" and column.key != "seed"]
    return [c for c in found if len(np.unique(table[c.key].dropna())) > 1][:_MOST]


def parallel(
    table: pd.DataFrame, columns: Sequence[RunColumn], selected: Collection[str], dark: bool = False
) -> go.Figure:
    """A line per run of `table` (column `run`) that has all of the numbers. Selected ones stand out, over the others; where none is,
    colour follows the last column. Shares are drawn as so many of 100."""
    known = table[np.isfinite(table[[column.key for column in columns]]).all(axis=1)]
    known = known.iloc[np.argsort(known["run"].isin(selected), kind="stable")]
    axes = [_axis(known[column.key].to_numpy(float), column) for column in columns]
    marked = known["run"].isin(selected).to_numpy()
    if marked.any():
        line: dict[str, Any] = {"color": marked.astype(np.float32), "cmin": 0, "cmax": 1}
        line |= {"colorscale": [[0, _CALM[dark]], [1, SELECTED_COLOUR[dark]]]}
    else:
        line = {"color": axes[-1]["values"], "colorscale": "Viridis" if not dark else "Plasma"}
    font = {"size": FONT, "color": INK[dark]}
    lines = {"type": "parcoords", "dimensions": axes, "line": line, "labelfont": font, "rangefont": {"size": 1}}
    lines |= {"tickfont": font | {"size": FONT - 1}, "labelside": "top"}
    margin = {"l": 70, "r": 70, "t": 56, "b": 24}
    return go.Figure({"data": [lines], "layout": {"height": 430, "margin": margin, "font": font}})


def _axis(values: np.ndarray, column: RunColumn) -> dict[str, Any]:
    shown = 100 * values if column.kind == "share" else values
    name = short_name(column.key) if column.key in measure_names() else column.title
    title = name + (", %" if column.kind == "share" else "")
    positive = shown[shown > 0]
    if len(positive) and shown.min() >= 0 and positive.max() > _DECADES * positive.min():
        floor = np.log10(positive.min()) - _BELOW  # of what is 0
        drawn = np.where(shown > 0, np.log10(np.maximum(shown, positive.min())), floor)
        ticks = _log_ticks(np.log10(positive))
        texts = [tick(10**t) for t in ticks]
        if len(positive) < len(shown):
            ticks, texts = [floor, *ticks], ["0", *texts]
    else:
        drawn, ticks = shown, _ticks_of(np.unique(shown))
        texts = [tick(t) for t in ticks]
    return {"label": title, "values": drawn.astype(np.float32), "tickvals": ticks, "ticktext": texts}


def _log_ticks(drawn: np.ndarray) -> list[float]:
    """The values themselves where they are few; else powers of ten, or, on less than three decades, also 2 and 5 times them."""
    if len(different := np.unique(drawn)) <= _TICKS:
        return [float(value) for value in different]
    low, high = float(different[0]), float(different[-1])
    parts = (1, 2, 5) if high - low < 2 else (1,)
    marks = [e + math.log10(p) for e in range(math.floor(low), math.ceil(high) + 1) for p in parts]
    inside = [mark for mark in marks if low <= mark <= high]
    return inside[:: -(-len(inside) // (_TICKS + 1))]


def _ticks_of(different: np.ndarray) -> list[float]:
    if len(different) <= _TICKS + 1:
        return [float(value) for value in different]
    low, high = float(different[0]), float(different[-1])
    raw = (high - low) / _TICKS
    unit = 10 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= raw)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(step * number, 12) for number in range(first, last + 1)]
