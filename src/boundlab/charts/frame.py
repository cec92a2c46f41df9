"""The frame of a trend picture: axes, panels, the zone above 1, titles, and the button through which it is moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from boundlab.analysis.tables import Axis
from boundlab.charts.canvas import BOTTOM, END_LABELS, TOP, Canvas
from boundlab.charts.theme import (
    FONT,
    GRID_COLOUR,
    HEIGHT,
    INK,
    SELECTED_COLOUR,
    VEIL,
    axis_look,
    linear_axis,
    log2_axis,
    tick_texts,
    vacuous_note,
    vacuous_zone,
)

NAMES_AXIS = 99  # x axis of the line names, in the right margin
_GAP, _WIDE_GAP = 0.03, 0.055  # between panels, between three or more: as a fraction of the width


def axis_name(number: int) -> str:
    """What Plotly calls the x axis of a panel, counted from 1."""
    return "x" if number == 1 else f"x{number}"


def _x_axis(axis: Axis, canvas: Canvas, domain: tuple[float, float]) -> dict[str, Any]:
    look = axis_look(axis.title if len(canvas.panels) == 1 else axis.symbol, canvas.dark) | {
        "type": "log" if axis.log else "linear",
        "range": list(np.log10(canvas.x) if axis.log else canvas.x),
        "domain": list(domain),
        "anchor": "y",
        "automargin": True,  # on a narrow screen ticks stand upright, and the title gives way
        "unifiedhovertitle": {"text": f"<b>{axis.title} = %{{x:.4~g}}</b>"},
    }
    if ticks := _thin(canvas.ticks, axis, 4 // len(canvas.panels)):
        look |= {"tickvals": ticks, "ticktext": tick_texts(ticks), "minor": {"ticks": ""}}
    return look


def _thin(ticks: Sequence[float], axis: Axis, most: int) -> list[float]:
    """At most `most` ticks, but the first and last, none closer to its neighbour than a label is wide."""
    if not ticks:
        return []
    where = np.log(ticks) if axis.log else np.asarray(ticks, float)
    room = (where[-1] - where[0]) / max(2, 1.5 * most)
    kept = [0]
    for i in range(1, len(ticks)):
        if where[i] - where[kept[-1]] >= room and (i == len(ticks) - 1 or where[-1] - where[i] >= room):
            kept.append(i)
    return [ticks[i] for i in kept]


def _y_axis(axis: Axis, canvas: Canvas) -> dict[str, Any]:
    if canvas.scale == "linear":
        return linear_axis(*canvas.y, canvas.dark)
    title = "value (log₂ scale)" if canvas.scale == "log2" else "value ÷ its leftmost value (log₂ scale)"
    return log2_axis(*canvas.y, canvas.dark, title)


def own_note(canvas: Canvas) -> dict[str, Any]:
    """What dashed lines with crossed circles are."""
    return _corner_note("⊕ dashed: your runs", INK[canvas.dark], canvas, 1)


def selected_note(canvas: Canvas, lower: bool) -> dict[str, Any]:
    """What rings are; `lower`: there is an `own_note`."""
    return _corner_note("◯ with runs you selected", SELECTED_COLOUR[canvas.dark], canvas, 2 if lower else 1)


def _corner_note(text: str, colour: str, canvas: Canvas, line: int) -> dict[str, Any]:
    """So many lines under what is said of 1."""
    place = {"x": 0.01, "xanchor": "left", "y": 0.99, "yanchor": "top", "yshift": -20 * line}
    look = {"showarrow": False, "font": {"size": FONT - 3, "color": colour}, "bgcolor": VEIL[canvas.dark]}
    return {"text": text, "xref": "paper", "yref": "paper"} | look | place


def layout(axis: Axis, canvas: Canvas) -> dict[str, Any]:
    """Axes, panels, zone above 1 and words: what stands still while a handle moves."""
    count = len(canvas.panels)
    gap = _GAP if count < 3 else _WIDE_GAP
    width = (1 - gap * (count - 1)) / count
    domains = [(i * (width + gap), i * (width + gap) + width) for i in range(count)]
    one = 1.0 if canvas.scale == "linear" else 0.0
    look: dict[str, Any] = {
        "height": HEIGHT,
        "margin": {"l": 70, "r": END_LABELS, "t": TOP, "b": BOTTOM},
        "showlegend": False,
        "hovermode": "x unified",
        "font": {"size": FONT, "color": INK[canvas.dark]},
        "hoverlabel": {"font": {"size": FONT - 2, "color": INK[canvas.dark]}},
        "yaxis": _y_axis(axis, canvas),
        f"xaxis{NAMES_AXIS}": {
            "overlaying": axis_name(count),
            "range": [0, 1],
            "visible": False,
            "fixedrange": True,
            "anchor": "y",
        },
        "updatemenus": [remote()],
        "annotations": _titles(canvas, domains),
    }
    if count > 1:  # ui/player shows one at a time on a narrow screen
        look["meta"] = {"panels": [list(panel) for panel in zip(canvas.panels.values(), domains, strict=True)]}
    if canvas.scale == "relative":
        look["shapes"] = [_first_point(canvas.dark)]
    else:
        look["shapes"] = vacuous_zone("y", canvas.y[1], canvas.dark, one)
        side = {"x": 0.01, "xanchor": "left"} if canvas.logarithmic else {"x": 0.99, "xanchor": "right"}
        look["annotations"].append(vacuous_note(canvas.dark, xref="paper", y=0.99, yref="paper", yanchor="top", **side))
    for number, domain in enumerate(domains, 1):
        look["xaxis" + ("" if number == 1 else str(number))] = _x_axis(axis, canvas, domain)
    return look


def _titles(canvas: Canvas, domains: list[tuple[float, float]]) -> list[dict[str, Any]]:
    return [
        {
            "text": f"<b>{title}</b>",
            "showarrow": False,
            "x": sum(domain) / 2,
            "xref": "paper",
            "xanchor": "center",
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "font": {"size": FONT, "color": INK[canvas.dark]},
        }
        for title, domain in zip(canvas.panels.values(), domains, strict=True)
        if title
    ]


def _first_point(dark: bool) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": 0,
        "y1": 0,
        "line": {"color": GRID_COLOUR[dark], "width": 3},
    }


def remote() -> dict[str, Any]:
    """An invisible button: through it ui/player moves the chart (Plotly itself is out of a component's reach)."""
    nothing = "rgba(0,0,0,0)"
    return {
        "type": "buttons",
        "showactive": False,
        "x": 0,
        "y": 0,
        "pad": {"t": 0, "l": 0, "b": 0, "r": 0},
        "bgcolor": nothing,
        "borderwidth": 0,
        "font": {"size": 1, "color": nothing},
        "buttons": [{"label": " ", "method": "animate", "args": [[None]]}],
    }
