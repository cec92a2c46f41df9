"""What a figure shows: its view, and the paper's curves over it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
import streamlit as st

from boundlab.analysis.curves import by_axis, relative
from boundlab.analysis.tables import Axis
from boundlab.specs.settings import Settings
from boundlab.ui.pages.figures.selection import Handle, Selection
from boundlab.ui.run_tables import history
from boundlab.ui.shelf import visible_runs

_POINTS = 300  # per line, over all frames: keeps what is sent to the browser under about 200 kB


@dataclass(frozen=True)
class View:
    """What the reader chose; `key`: all of it, and which runs there are."""

    axis: Axis
    dataset: str
    settings: Settings
    scale: str
    selection: Selection
    peers: pd.Series  # ids of all runs of the recipe, flagged ones too: their final values fix the axes
    paper: str
    shown: list[str]

    @property
    def handle(self) -> Handle | None:
        """What the handle above the chart runs through."""
        return self.selection.handle

    @property
    def runs(self) -> tuple[str, ...]:
        """The ids of those drawn."""
        return tuple(self.selection.runs["run"])

    @property
    def key(self) -> str:
        """Names everything that is drawn and said; equal for equal choices."""
        how = (self.scale, tuple(self.selection.panels), tuple(self.peers), self.paper, tuple(self.shown))
        return repr((self._numbers, how))

    @property
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
            visible_runs().version,
        )

    def rows(self) -> pd.DataFrame:
        """Every value of the runs drawn, at every position of the handle."""
        runs = self.selection.runs
        others = [self.selection.panel, self.axis.column if self.axis.key != "epoch" else "weight_decay"]
        lines = len(runs.drop_duplicates([column for column in others if column]))
        max_records = max(12, min(64 if self.axis.key == "epoch" else 43, _POINTS // lines))
        return history(self.runs, self.settings, max_records, self.axis.key != "epoch")

    def curves(self) -> pd.DataFrame:
        """`curves.by_axis` of them."""
        return _curves(self, repr(self._numbers))

    def drawn(self, curves: pd.DataFrame) -> pd.DataFrame:
        """They on the chosen scale."""
        return relative(curves, self.axis) if self.scale == "relative" else curves


@st.cache_data(show_spinner=False, max_entries=48)  # 0.2 MB each
def _curves(_view: View, key: str) -> pd.DataFrame:
    handle = _view.handle
    return by_axis(_view.rows(), _view.axis, handle.column if handle else None, _view.selection.panel)


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
