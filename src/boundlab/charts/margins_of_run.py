"""Training margins over epochs, and the trade-off between ramp error and complexity as the margin moves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.analysis.guarantees import THEOREMS
from boundlab.charts.theme import ALERT, FONT, INK, STYLES, axis_look, faded, names_at_end, vacuous_zone

_HEIGHT = 390
MARGIN_LINES = {  # column of `margin_tradeoff.trade_off`: words, light, dark, dash, width
    "ramp": ("ramp error", "#0B7A8C", "#4FC3D6", "solid", 3),
    "indicator": ("share within γ", "#0B7A8C", "#4FC3D6", "dot", 2),
    "complexity": ("complexity / γ", "#3B6EA8", "#7FB2E8", "solid", 3),
}
_BANDS = (("q5", "q95", 0.18), ("q25", "q75", 0.32))
_OTHER = {"q5": 1.2, "q50": 2.5, "q95": 1.2}  # widths of another run's lines
_DECADES, _END = 3.0, 1.0  # of the margins shown, and where they end at least, in log10
_ROOM = 0.06  # decades, right of the smallest value


def fan(
    table: pd.DataFrame,
    epoch: float,
    margin: float,
    reach: tuple[float, float],
    dark: bool = False,
    other: pd.DataFrame | None = None,
) -> go.Figure:
    """`table`: `margin_tradeoff.over_epochs`; bands hold 50 % and 90 % of the training images, the line the median; `epoch` and
    `margin`: where the reader stands; `reach`: range of margins; `other`: a second run's median and 90 %, dashed."""
    colour = STYLES["train_error"].colour(dark)
    x = table["epoch"].tolist()
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "x": x + x[::-1],
            "y": table[high].tolist() + table[low].tolist()[::-1],
            "fill": "toself",
            "mode": "lines",
            "line": {"width": 0},
            "fillcolor": faded(colour, opacity),
            "hoverinfo": "skip",
        }
        for low, high, opacity in _BANDS
    ]
    if other is not None:
        data += [_behind(other, level, INK[dark]) for level in _OTHER]
    hover = "epoch %{x}: half of the images have a margin above %{y:.3g}<extra></extra>"
    data.append(
        {"type": "scatter", "x": x, "y": table["q50"], "mode": "lines+markers", "line": {"color": colour, "width": 4}}
        | {"hovertemplate": hover}
    )
    lines = [
        _line("y", margin, INK[dark], "dash"),
        _line("y", 0.0, ALERT[dark], "dot"),
        _line("x", epoch, INK[dark], "dot"),
    ]
    notes = [
        _note(f"margin γ = {margin:.3g}", 0.01, margin, INK[dark], "left"),
        _note("below 0: wrong", 0.01, 0.0, ALERT[dark], "left", up=False),
    ]
    layout = _layout(dark) | {
        "xaxis": axis_look("epoch", dark, grid=False),
        "yaxis": axis_look("margin of the training images", dark) | {"range": list(reach)},
        "shapes": lines,
        "annotations": notes,
    }
    return go.Figure({"data": data, "layout": layout})


def _behind(table: pd.DataFrame, level: str, colour: str) -> dict[str, Any]:
    line = {"color": faded(colour, 0.55), "width": _OTHER[level], "dash": "3px,4px"}
    x, y = table["epoch"].tolist(), table[level].tolist()
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": line, "hoverinfo": "skip"}


def trade_off_chart(table: pd.DataFrame, margin: float, top: float, theorem: str, dark: bool = False) -> go.Figure:
    """`table`: `margin_tradeoff.trade_off`; `margin`: where the reader stands; `top`: upper end of the axis; `theorem`: of
    `guarantees.THEOREMS`."""
    style = STYLES[THEOREMS[theorem]]
    lines = MARGIN_LINES | {"total": (f"Theorem {theorem}", style.light, style.dark, "solid", 5)}
    logs = np.log10(table["margin"])
    data: list[dict[str, Any]] = []
    for name, (words, light, darker, dash, width) in lines.items():
        line = {"color": darker if dark else light, "dash": dash, "width": width}
        template = f"γ = %{{customdata:.3g}}: {words} %{{y:.3g}}<extra></extra>"
        data.append(
            {"type": "scatter", "mode": "lines", "x": logs, "y": table[name], "line": line}
            | {"customdata": table["margin"], "hovertemplate": template}
        )
    best = table.loc[table["total"].idxmin()]
    end = max(_END, float(np.log10(best["margin"])) + _ROOM)
    ticks = _ticks(end - _DECADES, end)
    colour = style.colour(dark)
    data.append(
        {"type": "scatter", "mode": "markers", "x": [np.log10(best["margin"])], "y": [min(best["total"], top)]}
        | {"marker": {"size": 17, "color": colour, "symbol": "star"}, "hoverinfo": "skip"}
    )
    best_note = _note(f"★ smallest: {best['total']:.3g} at γ = {best['margin']:.3g}", 0.02, None, colour, "left")
    layout = _layout(dark) | {
        "margin": {"l": 66, "r": 150, "t": 34, "b": 62},
        "xaxis": axis_look("margin γ (log scale)", dark, grid=False)
        | {"range": [end - _DECADES, end], "tickvals": np.log10(ticks), "ticktext": [f"{t:g}" for t in ticks]}
        | {"tickangle": 0},
        "yaxis": axis_look("error or bound", dark) | {"range": [0, top]},
        "shapes": [*vacuous_zone("y", top, dark, 1.0), _line("x", float(np.log10(margin)), INK[dark], "dash")],
        "annotations": [*_names(table.iloc[-1], lines, top, dark), best_note],
    }
    return go.Figure({"data": data, "layout": layout})


def _ticks(low: float, high: float) -> list[float]:
    """1 and 3 of every decade between two exponents."""
    every = (float(f"{step}e{exponent}") for exponent in range(math.floor(low), math.ceil(high) + 1) for step in (1, 3))
    return [tick for tick in every if low - 1e-9 <= math.log10(tick) <= high + 1e-9]


def _names(last: pd.Series, lines: Mapping[str, tuple[Any, ...]], top: float, dark: bool) -> list[dict[str, Any]]:
    looks = lines.values()
    ends, words, colours = (
        [float(last[name]) for name in lines],
        [w for w, *_ in looks],
        [look[1 + dark] for look in looks],
    )
    return names_at_end(ends, words, colours, (0.0, top), _HEIGHT - 96, dark)


def _layout(dark: bool) -> dict[str, Any]:
    return {
        "height": _HEIGHT,
        "margin": {"l": 66, "r": 12, "t": 34, "b": 62},
        "showlegend": False,
        "font": {"size": FONT - 1, "color": INK[dark]},
        "hoverlabel": {"font": {"size": FONT - 2}},
        "uirevision": "margins",
    }


def _line(along: str, at: float, colour: str, dash: str) -> dict[str, Any]:
    across = "y" if along == "x" else "x"
    ends = {f"{along}0": at, f"{along}1": at, f"{across}0": 0, f"{across}1": 1, f"{across}ref": "paper"}
    return {"type": "line", "line": {"color": colour, "width": 2, "dash": dash}} | ends


def _note(text: str, x: float, y: float | None, colour: str, anchor: str, up: bool = True) -> dict[str, Any]:
    place = (
        {"y": 1.0, "yref": "paper", "yanchor": "bottom"}
        if y is None
        else {"y": y, "yanchor": "bottom" if up else "top"}
    )
    return {"text": text, "showarrow": False, "x": x, "xref": "paper", "xanchor": anchor, **place} | {
        "font": {"size": FONT - 2, "color": colour}
    }
