"""Conditions on runs, as links and `--where` write them: `channels=8..16`, `lr=0.1`, `kind=conv|mlp`. Nothing is evaluated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from boundlab.validation import shown

_SPAN, _OR = "..", "|"


@dataclass(frozen=True)
class Condition:
    """One column within `low` to `high`, both included, or one of `words`; what has no number is left out."""

    column: str
    low: float = -math.inf
    high: float = math.inf
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As a link has it."""
        if self.words:
            return f"{self.column}={_OR.join(self.words)}"
        if self.low == self.high:
            return f"{self.column}={self.low:.12g}"
        low, high = (f"{value:.12g}" if math.isfinite(value) else "" for value in (self.low, self.high))
        return f"{self.column}={low}{_SPAN}{high}"

    def holds(self, values: pd.Series) -> np.ndarray:
        """(rows,) bool."""
        if self.words:
            return values.isin(self.words).to_numpy()
        numbers = values.to_numpy(float)
        # a number is written with 12 digits
        slack = 1e-11 * np.abs(numbers)
        return (numbers >= self.low - slack) & (numbers <= self.high + slack)


def read_condition(text: str, kinds: Mapping[str, str]) -> Condition:
    """`kinds`: of the columns that there are, as in `RunColumn`. Raises ValueError for a column that there is not, or a value that
    cannot be read."""
    column, _, value = text.partition("=")
    if column not in kinds:
        raise ValueError(
            f"a condition must begin with the name of a column and =, like channels=8..16, got {shown(text)}"
        )
    if kinds[column] == "word":
        return Condition(column, words=tuple(dict.fromkeys(value.split(_OR))))
    low, span, high = value.partition(_SPAN)
    try:
        ends = (float(low) if low else -math.inf, float(high) if high else math.inf) if span else (float(value),) * 2
    except ValueError:
        ends = (math.nan, math.nan)
    if any(math.isnan(end) for end in ends) or ends[0] > ends[1] or (not span and math.isinf(ends[0])):
        raise ValueError(f"{column} must be a number or a span like 0.1..0.5, got {shown(value)}")
    return Condition(column, *ends)


def rows_where(table: pd.DataFrame, conditions: Sequence[Condition]) -> pd.DataFrame:
    """The rows for which all of them hold."""
    keep = np.ones(len(table), bool)
    for condition in conditions:
        keep &= condition.holds(table[condition.column])
    return table if keep.all() else table[keep]
