"""The theory page: a list of contents; one bound at a time with its numbers; proofs, conventions, gaps, references."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

import boundlab.bounds
from boundlab.bounds import ALL, pac_bayes
from boundlab.charts.theme import styles
from boundlab.specs.settings import CONVENTIONS
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.formulas import PROOFS
from boundlab.ui.pages.theory.bounds import bounds
from boundlab.ui.pages.theory.texts import folded
from boundlab.words.figures import MEANINGS
from boundlab.words.glossary import glossary

SECTIONS = ("bounds", "proof", "conventions", "words", "gaps", "references")
_SECTIONS_HELP = (
    "bounds: each one stated, its symbols with their numbers, its assumptions checked · proof: this project's own theorems · "
    "conventions: what published, theorem and strict mean · words: what each one means here · gaps: where the published curves differ from the theorems, and what is not here yet · references: BibTeX"
)
_GAPS = Path(boundlab.bounds.__file__).with_name("gaps.md")


@st.fragment
@with_controls
def theory(controls: Controls) -> None:
    """One section at a time; the link says which."""
    section = controls.pick("Contents", SECTIONS, "section", _SECTIONS_HELP)
    if section == "bounds":
        bounds(controls)
    elif section == "proof":
        _proof(controls)
    elif section == "conventions":
        _conventions()
    elif section == "words":
        _words()
    elif section == "gaps":
        folded(_GAPS.read_text())
    else:
        _references()


def _proof(controls: Controls) -> None:
    theorem = controls.pick(
        "Theorem", tuple(PROOFS), "theorem", "S2 is S with sharper steps; D and D2 are about coded networks.", "S"
    )
    folded(PROOFS[theorem].read_text())


def _conventions() -> None:
    """What each one means, and which bounds it leaves out, and why."""
    for convention in CONVENTIONS:
        with st.expander(convention, expanded=True):
            st.markdown(MEANINGS[convention])
            why: dict[str, list[str]] = {}
            for bound in reversed(ALL):
                if convention not in bound.formulas:
                    why.setdefault(bound.refusals[convention], []).append(styles(convention)[bound.key].name)
            for reason, names in why.items():
                st.caption(f"Not here: {', '.join(names)}: {reason}.")


def _words() -> None:
    """Each word once, where it is defined beside it."""
    for entry in glossary().values():
        symbol = f" ({entry.symbol})" if entry.symbol else ""
        st.markdown(f"**{entry.word}**{symbol}: {entry.meaning} :gray[{entry.source}]")


def _references() -> None:
    st.markdown(
        "BibTeX of every bound and certificate on these pages, and of what their notes name; the copy button is at the top right of the box."
    )
    files = [path.with_suffix(".bib") for path in (*PROOFS.values(), _GAPS)]
    own = [path.read_text() for path in files if path.exists()]
    entries = [*(bound.bibtex for bound in reversed(ALL)), *own, *pac_bayes.BIBTEX]
    st.code("\n\n".join(dict.fromkeys(entry.strip() for entry in entries)), language="bibtex", wrap_lines=True)
