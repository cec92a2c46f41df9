"""The numbers of any chart, as a table: what its CSV is where a page has no better one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

_NUMBERS = ("x", "y", "base", "z")
_APART = ("leaders", "names")  # traces that are words, not numbers


def points_of(figure: go.Figure) -> pd.DataFrame:
    """One row per point: trace (its name, else its number), x, y, base (of a bar that begins elsewhere than at 0), z (of a heat
    map) and text, as they are drawn; where all of a trace lies at named ticks, their names. Columns without a value are left out.
    """
    parts = [
        _rows(trace, trace.name or f"trace {number}", figure)
        for number, trace in enumerate(figure.data, 1)
        if trace.name not in _APART
    ]
    table = pd.concat([pd.DataFrame({"trace": []}), *parts], ignore_index=True)
    return table.dropna(axis="columns", how="all")


def _rows(trace: Any, name: str, figure: go.Figure) -> pd.DataFrame:
    if trace.type == "heatmap":
        return _cells(trace, name, figure)
    sides = {key: _values(trace[key]) for key in _NUMBERS if key in trace and trace[key] is not None}
    size = max((len(side) for side in sides.values()), default=0)
    rows = {key: _named(side * size if len(side) == 1 else side, trace, key, figure) for key, side in sides.items()}
    if "text" in trace and trace.text is not None:
        rows["text"] = _values(trace.text)
    whole = {key: column for key, column in rows.items() if len(column) == size}
    return pd.DataFrame({"trace": [name] * size} | whole)


def _cells(trace: Any, name: str, figure: go.Figure) -> pd.DataFrame:
    z = pd.DataFrame([list(row) for row in trace.z])
    x = _values(trace.x) if trace.x is not None else list(range(z.shape[1]))
    y = _values(trace.y) if trace.y is not None else list(range(z.shape[0]))
    return pd.DataFrame(
        {
            "trace": name,
            "x": np.tile(_named(x, trace, "x", figure), len(y)),
            "y": np.repeat(_named(y, trace, "y", figure), len(x)),
            "z": z.to_numpy().ravel(),
        }
    )


def _values(given: Any) -> list[Any]:
    return [given] if isinstance(given, (str, int, float)) else list(given)


def _named(values: Sequence[Any], trace: Any, key: str, figure: go.Figure) -> list[Any]:
    """Tick names in place of places, where each of them is at one that has a name."""
    if key not in ("x", "y") or not values:
        return list(values)
    axis = figure.layout[f"{key}axis{(trace[f'{key}axis'] or key)[1:]}"] if f"{key}axis" in trace else None
    if axis is None or axis.tickvals is None or axis.ticktext is None:
        return list(values)
    names = dict(zip(axis.tickvals, axis.ticktext, strict=False))
    return [_plain(names[value]) for value in values] if set(values) <= set(names) else list(values)


def _plain(label: Any) -> Any:
    return label.replace("<b>", "").replace("</b>", "") if isinstance(label, str) else label
