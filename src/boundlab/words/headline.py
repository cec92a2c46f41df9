"""The one sentence above a figure, true of what is drawn at this position of its handle."""

from __future__ import annotations

import pandas as pd

from boundlab.analysis.tables import Axis
from boundlab.charts.theme import lead
from boundlab.specs.settings import Settings
from boundlab.text import format_epoch, readable, times
from boundlab.words.notices import STILL, called

_REFUSED = "The sparse bound does not apply to these runs."


def figure_headline(curves: pd.DataFrame, axis: Axis, settings: Settings, panels: dict[float, str]) -> str:
    """From the first point to the last: where the leading bound goes, and the test error. `curves`: rows of `curves.by_axis`;
    `panels`: their titles by value, a clause each where there are several."""
    parts = {title: _by_series(curves[curves["panel"] == key]) for key, title in panels.items()}
    if len(parts) == 1:
        (lines,) = parts.values()
        return _sentence(lines, axis, settings)
    ranges = {title: _range(lines, axis) for title, lines in parts.items()}
    apart = len(set(ranges.values()) - {""}) > 1  # else it is to be seen in the chart
    clauses = [f"{title}{ranges[title] if apart else ''}: {_clause(lines, settings)}" for title, lines in parts.items()]
    return f"Along {axis.symbol}, {_name(next(iter(parts.values())), settings)}, {'; '.join(clauses)}."


def _range(lines: dict[str, pd.DataFrame], axis: Axis) -> str:
    """From where to where the leading bound is compared."""
    if (first := lead(lines)) is None:
        return ""
    start, end = lines[first][axis.column].iloc[[0, -1]]
    return f" ({start:.3g} to {end:.3g})"


def _by_series(curves: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(name): rows for name, rows in curves.groupby("series")}


def _name(lines: dict[str, pd.DataFrame], settings: Settings) -> str:
    return called(lines, settings.convention)


def _sentence(lines: dict[str, pd.DataFrame], axis: Axis, settings: Settings) -> str:
    first = lead(lines)
    if first is None or "test_error" not in lines:
        return _REFUSED
    ends, test = lines[first].iloc[[0, -1]], lines["test_error"]
    start, end = ends[axis.column]
    where, value = axis.at(end), float(ends["mean"].iloc[-1])
    if start == end:
        return f"At {where} {_name(lines, settings)} is {_valued(value, settings)}; test error is {_error(test)}."
    error = _when(test) or f"test error {_way(test)} {_error(test)}"
    return f"From {axis.at(start)} to {end:.3g} {_name(lines, settings)} {_clause(lines, settings)}; {error}."


def _clause(lines: dict[str, pd.DataFrame], settings: Settings) -> str:
    """Where the bound goes, and what that value says."""
    if (first := lead(lines)) is None:
        return "does not apply"
    start, end = (float(mean) for mean in lines[first]["mean"].iloc[[0, -1]])
    value = _valued(end, settings)
    if start <= 0 or abs(end / start - 1) < STILL:
        return f"stays at {value}"
    return (
        f"falls {times(start / end)}-fold, to {value}"
        if end < start
        else f"grows {times(end / start)}-fold, to {value}"
    )


def _valued(value: float, settings: Settings) -> str:
    """The value, and what not to believe of it."""
    aside = " (vacuous)" if value >= 1 else " (no guarantee)" if settings.convention == "published" else ""
    return f"**{readable(value)}**{aside}"


def _error(test: pd.DataFrame) -> str:
    return f"**{readable(float(test['mean'].iloc[-1]), 'test_error')}**"


def _way(test: pd.DataFrame) -> str:
    start, end = (float(mean) for mean in test["mean"].iloc[[0, -1]])
    if start <= 0 or abs(end / start - 1) < STILL:
        return "stays at"
    return "falls to" if end < start else "rises to"


def _when(test: pd.DataFrame) -> str:
    """Errors are measured at epoch ends alone: of an earlier one nothing is said about this moment."""
    as_of = test["as_of"].min()
    return (
        ""
        if pd.isna(as_of)
        else f"errors are not known since epoch {format_epoch(as_of)} (test error {_error(test)} then)"
    )
