"""Who sees which pixels: computation paths per pixel as a heat map over an image, and receptive fields as outlines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from boundlab.charts.theme import FONT
from boundlab.quantities.receptive_fields import Field

_SCALE = ("#14213D", "#1F4E79", "#2F7F86", "#6E9B4E", "#C98A2B")  # ever lighter, and white is seen on all of it
_BLANK = ("#A3A9B3", "#3A404A")
_OUTLINE = ("#FFFFFF", "#000000")  # a light line within a dark one is seen on every colour
_LAST = "#FF5A3C"
_STROKES = [[0.0, "rgba(255,255,255,0)"], [1.0, "rgba(255,255,255,0.78)"]]


def connectivity(
    counts: np.ndarray, picture: np.ndarray, fields: Sequence[Field], top: float, height: int, dark: bool = False
) -> go.Figure:
    """`counts`, `picture`: (height, width), paths from each pixel and the image in [0, 1]; `fields`: first layer to last;
    `top`: log2 of the largest count on the common colour scale, which begins at 1 path. A pixel without a path is blank."""
    rows, columns = counts.shape
    logs = np.where(counts > 0, np.log2(np.maximum(counts, 1)), np.nan)
    paths = np.vectorize(lambda count: f"{count:,.0f}")(counts)
    scale = [[i / (len(_SCALE) - 1), colour] for i, colour in enumerate(_SCALE)]
    heat = {"type": "heatmap", "z": logs, "zmin": 0, "zmax": max(top, 1.0), "colorscale": scale, "showscale": False}
    heat |= {"customdata": paths, "hovertemplate": "row %{y}, column %{x}: %{customdata} paths<extra></extra>"}
    strokes = {"type": "heatmap", "z": picture, "zmin": 0, "zmax": 1, "colorscale": _STROKES, "showscale": False}
    axis: dict[str, Any] = {"visible": False, "fixedrange": True, "constrain": "domain"}
    layout = {
        "height": height,
        "margin": {"l": 10, "r": 10, "t": 2, "b": 2},
        "font": {"size": FONT - 2},
        "hoverlabel": {"font": {"size": FONT - 2}},
        "xaxis": axis | {"range": [-0.5, columns - 0.5]},
        "yaxis": axis | {"range": [rows - 0.5, -0.5], "scaleanchor": "x"},
        "shapes": [_ground(rows, columns, dark), *_outlines(fields)],
    }
    return go.Figure({"data": [heat, strokes | {"hoverinfo": "skip"}], "layout": layout})


def _ground(rows: int, columns: int, dark: bool) -> dict[str, Any]:
    """Behind the image, so that pixels without a path, and the image's edge, are seen."""
    box = {"type": "rect", "x0": -0.5, "x1": columns - 0.5, "y0": -0.5, "y1": rows - 0.5, "line": {"width": 0}}
    return box | {"fillcolor": _BLANK[dark], "layer": "below"}


def _outlines(fields: Sequence[Field]) -> list[dict[str, Any]]:
    """Around what a feature of each layer sees; the last layer's in a colour of its own, on top."""
    seen = [field for field in fields if field.pixels]
    shapes = []
    for number, field in enumerate(seen, start=1):
        box = {"type": "rect", "x0": field.left - 0.5, "x1": field.right + 0.5, "y0": field.top - 0.5}
        box |= {"y1": field.bottom + 0.5, "fillcolor": "rgba(0,0,0,0)"}
        last = number == len(seen)
        shapes += [box | {"line": {"color": _OUTLINE[1], "width": 6 if last else 3.5}}]
        shapes += [box | {"line": {"color": _LAST if last else _OUTLINE[0], "width": 4 if last else 2}}]
    return shapes
