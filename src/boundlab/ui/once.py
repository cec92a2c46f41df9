"""What follows from a table alone is computed once: the listing of the runs is the same object for all readers and reruns."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Hashable
from typing import Any, Concatenate, ParamSpec, TypeVar

import pandas as pd

_MOST = 256  # values per function and table
_P = ParamSpec("_P")
_T = TypeVar("_T")


def once_per_table(
    function: Callable[Concatenate[pd.DataFrame, _P], _T],
) -> Callable[Concatenate[pd.DataFrame, _P], _T]:
    """Keep what a function of a table that nobody changes, and of hashable values, returns, as long as the table is there.
    Nobody may change what is returned either."""
    known: dict[int, tuple[weakref.ref[pd.DataFrame], dict[Hashable, Any]]] = {}

    def kept_of(table: pd.DataFrame) -> dict[Hashable, Any]:
        place = id(table)
        ref, kept = known.get(place, (None, {}))
        if ref is None or ref() is not table:
            kept = {}
            known[place] = (weakref.ref(table, lambda gone: _forget(known, place, gone)), kept)
        return kept

    @functools.wraps(function)
    def run(table: pd.DataFrame, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        kept, named = kept_of(table), (args, tuple(kwargs.items()))
        if named not in kept:
            if len(kept) >= _MOST:
                kept.clear()
            value = function(table, *args, **kwargs)
            kept[named] = None if value is table else (value,)  # it would keep itself
            return value
        found = kept.get(named)
        return found[0] if found else table  # type: ignore[return-value]

    return run


def _forget(known: dict[int, Any], place: int, gone: object) -> None:
    if known.get(place, (None,))[0] is gone:
        del known[place]


@once_per_table
def values_of(table: pd.DataFrame, column: str) -> tuple[Any, ...]:
    """The different values of a column, in order."""
    return tuple(sorted(table[column].unique()))


@once_per_table
def column_of(table: pd.DataFrame, column: str) -> tuple[Any, ...]:
    """All values of a column, row by row."""
    return tuple(table[column])
