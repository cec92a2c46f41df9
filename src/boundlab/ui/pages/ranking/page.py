"""The ranking page: which number orders the networks as their gap does; one of them against it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from boundlab.analysis.measures import CONTROLS, measures_table
from boundlab.analysis.ranking import ranked
from boundlab.bounds import ALL
from boundlab.charts.ranking import STATISTICS, height, ranks, scatter_of, short_name
from boundlab.specs.own_data import DATASETS
from boundlab.ui import chart
from boundlab.ui.bound_choice import choose_convention, choose_delta
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.layout import EMPTY, Figure, figure_first
from boundlab.ui.page import is_dark
from boundlab.ui.run_filters import filter_runs
from boundlab.ui.run_tables import orderable_runs
from boundlab.ui.shelf import datasets, find_run, visible_runs
from boundlab.ui.shipped import shipped_by_id
from boundlab.ui.tables import formatted
from boundlab.words.ranking import DEFINITIONS, LIMITS, MEANS, TARGET, ranking_headline, worst_sentence

_ORDERED = {"over all": "tau", "one variable moved": "psi", "worst case": "worst"}
_TARGETS = {"gap": "gap", "test error": "test_error"}
_LEAST = 8  # networks
_LINES = 16  # of the left chart, about; their room is kept free
_HELP = (
    "over all: Kendall's τ of all networks · one variable moved: the same between networks that differ in one variable alone · worst case: "
    "the share of pairs in the wrong order where it is largest"
)


@st.fragment
@with_controls
def ranking(controls: Controls) -> None:
    """Sentence, two charts, controls; definitions and the table on request."""
    place = figure_first("ranking", height(_LINES))
    with place.row:
        dataset = controls.pick("Data", datasets(), "dataset")
        target = _TARGETS[controls.pick("Orders", list(_TARGETS), "target")]
        statistic = _ORDERED[controls.choose("Counted", list(_ORDERED), "counted", _HELP, width=190)]
    with place.more:
        convention = choose_convention(controls)
        delta = choose_delta(controls)
        _, runs = filter_runs(controls, orderable_runs(dataset))
    keys = [f"{bound.key}:{convention}" for bound in ALL if convention in bound.formulas] + list(CONTROLS)
    ids = tuple(runs["run"])
    if len(ids) < _LEAST:
        place.stage.info(EMPTY)
        return
    version = "" if set(ids) <= set(shipped_by_id()) else visible_runs().version
    table, rows = _ranked(ids, delta, target, tuple(keys), version)
    names = {measure: short_name(measure) for measure in rows["measure"]}
    by_name = {name: measure for measure, name in names.items()}
    with place.row:
        bounds = [name for name, measure in by_name.items() if ":" in measure]
        chosen = by_name[
            controls.choose("Number", list(by_name), "number", default=bounds[0] if bounds else None, width=190)
        ]
    place.headline.markdown(ranking_headline(rows, names, target, len(table), DATASETS[dataset].title))
    _draw(place, table, rows, (statistic, chosen, target))
    if place.notes.open:
        with place.notes:
            _explain(rows, chosen)


@st.cache_data(show_spinner="Ordering the networks …", max_entries=24)
def _ranked(
    ids: tuple[str, ...], delta: float, target: str, keys: tuple[str, ...], version: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = measures_table([find_run(name) for name in ids], delta)
    return table, ranked(table, target, keys)


def _draw(place: Figure, table: pd.DataFrame, rows: pd.DataFrame, asked: tuple[str, str, str]) -> None:
    statistic, chosen, target = asked
    name = short_name(chosen)
    pixels = height(_LINES)
    with place.stage:
        left, right = st.columns([1, 1], gap="small")
        with left:
            alt = f"{STATISTICS[statistic][0]} of {len(rows)} numbers with the {TARGET[target]}; {MEANS[statistic]}"
            chart.show(
                ranks(rows, statistic, chosen, is_dark(), pixels), "chart_ranks", alt, rows.drop(columns="where")
            )
        with right:
            alt = f"{len(table)} networks: {name} and {TARGET[target]}"
            points = table[["run", "conv_layers", "channels", "weight_decay", "seed", chosen, target]]
            chart.show(scatter_of(table, chosen, name, target, is_dark(), pixels), "chart_against", alt, points)


def _explain(rows: pd.DataFrame, chosen: str) -> None:
    st.markdown(worst_sentence(rows.set_index("measure", drop=False).loc[chosen]))
    shown = rows[["name", "tau", "low", "high", "psi", "worst", "middle", "environments", "runs"]]
    st.dataframe(formatted(shown), hide_index=True)
    for definition in (*DEFINITIONS, LIMITS):
        st.markdown(definition)
    st.caption("The same numbers: `boundlab rank --dataset … --target … --json`.")
