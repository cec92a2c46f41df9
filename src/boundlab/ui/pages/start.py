"""The landing page's chart: one network, every bound, one ladder."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.bounds import ALL
from boundlab.charts.ladder import ladder
from boundlab.charts.theme import styles
from boundlab.specs.settings import Settings
from boundlab.ui import chart
from boundlab.ui.bound_choice import choose_convention, choose_delta
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.formulas import formulas, show_not_drawn
from boundlab.ui.layout import EMPTY, chart_first, controls_row
from boundlab.ui.page import is_dark
from boundlab.ui.run_filters import filter_runs
from boundlab.ui.run_tables import table
from boundlab.ui.shelf import datasets
from boundlab.ui.tables import formatted
from boundlab.ui.untrained import offer_training
from boundlab.ui.variables import VARIABLES, narrow
from boundlab.words import figures
from boundlab.words.figures import sentence

_MEASURED = ("holdout", "test_error")


@st.fragment
@with_controls
def headline(controls: Controls) -> None:
    """Pick a network, see what each bound says about its test error."""
    with chart_first():
        (row, more), stage = controls_row(), st.container()
    with row:
        dataset = controls.pick("Data", datasets(), "dataset")
        sliders = st.container()
        convention = choose_convention(controls)
    with more:
        settings = Settings(convention, choose_delta(controls))
        peers, whole = filter_runs(controls, table(dataset, settings))
    if whole.empty:
        stage.info(EMPTY)
        return
    with sliders:
        choice = narrow(controls, whole, VARIABLES)
    if choice.rows.empty:
        with stage:
            offer_training(choice, peers)
        return
    _show(whole, choice.rows, settings, stage)


def _show(whole: pd.DataFrame, rows: pd.DataFrame, settings: Settings, stage: DeltaGenerator) -> None:
    values = rows.groupby("series")["value"].mean().dropna()
    order = [b.key for b in ALL if settings.convention in b.formulas]
    logs = whole["log2_value"][whole["series"].isin([*order, *_MEASURED])].dropna()
    low, high = float(np.floor(logs.min())), float(np.ceil(logs.max()))
    reach = (low - 0.06 * (high - low), high + 0.06 * (high - low))
    words = sentence(values, rows["seed"].nunique(), settings.convention)
    with stage:
        chart.show(ladder(values, [*order, *_MEASURED], reach, is_dark()), "chart_ladder", words)
        st.caption(figures.caption(rows, settings, "mean"))
    st.markdown(words)
    formulas(settings.convention, order)
    show_not_drawn(figures.not_drawn(rows[rows["series"] != "gap"]))
    with st.expander("Table and CSV"):
        drawn = rows[rows["series"].isin([*order, *_MEASURED])].drop(columns="reason")
        looks = styles(settings.convention)
        st.dataframe(
            formatted(
                drawn.assign(series=[looks[name].name for name in drawn["series"]])[
                    ["series", "value", "complexity", "confidence", "empirical", "margin", "n", "delta", "convention"]
                ]
            ),
            hide_index=True,
            alt="Values of every bar in the chart",
        )
        st.download_button(
            "Download CSV of this run", drawn.to_csv(index=False), "boundlab-start.csv", "text/csv", on_click="ignore"
        )
