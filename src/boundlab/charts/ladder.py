"""One network: every bound and its errors on one log2 ladder, the way from the test error up to the bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.charts.theme import ALERT, FONT, GRID, INK, SHADE, STYLES, VACUOUS, log2_ticks, readable

ROW = 54  # pixels per series


def ladder(values: pd.Series, shown: Sequence[str], x_range: tuple[float, float], dark: bool = False) -> go.Figure:
    """`values`: series -> value; `shown`: top to bottom; `x_range` in log2, fixed by the caller so that nothing jumps."""
    rows = [name for name in shown if name in values and values[name] > 0]
    places = {name: len(shown) - 1 - list(shown).index(name) for name in rows}
    exponents = [float(np.log2(values[name])) for name in rows]
    colours = [STYLES[name].colour(dark) for name in rows]
    stems = [
        {
            "type": "line",
            "x0": 0,
            "x1": x,
            "y0": places[name],
            "y1": places[name],
            "line": {"color": STYLES[name].colour(dark), "width": 9 if name == "sparse" else 5},
        }
        for name, x in zip(rows, exponents, strict=True)
    ]
    dots = {
        "type": "scatter",
        "x": exponents,
        "y": [places[name] for name in rows],
        "mode": "markers",
        "marker": {"opacity": 1, "size": [20 if name == "sparse" else 15 for name in rows], "color": colours},
        "hoverinfo": "text",
        "hovertext": [
            f"<b>{STYLES[name].name}</b><br>{readable(values[name], name)} = 2<sup>{x:.2f}</sup>"
            for name, x in zip(rows, exponents, strict=True)
        ],
    }
    numbers = {  # to the right of the dot, or of the line at 1 for what lies below it
        "type": "scatter",
        "x": [max(x, 0.0) for x in exponents],
        "y": dots["y"],
        "mode": "text",
        "hoverinfo": "skip",
        "text": [f"    <b>{readable(values[name], name)}</b>" for name in rows],
        "textposition": "middle right",
        "textfont": {"size": FONT, "color": colours},
    }
    ticks, texts = log2_ticks(*x_range)
    alert = ALERT[dark]
    layout = {
        "height": ROW * len(shown) + 96,
        "margin": {"l": 128, "r": 16, "t": 34, "b": 62},
        "showlegend": False,
        "font": {"size": FONT},
        "uirevision": "ladder",
        "hoverlabel": {"font": {"size": FONT - 2}},
        "xaxis": {
            "range": list(x_range),
            "tickvals": ticks,
            "ticktext": texts,
            "tickfont": {"size": FONT - 1, "color": INK[dark]},
            "zeroline": False,
            "gridcolor": GRID[dark],
            "title": {"text": "value (log₂ scale)", "font": {"size": FONT + 1, "color": INK[dark]}},
        },
        "yaxis": {
            "range": [-0.6, len(shown) - 0.4],
            "showgrid": False,
            "zeroline": False,
            "tickvals": [len(shown) - 1 - i for i in range(len(shown))],
            "ticktext": [STYLES[s].short for s in shown],
            "tickfont": {"size": FONT, "color": INK[dark]},
        },
        "shapes": [
            {
                "type": "rect",
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "x0": 0,
                "x1": x_range[1],
                "fillcolor": SHADE[dark],
                "line": {"width": 0},
                "layer": "below",
            },
            {
                "type": "line",
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "x0": 0,
                "x1": 0,
                "line": {"color": alert, "width": 2, "dash": "dot"},
            },
            *stems,
        ],
        "annotations": [
            {
                "x": 0,
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "xanchor": "left",
                "showarrow": False,
                "text": VACUOUS,
                "font": {"size": FONT - 3, "color": alert},
            }
        ],
    }
    return go.Figure({"data": [dots, numbers], "layout": layout})
