"""Every bound before and after a change, in log2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.charts.theme import FONT, INK, axis_look, log2_axis, styles, vacuous_note, vacuous_zone
from boundlab.text import readable, times

_ROW = 46  # pixels per bound


def dumbbell(table: pd.DataFrame, x_range: tuple[float, float], dark: bool = False) -> go.Figure:
    """`table`: rows with series, before, after (values; NaN where there is none), top to bottom; `x_range` in log2."""
    looks = styles("strict" if "doubled" in set(table["series"]) else "")
    places = np.arange(len(table))[::-1].astype(float)
    names = [looks[s].short for s in table["series"]]
    colours = [looks[s].colour(dark) for s in table["series"]]
    before, after = (np.log2(table[c].to_numpy(float)) for c in ("before", "after"))
    hollow: dict[str, Any] = {"size": 15, "color": "rgba(0,0,0,0)", "line": {"width": 3, "color": colours}}
    words = [_words(b, a) for b, a in zip(table["before"], table["after"], strict=True)]
    common = {"type": "scatter", "y": places, "hoverinfo": "text"}
    data = [
        common
        | {
            "mode": "markers",
            "x": before,
            "marker": hollow,
            "hovertext": [f"before: {readable(v)}" for v in table["before"]],
        },
        common
        | {"mode": "markers", "x": after, "marker": {"size": 17, "color": colours, "opacity": 1}, "hovertext": words},
        {
            "type": "scatter",
            "mode": "text",
            "y": places,
            "x": np.fmax(before, after),
            "text": [f"    {w}" for w in words],
        }
        | {"textposition": "middle right", "textfont": {"size": FONT - 1, "color": INK[dark]}, "hoverinfo": "skip"},
    ]
    arrows = [
        {"type": "line", "x0": b, "x1": a, "y0": y, "y1": y, "line": {"color": c, "width": 4}}
        for b, a, y, c in zip(before, after, places, colours, strict=True)
        if np.isfinite(b) and np.isfinite(a)
    ]
    y_axis = axis_look("", dark, grid=False) | {
        "range": [-0.6, len(table) - 0.4],
        "tickvals": places,
        "ticktext": names,
    }
    layout = {
        "height": _ROW * len(table) + 100,
        "margin": {"l": 132, "r": 12, "t": 34, "b": 62},
        "showlegend": False,
        "font": {"size": FONT},
        "uirevision": "dumbbell",
        "xaxis": log2_axis(*x_range, dark, "value: ○ as trained, ● what if (log₂ scale)"),
        "yaxis": y_axis,
        "shapes": [*vacuous_zone("x", x_range[1], dark), *arrows],
        "annotations": [vacuous_note(dark, x=0, y=1, yref="paper", yanchor="bottom", xanchor="left")],
    }
    return go.Figure({"data": data, "layout": layout})


def _words(before: float, after: float) -> str:
    if not np.isfinite(after):
        return "cannot be answered"
    if not np.isfinite(before) or before == 0:
        return f"<b>{readable(after)}</b>"
    ratio = after / before
    change = "unchanged" if abs(ratio - 1) < 0.005 else f"× {times(ratio)}" if ratio > 1 else f"÷ {times(1 / ratio)}"
    return f"<b>{readable(after)}</b>  ({change})"
