"""What the convention on screen means, and the formula, source, symbols and assumptions of every bound in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

import boundlab.bounds
from boundlab.analysis.guarantees import THEOREMS
from boundlab.bounds import BY_KEY
from boundlab.bounds.base import SYMBOLS
from boundlab.specs.settings import Settings
from boundlab.words.figures import MEANINGS, NOT_DRAWN

PROOFS = {name: Path(boundlab.bounds.__file__).with_name(f"theorem_{name.lower()}.md") for name in (*THEOREMS, "D")}


def formulas(convention: str, shown: Sequence[str], banner: bool = True) -> None:
    """The convention's warning (`banner`), and on request the formulas of the bounds that are drawn."""
    if banner:
        st.info(MEANINGS[convention], icon=":material/info:")
    words = "Formulas, sources, symbols and assumptions"
    box = st.expander(words, icon=":material/function:", on_change="rerun", key=f"formulas_{convention}")
    if not box.open:
        return
    with box:
        for key in reversed(shown):
            if key in BY_KEY:
                formula(key, convention)
        st.caption(SYMBOLS)
        if convention == "strict":
            st.caption("Statements and proofs of Theorems S and S2: under Theory.")


def show_not_drawn(lines: Sequence[str]) -> None:
    """What a picture leaves out or marks: one line, which opens on the reasons. `lines`: `figures.not_drawn`."""
    if not lines:
        return
    notes = [line for line in lines if not line.startswith(NOT_DRAWN)]
    names = [line.removeprefix(NOT_DRAWN).partition(": ")[0] for line in lines if line.startswith(NOT_DRAWN)]
    words = f"Not drawn, and why: {', '.join(names)}" if names else "Notes on what is drawn"
    with st.expander(
        words + (f", and {'a note' if len(notes) == 1 else 'notes'}" if names and notes else ""),
        icon=":material/visibility_off:",
    ):
        for line in lines:
            st.caption(line)


def statement(key: str, convention: str) -> str:
    """A bound's LaTeX, its definitions below it."""
    return BY_KEY[key].formulas[convention].latex.replace(r",\quad", r",\\")


def convention_note(settings: Settings) -> tuple[str, str]:
    """What the convention on screen is worth, in a few words, and all of it."""
    brief = {"published": "Published curves, not guarantees."}
    words = brief.get(settings.convention, f"{settings.convention.capitalize()}, δ = {settings.delta:g}.")
    return words, MEANINGS[settings.convention]


def formula(key: str, convention: str) -> None:
    """One bound: formula, source, symbols and its assumptions."""
    bound, form = BY_KEY[key], BY_KEY[key].formulas[convention]
    st.markdown(f"**{bound.title}**: {form.source or bound.source}")
    st.latex(r"\begin{gathered}" + statement(key, convention) + r"\end{gathered}")
    assumed = "; ".join(assumption.sentence for assumption in form.assumptions)
    st.caption(" ".join(filter(None, [form.symbols, form.note, f"Assumes that {assumed}." if assumed else ""])))
