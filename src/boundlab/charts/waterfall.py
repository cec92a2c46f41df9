"""A bound taken apart: one bar per factor, from 1 to the value, in log2; of one network or of two with the difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.charts.theme import ALERT, FONT, GRID_COLOUR, INK, axis_look, log2_axis, vacuous_note, vacuous_zone
from boundlab.text import power, readable

_ROW = 34  # pixels per factor
GROUPS = {  # of `bounds.factors`: words, light, dark
    "weights": ("weights", "#BD5004", "#F6982E"),
    "geometry": ("geometry", "#3B6EA8", "#7FB2E8"),
    "proof": ("proof technique", "#7A5195", "#C3A2E0"),
    "data": ("margin and data", "#0B7A8C", "#4FC3D6"),
}
_MODEST = 0.62  # share of the width for the two waterfalls when the differences stand beside them
_LEFT = 150  # pixels for the names of factors; longer ones take more
_NUMBERS = 66  # pixels right of the axes for a number that begins at their end


def bar_colour(row: Any, dark: bool) -> str:
    """Of a row of an anatomy, by its group."""
    if row.group in GROUPS:
        return GROUPS[row.group][1 + dark]
    return INK[dark] if row.kind == "total" else ALERT[dark]


def factor_text(log2: float) -> str:
    """A factor for people: × 3.3, or ÷ 4.2 below 1."""
    if not math.isfinite(log2):
        return "= 0"
    if abs(log2) > 1000:
        return f"{'×' if log2 >= 0 else '÷'} 2^{abs(log2):.0f}"
    size = 2 ** abs(log2)
    shown = readable(size) if size >= 100 else f"{size:.4g}" if size < 1.1 else f"{size:.3g}"
    return f"{'×' if log2 >= 0 else '÷'} {shown}"


def bar_number(row: Any) -> str:
    """What stands beside a row's bar."""
    if row.kind == "factor":
        return factor_text(row.log2)
    if row.kind == "total":
        return readable(2**row.end) if math.isfinite(row.end) else "0"
    return f"+ {readable(row.amount)}"


def _bars(
    rows: pd.DataFrame, places: dict[str, float], low: float, second: bool, single: bool, dark: bool
) -> list[dict]:
    """Bars and, for a single network, the numbers beside them."""
    here = list(rows.itertuples())
    start = np.maximum(rows["start"].to_numpy(), low)
    end = np.maximum(rows["end"].to_numpy(), low)
    colours = [bar_colour(row, dark) for row in here]
    shift = 0.0 if single else (-0.19 if second else 0.19)
    y = [places[row.row] + shift for row in here]
    look: dict[str, Any] = {"color": colours, "line": {"width": 1.5, "color": colours}}
    if second:
        look |= {"pattern": {"shape": "/", "fgcolor": colours, "bgcolor": "rgba(0,0,0,0)", "fillmode": "replace"}}
    hover = [f"<b>{r.label}</b> {bar_number(r)}<br>log₂ {r.log2:+.2f}<br>{r.meaning}" for r in here]
    bar = {"type": "bar", "orientation": "h", "base": start, "x": end - start, "y": y, "marker": look}
    bar |= {"width": 0.66 if single else 0.34, "hovertext": hover, "hoverinfo": "text"}
    if not single:
        return [bar]
    rightmost = np.maximum(start, end)
    words = {"type": "scatter", "mode": "text", "x": rightmost, "y": y, "hoverinfo": "skip"}
    bold = [f"  <b>{bar_number(row)}</b>" if row.kind == "total" else f"  {bar_number(row)}" for row in here]
    return [
        bar,
        words
        | {"text": bold, "textposition": "middle right", "textfont": {"size": FONT - 2, "color": INK[dark]}}
        | {"cliponaxis": False},
    ]


def _differences(table: pd.DataFrame, places: dict[str, float], dark: bool) -> list[dict[str, Any]]:
    """Bars of the second network's factor relative to the first's."""
    shown = table["difference"].where(np.isfinite(table["difference"]), 0.0)
    colours = [bar_colour(row, dark) for row in table.itertuples()]
    y = [places[name] for name in table["row"]]
    moved = [abs(d) >= 0.005 for d in shown]
    words = [
        factor_text(d) if m else "" if math.isnan(d) else "=" for d, m in zip(table["difference"], moved, strict=True)
    ]
    common = {"y": y, "xaxis": "x2", "hoverinfo": "skip"}
    bar = {"type": "bar", "orientation": "h", "x": shown, "width": 0.66, "marker": {"color": colours}}
    text = {"type": "scatter", "mode": "text", "x": shown.clip(lower=0), "textposition": "middle right"}
    text |= {"cliponaxis": False}
    look = {"size": FONT - 2, "color": INK[dark]}
    return [common | bar, common | text | {"text": [f"  {word}" for word in words], "textfont": look}]


def reach_of(values: Sequence[np.ndarray], step: int) -> tuple[float, float]:
    """A range that holds everything, in whole steps so that small moves do not change it."""
    finite = np.concatenate([v[np.isfinite(v)] for v in values])
    low, high = min(0.0, float(finite.min())), max(0.0, float(finite.max()))
    return math.floor(low / step) * step - 0.05 * step, math.ceil((high + 0.2) / step) * step


def _legend(dark: bool) -> str:
    groups = [*((g[0], g[1 + dark]) for g in GROUPS.values()), ("added terms", ALERT[dark])]
    parts = [f'<span style="color:{colour}">■ {words}</span>' for words, colour in groups]
    return " · ".join(parts[:3]) + "<br>" + " · ".join(parts[3:])  # in two lines, for a phone


def waterfall(first: pd.DataFrame, second: pd.DataFrame | None, table: pd.DataFrame, dark: bool = False) -> go.Figure:
    """`first`, `second`: rows of `anatomy.anatomy`; `table`: `anatomy.joined` of both (its order is top to bottom)."""
    names = list(table["row"])
    places = {name: float(len(names) - 1 - i) for i, name in enumerate(names)}
    sides = [first] if second is None else [first, second]
    low, high = reach_of([side[c].to_numpy() for side in sides for c in ("start", "end")], 2)
    single = second is None
    data = [bar for i, side in enumerate(sides) for bar in _bars(side, places, low, i == 1, single, dark)]
    label = dict(zip(table["row"], table["label"], strict=True))
    ticks = [f"<b>{label[n]}</b>" if k == "total" else label[n] for n, k in zip(names, table["kind"], strict=True)]
    y_axis = axis_look("", dark, grid=False) | {"range": [-0.7, len(names) - 0.3], "tickvals": list(places.values())}
    layout: dict[str, Any] = {
        "height": _ROW * len(names) + 138,
        "margin": {"l": _LEFT, "r": _NUMBERS, "t": 74, "b": 62},
        "showlegend": False,
        "barmode": "overlay",
        "font": {"size": FONT - 1},
        "hoverlabel": {"font": {"size": FONT - 2}, "align": "left"},
        "uirevision": "waterfall",
        "xaxis": log2_axis(low, high, dark, "value (log₂)") | {"domain": [0, 1 if single else _MODEST]},
        "yaxis": y_axis | {"ticktext": ticks, "automargin": True},
        "shapes": [shape | {"xref": "x", "yref": "paper"} for shape in vacuous_zone("x", high, dark)],
        "annotations": [
            vacuous_note(dark, y=1, yref="paper", yanchor="bottom", **_end(single)),
            _note(_legend(dark), 0.0, 26, dark) | {"xshift": 12 - _LEFT},
        ],
    }
    if not single:
        data += _differences(table, places, dark)
        below, above = reach_of([table["difference"].to_numpy()], 1)
        axis = log2_axis(below, above, dark, "ratio (log₂)")
        # three ticks fit a narrow screen
        every = -(-len(axis["tickvals"]) // 3) * (axis["tickvals"][1] - axis["tickvals"][0])
        kept = [t for t in axis["tickvals"] if t % every == 0]
        axis |= {"tickvals": kept, "ticktext": [power(t) for t in kept], "tickangle": 0}
        layout["xaxis2"] = axis | {"domain": [_MODEST + 0.06, 1], "anchor": "y"}
        layout["shapes"].append(_zero(dark))
    return go.Figure({"data": data, "layout": layout})


def _note(text: str, x: float, up: int, dark: bool) -> dict[str, Any]:
    place = {"x": x, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom", "yshift": up}
    return {"text": text, "showarrow": False, "align": "left", "font": {"size": FONT - 2, "color": INK[dark]}} | place


def _end(single: bool) -> dict[str, Any]:
    """Where words end that belong to the axis of values, whole on a phone too."""
    place = {"x": 1, "xshift": _NUMBERS} if single else {"x": _MODEST}
    return place | {"xref": "paper", "xanchor": "right"}


def _zero(dark: bool) -> dict[str, Any]:
    line = {"color": GRID_COLOUR[dark], "width": 2}
    return {"type": "line", "xref": "x2", "yref": "paper", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "line": line}
