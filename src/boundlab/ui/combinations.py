"""Which combinations of variables there are runs of, and the nearest one where a reader asks for another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from boundlab.ui.once import once_per_table

_ZERO = 1e-9  # weight decay 0 is farther from all others than they are from each other


def nearest(table: pd.DataFrame, asked: Mapping[str, float], moved: str | None = None) -> dict[str, float]:
    """One combination of the columns in `asked` that a row of `table` has. `moved`, the column that the reader moved last,
    stays if it can; the others follow in their order, each to its nearest value, by ratio, of those that remain."""
    return dict(_nearest(table, tuple(asked.items()), moved))


@once_per_table
def _nearest(table: pd.DataFrame, asked: tuple[tuple[str, float], ...], moved: str | None) -> dict[str, float]:
    chosen: dict[str, float] = {}
    for column, value in sorted(asked, key=lambda item: item[0] != moved):
        target = _log(value)
        chosen[column] = min(table[column].unique(), key=lambda value: (abs(_log(value) - target), value))
        table = table[table[column] == chosen[column]]
    return {column: chosen[column] for column, _ in asked}


def possible(table: pd.DataFrame, column: str, chosen: Mapping[str, float]) -> set[float]:
    """The values of one column that there are rows of while the others stay."""
    return set(_possible(table, column, tuple(chosen.items())))


@once_per_table
def _possible(table: pd.DataFrame, column: str, chosen: tuple[tuple[str, float], ...]) -> frozenset[float]:
    for other, value in chosen:
        if other != column:
            table = table[table[other] == value]
    return frozenset(table[column])


def why(symbols: Mapping[str, str], asked: Mapping[str, float], chosen: Mapping[str, float], moved: str | None) -> str:
    """What had to follow, from where to where, and why; empty where nothing had to."""
    followed = [column for column in asked if asked[column] != chosen[column]]
    if not followed:
        return ""
    moves = [f"{symbols[c]} moved from {asked[c]:g} to {chosen[c]:g}" for c in followed]
    wanted = [moved] if moved in followed else [c for c in asked if c not in followed]
    there = [*wanted, *followed] if wanted != followed else [c for c in asked]
    lacking = _listed([f"{symbols[c]} = {asked[c]:g}" for c in dict.fromkeys(there)])
    return f"**{_listed(moves)}**: no run to draw here has {lacking}."


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _log(value: float) -> float:
    return math.log(max(value, _ZERO))
