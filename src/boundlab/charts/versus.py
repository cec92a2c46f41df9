"""Every bound of several networks: one row per bound, one lane in it per network, on one log2 axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.charts.networks import NETWORKS, legend, place_networks
from boundlab.charts.theme import (
    FONT,
    GRID_COLOUR,
    STYLES,
    Style,
    axis_look,
    faded,
    log2_axis,
    styles,
    vacuous_note,
    vacuous_zone,
)
from boundlab.text import readable

_LANE = 25  # pixels per network and bound
_BETWEEN = 0.7  # lanes between two bounds


def versus(
    table: pd.DataFrame, names: Sequence[str], order: Sequence[str], x_range: tuple[float, float], dark: bool = False
) -> go.Figure:
    """`table`: `comparison.bounds_table`; `order`: bounds from top to bottom; `x_range` in log2."""
    count, looks = len(names), styles("strict" if "doubled" in order else "")
    tops = {series: i * (count + _BETWEEN) for i, series in enumerate(order)}
    whole = len(order) * (count + _BETWEEN)
    rows = table[table["series"].isin(order) & (table["value"] > 0) & np.isfinite(table["value"])]
    rows = rows.assign(y=[tops[s] + n for s, n in zip(rows["series"], rows["network"], strict=True)])
    middles = [top + (count - 1) / 2 for top in tops.values()]
    y_axis = axis_look("", dark, grid=False) | {"range": [whole - _BETWEEN - 0.3, -0.7], "tickvals": middles}
    y_axis |= {"ticktext": [looks[name].short for name in order]}
    look = place_networks(int(_LANE * whole) + 128, dark, {"l": 132, "r": 12, "t": 62, "b": 62}) | {
        "xaxis": log2_axis(*x_range, dark),
        "yaxis": y_axis,
        "shapes": [*vacuous_zone("x", x_range[1], dark), *_stems(rows, dark), *_rules(tops, dark)],
        "annotations": [vacuous_note(dark, x=1, xref="paper", y=0, yref="paper", yanchor="bottom", xanchor="right")],
    }
    return go.Figure({"data": [*_points(rows, looks, dark), *legend(names, dark)], "layout": look})


def _points(rows: pd.DataFrame, looks: Mapping[str, Style], dark: bool) -> list[dict[str, Any]]:
    logs = np.log2(rows["value"].to_numpy(float))
    ends = np.maximum(np.log2(rows["high"]), 0.0)  # beyond the range over seeds, and right of the line at 1
    colours = [looks[s].colour(dark) for s in rows["series"]]
    texts = [readable(value) for value in rows["value"]]
    span = [
        f"{readable(low)} to {readable(high)} over seeds" for low, high in zip(rows["low"], rows["high"], strict=True)
    ]
    common = {"type": "scatter", "x": logs, "y": rows["y"], "showlegend": False}
    symbols = [NETWORKS[n].symbol for n in rows["network"]]
    hover = [f"<b>{looks[s].name}</b><br>{t}<br>{w}" for s, t, w in zip(rows["series"], texts, span, strict=True)]
    dots = {"mode": "markers", "marker": {"size": 15, "symbol": symbols, "color": colours, "opacity": 1}}
    text = {
        "mode": "text",
        "text": [f"    <b>{t}</b>    " for t in texts],
        "textposition": "middle right",
        "cliponaxis": False,
        "textfont": {"size": FONT - 1, "color": colours},
        "hoverinfo": "skip",
    }
    return [common | dots | {"hovertext": hover, "hoverinfo": "text"}, common | text | {"x": ends}]


def _stems(rows: pd.DataFrame, dark: bool) -> list[dict[str, Any]]:
    """From the line at 1 to each value, and a broad one over the range of seeds."""
    drawn = []
    for row in rows.itertuples():
        colour = STYLES[row.series].colour(dark)
        for ends, opacity, width in (((1.0, row.value), 0.5, 4), ((row.low, row.high), 0.35, 17)):
            first, last = (float(np.log2(end)) for end in ends)
            line = {"color": faded(colour, opacity), "width": width}
            drawn.append({"type": "line", "x0": first, "x1": last, "y0": row.y, "y1": row.y, "line": line})
    return drawn


def _rules(tops: dict[str, float], dark: bool) -> list[dict[str, Any]]:
    """Lines between the bounds."""
    between = [top - (1 + _BETWEEN) / 2 for top in list(tops.values())[1:]]
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "line": {"color": GRID_COLOUR[dark], "width": 1}}
    return [line | {"y0": y, "y1": y} for y in between]
