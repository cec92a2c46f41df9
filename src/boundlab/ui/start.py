"""The landing page's chart: one network, every bound, one ladder."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from boundlab.bounds import ALL
from boundlab.charts.ladder import ladder
from boundlab.charts.theme import CONFIG, styles
from boundlab.ui import prose
from boundlab.ui.controls import VARIABLES, Controls
from boundlab.ui.explain import explain, not_drawn
from boundlab.ui.library import datasets, table
from boundlab.ui.numbers import told
from boundlab.ui.page import is_dark
from boundlab.ui.prose import sentence

_MEASURED = ("holdout", "test_error")


@st.fragment
def headline() -> None:
    """Pick a network, see what each bound says about its test error."""
    controls = Controls()
    first = st.container(horizontal=True)
    with first:
        dataset = controls.pick("Data", datasets(), "dataset")
    with st.container(horizontal=True):
        settings = controls.settings()
    with first:
        whole = controls.recipe(controls.origin(table(dataset, settings)))
    whole = controls.trusted(whole)
    if whole.empty:
        st.info("No run of this data set trained and reached the plateau.")
        return
    with first:
        rows = controls.narrow(whole, VARIABLES)
    _show(whole, rows, settings)


def _show(whole: pd.DataFrame, rows: pd.DataFrame, settings: prose.Settings) -> None:
    values = rows.groupby("series")["value"].mean().dropna()
    order = [b.key for b in ALL if settings.convention in b.formulas]
    st.caption(prose.subject(rows, settings, "mean"))
    logs = whole["log2_value"][whole["series"].isin([*order, *_MEASURED])].dropna()
    low, high = float(np.floor(logs.min())), float(np.ceil(logs.max()))
    reach = (low - 0.12 * (high - low), high + 0.1 * (high - low))  # room for the numbers
    st.plotly_chart(
        ladder(values, [*order, *_MEASURED], reach, is_dark()),
        key="chart_ladder",
        config=CONFIG,
        alt=sentence(values, rows["seed"].nunique(), settings.convention),
    )
    st.markdown(sentence(values, rows["seed"].nunique(), settings.convention))
    explain(settings.convention, order)
    not_drawn(prose.not_drawn(rows[rows["series"] != "gap"]))
    with st.expander("Table and CSV"):
        drawn = rows[rows["series"].isin([*order, *_MEASURED])].drop(columns="reason")
        looks = styles(settings.convention)
        st.dataframe(
            told(
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
