"""The theory page: every bound stated, filled in and checked against one network; the proof; known gaps; references."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

import boundlab.bounds
from boundlab.analysis.anatomy import anatomy
from boundlab.bounds import ALL, pac_bayes
from boundlab.bounds.base import SYMBOLS, Assumption, Bound, effective_n, evaluate, only
from boundlab.charts.theme import styles
from boundlab.runs.run import Run
from boundlab.specs.settings import Settings
from boundlab.text import format_epoch, readable
from boundlab.ui.bound_choice import choose_settings
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.formulas import PROOFS, formula
from boundlab.ui.layout import chart_first
from boundlab.ui.network_choice import chosen_network, run_caption
from boundlab.words.figures import MEANINGS

SECTIONS = ("bounds", "proof", "gaps", "references")
_SECTIONS_HELP = (
    "bounds: each one stated, its assumptions checked, its numbers filled in · proof: Theorems S2, S, and D with D2 · gaps: where the published "
    "curves differ from the theorems · references: BibTeX"
)
_GAPS = Path(boundlab.bounds.__file__).with_name("gaps.md")
_LATEX_NAMES = str.maketrans({"√": r"root of ", "‖": r"|", "ρ": "rho ", "γ": "gamma", "ℓ": "l", "Π": "P "})


@with_controls
def theory(controls: Controls) -> None:
    """One section at a time; the link says which."""
    section = controls.pick("Section", SECTIONS, "section", _SECTIONS_HELP)
    {"bounds": lambda: _bounds(controls), "proof": lambda: _proof(controls), "gaps": _gaps, "references": _references}[
        section
    ]()


def _bounds(controls: Controls) -> None:
    with chart_first():
        above, stage = st.container(), st.container()
    with above:
        with st.container(horizontal=True):
            settings = choose_settings(controls)
        with st.container(horizontal=True):
            run = chosen_network(controls, stage)
    if run is None:
        return
    here = [bound for bound in reversed(ALL) if settings.convention in bound.formulas]
    with stage:  # on a phone the controls come after the first bound
        st.info(MEANINGS[settings.convention], icon=":material/info:")
        st.caption(
            f"Checked and filled in for {run_caption(run, format_epoch(run.final['epoch']))} · n = {effective_n(run.sample, settings):,} · δ = {settings.delta:g}"
        )
    for number, bound in enumerate(here):
        with (st if number else stage).container(border=True):
            _one(bound, run, settings)
    if refused := [b for b in reversed(ALL) if settings.convention not in b.formulas]:
        why: dict[str, list[str]] = {}
        for bound in refused:
            why.setdefault(bound.refusals[settings.convention], []).append(styles(settings.convention)[bound.key].name)
        for reason, names in why.items():
            st.caption(f"Not here: {', '.join(names)}: {reason}.")
    st.caption(SYMBOLS)


def _one(bound: Bound, run: Run, settings: Settings) -> None:
    """Statement, assumptions with their verdict, the numbers of this network."""
    record = run.epochs.iloc[-1:]
    value = evaluate(bound, run.norms(record), run.sample, settings)
    formula(bound.key, settings.convention, assumptions=False)
    for assumption in bound.formulas[settings.convention].assumptions:
        st.markdown(_verdict(assumption, run, record, settings))
    if value.value is None:
        st.markdown(f"**No number for this network**: {value.reason}.")
        return
    st.latex(_filled(anatomy(value, per_layer=False)))
    reached = only(value.value)
    st.markdown(f"= **{readable(reached)}**" + (": vacuous, as is anything of 1 or more." if reached >= 1 else ""))


def _verdict(assumption: Assumption, run: Run, record: pd.DataFrame, settings: Settings) -> str:
    if assumption.holds is None:
        return f":gray[:material/help: not checkable on a network:] {assumption.sentence}"
    if assumption.holds(run.norms(record), run.sample, settings):
        return f":green[:material/check_circle: holds:] {assumption.sentence}"
    return f":red[:material/cancel: does not hold here:] {assumption.sentence}"


def _filled(rows: pd.DataFrame) -> str:
    """The formula as a product of its named factors with this network's numbers."""
    factors = [_brace(2**row.log2, row.label) for row in rows.itertuples() if row.kind == "factor"]
    lines = [r"\cdot".join(factors[i : i + 5]) for i in range(0, len(factors), 5)]
    terms = [_brace(row.amount, row.label.removeprefix("+ ")) for row in rows.itertuples() if row.kind == "term"]
    product = r"\\\cdot ".join(lines)
    return r"\begin{gathered}" + product + (r"\\+" + "+".join(terms) if terms else "") + r"\end{gathered}"


def _brace(value: float, name: str) -> str:
    words = " ".join(name.translate(_LATEX_NAMES).replace("_", " ").split())
    return rf"\underbrace{{{_latex_number(value)}}}_{{\text{{{words}}}}}"


def _latex_number(value: float) -> str:
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    return mantissa if not exponent else rf"{mantissa}\times10^{{{int(exponent)}}}"


def _proof(controls: Controls) -> None:
    theorem = controls.pick(
        "Theorem", tuple(PROOFS), "theorem", "S2 is S with sharper steps; D and D2 are about coded networks.", "S"
    )
    st.markdown(PROOFS[theorem].read_text())


def _gaps() -> None:
    st.markdown(_GAPS.read_text())


def _references() -> None:
    st.markdown("BibTeX of every bound and certificate on these pages; the copy button is at the top right of the box.")
    entries = [bound.bibtex for bound in reversed(ALL)] + [
        *(PROOFS[name].with_suffix(".bib").read_text() for name in ("S2", "D")),
        *pac_bayes.BIBTEX,
    ]
    st.code("\n\n".join(dict.fromkeys(entry.strip() for entry in entries)), language="bibtex", wrap_lines=True)
