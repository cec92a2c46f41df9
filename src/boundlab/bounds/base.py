"""What a bound is: formulas per convention, each a set of named log factors and additive terms.

complexity = exp(sum of log factors); value = complexity + sum of additive terms + empirical term. Everything is
vectorised over the leading shape of the norms, and nothing overflows because products are sums of logs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from boundlab.quantities.norms import Array, NetworkNorms
from boundlab.quantities.sample import SampleStats
from boundlab.specs.settings import Settings
from boundlab.specs.shapes import Pool

Parts = Mapping[str, Any]  # name -> number or array


@dataclass(frozen=True)
class Terms:
    """One evaluated formula; every part is a number or an array of the norms' leading shape, without unit.

    `log_factors`: natural logs of what is multiplied to the complexity. `additive`: what is added to it. `empirical`: the
    empirical term (NaN where not measured); `margin`: the one it is at.
    """

    log_factors: Parts
    additive: Parts
    empirical: Array | float = 0.0
    margin: Array | float | None = None


@dataclass(frozen=True)
class Assumption:
    """`sentence` completes "it assumes that ..."; `holds` None: cannot be checked on the network, only stated.

    `measured`: it is about what was measured, not about the network.
    """

    sentence: str
    holds: Callable[[NetworkNorms, SampleStats, Settings], bool] | None = None
    measured: bool = False


@dataclass(frozen=True)
class Formula:
    """A bound in one convention: LaTeX, code and assumptions together.

    `terms`: the formula in code. `note`: what a reader must know; `symbols`: what the LaTeX uses beyond
    `SYMBOLS`; `source`: where this convention is from, when not the bound's own source.
    """

    latex: str
    terms: Callable[[NetworkNorms, SampleStats, Settings], Terms]
    assumptions: tuple[Assumption, ...] = ()
    note: str = ""
    symbols: str = ""
    source: str = ""


@dataclass(frozen=True)
class Bound:
    """A bound of the literature. `bibtex`: the entry of its paper; `refusals`: why it has no formula in a convention."""

    key: str
    title: str
    source: str
    bibtex: str
    formulas: dict[str, Formula]
    refusals: dict[str, str]


@dataclass(frozen=True)
class Value:
    """A bound's value, or None fields and the `reason` why it does not apply. Arrays share the norms' shape.

    All of it is about the 0-1 test error (or, in `published`, what the figures plot): no unit.
    """

    value: Array | None
    complexity: Array | None = None
    confidence: Array | None = None
    empirical: Array | None = None
    margin: Array | None = None
    terms: Terms = Terms({}, {})
    reason: str | None = None

    @property
    def log_factors(self) -> dict[str, Array]:
        """`Terms.log_factors`, each in the norms' shape."""
        return self._each(self.terms.log_factors)

    @property
    def additive(self) -> dict[str, Array]:
        """`Terms.additive`, each in the norms' shape."""
        return self._each(self.terms.additive)

    def _each(self, parts: Parts) -> dict[str, Array]:
        shape = () if self.value is None else self.value.shape
        return {name: np.broadcast_to(part, shape) for name, part in parts.items()}


def only(part: Array | float | None) -> float:
    """The one element of a `Value`'s part, when it is of a single network."""
    return float(np.asarray(part, dtype=np.float64).squeeze())


def effective_n(sample: SampleStats, settings: Settings) -> int:
    """The n of the formulas: the reader's, else the authors' in `published`, else the sample's own size."""
    if settings.n is not None:
        return settings.n
    return sample.published_n if settings.convention == "published" else sample.n


def broken(bound: Bound, net: NetworkNorms, sample: SampleStats, settings: Settings) -> Assumption | None:
    """The first assumption of the bound that does not hold; None where all do, or it has no formula to assume any."""
    formula = bound.formulas.get(settings.convention)
    assumptions = () if formula is None else formula.assumptions
    return next((a for a in assumptions if a.holds is not None and not a.holds(net, sample, settings)), None)


def evaluate(bound: Bound, net: NetworkNorms, sample: SampleStats, settings: Settings) -> Value:
    """Evaluate a bound for every network in `net`, all in the norms' leading shape.

    A bound that does not apply gives its reason, not a number. Beyond 1e308 a value is infinite.
    """
    formula = bound.formulas.get(settings.convention)
    if formula is None:
        return Value(None, reason=bound.refusals[settings.convention])
    if sample.n < 2 or sample.raw.frobenius == 0 or sample.fed.frobenius == 0:
        return Value(None, reason="it assumes that the sample has at least 2 images, not all of them black")
    if (assumption := broken(bound, net, sample, settings)) is not None:
        return Value(None, reason=f"it assumes that {assumption.sentence}")
    with np.errstate(invalid="ignore"):  # NaN is "not measured" and stays NaN
        terms = formula.terms(net, sample, settings)
    return value_of(terms, net.path_l1.shape)


def value_of(terms: Terms, shape: tuple[int, ...] = ()) -> Value:
    """What evaluated terms add up to, in the norms' leading `shape`. Beyond 1e308 a value is infinite."""
    with np.errstate(over="ignore"):  # beyond 1e308 a bound is infinite, and says so
        complexity = np.exp(_added(terms.log_factors, shape))
    confidence, empirical = _added(terms.additive, shape), np.broadcast_to(terms.empirical, shape)
    margin = None if terms.margin is None else np.broadcast_to(terms.margin, shape)
    return Value(complexity + confidence + empirical, complexity, confidence, empirical, margin, terms)


def _added(parts: Parts, shape: tuple[int, ...]) -> Array:
    """The sum of some parts in the norms' shape: first of the numbers, so that each array is read once."""
    arrays = [part for part in parts.values() if np.ndim(part)]
    numbers = sum((float(part) for part in parts.values() if not np.ndim(part)), 0.0)
    return np.broadcast_to(sum(arrays, numbers), shape)


def chosen_margin(settings: Settings) -> float:
    """The reader's margin, else the paper's 1."""
    return 1.0 if settings.margin is None else settings.margin


def empirical(net: NetworkNorms, margin: float, kind: str) -> Array:
    """Ramp or indicator error of the training sample at `margin`; NaN where it was not measured."""
    return net.error_at(margin, kind)


def log_sum_power(logs: list[Array]) -> Array:
    """log of (sum of exp(x)^(2/3))^(3/2), the way several bounds add up their layers; all of one shape."""
    return 1.5 * log_sum([log * (2 / 3) for log in logs])


def log_sum(logs: Sequence[Array | float]) -> Array:
    """log of the sum of exp(x), as `np.logaddexp` has it, in a third of its time."""
    top = reduce(np.maximum, logs)
    shift = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore", over="ignore"):  # all of them -inf, or one inf
        return np.log(sum(np.exp(x - shift) for x in logs)) + shift


def deviation(n: int, delta: float) -> float:
    """3 sqrt(ln(2/delta) / (2n)): from the empirical Rademacher complexity to the error (Mohri et al., 2nd ed.)."""
    return 3 * math.sqrt(math.log(2 / delta) / (2 * n))


def averaging(net: NetworkNorms) -> dict[str, float]:
    """What average pooling A over p positions does, as a factor. Its windows do not overlap, so A A^T = I/p: a layer B
    after it has ||BA||_F = ||B||_F / sqrt(p), and A stretches by 1/sqrt(p)."""
    areas = [pool.area for pool in pools(net, "avg")]
    return {"pooling": -0.5 * math.log(math.prod(areas))} if areas else {}


def averaged_before(net: NetworkNorms) -> list[float]:
    """Per layer the log of sqrt(p) for the averages over p positions between the layer before and it."""
    areas = [math.prod(pool.area for pool in shape.pools if pool.kind == "avg") for shape in net.shapes]
    return [0.5 * math.log(area) for area in (1, *areas[:-1])]


def pools(net: NetworkNorms, *kinds: str) -> list[Pool]:
    """Every pooling of these kinds, in order."""
    return [pool for shape in net.shapes for pool in shape.pools if pool.kind in kinds]


def radius_log(reach: Array, n: int, delta: float) -> Array:
    """3 sqrt(log(2 (reach + 2)^2 / delta) / (2n)) for reach = exp(`reach`): confidence over a grid of norms."""
    return 3 * np.sqrt((np.log(2 / delta) + 2 * log_sum([reach, math.log(2)])) / (2 * n))


SYMBOLS = (
    r"$n$: sample size · $C$: classes · $L$: layers, output layer included · $W^l$: weights of layer $l$ · $\delta$: "
    r"probability that the bound fails · $\|X\|_F$: root of the summed squared input norms, as the network sees them · "
    r"$m_i$: margin of example $i$, its own class's output minus the largest other · $\gamma$: margin asked for · "
    r"$\widehat{\mathrm{err}}_\gamma$: ramp error, the mean of $\min(1,\max(0,1-m_i/\gamma))$ · $\log$ and $\ln$: natural."
)
NO_BIAS = Assumption("the network has no biases", lambda net, sample, settings: not net.has_bias)
IID = Assumption("training and test examples are drawn independently from one distribution")
NO_POOLING_CODE = Assumption(
    "the network has no pooling (the released code has none)",
    lambda net, sample, settings: not pools(net, "max", "avg"),
)
NO_POOLING = Assumption(
    "the network has no pooling (the form of the theorem used here has none)",
    lambda net, sample, settings: not pools(net, "max", "avg"),
)
SHARED = Assumption(
    "filters are shared by all positions (the bound counts them once), so that no layer is locally connected",
    lambda net, sample, settings: all(shape.kind != "local" for shape in net.shapes),
)
RELU = Assumption(
    "every activation is ReLU (the theorem is stated for ReLU networks), so that none is a LeakyReLU",
    lambda net, sample, settings: not any(shape.negative_slope for shape in net.shapes),
)
FROM_BELOW = (
    "Spectral norms of layers as maps come from an iteration that approaches them from below, and the bound grows with them: a "
    "certified upper limit on them (Delattre et al. 2023, 2024) would belong here."
)
FIXED = Assumption("the norm limits and the margin were fixed before seeing the data")
BIASES_IGNORED = "Biases, where the network has them, are ignored, as the released code does."
NOT_PLOTTED = "the paper's figures do not plot this bound; choose theorem"
STRICT_ONLY_SPARSE = "in the strict convention only the sparse bound (Theorems S and S2) has versions with every constant proved and checked"
