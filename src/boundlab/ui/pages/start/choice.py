"""Which networks Start is about: one architecture of the shipped figures, one seed, every λ. Widgets only after the reveal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from boundlab.runs.run import Run
from boundlab.specs.arch import ArchSpec
from boundlab.specs.own_data import DATASETS
from boundlab.ui.bound_choice import DELTAS
from boundlab.ui.controls import Controls
from boundlab.ui.run_tables import runs_of
from boundlab.ui.shelf import find_run
from boundlab.ui.variables import VARIABLES
from boundlab.words.glossary import explained

_DATA = ("mnist", "digits")  # the question is about digits
_LAYERS, _CHANNELS, _DECAY = (VARIABLES[name] for name in ("conv_layers", "channels", "weight_decay"))
_LEAST = 2  # networks that are worth a handle
_DELTA_HELP = f"{explained('delta')} All promises about one network hold together with probability 1 − δ."
_ALL_HELP = "Also variants of the same argument, and every older bound whose constant is known."


@dataclass(frozen=True)
class Chosen:
    """`runs`: of one architecture, by λ; `labels`: their λ in words; `every`: whether all arguments are drawn."""

    dataset: str
    runs: tuple[Run, ...]
    labels: list[str]
    delta: float
    every: bool

    @property
    def arch(self) -> ArchSpec:
        """Of all of them."""
        return self.runs[0].spec.arch

    @property
    def images(self) -> int:
        """How many they were trained on."""
        return self.runs[0].sample.n

    @property
    def task(self) -> str:
        """The data set's name."""
        return DATASETS[self.dataset].title


def choose(controls: Controls, widgets: bool) -> Chosen | None:
    """From widgets, or without them as the address has it; None where no such networks ship."""
    dataset = _one(controls, widgets, "Data", _DATA, "dataset", _DATA[0])
    table = _networks(dataset)
    if table.empty:
        return None
    table = _narrowed(controls, widgets, table, "conv_layers", _LAYERS)
    table = _narrowed(controls, widgets, table, "channels", _CHANNELS)
    delta = float(_one(controls, widgets, "δ", DELTAS, "delta", "0.001", _DELTA_HELP))
    every = _switch(controls, widgets)
    table = table.sort_values("weight_decay")
    runs = tuple(find_run(name) for name in table["run"])
    return Chosen(dataset, runs, [f"{value:g}" for value in table["weight_decay"]], delta, every)


def first_label(labels: Sequence[str]) -> str:
    """Where the handle begins."""
    preferred = f"{_DECAY[2]:g}"
    return preferred if preferred in labels else labels[-1]


def _networks(dataset: str) -> pd.DataFrame:
    """Rows of `runs_of` that are shipped, at plateau, of seed 0 and the usual recipe, of architectures with several λ."""
    table = runs_of(dataset)
    table = table[~table["trained_here"] & table["trained"] & table["at_plateau"] & (table["recipe"] == "short")]
    table = table[table["seed"] == 0]
    return table[table.groupby(["conv_layers", "channels"])["run"].transform("size") >= _LEAST]


def _narrowed(
    controls: Controls, widgets: bool, table: pd.DataFrame, column: str, variable: tuple[str, str, float]
) -> pd.DataFrame:
    label, key, preferred = variable
    options = [f"{value:g}" for value in sorted(table[column].unique())]
    start = f"{preferred:g}" if preferred in set(table[column]) else options[0]
    return table[table[column] == float(_one(controls, widgets, label, options, key, start))]


def _one(
    controls: Controls, widgets: bool, label: str, options: Sequence[str], key: str, start: str, help: str | None = None
) -> str:
    if widgets:
        return controls.choose(label, options, key, help, start)
    value = controls.hold(key, options, label) or start
    st.session_state[key] = value  # where the widget begins once it is drawn
    controls.keep(key, value, start)
    return value


def _switch(controls: Controls, widgets: bool) -> bool:
    if widgets:
        return controls.switch("All arguments", "all", help=_ALL_HELP)
    every = controls.hold("all", ("true", "false"), "All arguments") == "true"
    st.session_state["all"] = every
    controls.keep("all", str(every).lower(), "false")
    return every
