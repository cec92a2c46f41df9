"""Sentences about guarantees and what they hold for."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from boundlab.analysis.guarantees import Guarantee
from boundlab.runs.run import Run
from boundlab.specs.recipes import task
from boundlab.text import decimals, percent

BEST = "best"

WINDOW = (
    "This network looks at the middle of the images only. A window chosen after looking at results costs like any other choice; "
    "the shipped one of 16×16 was chosen among five (sides 28, 20, 18, 16, 14): read Theorems S2 and S with δ / 5 in place of δ."
)

CHOICE = (
    "S2 and S promise the same; S2 is the sharper one for all networks shipped here, quote it. "
    "What choosing after looking costs. Theorems S2 and S: the best of N tasks, architectures or input scalings needs δ / N; epoch, seed, "
    "weight of the training objective and margin are free. Hold-out and PAC-Bayes: the best of N networks needs δ / N, whatever "
    "they differ in."
)


def spelled_out(promise: Guarantee, guessing: float, runs: Sequence[Run]) -> str:
    """What is promised, about what, from which evidence, and what the number is made of; `runs`: where else it may be there."""
    if promise.limit is None:
        return f"- **{promise.title}**: no number, {promise.reason}. {_elsewhere(promise, runs)}"
    says = "vacuous" if promise.vacuous else f"at most {percent(promise.limit)} errors"
    if guessing <= promise.limit < 1:
        says += f" (a guess errs on {100 * guessing:.0f} %)"
    return (
        f"- **{promise.title}**: {decimals(promise.limit, 4)}, {says}. :gray[A promise about {promise.about}. From {promise.used}. "
        f"Made of: {promise.parts}.]"
    )


def _elsewhere(promise: Guarantee, runs: Sequence[Run]) -> str:
    """Which of the figures' networks among `runs` have this promise."""
    prior = promise.kind.removeprefix("pac_bayes_")
    have = [run for run in runs if run.spec.train.loss == "mse" and any(c.prior == prior for c in run.certificates)]
    names = [
        f"{r.spec.arch.title} ({task(r.spec)}, λ = {r.spec.train.weight_decay:g}, seed {r.spec.train.seed})"
        for r in have
    ]
    return f":gray[It is there for {', '.join(names[:4])}{' and others' if len(names) > 4 else ''}.]" if names else ""


def verdict(made: list[Guarantee], error: float, guessing: float) -> str:
    """What may be said, from the numbers on screen; `guessing`: error of a guess among the classes."""
    good = [p for p in made if not p.vacuous]
    words = f"The network errs on **{percent(error)}** of the test images. "
    if not good:
        return words + "None of the arguments below promises anything here: every limit is 1 or more."
    said = "; ".join(
        f"{p.title}: at most **{percent(p.limit or 0)}** for {p.about.split(':')[0]}"
        + (", no better than a guess" if (p.limit or 0) >= guessing else "")
        for p in good
    )
    empty = [f"{p.title} ({p.limit:.3g})" for p in made if p.limit is not None and p.vacuous]
    return words + said + "." + (f" Vacuous: {', '.join(empty)}." if empty else "")


def trade_off_sentence(here: pd.Series, best: pd.Series, theorem: str, last: bool, covered: bool) -> str:
    """`last`: the best margin is the largest tried; `covered`: that is above every training margin, and from there on the sum of
    ramp error and complexity is 1 + constant / margin."""
    words = (
        f"At γ = {here['margin']:.3g} the ramp error is **{decimals(here['ramp'], 3)}** (share of images within γ: "
        f"{decimals(here['indicator'], 3)}), the complexity **{here['complexity']:.3g}**, the confidence term {decimals(here['confidence'], 3)}: "
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
