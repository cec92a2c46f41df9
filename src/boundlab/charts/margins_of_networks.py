"""The training margins of several networks: which share of the images has a margin of at most so much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from boundlab.charts.networks import NETWORKS, place_networks
from boundlab.charts.theme import ALERT, FONT, axis_look

_HEIGHT = 400


def margin_curves(quantiles: Mapping[int, np.ndarray], names: Sequence[str], dark: bool = False) -> go.Figure:
    """`quantiles`: network -> 101 quantiles of its margins, from the smallest to the largest."""
    shares = np.linspace(0, 100, 101)
    ends = [float(q[i]) for q in quantiles.values() for i in (1, 100)]
    low, high = min([0.0, *ends]), max([1.0, *ends])
    pad = 0.05 * (high - low)
    data = []
    for number, values in quantiles.items():
        colour = NETWORKS[number].colour(dark)
        texts = [
            f"{names[number]}: {s:.0f} % of the images have a margin of at most {v:.3g}"
            for s, v in zip(shares, values, strict=True)
        ]
        line: dict[str, Any] = {
            "type": "scatter",
            "mode": "lines",
            "x": values,
            "y": shares,
            "hovertext": texts,
            "hoverinfo": "text",
        }
        line |= {"line": {"color": colour, "width": 4, "dash": NETWORKS[number].dash}, "showlegend": False}
        marks: dict[str, Any] = {
            "type": "scatter",
            "mode": "lines+markers",
            "x": values[10:100:20],
            "y": shares[10:100:20],
            "hoverinfo": "skip",
        }
        marks |= {"line": {"color": colour, "width": 0.1}, "marker": {"symbol": NETWORKS[number].symbol, "size": 14}}
        marks["marker"] |= {"color": colour}
        data += [line, marks | {"name": names[number]}]
    look = place_networks(_HEIGHT, dark, {"l": 76, "r": 12, "t": 40, "b": 62}) | {
        "xaxis": axis_look("margin of a training image", dark) | {"range": [low - pad, high + pad]},
        "yaxis": axis_look("images, %", dark) | {"range": [-2, 102]},
        "shapes": [{"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper"}],
        "annotations": [{"text": " left of 0: wrong", "x": 0, "y": 96, "xanchor": "left", "showarrow": False}],
    }
    look["shapes"][0]["line"] = {"color": ALERT[dark], "width": 2, "dash": "dot"}
    look["annotations"][0]["font"] = {"size": FONT - 2, "color": ALERT[dark]}
    return go.Figure({"data": data, "layout": look})
