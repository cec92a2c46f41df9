"""Every series against one axis (epoch, weight decay, width, depth), log2 like the paper's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.charts.theme import (
    FONT,
    HEIGHT,
    INK,
    STYLES,
    axis_look,
    log2_axis,
    readable,
    spread,
    tick,
    vacuous_note,
    vacuous_zone,
)
from boundlab.tables import Axis

_TOP, _BOTTOM, _RIGHT = 10, 62, 132


@dataclass(frozen=True)
class Frame:
    """What must not move when a slider does: axis ranges (y in log2), ticks, and the background."""

    x: tuple[float, float]
    y: tuple[float, float]
    ticks: Sequence[float] = field(default_factory=tuple)
    dark: bool = False


def _line(curve: pd.DataFrame, axis: Axis, name: str, frame: Frame) -> dict[str, Any]:
    style, colour = STYLES[name], STYLES[name].colour(frame.dark)
    curve = curve[curve["mean"] > 0]  # a gap of zero or less has no place on a log axis
    low = curve["low"].where(curve["low"] > 0, curve["mean"])
    centre = np.log2(curve["mean"])
    several = bool((curve["seeds"] > 1).any())
    hover = [
        f"{style.short} <b>{readable(v, name)}</b> = 2<sup>{np.log2(v):.2f}</sup>"
        + (f", mean of {k} seeds ({readable(lo, name)} to {readable(hi, name)})" if k > 1 else "")
        for v, k, lo, hi in zip(curve["mean"], curve["seeds"], low, curve["high"], strict=True)
    ]
    bars = {
        "type": "data",
        "symmetric": False,
        "array": np.log2(curve["high"]) - centre,
        "arrayminus": centre - np.log2(low),
    }
    dense = len(curve) > 12
    return {
        "type": "scatter",
        "x": curve[axis.column],
        "y": centre,
        "name": style.name,
        "mode": "lines+markers",
        "line": {"color": colour, "width": style.width, "dash": style.dash},
        "marker": {
            "symbol": style.symbol,
            "size": (6 if dense else 9) + (3 if name == "sparse" else 0),
            "color": colour,
        },
        "customdata": hover,
        "hovertemplate": "%{customdata}<extra></extra>",
        **({"error_y": bars} if several else {}),
    }


def _paper(curve: pd.DataFrame, axis: Axis, name: str, panel: str, frame: Frame) -> dict[str, Any]:
    style, colour = STYLES[name], STYLES[name].colour(frame.dark)
    told = curve["told"] if "told" in curve else curve["x"]
    hover = [
        f"{style.short}, paper's {panel} at {x:g}: 2<sup>{v:.2f}</sup> ± {e:g} in log₂"
        for x, v, e in zip(told, curve["log2_value"], curve["approx_error_log2"], strict=True)
    ]
    return {
        "type": "scatter",
        "x": curve["x"],
        "y": curve["log2_value"],
        "name": f"{style.name}, {panel}",
        "mode": "lines+markers",
        "opacity": 0.55,
        "line": {"color": colour, "width": 1.5, "dash": "4px,4px"},
        "marker": {"symbol": "cross-thin-open", "size": 9, "color": colour, "line": {"width": 1.5, "color": colour}},
        "customdata": hover,
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _labels(traces: dict[str, dict[str, Any]], frame: Frame) -> list[dict[str, Any]]:
    """Names at the right ends of the lines, moved apart where the lines meet."""
    ends = {name: float(np.asarray(t["y"])[-1]) for name, t in traces.items() if len(t["y"])}
    per_pixel = (frame.y[1] - frame.y[0]) / (HEIGHT - _TOP - _BOTTOM)
    places = spread(list(ends.values()), 22 * per_pixel)
    return [
        {
            "x": 1.01,
            "xref": "paper",
            "xanchor": "left",
            "y": place,
            "yref": "y",
            "showarrow": False,
            "align": "left",
            "text": f"<b>{STYLES[name].short}</b>" if name == "sparse" else STYLES[name].short,
            "font": {"size": FONT, "color": STYLES[name].colour(frame.dark)},
        }
        for name, place in zip(ends, places, strict=True)
    ]


def _x_axis(axis: Axis, frame: Frame) -> dict[str, Any]:
    look = axis_look(axis.title, frame.dark) | {
        "type": "log" if axis.log else "linear",
        "range": list(np.log10(frame.x) if axis.log else frame.x),
        "unifiedhovertitle": {"text": f"<b>{axis.title} = %{{x}}</b>"},
    }
    if len(frame.ticks):
        look |= {"tickvals": list(frame.ticks), "ticktext": [tick(t) for t in frame.ticks], "minor": {"ticks": ""}}
    return look


def _layout(axis: Axis, frame: Frame, labels: list[dict[str, Any]]) -> dict[str, Any]:
    corner = {"x": 0.01, "xref": "paper", "xanchor": "left", "y": 0.99, "yref": "paper", "yanchor": "top"}
    return {
        "height": HEIGHT,
        "margin": {"l": 70, "r": _RIGHT, "t": _TOP, "b": _BOTTOM},
        "showlegend": False,
        "hovermode": "x unified",
        "font": {"size": FONT, "color": INK[frame.dark]},
        "hoverlabel": {"font": {"size": FONT - 2}},
        "uirevision": axis.key,
        "xaxis": _x_axis(axis, frame),
        "yaxis": log2_axis(*frame.y, frame.dark),
        "shapes": vacuous_zone("y", frame.y[1], frame.dark),
        "annotations": [vacuous_note(frame.dark, **corner), *labels],
    }


def trend(
    curves: pd.DataFrame, axis: Axis, shown: Sequence[str], frame: Frame, paper: pd.DataFrame | None = None
) -> go.Figure:
    """`curves`: `tables.by_axis` rows; `shown`: series in drawing order; `paper`: one panel's digitised rows, drawn faint
    (`told`: the paper's own x, where x was rescaled)."""
    traces = {name: _line(curves[curves["series"] == name], axis, name, frame) for name in shown}
    overlay = []
    if paper is not None:
        for name in shown:
            rows = paper[paper["series"] == name]
            overlay += [_paper(rows, axis, name, rows["panel"].iloc[0], frame)] if len(rows) else []
    return go.Figure({"data": [*overlay, *traces.values()], "layout": _layout(axis, frame, _labels(traces, frame))})
