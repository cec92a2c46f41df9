"""The numbers of a lesson, taken from the runs that there are; a lesson that they contradict is not shown as if it were true."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from boundlab.analysis.guarantees import GUARANTEE_KINDS, guarantees
from boundlab.analysis.tables import SERIES, final_table
from boundlab.errors import LessonError
from boundlab.lessons.expressions import amount, filled_in, holds, in_text
from boundlab.lessons.lesson import LessonStep, Quantity
from boundlab.runs.run import Run
from boundlab.specs.recipes import figured, recipe, task
from boundlab.specs.settings import CONVENTIONS, Settings

_PROMISES = {
    f"promise_{kind}": kind for kind in GUARANTEE_KINDS
}  # as page Certificates makes them: delta is shared among them
QUANTITIES = (*SERIES, *_PROMISES, "images")
_SETTINGS = ("convention", "delta")
# what a run is asked; of words a blank is written as _
_OF_RUN: dict[str, Callable[[Run], object]] = {
    "dataset": lambda run: run.spec.train.dataset,
    "kind": lambda run: run.spec.arch.kind,
    "layers": lambda run: run.spec.arch.conv_layers,
    "channels": lambda run: run.spec.arch.channels,
    "wd": lambda run: run.spec.train.weight_decay,
    "weight": lambda run: run.spec.train.certificate_weight,
    "label_noise": lambda run: run.spec.train.label_noise,
    "n_train": lambda run: run.sample.n,
    "seed": lambda run: run.spec.train.seed,
    "recipe": lambda run: recipe(run.spec),
    "network": lambda run: run.spec.arch.title,
    "task": lambda run: task(run.spec),
    "classes": lambda run: run.spec.arch.classes,
}
_WORDS = ("dataset", "kind", "recipe", "network", "task", "convention")
CONDITIONS = (*_OF_RUN, *_SETTINGS)


def check_where(name: str, value: str) -> None:
    """Raises ValueError for a condition that no run can be asked."""
    if name not in CONDITIONS:
        raise ValueError(f"`{name}` is none of {', '.join(CONDITIONS)}")
    if name == "convention" and value not in CONVENTIONS:
        raise ValueError(f"`convention` must be one of {', '.join(CONVENTIONS)}, got `{value}`")
    if name not in _WORDS:
        try:
            float(value)
        except ValueError:
            raise ValueError(f"`{name}` must be a number, got `{value}`") from None


def _is(run: Run, name: str, value: str) -> bool:
    found = _OF_RUN[name](run)
    if isinstance(found, str):
        return found.replace(" ", "_") == value
    return isinstance(found, int | float) and bool(np.isclose(found, float(value), rtol=1e-9, atol=0))


def _alike(runs: Sequence[Run], quantity: Quantity) -> Sequence[Run]:
    """The runs that a quantity is about: of one architecture and recipe, which differ in their seed alone. Raises LessonError."""
    asked = {name: value for name, value in quantity.where.items() if name not in _SETTINGS}
    found = [run for run in runs if len(run.ends) and all(_is(run, name, value) for name, value in asked.items())]
    words = " ".join(f"{name}={value}" for name, value in asked.items())
    if not found:
        raise LessonError(f"line {quantity.line}: there is no run with {words}")
    kinds = {
        (r.spec.arch.title, recipe(r.spec), r.spec.train.weight_decay, r.sample.n, r.spec.arch.classes) for r in found
    }
    if len(kinds) > 1:
        some = "; ".join(f"{title}, {made}, λ = {wd:g}, n = {n:,}" for title, made, wd, n, _ in sorted(kinds)[:3])
        raise LessonError(
            f"line {quantity.line}: {words} is true of {len(kinds)} kinds of networks ({some} ...); say more"
        )
    return found


def _value(quantity: Quantity, runs: Sequence[Run]) -> float:
    """Mean over the seeds, at the last record. Raises LessonError."""
    found = _alike(runs, quantity)
    settings = Settings(quantity.where.get("convention", "published"), float(quantity.where.get("delta", 0.001)))
    if quantity.series == "images":
        return float(found[0].sample.n)
    if kind := _PROMISES.get(quantity.series):
        made = [g for run in found for g in guarantees(run, run.epochs.iloc[-1:], settings.delta) if g.kind == kind]
        values = [g.limit for g in made if g.limit is not None]
    else:
        table = final_table(found, settings)
        values = table.loc[table["series"] == quantity.series, "value"].dropna().tolist()
    if not values:
        raise LessonError(f"line {quantity.line}: {quantity.series} has no value for {found[0].id}")
    return float(np.mean(values))


def amounts(step: LessonStep, runs: Sequence[Run]) -> dict[str, float]:
    """Its quantities. Raises LessonError for one that the runs do not have."""
    return {name: _value(quantity, runs) for name, quantity in step.quantities.items()}


def contradicted(step: LessonStep, values: dict[str, float]) -> list[str]:
    """What the step claims and the runs do not show, a sentence each."""
    sentences = []
    for check in step.checks:
        if not holds(check, values):
            left, right = (f"{amount(side, values):.4g}" for side in (check.left, check.right))
            sentences.append(f"line {check.line}: `{check.text}` is not so: {left} and {right}")
    return sentences


def shown_text(step: LessonStep, runs: Sequence[Run]) -> tuple[str, dict[str, float]]:
    """The text with its numbers, and these; raises LessonError for what the runs do not have, or contradict."""
    values = amounts(step, runs)
    if wrong := contradicted(step, values):
        raise LessonError("; ".join(wrong))
    spoken = [expression for expression, _ in in_text(step.text)] + ([step.number.answer] if step.number else [])
    if not all(math.isfinite(amount(expression, values)) for expression in spoken):
        raise LessonError(f"line {step.line}: a number of this step is no number: it divides by 0")
    return filled_in(step.text, values), values


def standard_networks(runs: Sequence[Run]) -> list[Run]:
    """The figures' own networks, trained in the usual way, by id. Raises LessonError where there is none."""
    found = [
        run for run in runs if run.trained and figured(run.spec) and recipe(run.spec) == "short" and run.at_plateau
    ]
    if not found:
        raise LessonError("there is no run of the recipe short: restore `data/runs` from the repository")
    return sorted(found, key=lambda run: run.id)
