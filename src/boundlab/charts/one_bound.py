"""One bound of several networks: a row per network, from its test error up to the bound, on one log2 axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from boundlab.charts.networks import NETWORKS
from boundlab.charts.theme import FONT, INK, Style, axis_look, faded, log2_axis, vacuous_note, vacuous_zone
from boundlab.text import readable

_ROW = 29  # pixels per network
_ROOM = 0.16  # of the axis, on either side, for the numbers
_APART = 28  # pixels between the networks' markers and the axis: on a phone the numbers need them


def one_bound(
    bounds: Sequence[float], errors: Sequence[float], names: Sequence[str], look: Style, dark: bool = False
) -> go.Figure:
    """`bounds`, `errors`: of each network, NaN where there is none; at least one number is above 0."""
    rows = list(range(len(names)))
    ends = [np.log2(np.where(np.asarray(part) > 0, part, np.nan)) for part in (bounds, errors)]
    every = np.concatenate(ends)
    low, high = min(float(np.nanmin(every)), -1.0), max(float(np.nanmax(every)), 1.0)
    room = _ROOM * (high - low)
    colour = look.colour(dark)
    marks = (
        (bounds, ends[0], {"size": 17, "color": colour}, "middle right", look.name, ""),
        (errors, ends[1], {"size": 13, "color": "rgba(0,0,0,0)", "line": {"width": 3, "color": INK[dark]}}, "middle left", "test error", "test_error"),
    )  # fmt: skip
    data = [
        {"type": "scatter", "mode": "markers+text", "x": x, "y": rows, "marker": marker | {"opacity": 1}}
        | {"text": [f"  <b>{readable(v, kind)}</b>  " if v == v else "" for v in values], "textposition": side}
        | {"textfont": {"size": FONT - 1, "color": colour if kind == "" else INK[dark]}, "cliponaxis": False}
        | {"hovertext": [f"{name}<br>{word}: {readable(v, kind)}" for name, v in zip(names, values, strict=True)]}
        | {"hoverinfo": "text", "name": word}
        for values, x, marker, side, word, kind in marks
    ]
    look_y = axis_look("", dark, grid=False) | {"range": [len(rows) - 0.4, -0.6], "tickvals": rows}
    layout = {
        "height": _ROW * len(rows) + 80,
        "margin": {"l": 34 + _APART, "r": 12, "t": 26, "b": 54},
        "showlegend": False,
        "font": {"size": FONT},
        "uirevision": "one bound",
        "hoverlabel": {"font": {"size": FONT - 2}, "align": "left"},
        "xaxis": log2_axis(low - room, high + room, dark, "○ test error, ● bound (log₂)", most=5),
        "yaxis": look_y | {"ticktext": [NETWORKS[i].glyph for i in rows], "ticklabelstandoff": _APART},
        "shapes": [*vacuous_zone("x", high + room, dark), *_stems(ends, colour)],
        "annotations": [vacuous_note(dark, x=1, xref="paper", y=1, yref="paper", yanchor="bottom", xanchor="right")],
    }
    return go.Figure({"data": data, "layout": layout})


def _stems(ends: Sequence[np.ndarray], colour: str) -> list[dict[str, Any]]:
    """From each test error to its bound."""
    line = {"color": faded(colour, 0.5), "width": 4}
    return [
        {"type": "line", "x0": error, "x1": bound, "y0": row, "y1": row, "line": line, "layer": "below"}
        for row, (bound, error) in enumerate(zip(*ends, strict=True))
        if np.isfinite(bound) and np.isfinite(error)
    ]
