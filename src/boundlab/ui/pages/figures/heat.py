"""The heat map of a figure page: one bound or error over two of the three variables, the third by its slider."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.analysis.cells import cells
from boundlab.analysis.tables import AXES, MEASURED, SERIES
from boundlab.bounds import ALL
from boundlab.charts.heat_colours import Scale
from boundlab.charts.heat_map import CellAxis, heat_map
from boundlab.charts.theme import STYLES, styles
from boundlab.specs.settings import Settings
from boundlab.ui import chart
from boundlab.ui.cite import cite
from boundlab.ui.controls import Controls
from boundlab.ui.formulas import formulas, show_not_drawn
from boundlab.ui.layout import Figure
from boundlab.ui.once import values_of
from boundlab.ui.page import is_dark
from boundlab.ui.player import save_bar
from boundlab.ui.run_tables import table
from boundlab.ui.tables import formatted
from boundlab.ui.untrained import gaps, offer_one
from boundlab.ui.variables import VARIABLES, Choice, narrow, standing_at, without_rows
from boundlab.words import figures
from boundlab.words.heat_map import heat_details, heat_headline
from boundlab.words.untrained import combination

HEAT, HEAT_CONTROLS = "heat map", "heat_controls"
_ROW = f"""<style>@media (min-width: 641px) {{
[data-testid="stLayoutWrapper"]:has(.st-key-{HEAT_CONTROLS}.st-key-{HEAT_CONTROLS}) {{ min-width: min(358px, 100%); }}
}}</style>"""
_NO_LABELS = """<style>@media (max-width: 640px) {
[class*="st-key-stage"] .textpoint { display: none; }
}</style>"""
_MOST_ON_A_PHONE = 8  # columns whose values can be read there
_PAIRS = {  # name in the link -> x, y
    "λ × width": ("weight_decay", "channels"),
    "λ × depth": ("weight_decay", "conv_layers"),
    "width × depth": ("channels", "conv_layers"),
}
_FIRST = {"channels": "width × depth", "depth": "λ × depth"}  # of a page; else the first
_COLUMNS = {axis.column: axis.title for axis in AXES.values()} | {  # of the table, in plain words
    "mean": "mean over seeds",
    "low": "smallest seed",
    "high": "largest seed",
    "trained": "trained",
    "at_plateau": "at the plateau",
    "selected": "with selected runs",
}
_TITLES = {axis.column: axis.title for axis in AXES.values()}


@dataclass(frozen=True)
class Ground:
    """What a heat map is of. `peers`: all runs of the recipe; `runs`: of these the ones to trust; `selected`: the ids of those that
    the reader selected, here or not."""

    dataset: str
    settings: Settings
    peers: pd.DataFrame
    runs: pd.DataFrame
    selected: tuple[str, ...] = ()


def has_heat_map(runs: pd.DataFrame) -> bool:
    """Whether two variables have more than one value."""
    return sum(len(values_of(runs, column)) > 1 for column in VARIABLES) > 1


def show_heat_map() -> None:
    """As a callback: go from lines to the heat map."""
    st.session_state["panels"] = HEAT


@dataclass(frozen=True)
class Shown:
    """Columns along x and y, where the third variable stands, and the series that the colour is."""

    x: str
    y: str
    choice: Choice
    series: str


def heat_choice(controls: Controls, page: str, ground: Ground, more: DeltaGenerator) -> Shown:
    """Its controls; the axes in the drawer."""
    st.html(_ROW)
    with more:
        pair = controls.choose("Axes", list(_PAIRS), "axes", default=_FIRST.get(page), width=150)
    x, y = _PAIRS[pair]
    choice = narrow(controls, ground.runs, [column for column in VARIABLES if column not in (x, y)])
    possible = {bound.key for bound in ALL if ground.settings.convention in bound.formulas} | set(MEASURED)
    looks = styles(ground.settings.convention)
    keys = {STYLES[key].name: key for key in reversed(SERIES) if key in possible}
    named = lambda name: looks[keys[name]].name  # noqa: E731
    first = STYLES["doubled" if "doubled" in possible else "sparse"].name
    quantity = controls.choose("Colour", list(keys), "quantity", default=first, width=165, called=named)
    return Shown(x, y, choice, keys[quantity])


def heat_page(shown: Shown, ground: Ground, place: Figure) -> None:
    """What it says, chart, notes on request."""
    x, y, choice, series = shown.x, shown.y, shown.choice, shown.series
    every = table(ground.dataset, ground.settings)
    every = every[every["run"].isin(ground.runs["run"]) & (every["series"] == series)]
    here = standing_at(every.assign(selected=every["run"].isin(ground.selected)), choice.at)
    across, up = (CellAxis(column, sorted(ground.runs[column].unique()), _TITLES[column]) for column in (x, y))
    grid = cells(here, x, y, series, across.values, up.values)
    places = [{x: row[x], y: row[y]} | choice.at for _, row in grid.iterrows()]
    words, details = heat_headline(grid, x, y, series, ground.settings.convention), heat_details(grid, x, y, series)
    if grid["mean"].isna().all():
        place.stage.info(f"{words} {' '.join(figures.not_drawn(here))}")
    else:
        drawn = grid.assign(left_out=[not missing for missing in without_rows(places, ground.peers)])
        names = [combination(at, _title(at)) for at in places]
        scale = Scale.over(every["value"], series not in MEASURED)
        figure = heat_map(drawn, across, up, series, scale, names, is_dark(), ground.settings.convention)
        place.headline.markdown(words)
        file = f"boundlab-{ground.dataset}-heat-map-{series}"
        with place.stage:
            picked = _stage(figure, file, words, _caption(here, shown, ground), _csv(grid, shown, ground))
            if st.context.is_embedded:
                st.caption(_caption(here, shown, ground))
            if picked is not None:
                with picked.where:
                    offer_one({x: across.values[picked.x], y: up.values[picked.y]} | choice.at, ground.peers)
    if place.notes.open:
        with place.notes:
            st.caption(_caption(here, shown, ground))
            st.markdown(details)
            gaps(places, ground.peers)
            formulas(ground.settings.convention, [series])
            show_not_drawn(figures.not_drawn(here))
            _numbers(grid)
            cite(_caption(here, shown, ground), here["run"].unique())


@dataclass(frozen=True)
class _Picked:
    """The cell without a value that the reader clicked, by its number along each axis, and where to answer."""

    x: int
    y: int
    where: DeltaGenerator


def _stage(figure: go.Figure, file: str, words: str, caption: str, csv: Callable[[], str]) -> _Picked | None:
    """The chart with the bar that saves it."""
    where = st.container()  # above the chart, so that a click on a cell is answered on the first screen
    if len(figure.layout.xaxis.tickvals) > _MOST_ON_A_PHONE:
        st.html(_NO_LABELS)
    picked = chart.draw_pickable(figure, "chart_heat", f"Heat map: {words}")
    save_bar("player_heat", figure.layout.meta["stamp"], file, caption, csv)
    return None if picked is None else _Picked(*picked, where)


def _caption(rows: pd.DataFrame, shown: Shown, ground: Ground) -> str:
    third = "" if "weight_decay" in shown.choice.at else combination(shown.choice.at)  # λ is in the caption already
    return " · ".join(filter(None, [figures.caption(rows, ground.settings, "mean"), third]))


def _title(at: dict[str, float]) -> str:
    return f"CONV-{at['conv_layers']:g}-{at['channels']:g}"


def _csv(grid: pd.DataFrame, shown: Shown, ground: Ground) -> Callable[[], str]:
    shared = {"dataset": ground.dataset, "series": shown.series, **shown.choice.at}
    shared |= {"convention": ground.settings.convention, "delta": ground.settings.delta}
    return functools.partial(grid.assign(**shared).to_csv, index=False, float_format="%.10g")


def _numbers(grid: pd.DataFrame) -> None:
    st.dataframe(
        formatted(grid.dropna(subset=["mean"]).rename(columns=_COLUMNS)),
        hide_index=True,
        alt="Values of every cell",
    )
