"""Where a page's chart and controls stand: one row above the chart, the rest in a drawer; on a phone below it."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

EMPTY = "No run of this data set trained and reached the plateau: include the others under *More*, or pick other data."
_PHONE = """<style>
@media (max-width: 640px) { .st-key-chart_first { flex-direction: column-reverse; } }
</style>"""


def chart_first() -> DeltaGenerator:
    """For the controls and then the chart; a phone shows the chart first."""
    both = st.container(key="chart_first")
    st.html(_PHONE)  # after it: an element of no height takes a gap all the same
    return both


def controls_row() -> tuple[DeltaGenerator, DeltaGenerator]:
    """What people move, side by side, and the drawer at the end of the row."""
    with st.container(horizontal=True):
        main = st.container(horizontal=True)
        return main, st.popover("More", icon=":material/tune:", width="content")
