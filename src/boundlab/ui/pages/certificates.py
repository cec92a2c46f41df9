"""The certificates page: what is guaranteed about one network, its margins, and the way from accurate to certified."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.analysis.conditions import conditions_of
from boundlab.analysis.guarantees import THEOREMS, Guarantee, along_the_weights, guarantees
from boundlab.analysis.margin_tradeoff import over_epochs, trade_off
from boundlab.bounds.pac_bayes import KL_LATEX, LATEX, NOTE, SOURCE, SYMBOLS
from boundlab.charts.certified import certified_chart
from boundlab.charts.guarantees import guarantee_chart
from boundlab.charts.margins_of_run import fan, trade_off_chart
from boundlab.runs.run import Run
from boundlab.specs.own_data import DATASETS
from boundlab.specs.recipes import recipe
from boundlab.text import decimals, format_epoch, percent
from boundlab.ui import chart
from boundlab.ui.bound_choice import DELTAS
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.formulas import formula
from boundlab.ui.layout import chart_first
from boundlab.ui.network_choice import chosen_network, epoch_of, run_caption, task_title
from boundlab.ui.page import is_dark
from boundlab.ui.rounded_network import offer_rounded_network
from boundlab.ui.shelf import own_runs
from boundlab.ui.shipped import certified_runs, shipped_by_id, shipped_runs
from boundlab.words.guarantees import BEST, CHOICE, WINDOW, spelled_out, trade_off_sentence, verdict

_DELTA_HELP = (
    "All promises of the first chart, and the margins, hold together with probability 1 − δ: each is made with δ divided by "
    "their number. The chart from accurate to certified has all of δ for its theorem."
)
_THEOREM_HELP = (
    "The theorem of the charts after the first: S2 is S with sharper steps in its proof, about the same networks and promising the "
    "same; both are under Theory, side by side under Anatomy."
)


@st.fragment
@with_controls
def certify(controls: Controls) -> None:
    """Pick a network; what is guaranteed about it, by which argument."""
    with chart_first():
        above, stage = st.container(), st.container()
    with above:
        with st.container(horizontal=True):
            run = chosen_network(controls, stage)
        with st.container(horizontal=True):
            delta = float(controls.choose("δ", DELTAS, "delta", _DELTA_HELP, "0.001"))
            label = epoch_of(controls, run) if run else ""
            theorem = controls.pick("Theorem", tuple(THEOREMS), "theorem", _THEOREM_HELP)
    if run is None:
        return
    record = run.epochs[[format_epoch(e) == label for e in run.epochs["epoch"]]]
    made = guarantees(run, record, delta)
    _panel(run, label, record, made, delta, stage)
    if run.spec.train.loss == "certificate":
        _trade(run, delta, theorem)
    _margins(controls, run, record, delta / max(1, sum(p.limit is not None for p in made)), theorem)
    _formulas()


def _panel(
    run: Run, label: str, record: pd.DataFrame, made: list[Guarantee], delta: float, stage: DeltaGenerator
) -> None:
    """`stage`: where the chart goes."""
    count = sum(p.limit is not None for p in made)
    each = f"δ = {delta:g} for all of them together, {delta / max(1, count):.3g} each"
    error, guessing = float(record["test_error"].iloc[0]), 1 - 1 / run.spec.arch.classes
    words = verdict(made, error, guessing)
    with stage:
        st.caption(f"{run_caption(run, label)} · n = {run.sample.n:,} training images · {each}")
        chart.show(guarantee_chart(made, error, guessing, is_dark()), "chart_promises", words)
    st.markdown(words)
    if run.spec.arch.in_shape != DATASETS[run.spec.train.dataset].in_shape:
        st.warning(WINDOW, icon=":material/crop:")
    for guarantee in made:
        st.markdown(spelled_out(guarantee, guessing, shipped_runs()))
    offer_rounded_network(run, delta)
    for words in conditions_of(run.spec):
        st.markdown(f"- {words}")
    st.caption(CHOICE)


def _trade(run: Run, delta: float, theorem: str) -> None:
    """The runs of the same task from accurate to certified."""
    st.markdown("#### From accurate to certified")
    own = [] if run.id in shipped_by_id() else [other for other in own_runs() if other.spec.train.loss == "certificate"]
    alike = (task_title(run), recipe(run.spec))
    peers = [other for other in (*certified_runs(), *own) if (task_title(other), recipe(other.spec)) == alike]
    table = along_the_weights(peers, delta, theorem)
    if len(table) < 2:
        st.caption("There are runs of this task at one weight only.")
        return
    top = max(1.1, min(1.6, 1.08 * float(table["certificate"].max())))
    first, last, best = table.iloc[0], table.iloc[-1], table.loc[table["certificate"].idxmin()]
    words = (
        f"As the weight of the complexity in training grows by a factor of {last['weight'] / first['weight']:.3g}, Theorem {theorem} goes from "
        f"**{decimals(first['certificate'], 3)}** to **{decimals(last['certificate'], 3)}** and the test error from "
        f"**{percent(first['test_error'])}** to **{percent(last['test_error'])}**."
    )
    if best["weight"] != last["weight"]:
        words += (
            f" It is smallest at weight {best['weight']:g}: **{decimals(best['certificate'], 3)}**, with a test error of "
            f"**{percent(best['test_error'])}**."
        )
    if last["certificate"] < first["certificate"] - 0.01 and last["test_error"] > first["test_error"]:
        words += " The promise is about a strongly regularised network: what can be certified is not what errs least."
    chart.show(
        certified_chart(table, run.spec.train.certificate_weight, top, theorem, is_dark()), "chart_certified", words
    )
    st.markdown(words)
    st.caption(
        f"Final epoch, means over the seeds of each weight · δ = {delta:g} for Theorem {theorem} alone. Every point is at the margin "
        "that makes its certificate smallest, so ramp error and complexity may jump in opposite directions; the confidence term "
        "is in the certificate and not drawn."
    )


def _margins(controls: Controls, run: Run, record: pd.DataFrame, delta: float, theorem: str) -> None:
    """Margins over epochs and the trade-off at this one."""
    st.markdown("#### Margins")
    net = run.norms(record)
    try:
        table = trade_off(net, run.sample, delta, theorem)
    except ValueError as error:
        st.info(f"{error}.")
        return
    best = table.loc[table["total"].idxmin()]
    margins = [f"{margin:.3g}" for margin in table["margin"]]
    asked = controls.slide("Margin γ", (BEST, *margins), "margin", BEST, f"best: where Theorem {theorem} is smallest")
    here = best if asked == BEST else table.iloc[margins.index(asked)]
    margin = float(here["margin"])
    quantiles = over_epochs(run)
    low, high = float(quantiles["q5"].min()), float(quantiles["q95"].max())
    reach = (min(low, 0.0) - 0.08 * (high - low), max(high, min(margin, 2 * high)) + 0.12 * (high - low))
    chart.show(
        fan(quantiles, float(record["epoch"].iloc[0]), margin, reach, is_dark()),
        "chart_fan",
        "Quantiles of the training margins over epochs",
    )
    st.caption(
        "Median of the training margins, 50 % and 90 % of them in the bands; the vertical line is the epoch above."
    )
    top = max(1.25, min(4.0, 1.15 * float(best["total"])))
    chart.show(
        trade_off_chart(table, margin, top, theorem, is_dark()),
        "chart_trade",
        "Ramp error, complexity over margin, and their sum with the confidence term against the margin",
    )
    covered = bool(table["margin"].iloc[-1] > record["margin_quantiles"].iloc[0][-1])
    st.markdown(trade_off_sentence(here, best, theorem, bool(best["margin"] == table["margin"].iloc[-1]), covered))


def _formulas() -> None:
    box = st.expander(
        "Formulas, sources and assumptions", icon=":material/function:", on_change="rerun", key="formulas_c"
    )
    if box.open:
        with box:
            for key in THEOREMS.values():
                formula(key, "strict")
            st.markdown(f"**PAC-Bayes-kl**: {SOURCE}")
            st.latex(r"\begin{gathered}" + LATEX.replace(r",\quad", r",\\") + r"\\" + KL_LATEX + r"\end{gathered}")
            st.caption(f"{SYMBOLS} {NOTE}")
            st.markdown(
                "**Hold-out**: Clopper and Pearson 1934. The largest error rate under which so few errors on the test images "
                "still have probability δ. It assumes that nobody chose anything by looking at them."
            )
