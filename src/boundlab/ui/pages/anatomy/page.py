"""The anatomy page: a bound in six bars, or as a waterfall of all its factors, alone or beside a second one."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.analysis.anatomy import published_to_strict
from boundlab.bounds import ALL, BY_KEY
from boundlab.bounds.base import Bound, only
from boundlab.charts.dumbbell import dumbbell
from boundlab.charts.six import SIX_HEIGHT
from boundlab.charts.theme import styles
from boundlab.charts.waterfall import waterfall
from boundlab.runs.run import Run
from boundlab.specs.own_data import listed_name
from boundlab.specs.settings import Settings
from boundlab.ui import chart
from boundlab.ui.bound_choice import choose_bound, choose_convention, choose_delta
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.formulas import formulas
from boundlab.ui.layout import EMPTY, Figure, figure_first
from boundlab.ui.network_choice import FIGURES, epoch_of, kind_of, named_run, second_run
from boundlab.ui.page import is_dark
from boundlab.ui.pages.anatomy.drawn import factors, names_of, six
from boundlab.ui.pages.anatomy.sides import MODES, MODES_HELP, SIX, Side, changed, second_side, side
from boundlab.ui.run_filters import choose_network, filter_runs
from boundlab.ui.run_tables import runs_of
from boundlab.ui.shelf import datasets, find_run
from boundlab.ui.tables import formatted
from boundlab.ui.untrained import offer_training
from boundlab.words.anatomy import (
    BRIDGE,
    HELD,
    READING,
    bridge_sentence,
)

_SECOND = "Lay the same six bars of a second network beside them."


@st.fragment
@with_controls
def take_apart(controls: Controls) -> None:
    """Sentence, chart, controls; the numbers on request."""
    place = figure_first("anatomy", SIX_HEIGHT + 44)
    stage, changes, more = place.stage.container(gap="xsmall"), place.stage.container(), place.more
    with more:
        mode = controls.choose("More views", MODES, "view", MODES_HELP, width=220)
        kind = kind_of(controls)
    peers, runs = _figure_runs(controls, more) if kind == FIGURES else (pd.DataFrame(), pd.DataFrame())
    if kind == FIGURES and runs.empty:
        stage.info(EMPTY)
        return

    def network(second: bool = False) -> Run | None:
        name, choice = choose_network(controls, runs, second, more)
        if name is None:
            with stage:
                offer_training(choice, peers)
        return None if name is None else find_run(name)

    with place.row:
        run = network() if kind == FIGURES else named_run(controls, kind)
    with more:
        label = epoch_of(controls, run) if run else ""
    settings, bounds = _formula(controls, mode, place.row, more)
    with place.row:
        beside = controls.switch("Second network", "second", help=_SECOND) if mode == SIX else False
    if run is None:
        return
    first = side(run, label, settings)
    if mode == "published to strict":
        _bridge(first, place, stage)
        return
    with place.row:
        other = partial(network, second=True) if kind == FIGURES else partial(second_run, controls, run)
        second = second_side("two networks" if beside else mode, controls, run, label, settings, other)
    if mode == "what if":
        with changes:
            try:
                second = changed(first, controls)
            except ValueError as error:
                stage.warning(f"This geometry is not possible: {error}.")
                return
    if mode == "two epochs" and second is not None:
        first, second = second, first  # in order of time
    _draw(controls, mode, bounds, (first, second), place, stage)
    if mode == "what if" and second is not None:
        with place.stage:
            st.info(HELD, icon=":material/science:")
            _everything(first, second)
    if place.notes.open:
        with place.notes:
            formulas(settings.convention, list(dict.fromkeys(bound.key for bound in bounds)), banner=mode != "what if")


def _figure_runs(controls: Controls, more: DeltaGenerator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs of one data set and one recipe; and those to trust."""
    with more:
        dataset = controls.pick("Data", datasets(), "dataset", called=listed_name)
        return filter_runs(controls, runs_of(dataset))


def _formula(
    controls: Controls, mode: str, row: DeltaGenerator, more: DeltaGenerator
) -> tuple[Settings, tuple[Bound, Bound]]:
    """Convention, delta and which bound, of the first and of the second side; two views have their own."""
    if mode in ("published to strict", "two theorems"):
        with more:
            return Settings("strict", choose_delta(controls)), (BY_KEY["sparse"], BY_KEY["doubled"])
    with more:
        convention = choose_convention(controls)
        settings = Settings(convention, choose_delta(controls))
    with row:
        bound = choose_bound(controls, convention, 200)
    return settings, (bound, bound)


def _draw(
    controls: Controls,
    mode: str,
    bounds: tuple[Bound, Bound],
    sides: tuple[Side, Side | None],
    place: Figure,
    stage: DeltaGenerator,
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
    drawn = six(controls, bounds[0], sides, values) if mode == SIX else factors(controls, sides, values, place.more)
    names = names_of(bounds, *sides)
    place.headline.markdown(drawn.headline)
    with stage:
        if sides[1] is not None:
            st.caption(names)
        points = drawn.table.assign(label=drawn.table["label"].str.removeprefix("+ "))  # a leading + makes a formula
        file = f"boundlab-anatomy-{bounds[0].key}"
        chart.show(drawn.figure, "chart_waterfall", drawn.headline, points, file, names.replace("*", ""))
    if place.notes.open:
        with place.notes:
            if sides[1] is None:
                st.caption(names)
            st.caption(READING)
            st.markdown(drawn.words)
            _numbers(drawn.table)


def _numbers(table: pd.DataFrame) -> None:
    table = table.assign(label=table["label"].str.removeprefix("+ "))
    st.dataframe(
        formatted(table.drop(columns=["row", "group"])), hide_index=True, alt="Factors in log2 and their meaning"
    )


def _bridge(first: Side, place: Figure, stage: DeltaGenerator) -> None:
    """From the plotted curve to the proved one."""
    try:
        rows = published_to_strict(first.world.norms, first.world.sample, first.settings)
    except ValueError as error:
        stage.info(str(error))
        return
    table = rows[["row", "label", "kind", "group"]].assign(difference=0.0)
    said = bridge_sentence(rows)
    names = f"Sparse bound, from the published curve to Theorem S · δ = {first.settings.delta:g} · {first.name}"
    numbers = rows.drop(columns=["start", "end"])
    place.headline.markdown(said)
    with stage:
        points = numbers.assign(label=numbers["label"].str.removeprefix("+ "))
        figure = waterfall(rows, None, table, is_dark())
        chart.show(figure, "chart_waterfall", said, points, "boundlab-anatomy-published-to-strict", names)
    if place.notes.open:
        with place.notes:
            st.caption(names)
            st.caption(BRIDGE)
            _numbers(numbers)
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
