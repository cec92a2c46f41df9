"""What a heat map shows: how far a bound or an error moves along each of its two variables, and where it is below 1."""

from __future__ import annotations

import math

import pandas as pd

from boundlab.analysis.cells import ends
from boundlab.bounds import BY_KEY
from boundlab.charts.theme import styles
from boundlab.text import percent, readable, times
from boundlab.words.untrained import SYMBOLS

_STILL = 0.03  # a change of less than this fraction is none


def heat_sentence(cells: pd.DataFrame, x: str, y: str, series: str, convention: str) -> str:
    """All of it. `cells`: rows of `analysis.cells.cells` over the columns x and y."""
    return f"{heat_headline(cells, x, y, series, convention)} {heat_details(cells, x, y, series)}".strip()


def heat_headline(cells: pd.DataFrame, x: str, y: str, series: str, convention: str) -> str:
    """How far the value moves along each variable."""
    there = cells.dropna(subset=["mean"])
    name = styles(convention)[series].name
    subject = f"**{name}**" if series in BY_KEY else f"the **{name.lower()}**"
    if there.empty:
        return f"No network here has a value of {subject}."
    found = [_along(cells, column, other, series) for column, other in ((y, x), (x, y))]
    moves = [words for words in found if words]
    return f"{_first_letter(subject)}: " + ("; ".join(moves) if moves else "one value along each variable") + "."


def heat_details(cells: pd.DataFrame, x: str, y: str, series: str) -> str:
    """Where the value is smallest, largest and below 1; nothing where there is none."""
    there = cells.dropna(subset=["mean"])
    return "" if there.empty else f"{_range(there, x, y, series)} {_below_one(there, series)}".strip()


def _along(cells: pd.DataFrame, along: str, across: str, series: str) -> str:
    """The change from the first value of a variable to the last, over all values of the other that have both."""
    if (found := ends(cells, along, across)) is None:
        return ""
    first, last, both = found
    where = f"from {SYMBOLS[along]} = {first:g} to {last:g} it"
    many = "" if len(both) == 1 else f" on average over {len(both)} values of {SYMBOLS[across]}"
    if series not in BY_KEY:
        start, end = both["first"].mean(), both["last"].mean()
        return f"{where} goes from {percent(start)} to {percent(end)}{many}"
    both = both[((both > 0) & (both < math.inf)).all(axis="columns")]
    if both.empty:
        return ""
    ratio = math.exp((both["last"].map(math.log) - both["first"].map(math.log)).mean())
    if abs(ratio - 1) < _STILL:
        return f"{where} stays put{many}"
    way, factor = ("grows", ratio) if ratio > 1 else ("falls", 1 / ratio)
    return f"{where} {way} by a factor of {times(factor)}{many}"


def _range(there: pd.DataFrame, x: str, y: str, series: str) -> str:
    def at(row: pd.Series) -> str:
        return f"{readable(row['mean'], series)} ({SYMBOLS[x]} = {row[x]:g}, {SYMBOLS[y]} = {row[y]:g})"

    if len(there) == 1:
        return f"The only value: {at(there.iloc[0])}."
    low, high = there.loc[there["mean"].idxmin()], there.loc[there["mean"].idxmax()]
    return f"Smallest: {at(low)}; largest: {at(high)}."


def _below_one(there: pd.DataFrame, series: str) -> str:
    if series not in BY_KEY:
        return ""
    below, every = int((there["mean"] < 1).sum()), len(there)
    if below == every:
        return "Below 1 everywhere."
    where = "nowhere" if below == 0 else f"in {below} of {every} networks"
    return f"Below 1 {where}; a value of 1 or more says nothing."


def _first_letter(words: str) -> str:
    return words[:1].upper() + words[1:]
