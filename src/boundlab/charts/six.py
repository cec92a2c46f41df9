"""A bound in six bars, from 1 to its value: of one network, or of two on the same rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.charts.theme import FONT, INK, axis_look, log2_axis, vacuous_note, vacuous_zone
from boundlab.charts.waterfall import bar_colour, bar_number, reach_of

SIX_HEIGHT = 432
_MARGIN = {"l": 176, "r": 72, "t": 26, "b": 60}
_SMALL = FONT - 4


def six_chart(first: pd.DataFrame, second: pd.DataFrame | None = None, dark: bool = False) -> go.Figure:
    """`first`, `second`: rows of `six.six_bars`."""
    sides = [first] if second is None else [first, second]
    order = pd.concat(sides).drop_duplicates("row")
    order = pd.concat([order[order["row"] != "value"], order[order["row"] == "value"]])
    places = {name: float(len(order) - 1 - i) for i, name in enumerate(order["row"])}
    low, high = reach_of([side[column].to_numpy(float) for side in sides for column in ("start", "end")], 2)
    data = [trace for i, side in enumerate(sides) for trace in _bars(side, places, low, i, len(sides), dark)]
    y_axis = axis_look("", dark, grid=False) | {"range": [-0.6, len(order) - 0.4], "fixedrange": True}
    layout = {
        "height": SIX_HEIGHT,
        "margin": _MARGIN,
        "showlegend": False,
        "barmode": "overlay",
        "font": {"size": FONT - 1, "color": INK[dark]},
        "hoverlabel": {"font": {"size": FONT - 2}, "align": "left"},
        "xaxis": log2_axis(low, high, dark, "value so far (log₂ scale)", 4) | {"tickangle": 0},
        "yaxis": y_axis | {"tickvals": list(places.values()), "ticktext": [_tick(row) for row in order.itertuples()]},
        "shapes": [shape | {"xref": "x", "yref": "paper"} for shape in vacuous_zone("x", high, dark)],
        "annotations": [
            vacuous_note(dark, x=0, xshift=20, xref="paper", xanchor="right", y=1, yref="paper", yanchor="bottom")
        ],
    }
    return go.Figure({"data": data, "layout": layout})


def _tick(row: Any) -> str:
    small = f'<span style="font-size:{_SMALL}px">'
    return f"<b>{row.label}</b> {small}{row.symbol}</span><br>{small}{row.meaning}</span>"


def _bars(
    rows: pd.DataFrame, places: dict[str, float], low: float, number: int, count: int, dark: bool
) -> list[dict[str, Any]]:
    """The bars of one network and the numbers beside them."""
    here = list(rows.itertuples())
    start, end = (np.maximum(rows[name].to_numpy(float), low) for name in ("start", "end"))
    colours = [bar_colour(row, dark) for row in here]
    width, shift = (0.62, 0.0) if count == 1 else (0.32, (0.18, -0.18)[number])
    y = [places[row.row] + shift for row in here]
    look: dict[str, Any] = {"color": colours, "line": {"width": 1.5, "color": colours}}
    if number:
        look |= {"pattern": {"shape": "/", "fgcolor": colours, "bgcolor": "rgba(0,0,0,0)", "fillmode": "replace"}}
    name = ("first network", "second network")[number] if count == 2 else "factors"
    numbers = [bar_number(row) for row in here]
    bar = {"type": "bar", "orientation": "h", "name": name, "base": start, "x": end - start, "y": y, "width": width}
    hover = [f"<b>{row.label}</b> {text}<br>{row.meaning}" for row, text in zip(here, numbers, strict=True)]
    words = [f" <b>{text}</b>" if row.kind == "total" else f" {text}" for row, text in zip(here, numbers, strict=True)]
    size = FONT if count == 1 else FONT - 3
    text = {"type": "scatter", "mode": "text", "name": "names", "x": np.maximum(start, end), "y": y, "text": words}
    text |= {"textposition": "middle right", "textfont": {"size": size, "color": INK[dark]}, "cliponaxis": False}
    return [bar | {"marker": look, "hovertext": hover, "hoverinfo": "text"}, text | {"hoverinfo": "skip"}]
