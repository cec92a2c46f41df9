"""Norms of every layer of several networks, layers matched by position: a panel per norm, on one log2 axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.charts.networks import NETWORKS, place_networks
from boundlab.charts.theme import FONT, INK, axis_look, log2_axis
from boundlab.text import readable

_HEIGHT = 400
_GAP = 0.035


def norms_by_layer(
    table: pd.DataFrame, names: Sequence[str], norms: Mapping[str, str], places: Sequence[str], dark: bool = False
) -> go.Figure:
    """`table`: `comparison.layers_beside`; `norms`: a panel each and its title; `places`: positions from left to right."""
    width = (1 - _GAP * (len(norms) - 1)) / len(norms)
    drawn = table[(table["value"] > 0) & np.isfinite(table["value"])]
    logs = np.log2(drawn["value"])
    low, high = (float(logs.min()), float(logs.max())) if len(drawn) else (0.0, 1.0)
    pad = 0.08 * (high - low) + 0.2
    look = place_networks(_HEIGHT, dark, {"l": 76, "r": 12, "t": 78, "b": 62})
    look |= {"yaxis": log2_axis(low - pad, high + pad, dark, "norm (log₂ scale)"), "annotations": []}
    look["legend"] |= {"y": 1.1}
    data = []
    for panel, (norm, words) in enumerate(norms.items(), start=1):
        start = (panel - 1) * (width + _GAP)
        axis = "x" if panel == 1 else f"x{panel}"
        look["xaxis" + axis[1:]] = axis_look("layer", dark, grid=False) | {
            "domain": [start, start + width],
            "anchor": "y",
        }
        look["xaxis" + axis[1:]] |= {"range": [-0.4, len(places) - 0.6], "tickvals": list(range(len(places)))}
        look["xaxis" + axis[1:]] |= {"ticktext": list(places), "tickangle": 0}
        title = {"text": f"<b>{words}</b>", "showarrow": False, "x": start + width / 2, "xref": "paper", "y": 1}
        look["annotations"].append(
            title | {"yref": "paper", "yanchor": "bottom", "font": {"size": FONT, "color": INK[dark]}}
        )
        for number, name in enumerate(names):
            rows = drawn[(drawn["network"] == number) & (drawn["norm"] == norm)]
            colour = NETWORKS[number].colour(dark)
            texts = [f"{name}, {layer}: {readable(v)}" for layer, v in zip(rows["layer"], rows["value"], strict=True)]
            data.append(
                {"type": "scatter", "mode": "lines+markers", "name": name, "showlegend": panel == 1, "xaxis": axis}
                | {"x": [places.index(p) for p in rows["place"]], "y": np.log2(rows["value"].to_numpy(float))}
                | {"line": {"color": colour, "width": 2.5, "dash": NETWORKS[number].dash}, "hovertext": texts}
                | {"marker": {"symbol": NETWORKS[number].symbol, "size": 13, "color": colour}, "hoverinfo": "text"}
            )
    return go.Figure({"data": data, "layout": look})
