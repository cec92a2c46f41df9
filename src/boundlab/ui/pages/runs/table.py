"""The table itself: a row per run, or per group of them, whose ticks are the selection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from boundlab.analysis.run_columns import RunColumn
from boundlab.ui.selected import select_runs

COUNT = "count"  # column of a grouped table
_KEY = "runs_grid"  # in the session, how many tables there were, and what the last one is
_HEIGHT = 390  # pixels
_FORMATS = {"whole": "%d", "number": "%.4g", "share": "%.2f %%"}
_WIDTHS = {"word": 110, "whole": 85, "number": 100, "share": 95}
_WIDE = {"architecture": 140, "dataset": 95, "run": 330, "recipe": 200, "seed": 60, "weight_decay": 80, "gap": 80}

# of a table: its columns, the ids of each row's runs, the rows that are ticked
_Shown = tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[int, ...]]


def grouped(shown: pd.DataFrame, by: pd.Series) -> tuple[pd.DataFrame, list[tuple[str, ...]]]:
    """One row per value of `by`: the value, `COUNT`, the means of the numbers of `shown`; and the ids of each row's runs."""
    numbers = [name for name in shown if name != by.name and pd.api.types.is_float_dtype(shown[name])]
    groups = shown.groupby(by.to_numpy(), sort=True, observed=True, dropna=False)
    rows = groups[numbers].mean().rename_axis(by.name).reset_index()
    rows.insert(1, COUNT, groups.size().to_numpy())
    return rows, [tuple(names) for _, names in groups["run"]]


def runs_grid(
    rows: pd.DataFrame, names: Sequence[tuple[str, ...]], columns: Mapping[str, RunColumn], selected: Sequence[str]
) -> None:
    """`names`: the ids of the runs of each row. A selection that came from elsewhere makes a new table, in another place than the
    last: the browser would keep the old ticks, and send them back as the reader's."""
    chosen = set(selected)
    ticks = tuple(place for place, ids in enumerate(names) if chosen.issuperset(ids))
    now: _Shown = (tuple(map(str, rows)), tuple(names), ticks)
    number, before = st.session_state.get(_KEY, (0, None))
    number += now != before
    st.session_state[_KEY] = number, now
    places = st.empty(), st.empty()
    places[number % 2].dataframe(
        _for_people(rows, columns),
        key=f"{_KEY}_{number}",
        height=_HEIGHT,
        hide_index=True,
        column_config=_config(rows, columns),
        placeholder="",
        on_select=partial(_take, number, now, tuple(selected)),
        selection_mode="multi-row",
        selection_default={"selection": {"rows": list(ticks)}},
        alt="All runs that are not filtered out, one per row",
    )


def _for_people(rows: pd.DataFrame, columns: Mapping[str, RunColumn]) -> pd.DataFrame:
    """Shares of 1 as so many of 100."""
    shares = [name for name in rows if name in columns and columns[name].kind == "share"]
    return rows.assign(**{name: 100 * rows[name] for name in shares})


def _config(rows: pd.DataFrame, columns: Mapping[str, RunColumn]) -> dict[str, Any]:
    found: dict[str, Any] = {COUNT: st.column_config.NumberColumn("Runs", width=70)}
    for name in (name for name in rows if name in columns):
        column = columns[name]
        width = _WIDE.get(name, _WIDTHS[column.kind])
        if column.kind == "word":
            found[name] = st.column_config.TextColumn(column.title, width=width)
        else:
            found[name] = st.column_config.NumberColumn(column.title, width=width, format=_FORMATS[column.kind])
    return found


def _take(number: int, shown: _Shown, selected: tuple[str, ...]) -> None:
    """Rows that were ticked, or are no more, since the table was made; runs that it does not show stay as they are."""
    head, names, before = shown
    ticked = [row for row in st.session_state[f"{_KEY}_{number}"]["selection"]["rows"] if 0 <= row < len(names)]
    come = {name for row in set(ticked) - set(before) for name in names[row]}
    gone = {name for row in set(before) - set(ticked) for name in names[row]}
    st.session_state[_KEY] = number, (head, names, tuple(sorted(ticked)))
    select_runs(({*selected} | come) - gone)
