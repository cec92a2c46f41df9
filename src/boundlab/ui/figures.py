"""The figure page: controls, handle, chart, what to notice, table. One implementation for every axis."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from boundlab.catalog import DATASETS
from boundlab.charts.trend import Picture, trend
from boundlab.curves import SCALES, by_axis, relative
from boundlab.specs import Settings
from boundlab.tables import AXES, Axis
from boundlab.ui import prose
from boundlab.ui.canvas import canvas
from boundlab.ui.controls import Controls
from boundlab.ui.explain import explain
from boundlab.ui.library import history, listing, table
from boundlab.ui.numbers import numbers
from boundlab.ui.page import is_dark
from boundlab.ui.paper import overlay, paper_control
from boundlab.ui.player import player
from boundlab.ui.selection import ONE, Handle, Selection, anchored, labels, panel_choices, position, select

_POINTS = 300  # per line, over all frames: keeps what is sent to the browser under about 200 kB
_SCALE_HELP = (
    "log2: like the paper's figures · linear: the values themselves, up to a little above the sparse bound · relative: "
    "every line divided by its own first point, to compare trends"
)
_PANELS_HELP = "Small multiples side by side, on the same axes, like the paper's three panels; best on a wide screen."


@dataclass(frozen=True)
class View:
    """What the reader chose."""

    axis: Axis
    dataset: str
    settings: Settings
    scale: str
    selection: Selection
    peers: pd.Series  # ids of all runs of the recipe, flagged ones too: their final values fix the axes

    @property
    def handle(self) -> Handle | None:
        return self.selection.handle


@st.fragment
def explore(axis: Axis) -> None:
    """Controls above, chart, then words and numbers; a moved control reruns only this."""
    controls = Controls()
    first, second = st.container(horizontal=True), st.container(horizontal=True)
    with first:
        dataset = controls.pick("Data", list(DATASETS), "dataset", "MNIST: 60,000 images. digits: 1,437 images of 8×8.")
    with second:
        settings = controls.settings()
        scale = controls.pick("Scale", SCALES, "scale", _SCALE_HELP)
    with first:
        peers = controls.recipe(controls.origin(listing(dataset)))
    runs = controls.trusted(peers)
    if runs.empty:
        st.info(
            "No run of this data set trained and reached the plateau: include the others above, or pick other data."
        )
        return
    with second:
        choices = panel_choices(runs, axis)
        panels = controls.choose("Panels", choices, "panels", _PANELS_HELP) if len(choices) > 1 else ONE
        paper = paper_control(axis, controls)
    with first:
        view = View(axis, dataset, settings, scale, select(controls, runs, axis, panels), peers["run"])
    stage = st.container(key=f"stage_{axis.key}")
    shown = controls.series(settings.convention)
    _show(view, controls, paper, shown, stage)


def _rows(view: View) -> pd.DataFrame:
    """Every value of the runs drawn, at every position of the handle."""
    runs = view.selection.runs
    others = [view.selection.panel, view.axis.column if view.axis.key != "epoch" else "weight_decay"]
    curves = len(runs.drop_duplicates([column for column in others if column]))
    about = max(12, min(64 if view.axis.key == "epoch" else 43, _POINTS // curves))
    return history(tuple(runs["run"]), view.settings, about, view.axis.key != "epoch")


def _show(
    view: View, controls: Controls, paper: str, shown: list[str], stage: st.delta_generator.DeltaGenerator
) -> None:
    axis, handle, key = view.axis, view.handle, f"player_{view.axis.key}"
    rows = _rows(view)
    curves = by_axis(rows, axis, handle.column if handle else None, view.selection.panel)
    values = sorted(curves["frame"].unique())
    names = labels(values, handle)
    at = position(controls, handle, names, key)
    over = overlay(axis, paper, view, curves[curves["frame"] == values[-1]], shown)
    drawn = relative(curves, axis) if view.scale == "relative" else curves
    finals = table(view.dataset, view.settings)
    finals = finals[finals["run"].isin(view.peers)]
    finals = finals[finals["conv_layers"].isin(view.selection.runs["conv_layers"].unique())]
    area = canvas(drawn, finals, axis, view.scale, shown, view.selection.panels, over.curves, is_dark())
    base = anchored(key, (view.settings, view.scale, tuple(view.selection.runs["run"]), paper, shown, area.dark), at)
    picture = trend(drawn, axis, shown, area, over.curves, base)
    here = curves[curves["frame"] == values[at]]
    now = rows[rows[handle.column] == values[at]] if handle else rows
    base_name = f"boundlab-{view.dataset}-{axis.key}" + (f"-{handle.word}" if handle else "")
    words = " · ".join(filter(None, [prose.subject(now, view.settings), over.short]))
    with stage:
        player(key, picture, handle.name if handle else "", names, at, base_name, words)
        _chart(axis, picture)
        st.caption(words)  # below, so that its length does not move the chart
    _words(view, here, now, over.note, shown, names[at])
    about: dict[str, object] = {
        "scale": view.scale,
        "convention": view.settings.convention,
        "delta": view.settings.delta,
    }
    there, file = drawn[drawn["frame"] == values[at]], base_name + (names[at] if handle else "")
    numbers(now, there, axis, view.selection.panel, about, over, shown, file)


def _chart(axis: Axis, picture: Picture) -> None:
    st.plotly_chart(
        picture.figure,
        key=f"chart_{axis.key}",
        config={"displaylogo": False},
        alt=f"Bounds, test and train error against {axis.title}; the words below the chart say what it shows",
    )


def _words(view: View, here: pd.DataFrame, now: pd.DataFrame, paper_note: str, shown: list[str], label: str) -> None:
    """What to notice at this position, what the overlay is, what is not drawn and why."""
    where = f"{view.handle.name} {label}" if view.handle else ""
    for title, words in prose.notices(here, view.axis, view.settings, view.selection.panels, where):
        st.markdown(f"**{title}**: {words}" if title else words)
    if paper_note:
        st.caption(paper_note)
    explain(view.settings.convention, shown)
    for line in prose.not_drawn(now[now["series"].isin(shown) | now["reason"].notna()], view.scale):
        st.caption(line)


def explore_axis(key: str) -> None:
    """The figure page of one of `tables.AXES`."""
    explore(AXES[key])
