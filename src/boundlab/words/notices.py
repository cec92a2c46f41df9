"""What to notice in a figure, from the first point of its lines to the last; computed from what is on screen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import pandas as pd

from boundlab.analysis.tables import Axis
from boundlab.bounds import BY_KEY
from boundlab.charts.theme import lead, styles
from boundlab.specs.settings import Settings
from boundlab.text import format_epoch, readable, times

STILL = 0.03  # a change of less than this fraction is none
_TINY = 1e-300


def notices(
    curves: pd.DataFrame, axis: Axis, settings: Settings, panels: dict[float, str], where: str
) -> list[tuple[str, str]]:
    """(panel's title, what to notice in it) at one position of the handle, `where`; `curves`: `curves.by_axis` rows."""
    if len(panels) == 1:
        return [("", notice(curves, axis, settings, where))]
    return [
        (title, _journey(_lines(curves[curves["panel"] == key]), axis, settings, where))
        for key, title in panels.items()
    ]


def notice(curves: pd.DataFrame, axis: Axis, settings: Settings, where: str = "") -> str:
    """What to notice between the first and the last point of one panel."""
    lines = _lines(curves)
    if (first := lead(lines)) is None or "test_error" not in lines:
        return "The sparse bound does not apply to these runs; the reasons are under the chart."
    end = lines[first].iloc[-1]
    others = {name: rows for name, rows in lines.items() if name in BY_KEY and name != first}
    there = {name: rows.iloc[-1]["mean"] for name, rows in others.items() if _same(rows.iloc[-1], end, axis)}
    words = [_journey(lines, axis, settings, where), _rivals(lines[first], others, axis, settings)]
    words += [_last_point(axis.at(end[axis.column]), end, settings), standing(end["mean"], there, settings.convention)]
    return " ".join(filter(None, words))


def called(series: Iterable[str], convention: str) -> str:
    """What sentences call the bound that they are about."""
    return styles(convention)[lead(series) or "sparse"].name if convention == "strict" else "the sparse bound"


def _same(one: pd.Series, other: pd.Series, axis: Axis) -> bool:
    return bool(one[axis.column] == other[axis.column])


def _lines(curves: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Per series, in order of x (`by_axis` has sorted them)."""
    return {str(name): rows for name, rows in curves.groupby("series")}


def _journey(lines: dict[str, pd.DataFrame], axis: Axis, settings: Settings, where: str) -> str:
    """How the leading bound and the test error go from the first point to the last."""
    if (first := lead(lines)) is None or "test_error" not in lines:
        return "the sparse bound does not apply here."
    bound, test = lines[first], lines["test_error"]
    start, end = bound.iloc[0], bound.iloc[-1]
    if len(bound) == 1:
        return f"Only {axis.at(end[axis.column])} has a run for this network."
    at = f", at {where}," if where else ""
    return (
        f"From {axis.at(start[axis.column])} to {end[axis.column]:.3g}{at} {called(lines, settings.convention)} "
        f"{_move(start['mean'], end['mean'], first)}{_between(bound, axis)}, while the test error{_errors(test, axis)}."
    )


def _errors(test: pd.DataFrame, axis: Axis) -> str:
    """Where the test error goes; while there is one measurement, that."""
    first, last = (readable(test.iloc[i]["mean"], "test_error") for i in (0, -1))
    if axis.key == "epoch" and test["as_of"].min() <= test["epoch"].iloc[0]:
        return f" of all test images was measured at epoch {format_epoch(test['as_of'].min())} alone so far: {first}"
    return f"{_when(test)} goes from {first} to {last}"


def _between(bound: pd.DataFrame, axis: Axis) -> str:
    """Where a line is not between its ends on the way: farthest above them, or farthest below."""
    ends = bound["mean"].iloc[[0, -1]]
    high, low = bound.loc[bound["mean"].idxmax()], bound.loc[bound["mean"].idxmin()]
    over, under = high["mean"] / max(ends.max(), _TINY), min(ends) / max(low["mean"], _TINY)
    if max(over, under) < 1 + STILL:
        return ""
    word, row = ("largest", high) if over >= under else ("smallest", low)
    return f" ({word} at {axis.at(row[axis.column])}: {readable(row['mean'])})"


def _when(measured: pd.DataFrame) -> str:
    """At which epoch a value that stands still between epoch ends was measured."""
    as_of = measured["as_of"].min()
    return "" if pd.isna(as_of) else f" (last measured at epoch {format_epoch(as_of)})"


def _ratio(rows: pd.DataFrame) -> float:
    """Last value over first; NaN where there is no such ratio."""
    first, last = rows["mean"].iloc[0], rows["mean"].iloc[-1]
    return last / first if len(rows) > 1 and first > 0 else math.nan


def _rivals(first: pd.DataFrame, others: dict[str, pd.DataFrame], axis: Axis, settings: Settings) -> str:
    """How the other bounds move over the same stretch: the one that grows most, the one that grows least."""
    span = first[axis.column].iloc[[0, -1]].tolist()
    known = {name: rows for name, rows in others.items() if rows[axis.column].iloc[[0, -1]].tolist() == span}
    ratios = {name: ratio for name, rows in known.items() if math.isfinite(ratio := _ratio(rows))}
    if len(ratios) < 2:
        return ""
    looks, own = styles(settings.convention), _ratio(first)
    if all(abs(ratio - 1) < STILL for ratio in ratios.values()):
        return "The other bounds stay put" + (" too." if abs(own - 1) < STILL else ".")
    most, least = max(ratios, key=ratios.__getitem__), min(ratios, key=ratios.__getitem__)
    words = [f"{looks[name].name} ({_change(ratios[name])})" for name in (least, most)]
    sentence = f"The other bounds range from {words[0]} to {words[1]}"
    steps = first[axis.column].iloc[-1] - first[axis.column].iloc[0]
    if axis.key == "depth" and math.isfinite(own):
        mine = called([*others, str(first["series"].iloc[0])], settings.convention).removeprefix("the ")
        per = [f"{times(r ** (1 / steps))} ({name})" for r, name in ((own, mine), (ratios[most], looks[most].name))]
        sentence += f"; per layer that is a factor of {per[0]} against {per[1]}"
    return sentence + "."


def _change(ratio: float) -> str:
    if abs(ratio - 1) < STILL:
        return "stays put"
    return f"falls by a factor of {times(1 / ratio)}" if ratio < 1 else f"grows by a factor of {times(ratio)}"


def _last_point(where: str, end: pd.Series, settings: Settings) -> str:
    value = end["mean"]
    words = f"At {where} {called([end['series']], settings.convention)} is {readable(value)}"
    if settings.convention == "strict":
        words += f" at margin {end['margin']:.3g}, ramp error {readable(end['empirical'])} included"
        if value >= 1:
            return words + ": vacuous at every margin that was tried."
    if value >= 1:
        return words + ": vacuous, as is anything of 1 or more."
    if settings.convention == "published":
        return words + ": below 1, but the published formula is not a valid bound by itself."
    return words + ": below 1, so it says something about the test error."


def standing(value: float, others: Mapping[str, float], convention: str) -> str:
    """Where a value stands among the `others` beside it (series -> value): below all of them, or which are smaller."""
    others = {name: float(other) for name, other in others.items() if not math.isnan(other)}
    if not others:
        return ""
    named = {
        name: f"{styles(convention)[name].name} ({readable_with_note(name, other)})" for name, other in others.items()
    }
    order = sorted(others, key=others.__getitem__)
    smaller = [name for name in order if others[name] < value]
    larger = [name for name in order if name not in smaller]
    if not smaller:
        span = named[order[0]] if len(order) == 1 else f"{named[order[0]]} to {named[order[-1]]}"
        return f"It is the smallest here; {'the other is' if len(order) == 1 else 'the others go from'} {span}."
    words = f"Smaller here: {', '.join(named[name] for name in smaller)}"
    return words + (f"; the largest: {named[larger[-1]]}." if larger else "; no other is larger.")


def readable_with_note(name: str, value: float) -> str:
    """A bound's value, and what to know of it."""
    return readable(value) + (", its unknown constant set to 1" if name == "long_sedghi" else "")


def _move(first: float, last: float, series: str) -> str:
    return f"{_change(last / first if first else float('inf'))} ({readable(first, series)} → {readable(last, series)})"
