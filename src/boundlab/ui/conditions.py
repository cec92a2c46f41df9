"""Which runs a page is about, by any column: one part of the link per condition, `where=channels=8..16`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import streamlit as st

from boundlab.analysis.narrowing import Condition, read_condition, rows_where
from boundlab.analysis.run_columns import RunColumn, with_columns
from boundlab.quantities.norms import Array
from boundlab.ui import address
from boundlab.ui.controls import Controls
from boundlab.ui.privacy import plain

WHERE = "where"  # in the link
_COLUMNS = f"{WHERE}_columns"
_MOST_MARKS = 120  # positions of a slider
_MOST_NAMED = 3  # conditions that cannot be read
_HELP = "Each column gets a control below. Runs without such a number are left out."


def filter_where(
    controls: Controls, table: pd.DataFrame, columns: Mapping[str, RunColumn], values: Callable[[str], Array]
) -> pd.DataFrame:
    """The rows of `table`, some of `run_tables.every_run`, that the reader's conditions leave: a choice of columns, and a control for
    each. `values`: as in `with_columns`."""
    arriving = controls.arriving(WHERE)
    asked = _asked(controls, address.arrived_with(WHERE) if arriving else address.here().params.get(WHERE, []), columns)
    if arriving or _COLUMNS not in st.session_state:
        st.session_state[_COLUMNS] = list(asked)
    now = [key for key in st.session_state[_COLUMNS] if key in columns]
    titled = lambda key: columns[key].title  # noqa: E731
    chosen = st.multiselect("Filter by", list(columns), now, key=_COLUMNS, format_func=titled, help=_HELP)
    full = with_columns(table, chosen, values)
    kept = [_choose(columns[key], full[key], asked.get(key), arriving) for key in chosen]
    conditions = [condition for condition in kept if condition is not None]
    address.put(WHERE, [str(condition) for condition in conditions])
    return table.loc[rows_where(full, conditions).index] if conditions else table


def _asked(controls: Controls, texts: list[str] | None, columns: Mapping[str, RunColumn]) -> dict[str, Condition]:
    """By column; what cannot be read is named."""
    kinds = {key: column.kind for key, column in columns.items()}
    asked, wrong = {}, []
    for text in filter(None, texts or []):
        try:
            condition = read_condition(text, kinds)
        except ValueError as error:
            wrong.append(str(error))
        else:
            asked[condition.column] = condition
    controls.own(WHERE, f"In the link, `{WHERE}`: {plain('; '.join(wrong[:_MOST_NAMED]))}." if wrong else None)
    return asked


def _choose(column: RunColumn, values: pd.Series, asked: Condition | None, arriving: bool) -> Condition | None:
    return (_of_words if column.kind == "word" else _of_numbers)(column, values, asked, arriving)


def _of_words(column: RunColumn, values: pd.Series, asked: Condition | None, arriving: bool) -> Condition | None:
    key, given = f"{WHERE}_{column.key}", list(asked.words) if asked else []
    options = sorted({*map(str, values.unique()), *given})
    if arriving or key not in st.session_state:
        st.session_state[key] = given
    now = [word for word in st.session_state[key] if word in options]
    words = st.multiselect(column.title, options, now, key=key, placeholder="Any")
    return Condition(column.key, words=tuple(words)) if words else None


def _of_numbers(column: RunColumn, values: pd.Series, asked: Condition | None, arriving: bool) -> Condition | None:
    key = f"{WHERE}_{column.key}"
    ends = [end for end in (asked.low, asked.high) if math.isfinite(end)] if asked else []
    marks = sorted({*_marks(values.to_numpy(float)), *ends})
    if len(marks) < 2:
        st.caption(f"{column.title}: the same of all")
        return None
    labels = [f"{mark:.12g}" for mark in marks]
    given = (labels[0], labels[-1])
    if asked:
        low, high = (
            f"{end:.12g}" if math.isfinite(end) else open_
            for end, open_ in zip((asked.low, asked.high), given, strict=True)
        )
        given = (low, high)
    now = st.session_state.get(key)
    if arriving or now is None or not set(now) <= set(labels):
        st.session_state[key] = now = given
    low, high = st.select_slider(column.title, labels, now, key=key)
    if (low, high) == (labels[0], labels[-1]):
        return None
    below, above = float(low) if low != labels[0] else -math.inf, float(high) if high != labels[-1] else math.inf
    return Condition(column.key, float(low), float(high)) if low == high else Condition(column.key, below, above)


def _marks(values: Array) -> list[float]:
    """The values themselves where they are few and short, else round numbers that part them evenly."""
    known = np.unique(values[np.isfinite(values)])
    if len(known) <= _MOST_MARKS and all(float(f"{value:.4g}") == value for value in known):
        return [float(value) for value in known]
    parts = np.quantile(known, np.linspace(0, 1, _MOST_MARKS)) if len(known) else known
    return sorted({float(f"{value:.3g}") for value in parts})
