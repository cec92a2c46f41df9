"""What the figure pages draw and say, made once for all readers who choose the same.

The collection of garbage visits all that is kept while everybody waits: tables are therefore kept pickled (cache_data),
and only films and a few figures as they are (cache_resource); nobody changes them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from boundlab.analysis.scaling import margins_of
from boundlab.analysis.tables import N_TRAIN
from boundlab.charts.canvas import canvas
from boundlab.charts.guide import inverse_root
from boundlab.charts.theme import LEADS
from boundlab.charts.trend import Film, Picture, film
from boundlab.ui.chart import KeptFigure
from boundlab.ui.pages.figures.numbers import csv, wide_table
from boundlab.ui.pages.figures.paper import overlay
from boundlab.ui.pages.figures.selection import panel_labels
from boundlab.ui.pages.figures.view import Overlay, View, csv_columns
from boundlab.ui.shelf import find_run
from boundlab.words import figures, notices
from boundlab.words.alternative import figure_words
from boundlab.words.headline import figure_headline
from boundlab.words.memorisation import NOISE, SUBSETS, memorisation_headline, memorisation_notes


@dataclass(frozen=True)
class Drawing:
    """All positions of the handle."""

    values: list[float]
    over: Overlay
    film: Film
    alt: str  # what it shows, at all positions


@st.cache_resource(show_spinner=False, max_entries=64)  # 0.9 MB each
def _drawing(_view: View, key: str, dark: bool) -> Drawing:
    axis, curves, own, shown = _view.axis, _view.curves(), _view.own_curves(), _view.shown
    values = _view.frames()
    over = overlay(axis, _view.paper, _view, curves[curves["frame"] == curves["frame"].max()], shown)
    drawn, mine = _view.drawn(curves), _view.drawn(own)
    finals = _view.finals()
    finals = finals[finals["run"].isin(_view.peers)]
    finals = finals[finals["conv_layers"].isin(_view.selection.runs["conv_layers"].unique())]
    finals = pd.concat([finals[["log2_value"]], pd.DataFrame({"log2_value": np.log2(own["mean"][own["mean"] > 0])})])
    area = canvas(
        pd.concat([drawn, mine]) if len(mine) else drawn,
        finals,
        axis,
        _view.scale,
        shown,
        _view.selection.panels,
        over.curves,
        dark,
        _view.settings.convention,
    )
    behind = inverse_root(drawn, area) if axis is N_TRAIN else []
    every = pd.concat([curves, own]) if len(own) else curves
    alt = figure_words(every, axis, shown, _view.settings.convention, _view.handle.name if _view.handle else "")
    return Drawing(values, over, film(drawn, axis, shown, area, over.curves, behind, mine), alt)


def drawing(view: View, dark: bool) -> Drawing:
    """What is drawn, at every position."""
    return _drawing(view, view.key, dark)


@st.cache_resource(show_spinner=False, max_entries=16)  # garbage collection visits all parts of a figure
def _picture(_view: View, key: str, dark: bool, base: int) -> Picture:
    made = _drawing(_view, key, dark).film.at(base)
    return dataclasses.replace(made, figure=KeptFigure(made.figure))


def picture(view: View, dark: bool, base: int) -> Picture:
    """The picture with its figure drawn at one position."""
    return _picture(view, view.key, dark, base)


@dataclass(frozen=True)
class Reading:
    """What is said at one position of the handle, whether or not the notes are open."""

    headline: str
    caption: str


@dataclass(frozen=True)
class Noted:
    """What the notes hold at one position of the handle."""

    notices: list[tuple[str, str]]
    not_drawn: list[str]
    table: pd.DataFrame  # single runs


def _here(view: View, at: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Curves, and single runs' rows, at one position."""
    rows, curves, own = view.rows(), view.curves(), view.own_curves()
    value = view.frames()[at]
    here, now = curves[curves["frame"] == value], rows[rows[view.handle.column] == value] if view.handle else rows
    return here if len(here) else own[own["frame"] == value], now


@st.cache_data(show_spinner=False, max_entries=512)
def _reading(_view: View, key: str, at: int) -> Reading:
    here, now = _here(_view, at)
    caption = figures.caption(now, _view.settings, own_over=True)
    axis, settings, panels = _view.axis, _view.settings, _view.selection.panels
    if axis.study:
        return Reading(memorisation_headline(here, now, axis, settings, panels), caption)
    return Reading(figure_headline(here, axis, settings, panels), caption)


@st.cache_data(show_spinner=False, max_entries=512)  # 10 kB each
def _noted(_view: View, key: str, at: int) -> Noted:
    handle, shown = _view.handle, _view.shown
    here, now = _here(_view, at)
    where = f"{handle.name} {panel_labels([_view.frames()[at]], handle)[0]}" if handle else ""
    drawn = now[now["series"].isin(shown)]
    return Noted(
        _notices(_view, here, now, where),
        figures.not_drawn(now[now["series"].isin(shown) | now["reason"].notna()], _view.scale),
        wide_table(drawn.dropna(subset=["value"]), _view.axis, shown, _view.selection.panel),
    )


def _notices(view: View, here: pd.DataFrame, runs: pd.DataFrame, where: str) -> list[tuple[str, str]]:
    """About what is drawn; the leading bound and the test error too, hidden or not. `runs`: single runs' rows."""
    if view.axis.study:
        return _of_study(view, here, runs)
    rows = here[here["series"].isin([*view.shown, *LEADS, "test_error"])]
    found = notices.notices(rows, view.axis, view.settings, view.selection.panels, where)
    lone = figures.lone(runs, view.axis) if len(found) == 1 else ""
    return [*found, *([("", lone)] if lone else [])]


def _of_study(view: View, here: pd.DataFrame, runs: pd.DataFrame) -> list[tuple[str, str]]:
    """Of every panel what to notice in it."""
    margins = margins_of([find_run(name) for name in runs["run"].unique()])
    panel, found = view.selection.panel, []
    for key, title in view.selection.panels.items():
        mine = runs[runs[panel] == key] if panel else runs
        lines = memorisation_notes(here[here["panel"] == key], mine, margins, view.axis, view.settings)
        found += [(title if number == 0 else "", line) for number, line in enumerate(lines)]
    return [*found, ("", NOISE), ("", SUBSETS)]


def reading(view: View, at: int) -> Reading:
    """What is said at one position."""
    return _reading(view, view.key, at)


def noted(view: View, at: int) -> Noted:
    """What the notes hold at one position."""
    return _noted(view, view.key, at)


def points(view: View, over: Overlay, at: int) -> str:
    """CSV of the points drawn at one position."""
    shared = csv_columns(_here(view, at)[1], view.axis, view.scale, view.settings)
    value = view.frames()[at]
    curves, own = (
        rows[(rows["frame"] == value) & rows["series"].isin(view.shown)]
        for rows in (view.drawn(view.curves()), view.drawn(view.own_curves()))
    )
    return csv(curves, over, view.axis, shared, own)
