"""Tables of the runs that a reader may see, kept for all who see the same."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from boundlab.analysis.curves import last_known
from boundlab.analysis.run_columns import RunColumn, column_values, fields_table, run_columns
from boundlab.analysis.tables import final_table, history_table, runs_table
from boundlab.quantities.norms import Array
from boundlab.runs.run import Run
from boundlab.runs.thinning import on_common_records
from boundlab.specs.presets import PRESETS
from boundlab.specs.settings import Settings
from boundlab.ui.shelf import VisibleRuns, find_run, visible_runs
from boundlab.ui.shipped import shipped_by_id


def _origin(table: pd.DataFrame) -> pd.DataFrame:
    """With the column `trained_here`."""
    return table.assign(trained_here=~table["run"].isin(shipped_by_id()))


def _runs(dataset: str, study: str | None, seen: VisibleRuns) -> list[Run]:
    return seen.figured(dataset) if study is None else seen.studied(dataset, study)


# What is cached is made of the very runs that its key is about, `_seen`: asked for again, a reader might see more by then.
@st.cache_resource(show_spinner=False, max_entries=32)  # the same object at every rerun, see ui/once.py
def _listing(dataset: str, study: str | None, version: str, _seen: VisibleRuns) -> pd.DataFrame:
    return _origin(runs_table(_runs(dataset, study, _seen)))


def runs_of(dataset: str, seen: VisibleRuns | None = None, study: str | None = None) -> pd.DataFrame:
    """`runs_table` of the figures' runs on one data set, or of those of the recipe `study`, and `trained_here`; `seen`: of those,
    else of what the reader may see now."""
    now = seen or visible_runs()
    return _listing(dataset, study, now.version, now)


@st.cache_resource(show_spinner=False, max_entries=16)
def _orderable(dataset: str, version: str, _seen: VisibleRuns) -> pd.DataFrame:
    studies = [name for name, preset in PRESETS.items() if preset.varied]
    return _origin(runs_table([run for study in (None, *studies) for run in _runs(dataset, study, _seen)]))


def orderable_runs(dataset: str) -> pd.DataFrame:
    """`runs_of` the figures and of every recipe with a page of its own, together: what page Ranking may put in order."""
    now = visible_runs()
    return _orderable(dataset, now.version, now)


@st.cache_data(show_spinner=False, max_entries=64)
def _table(dataset: str, settings: Settings, study: str | None, version: str, _seen: VisibleRuns) -> pd.DataFrame:
    return _origin(final_table(_runs(dataset, study, _seen), settings))


def table(dataset: str, settings: Settings, seen: VisibleRuns | None = None, study: str | None = None) -> pd.DataFrame:
    """`final_table` of the figures' runs on one data set, or of those of the recipe `study`, and `trained_here`; `seen` as in
    `runs_of`."""
    now = seen or visible_runs()
    return _table(dataset, settings, study, now.version, now)


@st.cache_data(show_spinner=False, max_entries=24)  # up to 3 MB each
def _history(ids: tuple[str, ...], settings: Settings, max_records: int, carry_on: bool, version: str) -> pd.DataFrame:
    runs = on_common_records(tuple(find_run(name) for name in ids))
    rows = _origin(history_table(runs, settings, max_records))
    return last_known(rows) if carry_on else rows


def history(
    ids: tuple[str, ...], settings: Settings, max_records: int, carry_on: bool, seen: VisibleRuns | None = None
) -> pd.DataFrame:
    """`history_table` of some runs, and `trained_here`; at most about `max_records` of each; `carry_on`: errors between epoch
    ends too; `seen` as in `runs_of`."""
    version = "" if set(ids) <= set(shipped_by_id()) else (seen or visible_runs()).version
    return _history(ids, settings, max_records, carry_on, version)


ORIGIN = RunColumn("origin", "Origin", "word")


@st.cache_resource(show_spinner="Listing the runs …", max_entries=16)
def _fields(version: str, _seen: VisibleRuns) -> tuple[pd.DataFrame, dict[str, RunColumn]]:
    rows = fields_table(_seen.all)
    shipped = rows["run"].isin(list(shipped_by_id())).map({True: "shipped", False: "trained here"})
    return rows.assign(origin=shipped.astype("category")), run_columns(_seen.all) | {ORIGIN.key: ORIGIN}


def every_run(seen: VisibleRuns | None = None) -> tuple[pd.DataFrame, dict[str, RunColumn]]:
    """`fields_table` of all runs, whatever they are of, with their origin, the same object at every rerun; and all columns that can be
    asked for. `seen` as in `runs_of`."""
    now = seen or visible_runs()
    return _fields(now.version, now)


@st.cache_resource(show_spinner=False, max_entries=128)  # 80 kB each of 10,000 runs
def _values(key: str, delta: float, version: str, _seen: VisibleRuns) -> Array:
    return column_values(_seen.all, key, delta)


def values_of_runs(key: str, delta: float, seen: VisibleRuns | None = None) -> Array:
    """`column_values` of all rows of `every_run`."""
    now = seen or visible_runs()
    return _values(key, delta, now.version, now)
