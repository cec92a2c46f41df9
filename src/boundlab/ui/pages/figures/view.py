"""What a figure shows: its view, and the paper's curves over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd
import streamlit as st

from boundlab.analysis.curves import by_axis, relative
from boundlab.analysis.tables import Axis
from boundlab.specs.settings import Settings
from boundlab.ui.once import column_of
from boundlab.ui.pages.figures.selection import Handle, Selection
from boundlab.ui.run_tables import history, table
from boundlab.ui.shelf import VisibleRuns

_POINTS = 300  # per line, over all frames: keeps what is sent to the browser under about 200 kB


@dataclass(frozen=True)
class View:
    """What the reader chose; `key`: all of it, and which runs there are."""

    axis: Axis
    dataset: str
    settings: Settings
    scale: str
    selection: Selection
    peers: tuple[str, ...]  # ids of all runs of the recipe, flagged ones too: their final values fix the axes
    paper: str
    shown: list[str]
    seen: VisibleRuns  # what the reader may see: all that is drawn can be made outside their session
    own: tuple[str, ...] = ()  # ids of runs of another recipe, trained here, that are drawn over these
    selected: tuple[str, ...] = ()  # ids of runs that the reader selected, drawn here or not

    @property
    def handle(self) -> Handle | None:
        """What the handle above the chart runs through."""
        return self.selection.handle

    @property
    def runs(self) -> tuple[str, ...]:
        """The ids of those drawn."""
        return column_of(self.selection.runs, "run")

    @cached_property
    def key(self) -> str:
        """Names everything that is drawn and said; equal for equal choices."""
        how = (self.scale, tuple(self.selection.panels), self.peers, self.paper, tuple(self.shown))
        return repr((self._numbers, how))

    @cached_property
    def _numbers(self) -> tuple[object, ...]:
        """What fixes the curves: not how they are drawn."""
        handle = self.handle.key if self.handle else ""
        return (
            self.axis.key,
            self.dataset,
            self.settings,
            handle,
            self.selection.panel,
            self.runs,
            self.own,
            self.lit,
            self.seen.version,
        )

    @cached_property
    def lit(self) -> tuple[str, ...]:
        """The ids of the selected ones that are drawn."""
        drawn = {*self.runs, *self.own} if self.selected else set()
        return tuple(sorted(drawn.intersection(self.selected)))

    def finals(self) -> pd.DataFrame:
        """`final_table` of all runs that there are to choose from."""
        return table(self.dataset, self.settings, self.seen, self.axis.study)

    def rows(self) -> pd.DataFrame:
        """Every value of the runs drawn, at every position of the handle."""
        runs = self.selection.runs
        if self.axis.study:  # no epochs: its handle runs through runs
            rows = self.finals()
            return rows[rows["run"].isin(self.runs)]
        others = [self.selection.panel, self.axis.column if self.axis.key != "epoch" else "weight_decay"]
        lines = len(runs.drop_duplicates([column for column in others if column]))
        max_records = max(12, min(64 if self.axis.key == "epoch" else 43, _POINTS // lines))
        return history(self.runs, self.settings, max_records, self.axis.key != "epoch", self.seen)

    def curves(self) -> pd.DataFrame:
        """`curves.by_axis` of the shipped ones among them; of all where none is shipped."""
        return _curves(self, repr(self._numbers))[0]

    def own_curves(self) -> pd.DataFrame:
        """The same of those trained here that are drawn over the shipped ones; no rows where there are none."""
        return _curves(self, repr(self._numbers))[1]

    def frames(self) -> list[float]:
        """The positions of the handle."""
        return sorted({*self.curves()["frame"], *self.own_curves()["frame"]})

    def drawn(self, curves: pd.DataFrame) -> pd.DataFrame:
        """They on the chosen scale."""
        return relative(curves, self.axis) if self.scale == "relative" else curves


@st.cache_data(show_spinner=False, max_entries=48)  # 0.2 MB each
def _curves(_view: View, key: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    handle, panel, rows = _view.handle, _view.selection.panel, _marked(_view, _view.rows())
    frame = handle.column if handle else None
    here = rows["trained_here"].astype(bool)
    if here.all():
        curves = by_axis(rows, _view.axis, frame, panel)
        return curves, curves[:0]
    curves = by_axis(rows[~here], _view.axis, frame, panel)
    own = by_axis(rows[here], _view.axis, frame, panel) if here.any() else curves[:0]
    return curves, _of_another_recipe(_view, curves) if _view.own else own


def _marked(view: View, rows: pd.DataFrame) -> pd.DataFrame:
    """With the column `selected`."""
    return rows.assign(selected=rows["run"].isin(view.lit))


def _of_another_recipe(view: View, curves: pd.DataFrame) -> pd.DataFrame:
    """`by_axis` of the runs `own`: their epochs are not those of the shipped ones, so that they stay as they were at the end of
    their training, wherever a handle of epochs stands; else, their curves at the positions that the handle has."""
    finals, panel = view.finals(), view.selection.panel
    if view.axis.key == "epoch" or view.axis.study:
        column = view.handle.column if view.handle else None
        epochs = view.axis.key == "epoch"
        rows = history(view.own, view.settings, 64, False, view.seen) if epochs else finals
        own = by_axis(_marked(view, rows[rows["run"].isin(view.own)]), view.axis, column, panel)
        return own[own["frame"].isin(curves["frame"])]
    own = by_axis(_marked(view, finals[finals["run"].isin(view.own)]), view.axis, None, panel)
    own = own[own["panel"].isin(curves["panel"])].drop(columns="frame")
    return own.merge(curves[["frame"]].drop_duplicates(), how="cross")[list(curves.columns)]


@dataclass(frozen=True)
class Overlay:
    """`curves`: one panel of the paper's figure as drawn, None when off; `note`: what it is, and how far ours is off."""

    curves: pd.DataFrame | None
    note: str = ""
    short: str = ""  # for the caption
    shared: dict[str, object] = field(default_factory=dict)  # for the CSV


_NETWORK = ("dataset", "conv_layers", "channels", "weight_decay", "epoch")


def csv_columns(rows: pd.DataFrame, axis: Axis, scale: str, settings: Settings) -> dict[str, object]:
    """What is the same for all points of the CSV; `rows`: single runs at the handle's position."""
    chosen = {"scale": scale, "convention": settings.convention, "delta": settings.delta}
    one = {name: rows[name].iloc[0] for name in _NETWORK if rows[name].nunique() == 1 and name != axis.column}
    return chosen | one | {"n": rows["n"].max()}
