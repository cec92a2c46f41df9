"""The two charts of page Ranking: a number chosen in the ranks is the one against which networks are drawn, and networks selected
there are ordered again in the ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd
import streamlit as st

from boundlab.analysis.run_codes import join_codes
from boundlab.charts.ranking import STATISTICS, height, ranks, scatter_of, short_name
from boundlab.ui import chart
from boundlab.ui.layout import Figure
from boundlab.ui.page import is_dark
from boundlab.ui.selected import SELECTED, clear_selection, known_codes, select_runs
from boundlab.words.ranking import MEANS, TARGET

LINES = 16  # of the left chart, about; their room is kept free
_RANKS, _AGAINST = "chart_ranks", "chart_against"
_ROWS = 8  # of the table of selected networks, before it scrolls
_TITLES = {
    "conv_layers": "Layers",
    "channels": "Channels",
    "n_train": "Images n",
    "label_noise": "Label noise",
    "weight_decay": "λ",
    "seed": "Seed",
}


@dataclass(frozen=True)
class Ordered:
    """What is drawn: a `measures_table`, `ranked` of it, the ids of the selected runs in it and `ranked` of these alone, None where
    none is; and what the reader chose to see: a column of `ranked`, a measure, a column of the table."""

    table: pd.DataFrame
    rows: pd.DataFrame
    selected: tuple[str, ...]
    among: pd.DataFrame | None
    statistic: str
    chosen: str
    target: str


def draw_linked(place: Figure, drawn: Ordered) -> None:
    """Both charts, and what gives the selection up."""
    table, rows, chosen, target = drawn.table, drawn.rows, drawn.chosen, drawn.target
    name, pixels = short_name(chosen), height(LINES)
    with place.stage:
        left, right = st.columns([1, 1], gap="small")
        with left:
            alt = f"{STATISTICS[drawn.statistic][0]} of {len(rows)} numbers with the {TARGET[target]}; {MEANS[drawn.statistic]}"
            figure = ranks(rows, drawn.statistic, chosen, is_dark(), pixels, drawn.among)
            by_measure = {measure: short_name(measure) for measure in rows["measure"]}
            chart.show(figure, _RANKS, alt, rows.drop(columns="where"), pick=partial(_take_number, by_measure))
        with right:
            alt = f"{len(table)} networks: {name} and {TARGET[target]}"
            points = table[["run", *_TITLES, chosen, target]].assign(selected=table["run"].isin(drawn.selected))
            figure = scatter_of(table, chosen, name, target, is_dark(), pixels, drawn.selected)
            chart.show(figure, _AGAINST, alt, points, pick=_take_runs, areas=True)
        if drawn.selected:
            _undo(drawn)


def _take_number(by_measure: Mapping[str, str]) -> None:
    """A click on a dot of the ranks chooses its number."""
    for data in chart.picked(_RANKS):
        measure = data[-1] if isinstance(data, list) and data else None
        if isinstance(measure, str) and measure in by_measure:
            st.session_state["number"] = by_measure[measure]


def _take_runs() -> None:
    """What was framed is selected, and nothing else; an empty frame changes nothing."""
    known = known_codes()
    codes = [code for code in chart.picked(_AGAINST) if isinstance(code, str)]
    if names := [known[code] for code in codes if code in known]:
        select_runs(names)


def _undo(drawn: Ordered) -> None:
    with st.container(horizontal=True, key="bar_selected", vertical_alignment="center"):
        clear_selection("clear_ranking", drawn.selected)
        link = {SELECTED: join_codes(drawn.selected), "only": "true"}
        st.page_link(
            "pages/12_runs.py", label="In the table of all runs", icon=":material/table_view:", query_params=link
        )


def selected_table(drawn: Ordered) -> None:
    """The selected networks, by the chosen number."""
    name, error = short_name(drawn.chosen), TARGET[drawn.target].capitalize()
    rows = drawn.table[drawn.table["run"].isin(drawn.selected)].sort_values(drawn.chosen, kind="stable")
    rows = rows[[*_TITLES, drawn.chosen, drawn.target]].assign(**{drawn.target: 100 * rows[drawn.target]})
    config = {
        error: st.column_config.NumberColumn(format="%.2f %%"),
        name: st.column_config.NumberColumn(format="%.4g"),
    }
    st.dataframe(
        rows.rename(columns=_TITLES | {drawn.chosen: name, drawn.target: error}),
        key="table_selected",
        height="auto" if len(rows) < _ROWS else 300,
        hide_index=True,
        column_config=config,
        alt="The selected networks, one per row",
    )
