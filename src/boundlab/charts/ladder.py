"""One network: every bound and its errors on one log2 ladder, the way from the test error up to the bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.charts.theme import FONT, LEADS, Style, axis_look, log2_axis, styles, vacuous_note, vacuous_zone
from boundlab.text import readable

_ROW = 54  # pixels per series
_NUMBER = 86  # pixels that a number takes right of the largest value, on any screen
_TICKS = 4  # lie flat on a phone


def _traces(values: pd.Series, rows: dict[str, int], looks: Mapping[str, Style], dark: bool) -> list[dict[str, Any]]:
    """Dots at the values, and the numbers at the right of them, or of the line at 1: there is room on any screen."""
    exponents = [float(np.log2(values[name])) for name in rows]
    colours = [looks[name].colour(dark) for name in rows]
    numbers = [readable(values[name], name) for name in rows]
    hover = [
        f"<b>{looks[name].name}</b><br>{number} = 2<sup>{x:.2f}</sup>"
        for name, number, x in zip(rows, numbers, exponents, strict=True)
    ]
    sizes = [20 if name in LEADS else 15 for name in rows]
    dots = {
        "mode": "markers",
        "x": exponents,
        "marker": {"opacity": 1, "size": sizes, "color": colours},
        "hovertext": hover,
        "hoverinfo": "text",
    }
    labels = {
        "mode": "text",
        "x": [max(x, 0.0) for x in exponents],
        "text": [f"    <b>{number}</b>    " for number in numbers],
        "textposition": "middle right",
        "cliponaxis": False,
        "textfont": {"size": FONT, "color": colours},
        "hoverinfo": "skip",
    }
    return [{"type": "scatter", "y": list(rows.values()), **trace} for trace in (dots, labels)]


def _stems(values: pd.Series, rows: dict[str, int], looks: Mapping[str, Style], dark: bool) -> list[dict[str, Any]]:
    """Bars from the line at 1 to each value."""
    return [
        {
            "type": "line",
            "x0": 0,
            "x1": float(np.log2(values[name])),
            "y0": place,
            "y1": place,
            "line": {"color": looks[name].colour(dark), "width": 9 if name in LEADS else 5},
        }
        for name, place in rows.items()
    ]


def ladder(values: pd.Series, shown: Sequence[str], x_range: tuple[float, float], dark: bool = False) -> go.Figure:
    """`values`: series -> value; `shown`: top to bottom; `x_range` in log2, fixed by the caller so that nothing jumps."""
    looks = styles("strict" if "doubled" in shown else "")
    places = {name: len(shown) - 1 - i for i, name in enumerate(shown)}
    rows = {name: place for name, place in places.items() if name in values and values[name] > 0}
    y_axis = axis_look("", dark, grid=False) | {
        "range": [-0.6, len(shown) - 0.4],
        "tickvals": list(places.values()),
        "ticktext": [looks[name].short for name in places],
    }
    layout = {
        "height": _ROW * len(shown) + 120,
        "margin": {"l": 128, "r": _NUMBER, "t": 58, "b": 62},
        "showlegend": False,
        "font": {"size": FONT},
        "uirevision": "ladder",
        "hoverlabel": {"font": {"size": FONT - 2}},
        "xaxis": log2_axis(*x_range, dark, most=_TICKS),
        "yaxis": y_axis,
        "shapes": [*vacuous_zone("x", x_range[1], dark), *_stems(values, rows, looks, dark)],
        "annotations": [vacuous_note(dark, x=1, xref="paper", y=1, yref="paper", yanchor="bottom", xanchor="right")],
    }
    return go.Figure({"data": _traces(values, rows, looks, dark), "layout": layout})
