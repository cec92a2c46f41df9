"""What the convention on screen means, and the formula, source and assumptions of every bound in it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from boundlab.bounds import BY_KEY
from boundlab.ui.prose import CONVENTIONS

SYMBOLS = (
    "n: sample size in the bound · C: classes · L: layers, output layer included · δ: probability that the bound fails · "
    "γ: margin · ρ: product of the layers' Frobenius norms · ŝ: spectral norm of the kernel as a matrix · s: of the "
    "layer as a map · N²¹: (2,1) norm · a: kernel area · O: output positions · E: energy per pixel · W: weights, W′ with "
    "biases and weight-norm scalars · ‖X‖: root of the summed squared input norms · B: largest input norm."
)


def explain(convention: str, shown: Sequence[str]) -> None:
    """The convention's warning, and on request the formulas of the bounds that are drawn."""
    st.info(CONVENTIONS[convention], icon=":material/info:")
    box = st.expander(
        "Formulas, sources and assumptions", icon=":material/function:", on_change="rerun", key="formulas"
    )
    if not box.open:
        return
    with box:
        for bound in (BY_KEY[key] for key in reversed(shown) if key in BY_KEY):
            formula = bound.formulas[convention]
            st.markdown(f"**{bound.title}**: {bound.source}")
            st.latex(
                r"\begin{gathered}" + formula.latex.replace(r",\quad", r",\\") + r"\end{gathered}"
            )  # definitions below
            assumed = "; ".join(a.sentence for a in formula.assumptions)
            st.caption(" ".join(filter(None, [formula.note, f"Assumes that {assumed}." if assumed else ""])))
        st.caption(SYMBOLS)
