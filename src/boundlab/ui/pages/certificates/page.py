"""The certificates page: what is guaranteed about one network as cards and bars; on request every number, and where it comes from."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from boundlab.analysis.conditions import conditions_of
from boundlab.analysis.guarantees import THEOREMS, Guarantee, guarantees, strongest
from boundlab.bounds.pac_bayes import KL_LATEX, LATEX, NOTE, SOURCE, SYMBOLS
from boundlab.charts.guarantees import guarantee_chart
from boundlab.runs.run import Run
from boundlab.specs.own_data import DATASETS
from boundlab.text import format_epoch
from boundlab.ui import chart
from boundlab.ui.address import get
from boundlab.ui.bound_choice import DELTAS
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.formulas import formula
from boundlab.ui.layout import chart_first, controls_row
from boundlab.ui.network_choice import chosen_network, epoch_of, run_caption
from boundlab.ui.page import is_dark
from boundlab.ui.pages.certificates import story
from boundlab.ui.pages.certificates.cards import cards
from boundlab.ui.pages.certificates.margins import margins
from boundlab.ui.pages.certificates.slope import slope
from boundlab.ui.rounded_network import offer_rounded_network
from boundlab.ui.shipped import shipped_runs
from boundlab.words.glossary import explained
from boundlab.words.guarantees import CHOICE, WINDOW, beside_bar, best_promise, card_title, spelled_out, verdict

_DELTA_HELP = (
    f"{explained('delta')} All promises hold together with probability 1 − δ: each is made with δ divided by their number. "
    "The chart from accurate to certified has all of δ for its theorem."
)
_THEOREM_HELP = (
    f"The theorem of the folds below. S2: {explained('Theorem S2')} Both are under Theory, side by side under Anatomy."
)


@st.fragment
@with_controls
def certify(controls: Controls) -> None:
    """Pick a network; what is guaranteed about it, by which argument."""
    story.from_older_link(controls)
    with chart_first():
        (row, more), stage = controls_row(), st.container()
    with row:
        told, sliders = st.container(width="content"), st.container(horizontal=True)
    with sliders:
        run = chosen_network(controls, stage, more, story.first_chapter())
    with told:
        story.choose_chapter(run)
    with more:
        delta = float(controls.choose("δ", DELTAS, "delta", _DELTA_HELP, "0.001"))
        label = epoch_of(controls, run) if run else ""
        theorem = controls.pick("Theorem", tuple(THEOREMS), "theorem", _THEOREM_HELP)
    if run is None:
        return
    record = run.epochs[[format_epoch(e) == label for e in run.epochs["epoch"]]]
    made = guarantees(run, record, delta)
    with stage:
        _picture(run, record, made)
        if not story.is_opening(run):
            st.caption(run_caption(run, label))
    _folds(controls, run, record, made, label, delta, theorem)


def _picture(run: Run, record: pd.DataFrame, made: list[Guarantee]) -> None:
    """What is promised, in a sentence, as bars on one axis, and as cards."""
    error, guessing = float(record["test_error"].iloc[0]), 1 - 1 / run.spec.arch.classes
    best = strongest(made)
    st.markdown(best_promise(best, error))
    bars = [replace(one, title=card_title(one)) for one in best]
    figure = guarantee_chart(bars, error, guessing, is_dark(), [beside_bar(one) for one in best])
    chart.show(figure, "chart_promises", verdict(made, error, guessing))
    cards(best, guessing)
    if run.spec.arch.in_shape != DATASETS[run.spec.train.dataset].in_shape:
        st.warning(WINDOW, icon=":material/crop:")


def _folds(
    controls: Controls, run: Run, record: pd.DataFrame, made: list[Guarantee], label: str, delta: float, theorem: str
) -> None:
    """The rest, made when it is asked for."""
    having = max(1, sum(one.limit is not None for one in made))
    if run.spec.train.loss == "certificate" and (box := controls.fold("Accurate ↔ certified", "slope")):
        with box:
            slope(run, delta, theorem)
    asked = get("margin") is not None
    if box := controls.fold("Margins", "margins", asked):
        with box:
            margins(controls, run, record, delta / having, theorem)
    elif asked:
        controls.hold("margin")
    if box := controls.fold("Details", "full"):
        with box:
            each = f"δ = {delta:g} for all of them together, {delta / having:.3g} each"
            st.caption(f"{run_caption(run, label)} · n = {run.sample.n:,} training images · {each}")
            _in_full(run, record, made, delta)
            _formulas()


def _in_full(run: Run, record: pd.DataFrame, made: list[Guarantee], delta: float) -> None:
    """Every guarantee in words, and what it holds for."""
    error, guessing = float(record["test_error"].iloc[0]), 1 - 1 / run.spec.arch.classes
    st.markdown(verdict(made, error, guessing))
    for guarantee in made:
        st.markdown(spelled_out(guarantee, guessing, shipped_runs()))
    offer_rounded_network(run, delta)
    for words in conditions_of(run.spec):
        st.markdown(f"- {words}")
    st.caption(CHOICE)


def _formulas() -> None:
    for key in THEOREMS.values():
        formula(key, "strict")
    st.markdown(f"**PAC-Bayes-kl**: {SOURCE}")
    st.latex(r"\begin{gathered}" + LATEX.replace(r",\quad", r",\\") + r"\\" + KL_LATEX + r"\end{gathered}")
    st.caption(f"{SYMBOLS} {NOTE}")
    st.markdown(
        "**Hold-out**: Clopper and Pearson 1934. The largest error rate under which so few errors on the test images "
        "still have probability δ. It assumes that nobody chose anything by looking at them."
    )
