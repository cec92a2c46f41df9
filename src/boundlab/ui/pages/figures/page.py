"""The figure page: one sentence, chart, handle, controls, and the notes on request. One implementation for every axis."""

from __future__ import annotations

import functools
from collections.abc import Collection

import pandas as pd
import streamlit as st

from boundlab.analysis.curves import SCALES
from boundlab.analysis.tables import AXES, Axis
from boundlab.charts.theme import HEIGHT
from boundlab.specs.own_data import listed_name
from boundlab.specs.settings import Settings
from boundlab.ui import chart
from boundlab.ui.bound_choice import choose_convention, choose_delta, choose_series
from boundlab.ui.cite import cite
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.formulas import formulas, show_not_drawn
from boundlab.ui.handle import Standing
from boundlab.ui.layout import EMPTY, Figure, figure_first
from boundlab.ui.once import column_of
from boundlab.ui.page import is_dark, title
from boundlab.ui.pages.figures.drawing import drawing, noted, picture, points, reading
from boundlab.ui.pages.figures.heat import (
    HEAT,
    HEAT_CONTROLS,
    Ground,
    has_heat_map,
    heat_choice,
    heat_page,
    show_heat_map,
)
from boundlab.ui.pages.figures.live import live_part
from boundlab.ui.pages.figures.neighbours import make_neighbours
from boundlab.ui.pages.figures.numbers import numbers_section
from boundlab.ui.pages.figures.own import own_control
from boundlab.ui.pages.figures.paper import paper_control
from boundlab.ui.pages.figures.selection import (
    ONE,
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
from boundlab.ui.selected import selected_runs
from boundlab.ui.shelf import datasets, visible_runs
from boundlab.ui.untrained import gaps, offer_training

BAR = 52  # pixels of the handle under the chart
# the order of the figures in the paper's announcement, as it calls them
_ANNOUNCED = {"epoch": "comparison", "weight_decay": "λ", "channels": "channels", "depth": "layers"}
SCALE_HELP = (
    "log2: like the paper's figures · linear: the values themselves, up to a little above the sparse bound · relative: "
    "every line divided by its own first point, to compare trends"
)
_DATA_HELP = "MNIST: 60,000 images. digits: 1,437 images of 8×8."
_PANELS_HELP = (
    "Small multiples side by side, on the same axes, like the paper's three panels; best on a wide screen. heat map: one bound "
    "or error of all networks at once, over two of λ, width and depth."
)


@st.fragment
@with_controls
def explore(controls: Controls, axis: Axis) -> None:
    """Sentence, chart with its handle, controls, then the notes; a moved control reruns only this."""
    place, standing = figure_first(axis.key, HEIGHT + BAR), Standing(f"player_{axis.key}")
    lit = selected_runs(controls)
    with place.row:
        dataset = controls.pick("Data", datasets(), "dataset", _DATA_HELP, called=listed_name)
        sliders = st.container()
        convention = choose_convention(controls)
        heat_controls = st.container(horizontal=True, key=HEAT_CONTROLS)
    with place.more:
        across = st.container(horizontal=True)
        with across:
            settings = Settings(convention, choose_delta(controls))
        every = filter_origin(controls, runs_of(dataset))
        peers = filter_recipe(controls, every)
        runs = filter_trusted(controls, peers)
        if runs.empty:
            place.stage.info(EMPTY)
            _live(axis, place, ())
            return
        with across:
            choices = [*panel_choices(runs, axis), *([HEAT] if has_heat_map(runs) else [])]
            panels = controls.choose("Panels", choices, "panels", _PANELS_HELP) if len(choices) > 1 else ONE
    ground = Ground(dataset, settings, peers, runs, lit)
    if panels == HEAT:
        with heat_controls:
            shown = heat_choice(controls, axis.key, ground, across)
        heat_page(shown, ground, place)
        return
    with across:
        scale = controls.pick("Scale", SCALES, "scale", SCALE_HELP)
        paper = paper_control(axis, controls)
    with place.more:
        series = choose_series(controls, convention)
    with sliders:
        selection = select(controls, runs, axis, panels)
    if selection.runs.empty:
        controls.spare()
        with place.stage:
            offer_training(selection.choice, peers)
        _live(axis, place, ())
        return
    with place.more:
        own = own_control(controls, every, selection)
    ids, seen = column_of(peers, "run"), visible_runs()
    view = View(axis, dataset, settings, scale, selection, ids, paper, series, seen, own, lit)
    show_view(view, controls, place, peers, standing)


def show_view(view: View, controls: Controls, place: Figure, peers: pd.DataFrame, standing: Standing) -> None:
    """The picture with its handle, the sentence above it, and the notes. `peers`: all runs of the recipe."""
    axis, handle, key, dark = view.axis, view.handle, f"player_{view.axis.key}", is_dark()
    drawn = drawing(view, dark)
    names = panel_labels(drawn.values, handle)
    at = handle_position(controls, view.selection, names, key)
    if at is None:
        with place.stage:
            offer_training(at_handle(controls, view.selection), peers)
        _live(axis, place, ())
        return
    now = reading(view, at)
    file = f"boundlab-{view.dataset}-{axis.key}" + (f"-{handle.word}" if handle else "")
    words = " · ".join(filter(None, [now.caption, drawn.over.short]))
    shot = standing.picture(drawn.film, lambda: picture(view, dark, at))
    csv = functools.partial(points, view, drawn.over, at)
    _live(axis, place, view.runs, now.headline)
    with place.stage:
        chart.draw(shot.figure, f"chart_{axis.key}", f"Bounds, test and train error against {axis.title}")
        name, stamp = handle.name if handle else "", drawn.film.stamp
        player(key, shot, name, names, at, file, words, points=csv, serial=stamp, alt=drawn.alt)
        if st.context.is_embedded:
            st.caption(words)
    make_neighbours(view, dark, -1 if at == len(drawn.values) - 1 else at)
    if place.notes.open:
        with place.notes:
            st.caption(words)
            _notes(view, at, drawn.over.note, peers)
            cite(words, [*view.runs, *view.own])


def _live(axis: Axis, place: Figure, shown: Collection[str], headline: str = "") -> None:
    """The sentence above the figure, and beside it, where the figure is that of epochs, what is trained just now."""
    with place.headline, st.container(horizontal=True, vertical_alignment="center"):
        if headline:
            st.markdown(headline, width="content")
        if axis.key == "epoch":
            live_part(visible_runs(), shown)


def _notes(view: View, at: int, paper_note: str, peers: pd.DataFrame) -> None:
    """What to notice at this position, what the overlay is, what is not drawn and why, every number."""
    now = noted(view, at)
    for panel, words in now.notices:
        st.markdown(f"**{panel}**: {words}" if panel else words)
    if paper_note:
        st.caption(paper_note)
    formulas(view.settings.convention, view.shown)
    show_not_drawn(now.not_drawn)
    if not view.axis.study:
        with st.container(horizontal=True):
            gaps(view.selection.combinations, peers)
            if has_heat_map(view.selection.listing):
                st.button("All networks as a heat map", icon=":material/grid_view:", on_click=show_heat_map)
    numbers_section(now.table, view.axis)


def explore_axis(key: str) -> None:
    """The figure page of one of `tables.AXES`."""
    explore(AXES[key])


def figure_title(key: str, name: str, question: str) -> None:
    """The page's name, and which figure it is in the paper and in the paper's announcement: their orders differ."""
    number, order = AXES[key].paper_figure, list(_ANNOUNCED)
    place = order.index(key) + 1
    help = f"{question} The paper's figure {number}; its announcement shows {', '.join(_ANNOUNCED.values())}: there it is number {place}."
    title(name, f"figure {number} · announcement {place}", help)
