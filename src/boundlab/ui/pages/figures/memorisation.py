"""Page Memorisation: bounds and errors against the share of labels drawn at random, or against the number of images."""

from __future__ import annotations

import streamlit as st

from boundlab.analysis.curves import SCALES
from boundlab.analysis.tables import LABEL_NOISE, N_TRAIN
from boundlab.charts.theme import HEIGHT
from boundlab.specs.own_data import listed_name
from boundlab.specs.settings import Settings
from boundlab.ui.bound_choice import choose_convention, choose_delta, choose_series
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.handle import Standing
from boundlab.ui.layout import figure_first
from boundlab.ui.once import column_of
from boundlab.ui.pages.figures.own import own_control
from boundlab.ui.pages.figures.page import BAR, SCALE_HELP, show_view
from boundlab.ui.pages.figures.paper import OFF
from boundlab.ui.pages.figures.selection import ONE, panel_choices, select
from boundlab.ui.pages.figures.view import View
from boundlab.ui.run_filters import filter_origin, filter_recipe
from boundlab.ui.run_tables import runs_of
from boundlab.ui.selected import selected_runs
from boundlab.ui.shelf import datasets, visible_runs
from boundlab.ui.untrained import offer_training

_ALONG = {"label noise": LABEL_NOISE, "training images": N_TRAIN}
_ALONG_HELP = (
    "label noise: a share of the training labels is drawn at random, each class as likely as any other, and the network is trained on "
    "them; test labels stay true · training images: the first n of one order, so that fewer are part of more. The handle moves the other one."
)
_FIRST = "digits"
_STUDY = LABEL_NOISE.study
_SCALE = "relative"  # who notices is a question of factors
_NOTHING = "No run of the recipe *long* is there: restore `data/runs`, or train some on page Train."


@st.fragment
@with_controls
def memorisation(controls: Controls) -> None:
    """Sentence, chart with its handle, controls, then the notes. All runs are drawn, ringed where their training error is not near 0."""
    place, known = figure_first("memorisation", HEIGHT + BAR), datasets(_STUDY)
    lit = selected_runs(controls)
    if not known:
        controls.spare()
        place.stage.info(_NOTHING)
        return
    with place.row:
        axis = _ALONG[controls.pick("Along", list(_ALONG), "along", _ALONG_HELP)]
        sliders = st.container()
        convention = choose_convention(controls)
    standing = Standing(f"player_{axis.key}")
    with place.more:
        dataset = _data(controls, known)
        across = st.container(horizontal=True)
        every = filter_origin(controls, runs_of(dataset, study=_STUDY))
        peers = filter_recipe(controls, every)
    if peers.empty:  # none shipped, and those trained here are left aside
        controls.spare()
        place.stage.info(_NOTHING)
        return
    with across:
        settings = Settings(convention, choose_delta(controls))
        choices = panel_choices(peers, axis)
        panels = controls.choose("Panels", choices, "panels") if len(choices) > 1 else ONE
        scale = controls.pick("Scale", SCALES, "scale", SCALE_HELP, default=_SCALE)
    with place.more:
        series = choose_series(controls, convention)
    with sliders:
        selection = select(controls, peers, axis, panels)
    if selection.runs.empty:
        controls.spare()
        with place.stage:
            offer_training(selection.choice, peers)
        return
    with place.more:
        own = own_control(controls, every, selection)
    ids, seen = column_of(peers, "run"), visible_runs()
    view = View(axis, dataset, settings, scale, selection, ids, OFF, series, seen, own, lit)
    show_view(view, controls, place, peers, standing)


def _data(controls: Controls, known: list[str]) -> str:
    """The data set; a choice only where there are several."""
    if len(known) > 1:
        first = _FIRST if _FIRST in known else None  # as links of the time when these were all
        return controls.pick("Data", known, "dataset", default=first, called=listed_name)
    controls.check("dataset", known, "Data")
    return known[0]
