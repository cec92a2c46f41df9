"""From accurate to certified: what a theorem guarantees, and the test error, as training weighs the complexity more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.analysis.guarantees import THEOREMS
from boundlab.charts.theme import FONT, INK, STYLES, axis_look, names_at_end, vacuous_note, vacuous_zone

_HEIGHT = 430
THEOREM_LINES = {  # column beside the certificate: words, light, dark, dash, width, marker
    "ramp": ("ramp error", "#0B7A8C", "#4FC3D6", "solid", 3, "square"),
    "complexity": ("complexity", "#3B6EA8", "#7FB2E8", "solid", 3, "diamond"),
    "test_error": ("test error", *INK, "dash", 3, "circle-open"),
}


def certified_chart(table: pd.DataFrame, weight: float, top: float, theorem: str, dark: bool = False) -> go.Figure:
    """`table`: weight and, per weight, the mean over seeds of the columns of `THEOREM_LINES`; `weight`: where the reader stands;
    `theorem`: of `guarantees.THEOREMS`."""
    style = STYLES[THEOREMS[theorem]]
    lines = {"certificate": (f"Theorem {theorem}", style.light, style.dark, "solid", 5, style.symbol), **THEOREM_LINES}
    x = np.log10(table["weight"])
    data: list[dict[str, Any]] = []
    for name, (words, light, darker, dash, width, symbol) in lines.items():
        colour = darker if dark else light
        data.append(
            {"type": "scatter", "mode": "lines+markers", "x": x, "y": 100 * table[name], "customdata": table["weight"]}
            | {"line": {"color": colour, "dash": dash, "width": width}, "marker": {"size": 11, "symbol": symbol}}
            | {"hovertemplate": f"weight %{{customdata:g}}: {words} %{{y:.2f}} of 100<extra></extra>"}
        )
    last = [100 * float(table[name].iloc[-1]) for name in lines]
    looks = list(lines.values())
    named, colours = [look[0] for look in looks], [look[2] if dark else look[1] for look in looks]
    pad = 0.06 * max(1.0, float(x.max() - x.min()))
    here = {"type": "line", "x0": np.log10(weight), "x1": np.log10(weight), "yref": "paper", "y0": 0, "y1": 1}
    layout = {
        "height": _HEIGHT,
        "margin": {"l": 66, "r": 124, "t": 34, "b": 84},
        "showlegend": False,
        "font": {"size": FONT - 1, "color": INK[dark]},
        "hoverlabel": {"font": {"size": FONT - 2}},
        "uirevision": "certified",
        "xaxis": axis_look("weight of the complexity in training<br>(accurate → certified)", dark, grid=False)
        | {"range": [x.min() - pad, x.max() + pad], "tickvals": x, "ticktext": [f"{w:g}" for w in table["weight"]]},
        "yaxis": axis_look("of 100 new images", dark) | {"range": [0, 100 * top]},
        "shapes": [
            *vacuous_zone("y", 100 * top, dark, 100.0),
            here | {"line": {"color": INK[dark], "width": 2, "dash": "dash"}},
        ],
        "annotations": [
            *names_at_end(last, named, colours, (0.0, 100 * top), _HEIGHT - 118, dark),
            vacuous_note(
                dark, text="above 100: says nothing", x=1, xref="paper", y=100.0, yanchor="bottom", xanchor="right"
            ),
        ],
    }
    return go.Figure({"data": data, "layout": layout})
