"""A sheet of ten exercises with solutions: numbers drawn by a seed, answers computed by the project's own code, each also as a few
lines of Python that need nothing of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from boundlab.analysis.tables import final_table
from boundlab.bounds import BY_KEY
from boundlab.bounds.base import effective_n, evaluate
from boundlab.bounds.concentration import clopper_pearson
from boundlab.errors import LessonError
from boundlab.lessons.facts import standard_networks
from boundlab.quantities.receptive_fields import fields_of_last
from boundlab.runs.run import Run
from boundlab.specs.arch import ArchSpec
from boundlab.specs.settings import Settings
from boundlab.text import percent, readable

_DELTAS = (0.001, 0.01, 0.05)


@dataclass(frozen=True)
class Exercise:
    """`question`, `solution`: Markdown; `answer`: the number asked for; `code`: Python that computes it from the question's numbers, its last
    line is the value."""

    title: str
    question: str
    answer: float
    solution: str
    code: str


def exercises(runs: Sequence[Run], seed: int) -> list[Exercise]:
    """The ten of one seed; `runs`: the shipped ones. Raises LessonError where these lack what an exercise is about."""
    chance = np.random.default_rng(seed)
    networks = standard_networks(runs)
    makers: tuple[Callable[[np.random.Generator, list[Run]], Exercise], ...] = (
        *(_read, _norms, _by_hand, _test_images, _plain_test, _field, _paths, _layer, _matrix),
    )
    return [*(make(chance, networks) for make in makers), _design(runs)]


def _pick(chance: np.random.Generator, runs: Sequence[Run]) -> Run:
    return runs[int(chance.integers(len(runs)))]


def _called(run: Run) -> str:
    train = run.spec.train
    return f"{run.spec.arch.title} on {train.dataset}, λ = {train.weight_decay:g}, seed {train.seed}"


def _value(run: Run, series: str, convention: str = "published") -> float:
    table = final_table([run], Settings(convention))
    return float(table.loc[table["series"] == series, "value"].iloc[0])


def _read(chance: np.random.Generator, networks: list[Run]) -> Exercise:
    run = _pick(chance, networks)
    arch, train = run.spec.arch, run.spec.train
    value, error = _value(run, "sparse"), _value(run, "test_error")
    link = f"anatomy?dataset={train.dataset}&layers={arch.conv_layers}&channels={arch.channels}&wd={train.weight_decay:g}&seed={train.seed}"
    return Exercise(
        "Read a bound",
        f"What is the sparse bound of {_called(run)}, as the paper plots it (convention `published`)? Look it up on page Anatomy (`{link}`). Its test "
        f"error is {percent(error)}. Is the bound a promise about it?",
        value,
        f"**{readable(value)}**. No promise: {'it is above 1, and an error never is; besides, ' if value >= 1 else ''}the plotted form leaves out constants and the "
        "fan-in of the output layer (page Theory says which).",
        f"{value!r}",
    )


def _norms(chance: np.random.Generator, networks: list[Run]) -> Exercise:
    run = _pick(chance, networks)
    norms = run.norms(run.epochs.iloc[-1:])
    each = [round(float(layer.frobenius[0]), 4) for layer in norms.layers]
    value = float(norms.rho[0])
    return Exercise(
        "The product of norms",
        f"The Frobenius norms of the layers of {_called(run)} are {', '.join(map(str, each))}, input to output. What is ρ?",
        value,
        f"Their product, **{readable(value)}**. Every factor of 2 in one layer is a factor of 2 in the bound, whichever layer it is.",
        f"import math\nmath.prod({each})",
    )


def _by_hand(chance: np.random.Generator, networks: list[Run]) -> Exercise:
    run = _pick(chance, networks)
    settings, norms = Settings(), run.norms(run.epochs.iloc[-1:])
    value = float(evaluate(BY_KEY["sparse"], norms, run.sample, settings).value[0])  # type: ignore[index]
    shapes, n = norms.shapes, effective_n(run.sample, settings)
    given: dict[str, float] = {
        "rho": float(f"{float(norms.rho[0]):.8g}"),
        "n": n,
        "layers": len(shapes),
        "area": max(shape.area for shape in shapes),
        "areas": math.prod(shape.area for shape in shapes),
        "classes": run.sample.classes,
        "pixel": float(f"{run.sample.raw.max_pixel:.8g}"),
        "delta": settings.delta,
    }
    told = (
        f"ρ = {given['rho']:g}, n = {n:,}, L = {len(shapes)} layers (the output layer counts), kernels of a = {given['area']} pixels, their product "
        f"∏a = {given['areas']:,}, C = {run.sample.classes}, root of the largest pixel energy R = {given['pixel']:g}, δ = {settings.delta:g}"
    )
    code = "\n".join(
        [
            "from math import log, sqrt",
            *(f"{name} = {number!r}" for name, number in given.items()),
            "peel = 1 + sqrt(2 * (layers * log(2 * area) + log(classes)))",
            "complexity = (rho + 1) / n * 2 * sqrt(2) * peel * sqrt(areas) * pixel",
            "complexity + 3 * sqrt(log(2 * (rho + 2) ** 2 / delta) / (2 * n))",
        ]
    )
    return Exercise(
        "The sparse bound by hand",
        f"For {_called(run)}: {told}. Compute the published sparse bound, "
        r"$\frac{\rho+1}{n}\,2\sqrt2\,(1+\sqrt{2(L\log(2a)+\log C)})\sqrt{\prod a}\;R+3\sqrt{\frac{\log(2(\rho+2)^2/\delta)}{2n}}$.",
        value,
        f"**{readable(value)}**. No number of channels stands in it: width enters through ρ alone.",
        code,
    )


def _test_images(chance: np.random.Generator, networks: list[Run]) -> Exercise:
    delta, width = float(chance.choice(_DELTAS)), float(chance.choice([0.005, 0.01, 0.02]))
    value = float(math.ceil(math.log(1 / delta) / (2 * width**2)))
    return Exercise(
        "How many test images?",
        f"By Hoeffding's inequality the error is at most the test error plus $\\sqrt{{\\ln(1/\\delta)/(2m)}}$, with probability 1 − δ. How many images m keep the second "
        f"term at {100 * width:g} of 100 for δ = {delta:g}?",
        value,
        f"m ≥ ln(1/δ) / (2 · {width:g}²), so **{value:,.0f}**. Neither the network nor its norms enter.",
        f"from math import ceil, log\nceil(log(1 / {delta!r}) / (2 * {width!r} ** 2))",
    )


def _plain_test(chance: np.random.Generator, networks: list[Run]) -> Exercise:
    run, delta = _pick(chance, networks), float(chance.choice(_DELTAS))
    images = 10_000 if run.spec.train.dataset == "mnist" else 360
    wrong = round(_value(run, "test_error") * images)
    value = float(clopper_pearson(wrong / images, images, delta))
    return Exercise(
        "A plain test",
        f"{_called(run)} gets {wrong:,} of {images:,} test images wrong. What does that promise about its error with probability {1 - delta:g} (Clopper–Pearson, one-sided: "
        f"the error at which at most {wrong:,} mistakes have probability δ = {delta:g})?",
        value,
        f"At most **{100 * value:.3g}** of 100; it erred on {percent(wrong / images)}.",
        f"from scipy.stats import beta\nfloat(beta.ppf(1 - {delta!r}, {wrong} + 1, {images} - {wrong}))",
    )


def _geometry(chance: np.random.Generator) -> tuple[ArchSpec, int, int]:
    """A network, its number of convolutions, and their kernel."""
    layers, kernel = int(chance.integers(2, 6)), int(chance.choice([2, 3]))
    return ArchSpec(conv_layers=layers, kernel_size=kernel, channels=8, in_shape=(1, 28, 28)), layers, kernel


def _field(chance: np.random.Generator, networks: list[Run]) -> Exercise:
    arch, layers, kernel = _geometry(chance)
    seen = fields_of_last(arch.shapes(), (28, 28))[0]
    value = float(seen.bottom - seen.top + 1)
    return Exercise(
        "What a neuron sees",
        f"A network has {layers} convolutions with {kernel}×{kernel} kernels and stride 1. How many pixels high is what one neuron of the last of them sees of "
        "the image?",
        value,
        f"1 + L(k − 1) = **{value:.0f}**. But it is directly connected to {kernel**2} positions of the layer below only, and that is what the sparse bound counts.",
        f"1 + {layers} * ({kernel} - 1)",
    )


def _paths(chance: np.random.Generator, networks: list[Run]) -> Exercise:
    arch, layers, kernel = _geometry(chance)
    value = math.sqrt(math.prod(shape.area for shape in arch.shapes()))
    return Exercise(
        "Paths",
        f"In the same way: {layers} convolutions, kernels {kernel}×{kernel}. By what factor do the kernels' areas enter the published bound (the root of their product)?",
        value,
        f"√(k²)^L = k^L = **{value:,.0f}**. A dense layer in the place of each would see all 784 pixels: 28^L = {28.0**layers:,.0f}.",
        f"{kernel} ** {layers}",
    )


def _layer(chance: np.random.Generator, networks: list[Run]) -> Exercise:
    by_place = {_place(run): run for run in networks}
    pairs = [(run, by_place[deeper]) for run in networks if (deeper := _place(run, 1)) in by_place]
    few, many = pairs[int(chance.integers(len(pairs)))]
    sparse, golowich = (_value(many, key) / _value(few, key) for key in ("sparse", "golowich"))
    numbers = [_value(run, "golowich") for run in (few, many)]
    return Exercise(
        "One more layer",
        f"Compare {_called(few)}, with {many.spec.arch.title}. Golowich's published bound is {readable(numbers[0])} and {readable(numbers[1])}. By what factor does one more layer multiply it, and by what "
        "factor the sparse bound (page Depth)?",
        golowich,
        f"**{golowich:.3g}** for Golowich's, {sparse:.3g} for the sparse bound: a layer costs the norm of its whole matrix there, and that of its kernel times √4 here.",
        f"{numbers[1]!r} / {numbers[0]!r}",
    )


def _place(run: Run, deeper: int = 0) -> tuple[object, ...]:
    arch, train = run.spec.arch, run.spec.train
    return train.dataset, (arch.conv_layers or 0) + deeper, arch.channels, train.weight_decay, train.seed


def _matrix(chance: np.random.Generator, networks: list[Run]) -> Exercise:
    arch, layers, _ = _geometry(chance)
    sides = [round(math.sqrt(shape.positions)) for shape in arch.shapes() if shape.spatial]
    value = math.prod(math.sqrt(shape.positions) for shape in arch.shapes() if shape.spatial)
    return Exercise(
        "A convolution as a matrix",
        f"Written out as a matrix, a convolution has its kernel once for every output position. The output maps of {layers} convolutions are {', '.join(f'{side}×{side}' for side in sides)}. "
        "By what factor is the product of the matrices' Frobenius norms larger than that of the kernels'?",
        value,
        f"Each by √positions, the side of its map: {' · '.join(map(str, sides))} = **{readable(value)}**. That is most of what separates the sparse bound from Golowich's.",
        f"import math\nmath.prod({sides})",
    )


def _design(runs: Sequence[Run]) -> Exercise:
    trained = [
        run
        for run in runs
        if run.spec.train.loss == "certificate"
        and run.spec.arch.classes == 10
        and run.spec.arch.in_shape == (1, 28, 28)
    ]
    if not trained:
        raise LessonError("there is no network of ten digits trained for its certificate: restore `data/runs`")
    values = {run: _value(run, "doubled", "strict") for run in trained}
    best = min(values, key=values.__getitem__)
    value, error = values[best], _value(best, "test_error")
    return Exercise(
        "Design a network that is certified",
        "Which network of the shipped ones that tell all ten MNIST digits apart has the smallest Theorem S2 (δ = 0.001, page Certificates), and how small is it? Then train one of your own below 1: page Train, "
        "*Customise*, preset `certified`.",
        value,
        f"{best.spec.arch.title} with weight {best.spec.train.certificate_weight:g}: **{value:.3f}**, test error {percent(error)}. One layer, and training that minimises the bound itself; "
        "a network trained for accuracy has far smaller errors and no promise from S2.",
        f"{value!r}",
    )


def sheet(made: Sequence[Exercise], seed: int, solutions: bool) -> str:
    """The exercises as Markdown."""
    parts = [f"# Ten exercises (seed {seed})\n"]
    for number, one in enumerate(made, 1):
        parts.append(f"## {number}. {one.title}\n\n{one.question}\n")
        if solutions:
            parts.append(f"**Solution.** {one.solution}\n\n```python\n{one.code}\n```\n")
    return "\n".join(parts)


def notebook(made: Sequence[Exercise], seed: int, solutions: bool) -> str:
    """The same as a Jupyter notebook, a cell for each answer; with `solutions` these are in it."""
    cells: list[dict[str, Any]] = [_cell("markdown", f"# Ten exercises (seed {seed})")]
    for number, one in enumerate(made, 1):
        cells.append(_cell("markdown", f"## {number}. {one.title}\n\n{one.question}"))
        cells.append(_cell("code", one.code if solutions else "# your answer"))
        if solutions:
            cells.append(_cell("markdown", f"**Solution.** {one.solution}"))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return json.dumps(
        {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, ensure_ascii=False, indent=1
    )


def _cell(kind: str, text: str) -> dict[str, Any]:
    more: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, "source": text} | more
