"""Where a page's chart and controls stand: one row above the chart, the rest in a drawer; on a phone below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

EMPTY = "No run of this data set trained and reached the plateau: include the others under *More*, or pick other data."
NOTES = "notes"  # open on one page, open on the next
_PHONE = """<style>
@media (max-width: 640px) { .st-key-chart_first { flex-direction: column-reverse; } }
</style>"""


def chart_first() -> DeltaGenerator:
    """For the controls and then the chart; a phone shows the chart first."""
    both = st.container(key="chart_first")
    st.html(_PHONE)  # after it: an element of no height takes a gap all the same
    return both


_STAGE = """<style>
@media (min-width: 641px) { .st-key-stage_%s { min-height: %dpx; } }
</style>"""


# In somebody's page or slides: the chart, its handle and what it is of; the link has the rest
_EMBEDDED = """<style>
.st-key-below_the_chart { display: none; }
[data-testid="stMainBlockContainer"] { padding: 0.5rem 1rem; }
</style>"""


@dataclass(frozen=True)
class Figure:
    """The parts of a page that shows first and explains after, from the top: one sentence, the chart, one row of controls with
    the drawer for the rest at its end, and what is folded. `notes.open`: whether to draw what is in there."""

    headline: DeltaGenerator
    stage: DeltaGenerator
    row: DeltaGenerator
    more: DeltaGenerator
    notes: Any


def figure_first(name: str, height: int) -> Figure:
    """Draw them, empty. `name`: of this figure, on this page; `height`: of chart and handle, kept free until they are there,
    so that nothing below jumps."""
    with st.container(gap="xsmall"):
        headline, stage = st.container(key="headline"), st.container(key=f"stage_{name}", gap="xsmall")
        with st.container(key="below_the_chart", gap="xsmall"):
            row, more = controls_row()
            notes = st.expander("Notes", on_change="rerun", key=NOTES)
    st.html(_STAGE % (name, height) + (_EMBEDDED if st.context.is_embedded else ""))
    return Figure(headline, stage, row, more, notes)


def controls_row() -> tuple[DeltaGenerator, DeltaGenerator]:
    """What people move, side by side, and the drawer at the end of the row."""
    with st.container(horizontal=True):
        main = st.container(horizontal=True)
        return main, st.popover("More", width="content")
