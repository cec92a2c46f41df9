"""Margins of the training images over the epochs, and what a theorem promises at every margin."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from boundlab.analysis.margin_tradeoff import over_epochs, trade_off
from boundlab.charts.margins_of_run import fan, trade_off_chart
from boundlab.runs.run import Run
from boundlab.ui import chart
from boundlab.ui.controls import Controls
from boundlab.ui.page import is_dark
from boundlab.words.guarantees import BEST, trade_off_sentence


def margins(controls: Controls, run: Run, record: pd.DataFrame, delta: float, theorem: str) -> None:
    """Margins over epochs and the trade-off at this one."""
    net = run.norms(record)
    try:
        table = trade_off(net, run.sample, delta, theorem)
    except ValueError as error:
        st.info(f"{error}.")
        return
    best = table.loc[table["total"].idxmin()]
    offered = [f"{margin:.3g}" for margin in table["margin"]]
    asked = controls.slide("Margin γ", (BEST, *offered), "margin", BEST, f"best: where Theorem {theorem} is smallest")
    here = best if asked == BEST else table.iloc[offered.index(asked)]
    margin = float(here["margin"])
    quantiles = over_epochs(run)
    low, high = float(quantiles["q5"].min()), float(quantiles["q95"].max())
    reach = (min(low, 0.0) - 0.08 * (high - low), max(high, min(margin, 2 * high)) + 0.12 * (high - low))
    chart.show(
        fan(quantiles, float(record["epoch"].iloc[0]), margin, reach, is_dark()),
        "chart_fan",
        "Quantiles of the training margins over epochs",
    )
    st.caption(
        "Median of the training margins, 50 % and 90 % of them in the bands; the vertical line is the epoch above."
    )
    top = max(1.25, min(4.0, 1.15 * float(best["total"])))
    chart.show(
        trade_off_chart(table, margin, top, theorem, is_dark()),
        "chart_trade",
        "Ramp error, complexity over margin, and their sum with the confidence term against the margin",
    )
    covered = bool(table["margin"].iloc[-1] > record["margin_quantiles"].iloc[0][-1])
    st.markdown(trade_off_sentence(here, best, theorem, bool(best["margin"] == table["margin"].iloc[-1]), covered))
