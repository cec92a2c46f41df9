"""The ranking page: which number orders the networks as their gap does; one of them against it; and what is selected in both."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from boundlab.analysis.measures import CONTROLS, measures_table
from boundlab.analysis.ranking import ranked
from boundlab.bounds import ALL
from boundlab.charts.ranking import height, short_name
from boundlab.specs.own_data import DATASETS, listed_name
from boundlab.ui.bound_choice import choose_convention, choose_delta
from boundlab.ui.cite import cite
from boundlab.ui.conditions import filter_where
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.layout import EMPTY, figure_first
from boundlab.ui.pages.ranking.linked import LINES, Ordered, draw_linked, selected_table
from boundlab.ui.run_filters import filter_runs
from boundlab.ui.run_tables import every_run, orderable_runs, values_of_runs
from boundlab.ui.selected import selected_runs
from boundlab.ui.shelf import datasets, find_run, visible_runs
from boundlab.ui.shipped import shipped_by_id
from boundlab.ui.tables import formatted
from boundlab.words.ranking import (
    DEFINITIONS,
    LIMITS,
    TARGET,
    chance_sentence,
    ranking_headline,
    selected_sentence,
    worst_sentence,
)

_ORDERED = {"over all": "tau", "one variable moved": "psi", "worst case": "worst"}
_TARGETS = {"gap": "gap", "test error": "test_error"}
_LEAST = 8  # networks
_HELP = (
    "over all: Kendall's τ of all networks · one variable moved: the same between networks that differ in one variable alone · worst case: "
    "the share of pairs in the wrong order where it is largest"
)


@st.fragment
@with_controls
def ranking(controls: Controls) -> None:
    """Sentence, two charts, controls; definitions and the table on request."""
    place = figure_first("ranking", height(LINES))
    with place.row:
        dataset = controls.pick("Data", datasets(), "dataset", called=listed_name)
        target = _TARGETS[controls.pick("Orders", list(_TARGETS), "target")]
        statistic = _ORDERED[controls.choose("Counted", list(_ORDERED), "counted", _HELP, width=190)]
    with place.more:
        convention = choose_convention(controls)
        delta = choose_delta(controls)
        _, runs = filter_runs(controls, orderable_runs(dataset))
        ids = _where(controls, runs, delta)
    selected = tuple(name for name in selected_runs(controls) if name in set(ids))
    keys = tuple([f"{bound.key}:{convention}" for bound in ALL if convention in bound.formulas] + list(CONTROLS))
    if len(ids) < _LEAST:
        place.stage.info(EMPTY)
        return
    table, rows = _ranked(ids, delta, target, keys)
    among = _ranked(selected, delta, target, keys)[1] if selected else None
    names = {measure: short_name(measure) for measure in rows["measure"]}
    by_name = {name: measure for measure, name in names.items()}
    with place.row:
        bounds = [name for name, measure in by_name.items() if ":" in measure]
        start = bounds[0] if bounds else None
        chosen = by_name[controls.choose("Number", list(by_name), "number", default=start, width=190)]
    said = [ranking_headline(rows, names, target, len(table), DATASETS[dataset].title)]
    if target == "gap" and (doubt := chance_sentence(table, _test_images(table))):
        said.append(doubt)
    if among is not None:
        said.append(selected_sentence(among, chosen, names, len(selected)))
    place.headline.markdown("\n\n".join(said))
    drawn = Ordered(table, rows, selected, among, statistic, chosen, target)
    draw_linked(place, drawn)
    if place.notes.open:
        with place.notes:
            _explain(rows, among, chosen)
            cite(
                f"{len(table)} networks of {DATASETS[dataset].title} in the order of the {TARGET[target]} · δ = {delta:g}",
                ids,
            )
    if selected:
        selected_table(drawn)


def _test_images(table: pd.DataFrame) -> list[int]:
    specs = [find_run(name).spec for name in table["run"]]
    return [DATASETS[spec.train.dataset].test_images(spec.train.labels) for spec in specs]


def _where(controls: Controls, runs: pd.DataFrame, delta: float) -> tuple[str, ...]:
    """The ids of those of `runs` that the reader's conditions leave."""
    every, columns = every_run()
    listed = every[every["run"].isin(set(runs["run"]))]
    kept = set(filter_where(controls, listed, columns, lambda key: values_of_runs(key, delta))["run"])
    return tuple(name for name in runs["run"] if name in kept)


def _ranked(
    ids: tuple[str, ...], delta: float, target: str, keys: tuple[str, ...]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`measures_table` of these runs, and `ranked` of it."""
    version = "" if set(ids) <= set(shipped_by_id()) else visible_runs().version
    return _kept_ranks(ids, delta, target, keys, version)


@st.cache_data(show_spinner="Ordering the networks …", max_entries=48)
def _kept_ranks(
    ids: tuple[str, ...], delta: float, target: str, keys: tuple[str, ...], version: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = measures_table([find_run(name) for name in ids], delta)
    return table, ranked(table, target, keys)


def _explain(rows: pd.DataFrame, among: pd.DataFrame | None, chosen: str) -> None:
    st.markdown(worst_sentence(rows.set_index("measure", drop=False).loc[chosen]))
    _numbers(rows)
    if among is not None and len(among):
        st.markdown("The selected networks alone:")
        _numbers(among)
    for definition in (*DEFINITIONS, LIMITS):
        st.markdown(definition)
    st.caption("The same numbers: `boundlab rank --dataset … --target … --where … --json`.")


def _numbers(rows: pd.DataFrame) -> None:
    columns = ["name", "tau", "low", "high", "pairs", "psi", "worst", "middle", "environments", "runs"]
    st.dataframe(formatted(rows[columns]), hide_index=True)
