"""The page of all runs: one table to filter, group and select from; what is selected lights up on other pages, and is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from boundlab.analysis.run_columns import RunColumn, with_columns
from boundlab.charts.parallel import can_be_drawn, parallel
from boundlab.quantities.norms import Array
from boundlab.specs.own_data import DATASETS
from boundlab.ui import chart
from boundlab.ui.conditions import filter_where
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.layout import controls_row
from boundlab.ui.page import is_dark
from boundlab.ui.pages.runs.saving import save_runs
from boundlab.ui.pages.runs.table import grouped, runs_grid
from boundlab.ui.run_tables import every_run, values_of_runs
from boundlab.ui.selected import clear_selection, selected_runs
from boundlab.words.runs import runs_headline

_ALL, _NOTHING = "all", "nothing"
_SHOWN = (
    *("architecture", "dataset", "weight_decay", "n", "label_noise", "seed"),
    *("train_error", "test_error", "gap", "sparse:published"),
)
_DELTA = 0.001
_COLUMNS_HELP = f"Fields, errors, bounds in each convention (δ = {_DELTA:g}), norms, and whatever else the last record of a run holds."
_GROUP_HELP = "One row per value: how many runs, and the means of their numbers. Its tick selects all of them."
_NARROW = "Parallel coordinates need a wider screen."
_WIDTHS = """<style>
@media (max-width: 640px) { .st-key-parallel_wide { display: none; } }
@media (min-width: 641px) { .st-key-parallel_narrow { display: none; } }
</style>"""


def _values(key: str) -> Array:
    return values_of_runs(key, _DELTA)


@st.fragment
@with_controls
def run_explorer(controls: Controls) -> None:
    """Sentence, table, controls, what is saved; parallel coordinates on request."""
    every, columns = every_run()
    with st.container(gap="xsmall"):
        head, stage = st.container(), st.container(key="stage_runs")
        bar = st.container(horizontal=True, key="bar_runs", vertical_alignment="center")
        row, more = controls_row()
    selected = selected_runs(controls)
    with row:
        here = set(every["dataset"])
        data = controls.choose("Data", [_ALL, *(name for name in DATASETS if name in here)], "data")
        group = _group(controls, columns)
        only = controls.switch("Selected only", "only")
    with more:
        titled = lambda key: columns[key].title  # noqa: E731
        chosen = controls.choose_any("Columns", list(columns), "columns", _SHOWN, titled, help=_COLUMNS_HELP)
        rows = filter_where(controls, every if data == _ALL else every[every["dataset"] == data], columns, _values)
    if only:
        rows = rows[rows["run"].isin(selected)]
    shown = with_columns(rows, chosen, _values)
    head.markdown(runs_headline(rows, len(every), len(selected)))
    with stage:
        by = None if group is None else with_columns(rows, [group], _values)[group]
        _table(shown, by, columns, [] if "run" in chosen else ["run"], selected)
    with bar:
        save_runs(with_columns(every[every["run"].isin(selected)], chosen, _values) if selected else shown)
        if selected:
            clear_selection("clear_runs", selected)
    if box := controls.fold("Parallel coordinates", "parallel"):
        with box:
            _parallel(shown, [columns[key] for key in chosen], selected)


def _group(controls: Controls, columns: Mapping[str, RunColumn]) -> str | None:
    """The key of the column to group by."""
    possible = [key for key, column in columns.items() if column.kind != "share" and ":" not in key and "." not in key]
    called = lambda key: _NOTHING if key == _NOTHING else columns[key].title  # noqa: E731
    options = [_NOTHING, *(key for key in possible if key != "run")]
    key = controls.choose("Group by", options, "group", _GROUP_HELP, width=190, few=False, called=called)
    return None if key == _NOTHING else key


def _table(
    shown: pd.DataFrame,
    by: pd.Series | None,
    columns: Mapping[str, RunColumn],
    hidden: Sequence[str],
    selected: Sequence[str],
) -> None:
    """`by`: what to group by; `hidden`: columns that nobody asked for."""
    if by is None:
        runs_grid(shown.drop(columns=hidden), [(name,) for name in shown["run"]], columns, selected)
    else:
        runs_grid(*grouped(shown, by), columns, selected)


def _parallel(shown: pd.DataFrame, chosen: Sequence[RunColumn], selected: Sequence[str]) -> None:
    st.html(_WIDTHS)
    st.container(key="parallel_narrow").caption(_NARROW)
    with st.container(key="parallel_wide"):
        drawn = can_be_drawn(shown, chosen)
        if len(drawn) < 2:
            st.info("Choose two columns of numbers that differ between these runs, under *More*.")
            return
        figure = parallel(shown, drawn, selected, is_dark())
        names = ", ".join(column.title for column in drawn)
        alt = f"Parallel coordinates of {len(shown)} runs: {names}"
        chart.show(figure, "chart_parallel", alt, shown[["run", *(column.key for column in drawn)]])
