"""A card per argument: about which network it promises something, how much, from what, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from boundlab.analysis.guarantees import Guarantee
from boundlab.words.guarantees import card


def cards(made: Sequence[Guarantee], guessing: float) -> None:
    """Side by side, below each other on a phone; hover or tap for the whole of it."""
    for column, guarantee in zip(st.columns(len(made), border=True, gap="small"), made, strict=True):
        title, number, lines, help = card(guarantee, guessing)
        with column:
            st.markdown(f"**{title}**", help=help)
            st.markdown(f"### {number}")
            st.markdown("  \n".join(lines))
