"""The figure page: controls, handle, chart, what to notice, table. One implementation for every axis."""

from __future__ import annotations

import functools

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.analysis.curves import SCALES
from boundlab.analysis.tables import AXES, Axis
from boundlab.charts.trend import Picture
from boundlab.specs.settings import Settings
from boundlab.ui import chart
from boundlab.ui.bound_choice import choose_convention, choose_delta, choose_series
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.formulas import formulas, show_not_drawn
from boundlab.ui.layout import EMPTY, chart_first, controls_row
from boundlab.ui.page import is_dark
from boundlab.ui.pages.figures.drawing import Reading, drawing, picture, points, reading
from boundlab.ui.pages.figures.heat import (
    HEAT,
    HEAT_CONTROLS,
    Ground,
    has_heat_map,
    heat_choice,
    heat_page,
    show_heat_map,
)
from boundlab.ui.pages.figures.numbers import numbers_section
from boundlab.ui.pages.figures.paper import paper_control
from boundlab.ui.pages.figures.selection import (
    ONE,
    anchored,
    at_handle,
    handle_position,
    panel_choices,
    panel_labels,
    select,
)
from boundlab.ui.pages.figures.view import View
from boundlab.ui.player import player
from boundlab.ui.run_filters import filter_origin, filter_recipe, filter_trusted
from boundlab.ui.run_tables import runs_of
from boundlab.ui.shelf import datasets
from boundlab.ui.untrained import gaps, offer_training

_SCALE_HELP = (
    "log2: like the paper's figures · linear: the values themselves, up to a little above the sparse bound · relative: "
    "every line divided by its own first point, to compare trends"
)
_PANELS_HELP = (
    "Small multiples side by side, on the same axes, like the paper's three panels; best on a wide screen. heat map: one bound "
    "or error of all networks at once, over two of λ, width and depth."
)


@st.fragment
@with_controls
def explore(controls: Controls, axis: Axis) -> None:
    """Controls above, chart, then words and numbers; a moved control reruns only this."""
    with chart_first():
        (row, more), stage = controls_row(), st.container(key=f"stage_{axis.key}")
    with row:
        dataset = controls.pick("Data", datasets(), "dataset", "MNIST: 60,000 images. digits: 1,437 images of 8×8.")
        sliders = st.container()
        convention = choose_convention(controls)
        heat_controls = st.container(horizontal=True, key=HEAT_CONTROLS)
    with more:
        across = st.container(horizontal=True)
        with across:
            settings = Settings(convention, choose_delta(controls))
        peers = filter_recipe(controls, filter_origin(controls, runs_of(dataset)))
        runs = filter_trusted(controls, peers)
        if runs.empty:
            stage.info(EMPTY)
            return
        with across:
            choices = [*panel_choices(runs, axis), *([HEAT] if has_heat_map(runs) else [])]
            panels = controls.choose("Panels", choices, "panels", _PANELS_HELP) if len(choices) > 1 else ONE
    ground = Ground(dataset, settings, peers, runs)
    if panels == HEAT:
        with heat_controls:
            shown = heat_choice(controls, axis.key, ground)
        heat_page(shown, ground, stage)
        return
    with across:
        scale = controls.pick("Scale", SCALES, "scale", _SCALE_HELP)
        paper = paper_control(axis, controls)
    with more:
        series = choose_series(controls, convention)
    with sliders:
        selection = select(controls, runs, axis, panels)
    if selection.runs.empty:
        controls.spare()
        with stage:
            offer_training(selection.choice, peers)
        return
    _show(View(axis, dataset, settings, scale, selection, peers["run"], paper, series), controls, stage, peers)


def _show(view: View, controls: Controls, stage: DeltaGenerator, peers: pd.DataFrame) -> None:
    axis, handle, key, dark = view.axis, view.handle, f"player_{view.axis.key}", is_dark()
    drawn = drawing(view, dark)
    names = panel_labels(drawn.values, handle)
    at = handle_position(controls, view.selection, names, key)
    if at is None:
        with stage:
            offer_training(at_handle(controls, view.selection), peers)
        return
    base = anchored(key, (view.settings, view.scale, view.runs, view.paper, view.shown, dark), at)
    now = reading(view, at)
    file = f"boundlab-{view.dataset}-{axis.key}" + (f"-{handle.word}" if handle else "")
    words = " · ".join(filter(None, [now.caption, drawn.over.short]))
    shot = picture(view, dark, base)
    with stage:
        player(key, shot, handle.name if handle else "", names, at, file, words)
        _chart(axis, shot)
        st.caption(words)  # below, so that its length does not move the chart
    _words(view, now, drawn.over.note)
    with st.container(horizontal=True):
        gaps(view.selection.combinations, peers)
        if has_heat_map(view.selection.listing):
            st.button("All networks as a heat map", icon=":material/grid_view:", on_click=show_heat_map)
    csv = functools.partial(points, view, drawn.over, now.shared, at)
    numbers_section(now.table, csv, axis, file + (names[at] if handle else ""))


def _chart(axis: Axis, picture: Picture) -> None:
    chart.show(
        picture.figure,
        f"chart_{axis.key}",
        f"Bounds, test and train error against {axis.title}; the words below the chart say what it shows",
    )


def _words(view: View, now: Reading, paper_note: str) -> None:
    """What to notice at this position, what the overlay is, what is not drawn and why."""
    for title, words in now.notices:
        st.markdown(f"**{title}**: {words}" if title else words)
    if paper_note:
        st.caption(paper_note)
    formulas(view.settings.convention, view.shown)
    show_not_drawn(now.not_drawn)


def explore_axis(key: str) -> None:
    """The figure page of one of `tables.AXES`."""
    explore(AXES[key])
