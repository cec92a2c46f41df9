"""One axis, "wrong out of 100": the truth as a tick, every promise as a bracket, and beyond 100 what says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from boundlab.charts.frame import remote
from boundlab.charts.guarantees import COLOURS
from boundlab.charts.theme import ALERT, FONT, INK, LEADER, STYLES, VEIL, axis_look, faded, vacuous_zone
from boundlab.charts.traces import Trace
from boundlab.charts.trend import Film, stamp_of
from boundlab.text import at_most_of_hundred, factor, of_hundred

ROW = 42  # pixels: a name, and its bar below
_TOP, _BOTTOM = 52, 56  # above: Plotly's toolbar, and below it what the zone is called
_ALL, _END = 100.0, 134.0
_BEYOND = 104.0  # where the arrow of what says nothing ends
_LONG = 66.0  # a longer bar has its number at its left
_BAR, _NAME = -0.16, 0.3  # heights of bar and name in a row
_TICK = 0.27  # half the height of the truth's tick
_QUIET = 13


@dataclass(frozen=True)
class Row:
    """One argument. `values`: per position the share of errors it allows, None where there is none; `hovers`: per position;
    `older`: drawn in grey; `itself`: about the very network whose truth is told, not a copy with other weights."""

    key: str
    name: str
    note: str
    values: tuple[float | None, ...]
    hovers: tuple[str, ...]
    older: bool = False
    itself: bool = False

    def colour(self, dark: bool) -> str:
        """Its own, as on page Certificates."""
        return LEADER[dark] if self.older else COLOURS.get(self.key, _OTHER)[dark]


@dataclass(frozen=True)
class Guess:
    """Of 100: how many the network gets wrong, and how many theory promises at most."""

    wrong: int
    promised: int


_OTHER = (STYLES["sparse"].light, STYLES["sparse"].dark)


def promise_film(rows: Sequence[Row], truths: Sequence[float], guess: Guess | None, dark: bool) -> Film:
    """`truths`: the test error per position. Rows from the top; the reader's guess above them."""
    places = [float(len(rows) - 1 - i) for i in range(len(rows))]
    still = _guessed(guess, len(rows), dark) if guess else []
    fixed = [part for row, y in zip(rows, places, strict=True) for part in _bar_fixed(row, y, dark)]
    fixed += [_ends_fixed(rows, places, dark), *_beyond_fixed(rows, places, dark), *_truth_fixed(rows, places, dark)]
    frames = tuple(_frame(rows, truth, at, len(rows) + (guess is not None)) for at, truth in enumerate(truths))
    names = [_name(row.name, row.note, y, dark) for row, y in zip(rows, places, strict=True)]
    if guess:
        names.append(_name("You", _guess_note(guess), len(rows), dark))
    look = _layout(len(rows) + (guess is not None), names, dark)
    return Film(still, fixed, frames, look, stamp_of([frames, dark]), stamp_of([len(rows)]))


def guess_figure(guess: Guess, dark: bool) -> go.Figure:
    """The axis with nothing but the reader's guess on it."""
    name = _name("You", _guess_note(guess), 0, dark)
    return go.Figure({"data": _guessed(guess, 0, dark), "layout": _layout(1, [name], dark)})


def _bar_fixed(row: Row, y: float, dark: bool) -> list[Trace]:
    """As far as the promise goes; to the arrow where it says nothing."""
    colour = row.colour(dark)
    line = {"type": "scatter", "mode": "lines", "y": [y + _BAR] * 2, "hoverinfo": "skip", "cliponaxis": False}
    return [
        line | {"name": row.name, "line": {"color": faded(colour, 0.32), "width": 17}},
        line | {"name": f"{row.name}, beyond", "line": {"color": faded(colour, 0.75), "width": 3}},
    ]


def _bar_moving(value: float | None) -> list[Trace]:
    nowhere = (None, None)
    if value is None:
        return [{"x": nowhere}, {"x": nowhere}]
    return [{"x": nowhere}, {"x": (0.0, _BEYOND)}] if value >= 1 else [{"x": (0.0, _at(value))}, {"x": nowhere}]


def _at(value: float) -> float:
    return round(100 * value, 3)


def _ends_fixed(rows: Sequence[Row], places: Sequence[float], dark: bool) -> Trace:
    """The brackets' ends with their numbers."""
    colours = [row.colour(dark) for row in rows]
    mark = {"symbol": "line-ns", "size": 15, "line": {"width": 5, "color": colours}}
    look = {
        "type": "scatter",
        "name": "promises",
        "mode": "markers+text",
        "y": [y + _BAR for y in places],
        "marker": mark,
    }
    words = {"textfont": {"size": FONT, "color": colours, "weight": 700}, "hoverinfo": "text", "cliponaxis": False}
    return look | words


def _beyond_fixed(rows: Sequence[Row], places: Sequence[float], dark: bool) -> list[Trace]:
    """The arrows beyond 100; and at the edge, where a narrow screen does not cut them, how many times too large."""
    colours = [row.colour(dark) for row in rows]
    inks = [INK[dark] if row.older else row.colour(dark) for row in rows]
    look: Trace = {"type": "scatter", "hoverinfo": "text", "cliponaxis": False}
    arrow: Trace = {"name": "says nothing", "mode": "markers", "y": [y + _BAR for y in places]}
    arrow |= {"marker": {"symbol": "triangle-right", "size": 13, "color": colours}}
    words: Trace = {
        "name": "too large",
        "mode": "text",
        "textposition": "middle left",
        "y": [y + _NAME for y in places],
    }
    words |= {"textfont": {"size": FONT - 1, "color": inks, "weight": 700}}
    return [look | arrow, look | words]


def _truth_fixed(rows: Sequence[Row], places: Sequence[float], dark: bool) -> list[Trace]:
    """A tick on every bar about this network, so that no name is crossed, and what it is, above all."""
    own = [y for row, y in zip(rows, places, strict=True) if row.itself]
    heights = [h for y in own for h in (y + _BAR - _TICK, y + _BAR + _TICK, None)]
    line = {"type": "scatter", "mode": "lines", "line": {"color": INK[dark], "width": 4}, "hoverinfo": "skip"}
    words = {"type": "scatter", "mode": "text", "textposition": "top right", "hoverinfo": "skip", "cliponaxis": False}
    font = {"textfont": {"size": FONT, "color": INK[dark], "weight": 700}}
    return [line | {"name": "truth", "y": heights}, words | font | {"name": "truth, in words"}]


def _frame(rows: Sequence[Row], truth: float, at: int, count: int) -> tuple[Trace, ...]:
    values = [row.values[at] for row in rows]
    hovers = tuple(row.hovers[at] for row in rows)
    says = [value is not None and value < 1 for value in values]
    ends = {
        "x": tuple(_at(v) if v is not None and v < 1 else None for v in values),
        "text": tuple(_number(v) for v in values),
        "textposition": tuple("middle left" if v is not None and _at(v) > _LONG else "middle right" for v in values),
        "hovertext": hovers,
    }
    beyond = [v is not None and not s for v, s in zip(values, says, strict=True)]
    arrows = {"x": tuple(_BEYOND if b else None for b in beyond), "hovertext": hovers}
    sizes = {
        "x": tuple(_END if b else None for b in beyond),
        "text": tuple(f"{factor(v)} × 100" if b and v is not None else "" for v, b in zip(values, beyond, strict=True)),
        "hovertext": hovers,
    }
    ticks = {"x": tuple(x for row in rows if row.itself for x in (_at(truth), _at(truth), None))}
    words = {"x": (_at(truth),), "y": (count - 0.4,), "text": (f"truth: {of_hundred(truth)}",)}
    return (*(part for value in values for part in _bar_moving(value)), ends, arrows, sizes, ticks, words)


def _number(value: float | None) -> str:
    return "" if value is None or value >= 1 else f" at most {at_most_of_hundred(value)} "


def _guessed(guess: Guess, y: float, dark: bool) -> list[Trace]:
    """The reader's bracket in dashes, and the tick."""
    look = {"type": "scatter", "name": "your guess", "hoverinfo": "skip", "cliponaxis": False}
    span = {"x": [0, guess.promised], "y": [y + _BAR] * 2, "mode": "lines"}
    end = {"x": [guess.promised], "y": [y + _BAR], "mode": "markers"}
    tick = {"x": [guess.wrong] * 2, "y": [y + _BAR - _TICK, y + _BAR + _TICK], "mode": "lines"}
    mark = {"symbol": "line-ns", "size": 15, "line": {"width": 5, "color": LEADER[dark]}}
    return [
        look | span | {"line": {"color": LEADER[dark], "width": 3, "dash": "dot"}},
        look | end | {"marker": mark},
        look | tick | {"line": {"color": INK[dark], "width": 4}},
    ]


def _guess_note(guess: Guess) -> str:
    return f"{guess.wrong} wrong, promise at most {guess.promised}"


def _name(name: str, note: str, y: float, dark: bool) -> dict[str, Any]:
    text = f"<b>{name}</b>  <span style='font-size:{_QUIET}px'>{note}</span>"
    place = {"x": 0, "xanchor": "left", "xshift": -2, "y": y + _NAME, "yanchor": "middle", "showarrow": False}
    return place | {"text": text, "align": "left", "font": {"size": FONT - 1, "color": INK[dark]}, "borderpad": 0}


def _layout(count: int, names: list[dict[str, Any]], dark: bool) -> dict[str, Any]:
    note = {
        "text": "<b>too large: says nothing</b>",
        "x": _END,
        "xanchor": "right",
        "align": "right",
        "y": 1,
        "yref": "paper",
    }
    # above, where no name of a line can meet it on a narrow screen
    note |= {"yanchor": "bottom", "showarrow": False, "font": {"size": _QUIET, "color": ALERT[dark]}}
    return {
        "height": _TOP + _BOTTOM + ROW * count,
        "margin": {"l": 6, "r": 4, "t": _TOP, "b": _BOTTOM},
        "showlegend": False,
        "hovermode": "closest",
        "hoverdistance": 60,
        "font": {"size": FONT, "color": INK[dark]},
        "hoverlabel": {"font": {"size": FONT - 2, "color": INK[dark]}, "align": "left", "bgcolor": VEIL[dark]},
        "xaxis": axis_look("wrong out of 100 new digits", dark)
        | {"range": [0, _END], "tickvals": [0, 25, 50, 75, 100], "tickangle": 0, "fixedrange": True},
        "yaxis": axis_look("", dark, grid=False)
        | {"range": [-0.5, count - 0.4], "showticklabels": False, "fixedrange": True, "automargin": False},
        "shapes": vacuous_zone("x", _END, dark, _ALL),
        "annotations": [*names, note],
        "updatemenus": [remote() | {"xanchor": "left"}],
    }
