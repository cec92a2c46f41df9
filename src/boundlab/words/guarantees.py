"""Sentences about guarantees and what they hold for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from boundlab.analysis.guarantees import Guarantee, family
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


_HOW = {  # family -> what a card calls the argument, and what it is made from and costs
    "holdout": ("Fresh images", "{n} kept back"),
    "pac_bayes": ("PAC-Bayes", "images"),
    "theorem_s": (None, "training images"),
    "theorem_d": (None, "training images, code"),
}
_BRIEF = {  # how `Guarantee.about` begins: the same on a card
    "the network itself": "this network",
    "the network with rounded hidden weights": "rounded copy of this network",
    "a network made of it for this number": "network made of this one",
    "a noisy version of the network": "noisy copy of this network",
    "a noisy version of a network trained alike": "noisy copy of another network",
}
_WHAT = {
    "holdout": "Hold-out: images that the network never trained on are counted. The strongest promise, at the price of images "
    "that nobody may train on, or choose by.",
    "pac_bayes": "A promise about copies with random noise on the weights, from how little the noise changes the answers and how "
    "far the weights moved from a guess made beforehand.",
    "theorem_s": "A promise from the training images and the sizes (norms) of the weights: no test image, and no random draw.",
    "theorem_d": "A promise about the network with its hidden weights rounded, which can be downloaded: from the training images, how "
    "many bits the rounded weights take, and how much noise the last layer bears on paper. No test image, and no random draw.",
}


def best_promise(made: Sequence[Guarantee], error: float) -> str:
    """The best promise of a theory in one sentence; `made`: `guarantees.strongest`; `error`: on test images, of the run's network."""
    theory = [one for one in made if one.kind != "holdout" and not one.vacuous]
    theorems = [one for one in theory if one.kind.startswith("theorem")]
    if not theory:
        return f"Wrong of 100: no theory promises anything, {_measured(error)}."
    best = (theorems or theory)[0]
    who = _whom(best)
    whom = "" if who == "this network" else f" ({who})"
    found = error if best.measured is None else best.measured
    return f"Wrong of 100: **at most {at_most(best.limit or 0)}**{whom}, {_measured(found)}."


def _measured(error: float) -> str:
    return f"measured: **{decimals(100 * error, 1)}**"


def _whom(guarantee: Guarantee) -> str:
    """The network that something is promised about, in a few words."""
    about, *_ = guarantee.about.split(":")
    who, noisy, _ = about.partition(", on labels as noisy")
    brief = next((words for start, words in _BRIEF.items() if f"{who} ".startswith(f"{start} ")), None)
    return about if brief is None else brief + (", on labels as noisy as in training" if noisy else "")


def about_whom(guarantee: Guarantee) -> str:
    """The same beside a number in a picture, even shorter, and of PAC-Bayes which prior."""
    who = _whom(guarantee)
    return ", ".join(filter(None, [who.removesuffix(" network") if " of " in who else who, _prior(guarantee)]))


def beside_bar(guarantee: Guarantee) -> str:
    """The same, and of a network that is not the run's how many of 100 test images it gets wrong itself."""
    own = "" if guarantee.measured is None else f"measured {decimals(100 * guarantee.measured, 1)}"
    return ", ".join(filter(None, [about_whom(guarantee), own]))


def _prior(guarantee: Guarantee) -> str:
    """Of PAC-Bayes which prior."""
    return guarantee.title.partition(", ")[2] if family(guarantee.kind) == "pac_bayes" else ""


def at_most(limit: float) -> str:
    """A promised share as so many of 100, one decimal, rounded up: what is rounded down is not promised."""
    return f"{math.ceil(1000 * limit - 1e-9) / 10:,.1f}"


def card_title(guarantee: Guarantee) -> str:
    """What a card calls the argument."""
    return _HOW.get(family(guarantee.kind), (None, ""))[0] or guarantee.title


def card(guarantee: Guarantee, guessing: float) -> tuple[str, str, list[str], str]:
    """Of one argument its name, what it promises in per cent, about whom and from what in a few words, and all of it in many."""
    _, made_from = _HOW.get(family(guarantee.kind), (None, guarantee.used.split(";")[0]))
    who = _whom(guarantee)
    title = card_title(guarantee)
    if guarantee.limit is None:
        return title, "no number", [f":material/person_pin_circle: {who}"], f"{guarantee.title}: {guarantee.reason}."
    number = "nothing" if guarantee.vacuous else f"≤ {at_most(guarantee.limit)} %"
    made_from = ", ".join(filter(None, [made_from.format(n=guarantee.used.split(" ")[0]), _prior(guarantee)]))
    whole = " ".join(
        filter(None, [_WHAT.get(family(guarantee.kind), ""), f"{spelled_out(guarantee, guessing, ())[2:]}"])
    )
    return title, number, [f":material/person_pin_circle: {who}", f":material/image: {made_from}"], whole


def spelled_out(guarantee: Guarantee, guessing: float, runs: Sequence[Run]) -> str:
    """What is guaranteed, about what, from which evidence, and what the number is made of; `runs`: where else it may be there."""
    if guarantee.limit is None:
        return f"- **{guarantee.title}**: no number, {guarantee.reason}. {_elsewhere(guarantee, runs)}"
    says = "vacuous" if guarantee.vacuous else f"at most {percent(guarantee.limit)} errors"
    if guessing <= guarantee.limit < 1:
        says += f" (a guess errs on {100 * guessing:.0f} %)"
    return (
        f"- **{guarantee.title}**: {decimals(guarantee.limit, 4)}, {says}. :gray[A promise about {guarantee.about}. From {guarantee.used}. "
        f"Made of: {guarantee.parts}.]"
    )


def _elsewhere(guarantee: Guarantee, runs: Sequence[Run]) -> str:
    """Which of the figures' networks among `runs` have this guarantee."""
    prior = guarantee.kind.removeprefix("pac_bayes_")
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
    limits = "; ".join(
        f"{p.title}: at most **{percent(p.limit or 0)}** for {p.about.split(':')[0]}"
        + (", no better than a guess" if (p.limit or 0) >= guessing else "")
        for p in good
    )
    empty = [f"{p.title} ({p.limit:.3g})" for p in made if p.limit is not None and p.vacuous]
    return words + limits + "." + (f" Vacuous: {', '.join(empty)}." if empty else "")


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
