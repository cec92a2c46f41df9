"""Sliders over layers, channels and weight decay: all values of a data set, whether or not every combination was trained."""

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
from boundlab.ui.once import once_per_table, values_of
from boundlab.words.untrained import SYMBOLS

VARIABLES = {  # column -> (label, name in the link, preferred value)
    "conv_layers": ("Layers L", "layers", 3.0),
    "channels": ("Channels H", "channels", 16.0),
    "weight_decay": ("Weight decay λ", "wd", 0.004),
}
_STRUCK = (
    "Struck out: not trained together with the other choices. Choose it all the same, and the page offers to train it."
)
_LEAST = 104  # pixels of one slider on a screen that is wider than a phone: no word of its label breaks


@dataclass(frozen=True)
class Choice:
    """Where sliders stand. `rows`: what there is at that combination, perhaps nothing; `at`, `nearest`: the combination and the
    nearest one that there are rows of, by column; `names`: of the columns in the link; `held`: those of them that no slider
    has, but the handle above a chart; `moved`: the column that the reader moved last."""

    rows: pd.DataFrame
    at: dict[str, float]
    nearest: dict[str, float]
    names: dict[str, str]
    held: frozenset[str] = frozenset()
    moved: str | None = None


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
    best: pd.DataFrame | None = None,
) -> Choice:
    """One combination of the columns, chosen by a slider each over all values that `table` has. Sliders stay where they are put;
    only values that `table` lacks altogether, after a change of the data, go to the nearest combination, and a note says so.

    `best`: the rows that sliders begin at and that are offered as the nearest; all of `table` where nothing is said.
    `second`: of a second network on the same page, with names of its own in the link.
    """
    best = table if best is None else best
    start = nearest(best, {column: _preferred(column, second) for column in columns})
    sliders = {column: _slider(controls, column, table, start[column], second) for column in start}
    group = "second" if second else "first"
    at, near = _settle(controls, best, sliders, group)
    for spot, (column, slider) in zip(_side_by_side(len(sliders), group), sliders.items(), strict=True):
        label = f"{at[column]:g}"
        if st.session_state[slider.key] != label:
            st.session_state[slider.key] = label
        there = {f"{value:g}" for value in possible(table, column, at)}
        missing = [option for option in slider.options if option not in there]
        with spot.container(gap="xxsmall"):
            controls.slide(slider.label, slider.options, slider.key, slider.default, _STRUCK if missing else None)
            if missing:
                _marks(slider.options, missing)
    names, moved = {column: slider.key for column, slider in sliders.items()}, st.session_state[f"moved_{group}"]
    return Choice(standing_at(table, at), at, near, names, moved=moved)


def standing_at(table: pd.DataFrame, at: Mapping[str, float]) -> pd.DataFrame:
    """The rows at one combination of some columns."""
    return _standing_at(table, tuple(at.items()))


@once_per_table
def _standing_at(table: pd.DataFrame, at: tuple[tuple[str, float], ...]) -> pd.DataFrame:
    for column, value in at:
        table = table[table[column] == value]
    return table


def without_rows(places: Iterable[Mapping[str, float]], table: pd.DataFrame) -> list[bool]:
    """Of each combination of all variables whether the table has no row of it."""
    known = set(table[list(VARIABLES)].astype(float).itertuples(index=False, name=None))
    return [tuple(float(at[column]) for column in VARIABLES) not in known for at in places]


def preferred_start(table: pd.DataFrame) -> dict[str, float]:
    """Where all three variables begin: the combination of `table` that is nearest to the preferred values."""
    return nearest(table, {column: _preferred(column) for column in VARIABLES})


def _preferred(column: str, second: bool = False) -> float:
    return 0.001 if second and column == "weight_decay" else VARIABLES[column][2]  # not the first one again


def _side_by_side(count: int, group: str) -> Sequence[DeltaGenerator]:
    """Columns that go to the next line of a row rather than become narrower than their words."""
    box = st.container(key=f"sliders_{group}")
    with box:
        spots = st.columns(count, gap="small")
    around = f'[data-testid="stLayoutWrapper"]:has(.st-key-sliders_{group})'
    st.html(f"<style>@media (min-width: 641px) {{ {around} {{ min-width: {_LEAST * count}px; }} }}</style>")
    return spots


def _slider(controls: Controls, column: str, table: pd.DataFrame, start: float, second: bool) -> _Slider:
    label, key, _ = VARIABLES[column]
    label, key = (f"Second: {label}", f"{key}2") if second else (label, key)
    options, default = [f"{value:g}" for value in values_of(table, column)], f"{start:g}"
    before = st.session_state.get(key)
    arriving = controls.arriving(key)
    value = controls.begin(key, options, label, default)
    asked = value if arriving or before is None else before  # perhaps a value that these data lack
    return _Slider(label, key, options, default, float(asked), value != default if arriving else before is not None)


def _settle(
    controls: Controls, best: pd.DataFrame, sliders: Mapping[str, _Slider], group: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Where the sliders stand, and the nearest combination that there is."""
    asked = {column: slider.asked for column, slider in sliders.items()}
    near = nearest(best, asked, _moved(asked, group))
    lacking = any(f"{value:g}" not in sliders[column].options for column, value in asked.items())
    if lacking and any(slider.wanted for slider in sliders.values()):
        address.here().moves[group] = Note(why(SYMBOLS, asked, near, None))
    controls.groups.add(group)
    at = near if lacking else asked
    st.session_state[f"last_{group}"] = at
    return at, near


def _moved(asked: Mapping[str, float], group: str) -> str | None:
    """The column that the reader moved last; it stays where another combination is offered."""
    last, name = st.session_state.get(f"last_{group}", {}), f"moved_{group}"
    st.session_state[name] = next(
        (column for column, value in asked.items() if last.get(column, value) != value), st.session_state.get(name)
    )
    column: str | None = st.session_state[name]
    return column


def _marks(options: Sequence[str], missing: Sequence[str]) -> None:
    """The values under a slider, those that no run has with the other choices as they are struck out and grey."""
    marks = " ".join(f'<s style="opacity: 0.6">{o}</s>' if o in missing else o for o in options)  # numbers only
    one_line = "font-size: 0.75rem; line-height: 1.25; white-space: nowrap; overflow: hidden; text-overflow: ellipsis"
    st.html(f'<div style="{one_line}" title="not trained: {", ".join(missing)}">{marks}</div>')
