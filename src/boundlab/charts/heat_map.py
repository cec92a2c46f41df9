"""One bound or error over two of the three variables: a cell per combination, what is below 1 told from what is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.charts.frame import remote
from boundlab.charts.heat_colours import Scale, colour_axis, heading, is_dark_at
from boundlab.charts.theme import ALERT, FONT, INK, LEADER, SELECTED_COLOUR, axis_look, styles, tick_texts
from boundlab.charts.traces import Trace
from boundlab.text import readable

LABEL = 16  # pixels, the letters in a cell
HEAT_HEIGHT = 432
_MARGIN = {"l": 56, "r": 14, "t": 74, "b": 74}
_LETTERS = ("#000000", "#FFFFFF")  # on light and on dark cells
_GROUND = ("#FFFFFF", "#1C1F26")  # of a hover
_SELECTED_NOTE = {
    "text": "▢ with runs you selected",
    **{"xref": "paper", "x": 0, "xanchor": "left", "xshift": 8 - _MARGIN["l"]},
    **{"yref": "paper", "y": 1, "yanchor": "bottom", "yshift": 68},
    "showarrow": False,
}
_NOTHING = "rgba(0,0,0,0)"


@dataclass(frozen=True)
class CellAxis:
    """One of the two variables: its column, its values in order, what the axis is called."""

    column: str
    values: Sequence[float]
    title: str


@dataclass(frozen=True)
class _Empty:
    """How a cell without a value is marked, and what its hover says."""

    name: str
    symbol: str
    size: int
    words: str
    alert: bool = False


_PLUS = _Empty("not trained", "cross-thin-open", 12, "not trained; click to train it")
_ASIDE = _Empty("left out", "circle-open", 20, "left out: did not train or did not reach the plateau", alert=True)


def heat_map(
    cells: pd.DataFrame,
    x: CellAxis,
    y: CellAxis,
    series: str,
    scale: Scale,
    names: Sequence[str],
    dark: bool,
    convention: str,
) -> go.Figure:
    """`cells`: rows of `analysis.cells.cells`, with `left_out`: whether a cell has runs that are not drawn; `names`: of each cell
    the network, for the hover."""
    title = styles(convention)[series].name
    shape = (len(y.values), len(x.values))
    column, row = np.tile(np.arange(shape[1]), shape[0]), np.repeat(np.arange(shape[0]), shape[1])
    there = cells["mean"].notna().to_numpy()
    flagged = there & ~(cells["trained"] & cells["at_plateau"]).to_numpy()
    lit = cells["selected"].to_numpy(bool)
    aside = ~there & cells["left_out"].to_numpy(bool)
    marks = [
        *_labels(cells["mean"].to_numpy(float), column, row, scale),
        *_empty(column, row, ~there & ~aside, names, _PLUS, dark),
        *_empty(column, row, aside, names, _ASIDE, dark),
    ]
    meta = {"stamp": f"{series} {convention} {x.column} {y.column}", "base": 0, "canvas": f"{x.column} {y.column}"}
    look = {
        "height": HEAT_HEIGHT,
        "margin": _MARGIN | ({"t": 94} if lit.any() else {}),  # room for the note
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": False,
        "font": {"size": FONT, "color": INK[dark]},
        "hoverlabel": {"font": {"size": FONT - 2, "color": INK[dark]}, "bgcolor": _GROUND[dark], "align": "left"},
        "coloraxis": colour_axis(scale, dark),
        "xaxis": _axis(x, dark),
        "yaxis": _axis(y, dark),
        "shapes": [
            *_frames(column[flagged], row[flagged], ALERT[False], 0.44),
            *_frames(column[lit], row[lit], SELECTED_COLOUR[dark], 0.36),
            *(_border(cells["mean"].to_numpy(float).reshape(shape), dark) if scale.bound else []),
        ],
        "annotations": [
            heading(scale, styles(convention)[series].short, 8 - _MARGIN["l"], dark),
            *([_SELECTED_NOTE | {"font": {"size": FONT - 3, "color": SELECTED_COLOUR[dark]}}] if lit.any() else []),
        ],
        "updatemenus": [remote()],
        "meta": meta,
    }
    return go.Figure({"data": [_grid(cells, shape, series, scale, names, title), *marks], "layout": look})


def short(value: float, bound: bool) -> str:
    """A cell's label, four characters or so: 0.31, 12, 1234, 3e6; errors in per cent. What is below 1 looks so."""
    if not math.isfinite(value):
        return "" if math.isnan(value) else "∞"
    number = value if bound else 100 * value
    if abs(number) >= 9999.5 or (bound and 0 < abs(number) < 0.00095):
        mantissa, exponent = f"{number:.0e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    if bound and 0.995 <= number < 1:  # not 1.00
        return f"{math.floor(1000 * number) / 1000:.3f}"
    digits = max(0, 1 - math.floor(math.log10(abs(number)))) if number else 0
    return f"{number:.{min(digits, 4)}f}"


def _grid(
    cells: pd.DataFrame, shape: tuple[int, int], series: str, scale: Scale, names: Sequence[str], title: str
) -> dict[str, Any]:
    rows = list(zip(cells.to_dict("records"), names, strict=True))
    drawn = [None if math.isnan(c["mean"]) else scale.drawn(c["mean"]) for c, _ in rows]
    hovers = [_hover(c, name, series, title) for c, name in rows]
    return {
        "type": "heatmap",
        "name": title,
        "z": _wide(drawn, shape),
        "customdata": _wide(hovers, shape),
        "hovertemplate": "%{customdata}<extra></extra>",
        "hoverongaps": False,
        "coloraxis": "coloraxis",
        "xgap": 2,
        "ygap": 2,
    }


def _wide(flat: Sequence[Any], shape: tuple[int, int]) -> list[list[Any]]:
    return [list(flat[i * shape[1] : (i + 1) * shape[1]]) for i in range(shape[0])]


def _hover(cell: dict[str, Any], name: str, series: str, title: str) -> str:
    if cell["seeds"] == 0:
        return ""
    words = f"{name}<br>{title} <b>{readable(cell['mean'], series)}</b>"
    if cell["seeds"] > 1:
        span = f"{readable(cell['low'], series)} to {readable(cell['high'], series)}"
        words += f"<br>mean of {cell['seeds']} seeds: {span}"
    if not cell["trained"]:
        return words + "<br>did not train"
    words += "<br>with runs you selected" if cell["selected"] else ""
    return words if cell["at_plateau"] else words + "<br>did not reach the plateau"


def _labels(means: np.ndarray, column: np.ndarray, row: np.ndarray, scale: Scale) -> list[Trace]:
    """Values in the cells, in black or white, whichever stands out more: a trace each, so that a click fades neither."""
    known = np.flatnonzero(~np.isnan(means))
    white = is_dark_at(scale, means[known])
    return [
        {
            "type": "scatter",
            "mode": "text",
            "name": "values",
            "x": column[known[white == light]].tolist(),
            "y": row[known[white == light]].tolist(),
            "text": [short(means[i], scale.bound) for i in known[white == light]],
            "textfont": {"size": LABEL, "color": colour},
            "unselected": {"textfont": {"color": colour}},
            "hoverinfo": "skip",
        }
        for light, colour in enumerate(_LETTERS)
    ]


def _empty(
    column: np.ndarray, row: np.ndarray, which: np.ndarray, names: Sequence[str], kind: _Empty, dark: bool
) -> list[Trace]:
    """Cells without a value: their mark, and over it an invisible square, so that more than the mark answers to the pointer."""
    place = {
        "type": "scatter",
        "name": kind.name,
        "mode": "markers",
        "x": column[which].tolist(),
        "y": row[which].tolist(),
    }
    place |= {"selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}}}
    colour = ALERT[dark] if kind.alert else LEADER[dark]
    mark = {"symbol": kind.symbol, "size": kind.size, "color": colour, "line": {"width": 2, "color": colour}}
    words = [f"{name}<br>{kind.words}" for name, one in zip(names, which, strict=True) if one]
    hover = {"customdata": words, "hovertemplate": "%{customdata}<extra></extra>"}
    square = {"symbol": "square", "size": 34, "color": _NOTHING, "line": {"width": 0}}
    return [place | {"marker": mark, "hoverinfo": "skip"}, place | {"marker": square} | hover]


def _frames(column: np.ndarray, row: np.ndarray, colour: str, half: float) -> list[dict[str, Any]]:
    """Around cells, `half` as wide as one: of runs that did not train or did not reach the plateau, and of selected ones. On white,
    as a cell may have the colour too."""
    looks = ({"color": "#FFFFFF", "width": 7}, {"color": colour, "width": 3})
    return [
        {"type": "rect", "x0": j - half, "x1": j + half, "y0": i - half, "y1": i + half, "line": look}
        for j, i in zip(column.tolist(), row.tolist(), strict=True)
        for look in looks
    ]


def _axis(side: CellAxis, dark: bool) -> dict[str, Any]:
    count = len(side.values)
    return axis_look(side.title, dark, grid=False) | {
        "tickvals": list(range(count)),
        "ticktext": tick_texts(side.values),
        "range": [-0.5, count - 0.5],
        "fixedrange": True,
        "automargin": True,
        "autotickangles": [0, 90],
    }


def _border(means: np.ndarray, dark: bool) -> list[dict[str, Any]]:
    """Lines between neighbours one of which is below 1 and the other is not."""
    line = {"type": "line", "line": {"color": INK[dark], "width": 4}}
    low, known = means < 1, np.isfinite(means)
    shapes = []
    for i, j in np.ndindex(means.shape):
        if i and known[i, j] and known[i - 1, j] and low[i, j] != low[i - 1, j]:
            shapes.append(line | {"x0": j - 0.5, "x1": j + 0.5, "y0": i - 0.5, "y1": i - 0.5})
        if j and known[i, j] and known[i, j - 1] and low[i, j] != low[i, j - 1]:
            shapes.append(line | {"x0": j - 0.5, "x1": j - 0.5, "y0": i - 0.5, "y1": i + 0.5})
    return shapes
