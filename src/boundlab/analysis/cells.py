"""Tidy rows -> the cells of a heat map: one series over two variables, each cell over its seeds. No plotly, no torch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pandas as pd

CELL = ("mean", "low", "high", "seeds", "trained", "at_plateau", "selected")


def cells(
    table: pd.DataFrame, x: str, y: str, series: str, x_values: Sequence[float], y_values: Sequence[float]
) -> pd.DataFrame:
    """One row per pair of values, y by y: x, y, mean, low and high of the value over the runs there, how many `seeds`, and
    whether all of them `trained` and are `at_plateau`, and any is `selected` (where the table has such a column). A cell without a value has NaN and 0 seeds.

    `table`: rows of `tables.final_table` that differ in x, y and seed alone.
    """
    rows = table[(table["series"] == series) & table["value"].notna()]
    found = (
        rows.assign(selected=rows.get("selected", False))
        .groupby([y, x])
        .agg(
            mean=("value", "mean"),
            low=("value", "min"),
            high=("value", "max"),
            seeds=("seed", "nunique"),
            trained=("trained", "all"),
            at_plateau=("at_plateau", "all"),
            selected=("selected", "any"),
        )
    )
    places = pd.MultiIndex.from_tuples(itertools.product(y_values, x_values), names=[y, x])
    whole = found.reindex(places)
    whole["seeds"] = whole["seeds"].fillna(0).astype(int)
    for flag in ("trained", "at_plateau", "selected"):  # of nothing nothing is wrong, and nothing selected
        whole[flag] = whole[flag].astype("boolean").fillna(value=flag != "selected").astype(bool)
    return whole.reset_index()[[x, y, *CELL]]


def ends(table: pd.DataFrame, along: str, across: str) -> tuple[float, float, pd.DataFrame] | None:
    """The two values of `along`, farthest apart, that some value of `across` has both of: first, last, and for each of these
    values of `across` the means at `first` and `last`. None where there are no two. `table`: rows of `cells`."""
    wide = table.pivot(index=across, columns=along, values="mean")
    pairs = sorted(itertools.combinations(wide.columns, 2), key=lambda pair: (-_apart(*pair), pair))
    for first, last in pairs:
        both = wide[[first, last]].dropna()
        if len(both):
            return float(first), float(last), both.set_axis(["first", "last"], axis="columns")
    return None


def _apart(first: float, last: float) -> float:
    return math.log(last / first)
