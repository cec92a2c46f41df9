"""What each argument guarantees, as bars from 0 to so many of 100 images, beside the measured test error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from boundlab.analysis.guarantees import Guarantee
from boundlab.charts.theme import ALERT, FONT, INK, STYLES, VEIL, axis_look, styles, vacuous_zone
from boundlab.text import percent

_ROW = 54  # pixels per guarantee: its title above its bar, so that a phone has room for the number
_BELOW = 0.3  # of a row, below the last bar, for the words about the lines
_FAR = 70  # a longer bar has its number inside
_TOP = 130  # end of the axis; a longer bar is cut there and its number says so
_THEOREM_D = styles("strict")["theorem_d"]
COLOURS = {
    "theorem_s2": (STYLES["doubled"].light, STYLES["doubled"].dark),
    "theorem_s": (STYLES["sparse"].light, STYLES["sparse"].dark),
    "theorem_d": (_THEOREM_D.light, _THEOREM_D.dark),
    "pac_bayes_fixed": ("#7A5195", "#C3A2E0"),
    "pac_bayes_learnt": ("#3B6EA8", "#7FB2E8"),
    "holdout": ("#1B7F3B", "#5CC97E"),
}


def _number(guarantee: Guarantee) -> str:
    if guarantee.limit is None:
        return "no number: see below"
    return f"<b>≤ {math.ceil(1000 * guarantee.limit - 1e-9) / 10:,.1f}</b>"  # up: what is rounded down is not promised


def _row(guarantee: Guarantee, y: float, x: float, dark: bool) -> list[dict[str, Any]]:
    """The title above a bar that ends at `x`, and its number: right of the bar, or inside a long one."""
    far = x > _FAR
    look = {
        "y": y,
        "showarrow": False,
        "borderpad": 2,
        "font": {"size": FONT, "color": INK[dark]},
        "bgcolor": VEIL[dark],
    }
    text = _number(guarantee) + (" →" if x > 100 else "")  # beyond: left of the line at 100
    place = {"x": min(x, 98), "xanchor": "right", "xshift": -6} if far else {"x": x, "xanchor": "left", "xshift": 6}
    title = {"text": guarantee.title, "x": 0, "xanchor": "left", "yanchor": "bottom", "yshift": 0.2 * _ROW}
    return [look | title, look | place | {"text": text}]


def guarantee_chart(made: Sequence[Guarantee], test_error: float, guessing: float, dark: bool = False) -> go.Figure:
    """One row per guarantee, top to bottom; `guessing`: error of a guess among the classes."""
    places = [float(len(made) - 1 - i) for i in range(len(made))]
    lengths = [0.0 if p.limit is None else min(100 * p.limit, _TOP) for p in made]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": lengths,
        "y": places,
        "width": 0.4,
        "marker": {
            "color": [COLOURS[p.kind][dark] for p in made],
            "opacity": [0.45 if p.vacuous else 1.0 for p in made],
        },
        "hovertext": [f"<b>{p.title}</b><br>{p.parts or p.reason}" for p in made],
        "hoverinfo": "text",
    }
    rows = [_row(p, y, max(length, 100 * test_error), dark) for p, y, length in zip(made, places, lengths, strict=True)]
    layout: dict[str, Any] = {
        "height": _ROW * (len(made) + _BELOW) + 84,
        "margin": {"l": 12, "r": 12, "t": 32, "b": 52},
        "showlegend": False,
        "font": {"size": FONT},
        "hoverlabel": {"font": {"size": FONT - 2}, "align": "left"},
        "uirevision": "promises",
        "xaxis": axis_look("wrong, of 100 new images", dark)
        | {"range": [0, _TOP], "tickvals": [0, 25, 50, 75, 100], "tickangle": 0},
        "yaxis": axis_look("", dark, grid=False) | {"range": [-0.5 - _BELOW, len(made) - 0.3], "showticklabels": False},
        "shapes": [
            *vacuous_zone("x", _TOP, dark, 100.0),
            _line(100 * test_error, "dash", 3, dark),
            _line(100 * guessing, "dot", 1.5, dark),
        ],
        "annotations": [
            *(note for row in rows for note in row),
            _note(f"test error {percent(test_error)}", 100 * test_error, INK[dark], "left"),
            # the toolbar is above
            _note("says nothing", 1, ALERT[dark], "right") | {"xref": "paper", "y": 0, "xshift": -4},
            _note(f"guessing {100 * guessing:.2g}", 100 * guessing, INK[dark], "right") | {"y": 0, "xshift": -4},
        ],
    }
    return go.Figure({"data": [bars], "layout": layout})


def _line(at: float, dash: str, width: float, dark: bool) -> dict[str, Any]:
    line = {"color": INK[dark], "width": width, "dash": dash}
    return {"type": "line", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1, "line": line}


def _note(text: str, x: float, colour: str, anchor: str) -> dict[str, Any]:
    place = {"x": x, "y": 1, "yref": "paper", "xanchor": anchor, "yanchor": "bottom"}
    return {"text": text, "showarrow": False, "font": {"size": FONT - 2, "color": colour}} | place
