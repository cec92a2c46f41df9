"""The anatomy page: a bound as a waterfall of its factors, alone or beside a second one."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.analysis.anatomy import anatomy, joined, published_to_strict
from boundlab.bounds import ALL, BY_KEY
from boundlab.bounds.base import Bound, only
from boundlab.charts.dumbbell import dumbbell
from boundlab.charts.theme import styles
from boundlab.charts.waterfall import waterfall
from boundlab.runs.run import Run
from boundlab.specs.settings import Settings
from boundlab.ui import chart
from boundlab.ui.bound_choice import choose_bound, choose_convention, choose_delta
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.formulas import formulas
from boundlab.ui.layout import EMPTY, chart_first, controls_row
from boundlab.ui.network_choice import FIGURES, epoch_of, kind_of, named_run, second_run
from boundlab.ui.page import is_dark
from boundlab.ui.pages.anatomy.sides import MODES, MODES_HELP, Side, changed, second_side, side
from boundlab.ui.run_filters import choose_network, filter_runs
from boundlab.ui.run_tables import runs_of
from boundlab.ui.shelf import datasets, find_run
from boundlab.ui.tables import formatted
from boundlab.ui.untrained import offer_training
from boundlab.words.anatomy import BRIDGE, HELD, READING, bridge_sentence, largest_terms, moved_terms


@st.fragment
@with_controls
def take_apart(controls: Controls) -> None:
    """Controls, waterfall, what it says, the numbers."""
    with chart_first():
        (row, more), changes, stage = controls_row(), st.container(), st.container()
    with row:
        mode = controls.choose("View", MODES, "view", MODES_HELP, width=200)
    with more:
        kind = kind_of(controls)
    peers, runs = _figure_runs(controls, row, more) if kind == FIGURES else (pd.DataFrame(), pd.DataFrame())
    if kind == FIGURES and runs.empty:
        stage.info(EMPTY)
        return

    def network(second: bool = False) -> Run | None:
        name, choice = choose_network(controls, runs, second, more)
        if name is None:
            with stage:
                offer_training(choice, peers)
        return None if name is None else find_run(name)

    with row:
        run = network() if kind == FIGURES else named_run(controls, kind)
        label = epoch_of(controls, run) if run else ""
    settings, bounds = _formula(controls, mode, row, more)
    if run is None:
        return
    first = side(run, label, settings)
    if mode == "published to strict":
        _bridge(first, stage)
        return
    with row:
        other = partial(network, second=True) if kind == FIGURES else partial(second_run, controls, run)
        second = second_side(mode, controls, run, label, settings, other)
    if mode == "what if":
        with changes:
            try:
                second = changed(first, controls)
            except ValueError as error:
                stage.warning(f"This geometry is not possible: {error}.")
                return
    if mode == "two epochs" and second is not None:
        first, second = second, first  # in order of time
    _draw(controls, bounds, (first, second), stage, more)
    if mode == "what if" and second is not None:
        stage.info(HELD, icon=":material/science:")
        _everything(first, second)
    formulas(settings.convention, list(dict.fromkeys(bound.key for bound in bounds)), banner=mode != "what if")


def _figure_runs(controls: Controls, row: DeltaGenerator, more: DeltaGenerator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs of one data set and one recipe; and those to trust."""
    with row:
        dataset = controls.pick("Data", datasets(), "dataset")
    with more:
        return filter_runs(controls, runs_of(dataset))


def _formula(
    controls: Controls, mode: str, row: DeltaGenerator, more: DeltaGenerator
) -> tuple[Settings, tuple[Bound, Bound]]:
    """Convention, delta and which bound, of the first and of the second side; two views have their own."""
    if mode in ("published to strict", "two theorems"):
        with more:
            return Settings("strict", choose_delta(controls)), (BY_KEY["sparse"], BY_KEY["doubled"])
    with row:
        convention = choose_convention(controls)
        bound = choose_bound(controls, convention)
    with more:
        return Settings(convention, choose_delta(controls)), (bound, bound)


def _draw(
    controls: Controls,
    bounds: tuple[Bound, Bound],
    sides: tuple[Side, Side | None],
    stage: DeltaGenerator,
    more: DeltaGenerator,
) -> None:
    """`bounds`: of the first and of the second side."""
    values = []
    for bound, each in zip(bounds, sides, strict=True):
        if each is not None:
            values.append(each.value(bound))
            if values[-1].value is None:
                stage.info(
                    f"{styles(each.settings.convention)[bound.key].name} has no number for **{each.name}**: {values[-1].reason}."
                )
                return
    first, second = sides
    words = largest_terms(anatomy(values[0], per_layer=False))
    layers = len(first.world.norms.layers)
    with more:
        per_layer = not controls.switch("Multiply the layers together", "merge") if layers > 1 else True
    rows = [anatomy(value, per_layer) for value in values]
    table = joined(rows[0], rows[-1])
    with stage:
        _names(bounds, first, second)
        chart.show(
            waterfall(rows[0], rows[1] if second else None, table, is_dark()),
            "chart_waterfall",
            moved_terms(table) if second else words,
        )
    st.caption(READING)
    st.markdown(moved_terms(table) if second else words)
    _numbers(table if second else rows[0].drop(columns=["start", "end"]), bounds[0].key)


def _names(bounds: tuple[Bound, Bound], first: Side, second: Side | None) -> None:
    if bounds[0] is not bounds[1] and second is not None:
        st.caption(
            f"{first.name} · {first.settings.convention} · δ = {first.settings.delta:g} · **solid**: Theorem S · **hatched**: Theorem S2"
        )
        return
    words = f"{styles(first.settings.convention)[bounds[0].key].name} · {first.settings.convention} · δ = {first.settings.delta:g}"
    st.caption(
        f"{words} · {first.name}"
        if second is None
        else f"{words} · **solid**: {first.name} · **hatched**: {second.name}"
    )


def _numbers(table: pd.DataFrame, name: str) -> None:
    table = table.assign(label=table["label"].str.removeprefix("+ "))  # a spreadsheet takes a leading + for a formula
    st.download_button(
        "CSV of what is drawn",
        table.to_csv(index=False, float_format="%.10g"),
        f"boundlab-anatomy-{name}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    with st.expander("Every factor, with what it is"):
        st.dataframe(
            formatted(table.drop(columns=["row", "group"])), hide_index=True, alt="Factors in log2 and their meaning"
        )


def _bridge(first: Side, stage: DeltaGenerator) -> None:
    """From the plotted curve to the proved one."""
    try:
        rows = published_to_strict(first.world.norms, first.world.sample, first.settings)
    except ValueError as error:
        stage.info(str(error))
        return
    table = rows[["row", "label", "kind", "group"]].assign(difference=0.0)
    alt = bridge_sentence(rows)
    with stage:
        st.caption(f"Sparse bound, from the published curve to Theorem S · δ = {first.settings.delta:g} · {first.name}")
        chart.show(waterfall(rows, None, table, is_dark()), "chart_waterfall", alt)
    st.caption(BRIDGE)
    st.markdown(alt)
    _numbers(rows.drop(columns=["start", "end"]), "published-to-strict")
    formulas("strict", ["sparse"])


def _everything(first: Side, second: Side) -> None:
    """Every bound before and after the change."""
    rows = []
    for bound in ALL:
        if first.settings.convention not in bound.formulas:
            continue
        before, after = first.value(bound), second.value(bound)
        numbers = [np.nan if v.value is None else only(v.value) for v in (before, after)]
        rows.append({"series": bound.key, "before": numbers[0], "after": numbers[1], "reason": after.reason})
    table = pd.DataFrame(rows)
    st.markdown("##### Every bound")
    logs = np.log2(table[["before", "after"]].to_numpy(float))
    logs = logs[np.isfinite(logs)]
    low, high = (5 * np.floor(min(0.0, logs.min(initial=0)) / 5), 5 * np.ceil((logs.max(initial=0) + 1) / 5))
    reach = (low - 0.04 * (high - low), high + 0.34 * (high - low))
    chart.show(
        dumbbell(table, reach, is_dark()),
        "chart_dumbbell",
        "Every bound as trained and under the change; the table below has the numbers",
    )
    for why, part in table.dropna(subset=["reason"]).groupby("reason"):
        st.caption(f"{', '.join(styles(first.settings.convention)[s].name for s in part['series'])}: {why}.")
