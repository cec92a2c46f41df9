"""The certificates page: what may be promised about one network, its margins, and the way from accurate to certified."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from boundlab.catalog import DATASETS
from boundlab.charts.certified import certified_chart
from boundlab.charts.margins import fan, trade_off_chart
from boundlab.charts.promises import promise_chart
from boundlab.charts.theme import CONFIG
from boundlab.conditions import conditions_of
from boundlab.margins import over_epochs, trade_off
from boundlab.pacbayes import KL_LATEX, LATEX, NOTE, SOURCE, SYMBOLS
from boundlab.promises import THEOREMS, Promise, along_the_weights, promises
from boundlab.recipes import recipe, task
from boundlab.runs import Run
from boundlab.tables import epochs
from boundlab.ui.chosen import chosen_network, task_title
from boundlab.ui.controls import DELTAS, Controls, with_controls
from boundlab.ui.explain import formula
from boundlab.ui.library import certified_runs, own_runs, shipped_ids, shipped_runs
from boundlab.ui.page import is_dark
from boundlab.ui.sides import epoch_of, subject

BEST = "best"
DELTA_HELP = (
    "All promises of the first chart, and the margins, hold together with probability 1 − δ: each is made with δ divided by "
    "their number. The chart from accurate to certified has all of δ for its theorem."
)
WINDOW = (
    "This network looks at the middle of the images only. A window chosen after looking at results costs like any other choice; "
    "the shipped one of 16×16 was chosen among five (sides 28, 20, 18, 16, 14): read Theorems S2 and S with δ / 5 in place of δ."
)
THEOREM_HELP = (
    "The theorem of the charts after the first: S2 is S with sharper steps in its proof, about the same networks and promising the "
    "same; both are under Theory, side by side under Anatomy."
)
CHOICE = (
    "S2 and S promise the same; S2 is the sharper one for all networks shipped here, quote it. "
    "What choosing after looking costs. Theorems S2 and S: the best of N tasks, architectures or input scalings needs δ / N; epoch, seed, "
    "weight of the training objective and margin are free. Hold-out and PAC-Bayes: the best of N networks needs δ / N, whatever "
    "they differ in."
)


@st.fragment
@with_controls
def certify(controls: Controls) -> None:
    """Pick a network; what is promised about it, by which argument."""
    with st.container(horizontal=True):
        run = chosen_network(controls)
    if run is None:
        return
    with st.container(horizontal=True):
        delta = float(controls.choose("δ", DELTAS, "delta", DELTA_HELP, "0.001"))
        label = epoch_of(controls, run)
        theorem = controls.pick("Theorem", tuple(THEOREMS), "theorem", THEOREM_HELP)
    record = run.epochs[[epochs(e) == label for e in run.epochs["epoch"]]]
    made = promises(run, record, delta)
    _panel(run, label, record, made, delta)
    if run.spec.train.loss == "certificate":
        _trade(run, delta, theorem)
    _margins(controls, run, record, delta / max(1, sum(p.limit is not None for p in made)), theorem)
    _formulas()


def _panel(run: Run, label: str, record: pd.DataFrame, made: list[Promise], delta: float) -> None:
    count = sum(p.limit is not None for p in made)
    each = f"δ = {delta:g} for all of them together, {delta / max(1, count):.3g} each"
    st.caption(f"{subject(run, label)} · n = {run.sample.n:,} training images · {each}")
    error, guessing = float(record["test_error"].iloc[0]), 1 - 1 / run.spec.arch.classes
    words = verdict(made, error, guessing)
    st.plotly_chart(
        promise_chart(made, error, guessing, is_dark()),
        key="chart_promises",
        config=CONFIG,
        alt=words,
    )
    st.markdown(words)
    if run.spec.arch.in_shape != DATASETS[run.spec.train.dataset].in_shape:
        st.warning(WINDOW, icon=":material/crop:")
    for promise in made:
        st.markdown(spelled_out(promise, guessing, shipped_runs()))
    for words in conditions_of(run.spec):
        st.markdown(f"- {words}")
    st.caption(CHOICE)


def spelled_out(promise: Promise, guessing: float, runs: Sequence[Run]) -> str:
    """What is promised, about what, from which evidence, and what the number is made of; `runs`: where else it may be there."""
    if promise.limit is None:
        return f"- **{promise.title}**: no number, {promise.reason}. {_elsewhere(promise, runs)}"
    says = "vacuous" if promise.vacuous else f"at most {100 * promise.limit:.2f} % errors"
    if guessing <= promise.limit < 1:
        says += f" (a guess errs on {100 * guessing:.0f} %)"
    return (
        f"- **{promise.title}**: {promise.limit:.4f}, {says}. :gray[A promise about {promise.about}. From {promise.used}. "
        f"Made of: {promise.parts}.]"
    )


def _elsewhere(promise: Promise, runs: Sequence[Run]) -> str:
    """Which of the figures' networks among `runs` have this promise."""
    prior = promise.kind.removeprefix("pac_bayes_")
    have = [run for run in runs if run.spec.train.loss == "mse" and any(c.prior == prior for c in run.certificates)]
    names = [
        f"{r.spec.arch.title} ({task(r.spec)}, λ = {r.spec.train.weight_decay:g}, seed {r.spec.train.seed})"
        for r in have
    ]
    return f":gray[It is there for {', '.join(names[:4])}{' and others' if len(names) > 4 else ''}.]" if names else ""


def verdict(made: list[Promise], error: float, guessing: float) -> str:
    """What may be said, from the numbers on screen; `guessing`: error of a guess among the classes."""
    good = [p for p in made if not p.vacuous]
    words = f"The network errs on **{100 * error:.2f} %** of the test images. "
    if not good:
        return words + "None of the arguments below promises anything here: every limit is 1 or more."
    said = "; ".join(
        f"{p.title}: at most **{100 * (p.limit or 0):.2f} %** for {p.about.split(':')[0]}"
        + (", no better than a guess" if (p.limit or 0) >= guessing else "")
        for p in good
    )
    empty = [f"{p.title} ({p.limit:.3g})" for p in made if p.limit is not None and p.vacuous]
    return words + said + "." + (f" Vacuous: {', '.join(empty)}." if empty else "")


def _trade(run: Run, delta: float, theorem: str) -> None:
    """The runs of the same task from accurate to certified."""
    st.markdown("#### From accurate to certified")
    own = [] if run.id in shipped_ids() else [other for other in own_runs() if other.spec.train.loss == "certificate"]
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
        f"**{first['certificate']:.3f}** to **{last['certificate']:.3f}** and the test error from "
        f"**{100 * first['test_error']:.2f} %** to **{100 * last['test_error']:.2f} %**."
    )
    if best["weight"] != last["weight"]:
        words += (
            f" It is smallest at weight {best['weight']:g}: **{best['certificate']:.3f}**, with a test error of "
            f"**{100 * best['test_error']:.2f} %**."
        )
    if last["certificate"] < first["certificate"] - 0.01 and last["test_error"] > first["test_error"]:
        words += " The promise is about a strongly regularised network: what can be certified is not what errs least."
    st.plotly_chart(
        certified_chart(table, run.spec.train.certificate_weight, top, theorem, is_dark()),
        key="chart_certified",
        config=CONFIG,
        alt=words,
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
    st.plotly_chart(
        fan(quantiles, float(record["epoch"].iloc[0]), margin, reach, is_dark()),
        key="chart_fan",
        config=CONFIG,
        alt="Quantiles of the training margins over epochs",
    )
    st.caption(
        "Median of the training margins, 50 % and 90 % of them in the bands; the vertical line is the epoch above."
    )
    top = max(1.25, min(4.0, 1.15 * float(best["total"])))
    st.plotly_chart(
        trade_off_chart(table, margin, top, theorem, is_dark()),
        key="chart_trade",
        config=CONFIG,
        alt="Ramp error, complexity over margin, and their sum with the confidence term against the margin",
    )
    covered = bool(table["margin"].iloc[-1] > record["margin_quantiles"].iloc[0][-1])
    st.markdown(_trade_words(here, best, theorem, bool(best["margin"] == table["margin"].iloc[-1]), covered))


def _trade_words(here: pd.Series, best: pd.Series, theorem: str, last: bool, covered: bool) -> str:
    """`last`: the best margin is the largest tried; `covered`: that is above every training margin, and from there on the sum of
    ramp error and complexity is 1 + constant / margin."""
    words = (
        f"At γ = {here['margin']:.3g} the ramp error is **{here['ramp']:.3f}** (share of images within γ: "
        f"{here['indicator']:.3f}), the complexity **{here['complexity']:.3g}**, the confidence term {here['confidence']:.3f}: "
        f"Theorem {theorem} promises **{here['total']:.3g}**."
    )
    if here["margin"] != best["margin"]:
        words += f" Smallest at γ = {best['margin']:.3g}: {best['total']:.3g}."
    if last and best["total"] >= 1:
        words += (
            " That is more than any training margin, and a larger one only brings it closer to 1, from above."
            if covered
            else " That is the largest margin tried."
        )
    return words + (
        " A larger margin costs ramp error and saves complexity. Choosing it after seeing the data costs nothing more: the "
        "confidence term pays for all margins at once."
    )


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
