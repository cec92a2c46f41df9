"""Sliders over layers, channels and weight decay: all values of a data set, though not every combination was trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.ui import address
from boundlab.ui.address import Note
from boundlab.ui.combinations import nearest, possible, why
from boundlab.ui.controls import Controls

VARIABLES = {  # column -> (label, name in the link, preferred value)
    "conv_layers": ("Layers L", "layers", "3"),
    "channels": ("Channels H", "channels", "16"),
    "weight_decay": ("Weight decay λ", "wd", "0.004"),
}
_STRUCK = "Struck out: no run has this value together with the other choices. Choose it, and they follow."
_LEAST = 104  # pixels of one slider on a screen that is wider than a phone: no word of its label breaks
AXIS_SYMBOLS = {"conv_layers": "L", "channels": "H", "weight_decay": "λ"}


@dataclass(frozen=True)
class _Slider:
    """One of them before it is drawn. `asked`: where the reader or the link wants it; `wanted`: whether either does."""

    label: str
    key: str
    options: list[str]
    default: str
    asked: float
    wanted: bool


def narrow(
    controls: Controls,
    table: pd.DataFrame,
    columns: Iterable[str],
    second: bool = False,
    whole: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The rows of `table` at one value per column, chosen by a slider each over the values of `whole`, of `table` where there
    is no more. What the reader moved stays, the others follow to the nearest value that there are rows of, and a note says so.

    `second`: of a second network on the same page, with names of its own in the link.
    """
    every = table if whole is None else whole
    sliders = {column: _slider(controls, column, every, second) for column in columns}
    group = "second" if second else "first"
    chosen = _settle(controls, table, sliders, group)
    for spot, (column, slider) in zip(_side_by_side(len(sliders), group), sliders.items(), strict=True):
        label = f"{chosen[column]:g}"
        if st.session_state[slider.key] != label:
            st.session_state[slider.key] = label
        there = {f"{value:g}" for value in possible(table, column, chosen)}
        missing = [option for option in slider.options if option not in there]
        with spot.container(gap="xxsmall"):
            controls.slide(slider.label, slider.options, slider.key, slider.default, _STRUCK if missing else None)
            if missing:
                _marks(slider.options, missing)
    for column, value in chosen.items():
        table = table[table[column] == value]
    return table


def _side_by_side(count: int, group: str) -> Sequence[DeltaGenerator]:
    """Columns that go to the next line of a row rather than become narrower than their words."""
    box = st.container(key=f"sliders_{group}")
    with box:
        spots = st.columns(count, gap="small")
    around = f'[data-testid="stLayoutWrapper"]:has(.st-key-sliders_{group})'
    st.html(f"<style>@media (min-width: 641px) {{ {around} {{ min-width: {_LEAST * count}px; }} }}</style>")
    return spots


def _slider(controls: Controls, column: str, whole: pd.DataFrame, second: bool) -> _Slider:
    label, key, preferred = VARIABLES[column]
    preferred = "0.001" if second and column == "weight_decay" else preferred  # not the first one again
    label, key = (f"Second: {label}", f"{key}2") if second else (label, key)
    options = [f"{value:g}" for value in sorted(whole[column].unique())]
    default = preferred if preferred in options else options[0]
    before = st.session_state.get(key)
    arriving = controls.arriving(key)
    value = controls.begin(key, options, label, default)
    asked = value if arriving or before is None else before  # a value that these data lack: the nearest that they have
    return _Slider(label, key, options, default, float(asked), value != default if arriving else before is not None)


def _settle(controls: Controls, table: pd.DataFrame, sliders: Mapping[str, _Slider], group: str) -> dict[str, float]:
    """A combination that there is; what had to move for it is said until the next choice."""
    asked = {column: slider.asked for column, slider in sliders.items()}
    last = st.session_state.get(f"last_{group}", {})
    moved = next((column for column, value in asked.items() if last.get(column, value) != value), None)
    chosen = nearest(table, asked, moved)
    st.session_state[f"last_{group}"] = chosen
    words = why(AXIS_SYMBOLS, asked, chosen, moved)
    if words and any(slider.wanted for slider in sliders.values()):
        address.here().moves[group] = Note(words)
    controls.groups.add(group)
    return chosen


def _marks(options: Sequence[str], missing: Sequence[str]) -> None:
    """The values under a slider, those that no run has with the other choices as they are struck out and grey."""
    marks = " ".join(f'<s style="opacity: 0.6">{o}</s>' if o in missing else o for o in options)  # numbers only
    st.html(f'<div style="font-size: 0.75rem; line-height: 1.25">{marks}</div>')
