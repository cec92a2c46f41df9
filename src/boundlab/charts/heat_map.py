"""One bound or error over two of the three variables: a cell per combination, what is below 1 told from what is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb

from boundlab.charts.frame import remote
from boundlab.charts.theme import ALERT, FONT, INK, LEADER, axis_look, styles, tick_texts
from boundlab.charts.traces import Trace
from boundlab.text import SUPERSCRIPT, readable

LABEL = 16  # pixels, the letters in a cell
HEAT_HEIGHT = 372
_BLUES = ["#D0E1F2", "#94C4DF", "#4A98C9", "#1764AB", "#08306B"]  # below 1, from 1 down
_ORANGES = ["#FDD9B4", "#FDAE6B", "#F16913", "#C54102", "#7F2704"]  # from 1 up
_ERRORS = ["#00224E", "#35456C", "#666970", "#948E77", "#C8B866", "#FEE838"]  # Cividis
_STEPS = 8  # stops of a colour scale, of a bound on each side of 1
_TICKS = 6
_MARGIN = {"l": 56, "r": 14, "t": 74, "b": 62}
_LETTERS = ("#000000", "#FFFFFF")  # on light and on dark cells
_GROUND = ("#FFFFFF", "#1C1F26")  # of a hover
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
_HALF_WAY = 0.179  # luminance at which black and white letters stand out equally


@dataclass(frozen=True)
class Scale:
    """What the colours stand for: the smallest and largest value of the series, whatever the third variable. `bound`: on a log
    scale, with 1 as the border; else an error, in per cent."""

    low: float
    high: float
    bound: bool

    @classmethod
    def over(cls, values: pd.Series, bound: bool) -> Scale:
        """Of these values; a bound's that are 0 or infinite have no place on it and look like its ends."""
        known = values[np.isfinite(values) & ((values > 0) | (not bound))]
        return cls(float(known.min()), float(known.max()), bound) if len(known) else cls(1.0, 1.0, bound)

    @property
    def ends(self) -> tuple[float, float]:
        """As it is drawn, a little wider where there is one value only."""
        low, high = (self.drawn(value) for value in (self.low, self.high))
        return (low, high) if high - low > 1e-9 else (low - 0.5, high + 0.5)

    def drawn(self, value: float) -> float:
        """A value's place on the scale."""
        value = min(max(value, self.low), self.high)
        return math.log10(value) if self.bound else 100 * value


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
    aside = ~there & cells["left_out"].to_numpy(bool)
    marks = [
        *_labels(cells["mean"].to_numpy(float), column, row, scale),
        *_empty(column, row, ~there & ~aside, names, _PLUS, dark),
        *_empty(column, row, aside, names, _ASIDE, dark),
    ]
    meta = {"stamp": f"{series} {convention} {x.column} {y.column}", "base": 0, "canvas": f"{x.column} {y.column}"}
    look = {
        "height": HEAT_HEIGHT,
        "margin": _MARGIN,
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": False,
        "font": {"size": FONT, "color": INK[dark]},
        "hoverlabel": {"font": {"size": FONT - 2, "color": INK[dark]}, "bgcolor": _GROUND[dark], "align": "left"},
        "coloraxis": _colours(scale, dark),
        "xaxis": _axis(x, dark),
        "yaxis": _axis(y, dark),
        "shapes": [
            *_frames(column[flagged], row[flagged]),
            *(_border(cells["mean"].to_numpy(float).reshape(shape), dark) if scale.bound else []),
        ],
        "annotations": [_heading(scale, styles(convention)[series].short, dark)],
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
    return words if cell["at_plateau"] else words + "<br>did not reach the plateau"


def _labels(means: np.ndarray, column: np.ndarray, row: np.ndarray, scale: Scale) -> list[Trace]:
    """Values in the cells, in black or white, whichever stands out more: a trace each, so that a click fades neither."""
    low, high = scale.ends
    known = np.flatnonzero(np.isfinite(means))
    places = np.array([(scale.drawn(means[i]) - low) / (high - low) for i in known])
    white = np.array([luminance(ground / 255) < _HALF_WAY for ground in _between(*_colorscale(scale), places)], bool)
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


def luminance(colour: np.ndarray) -> float:
    """Relative luminance (WCAG 2.2) of red, green and blue from 0 to 1."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(np.dot((0.2126, 0.7152, 0.0722), linear))


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


def _frames(column: np.ndarray, row: np.ndarray) -> list[dict[str, Any]]:
    """Around the cells of runs that did not train or did not reach the plateau: red on white, as a cell may be red too."""
    looks = ({"color": "#FFFFFF", "width": 7}, {"color": ALERT[False], "width": 3})
    return [
        {"type": "rect", "x0": j - 0.44, "x1": j + 0.44, "y0": i - 0.42, "y1": i + 0.42, "line": look}
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


def _heading(scale: Scale, name: str, dark: bool) -> dict[str, Any]:
    """What the colours stand for, above their bar."""
    low, high = scale.ends
    if not scale.bound:
        words = "per cent"
    elif low < 0 < high:
        words = "blue: below 1"
    else:
        words = "everywhere below 1" if high <= 0 else "nowhere below 1"
    font = {"size": FONT - 1, "color": INK[dark]}
    place = {"x": 0, "xref": "paper", "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom", "yshift": 48}
    return place | {"text": f"<b>{name}</b>, {words}", "showarrow": False, "font": font, "xshift": -_MARGIN["l"] + 8}


def _colours(scale: Scale, dark: bool) -> dict[str, Any]:
    """The colour axis, its bar above the cells so that a narrow screen keeps its width."""
    low, high = scale.ends
    ticks, texts = _log_ticks(low, high) if scale.bound else _per_cent_ticks(low, high)
    bar = {
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": 1,
        "yanchor": "bottom",
        "len": 1,
        "thickness": 12,
        "ypad": 4,
        "xpad": 0,
        "tickvals": ticks,
        "ticktext": texts,
        "tickfont": {"size": FONT - 2, "color": INK[dark]},
        "outlinewidth": 0,
    }
    stops = [
        [place, "rgb({:.0f}, {:.0f}, {:.0f})".format(*colour)]
        for place, colour in zip(*_colorscale(scale), strict=True)
    ]
    return {"cmin": low, "cmax": high, "colorscale": stops, "colorbar": bar}


def _colorscale(scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """Stops from 0 to 1, and their red, green and blue. Of a bound: blue below 1, orange above it, darker the farther from 1; where
    all lies on one side of 1, that side has all of its colours for itself."""
    low, high = scale.ends
    if not scale.bound:
        return _stops(_ERRORS, 0.0, 1.0, 0.0, 1.0)
    if low >= 0 or high <= 0:
        return _stops(_ORANGES, 0.0, 1.0, 0.0, 1.0) if low >= 0 else _stops(_BLUES, 0.0, 1.0, 1.0, 0.0)
    middle, far = -low / (high - low), max(high, -low)
    below, above = _stops(_BLUES, 0.0, middle, -low / far, 0.0), _stops(_ORANGES, middle, 1.0, 0.0, high / far)
    return np.concatenate([below[0], above[0]]), np.concatenate([below[1], above[1]])


def _stops(colours: list[str], start: float, end: float, first: float, last: float) -> tuple[np.ndarray, np.ndarray]:
    """Stops from `start` to `end` of a scale with the colours from fraction `first` to `last`."""
    return np.linspace(start, end, _STEPS + 1), _between(
        np.linspace(0, 1, len(colours)),
        np.array([hex_to_rgb(c) for c in colours]),
        np.linspace(first, last, _STEPS + 1),
    )


def _between(stops: np.ndarray, colours: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Colours, (places, 3) from 0 to 255, at some places of a scale."""
    return np.column_stack([np.interp(places, stops, channel) for channel in colours.T])


def _log_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Powers of ten, 1 among them where it lies within; on a short scale 2 and 5 between them."""
    step = max(1, math.ceil((high - low) / _TICKS))
    powers = [e for e in range(math.ceil(low), math.floor(high) + 1) if e % step == 0]
    ticks = [float(e) for e in powers]
    if high - low < 2:
        ticks = [
            t
            for e in range(math.floor(low), math.ceil(high) + 1)
            for m in (1, 2, 5)
            if low <= (t := e + math.log10(m)) <= high
        ]
    return ticks, [_plain(10**t) for t in ticks]


def _plain(value: float) -> str:
    """1, 10, 1,000; powers from a million on and below 0.001."""
    exponent = round(math.log10(value))
    if exponent >= 6 or exponent < -3:
        return "10" + str(exponent).translate(SUPERSCRIPT)
    text = f"{value:,.0f}" if value >= 1 else f"{value:.{-math.floor(math.log10(value) + 1e-9)}f}"
    return f"<b>{text}</b>" if text == "1" else text


def _per_cent_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    span = (high - low) / _TICKS
    step = next(s * 10**e for e in range(-4, 3) for s in (1, 2, 5) if s * 10**e >= span)
    first = math.ceil(low / step - 1e-9)
    ticks = [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]
    return ticks, [f"{t:g}" for t in (round(t, 6) for t in ticks)]
