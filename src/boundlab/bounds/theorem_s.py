"""Theorem S of this project, the sparse bound's `strict` convention; statement and proof: theorem_s.md beside this file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from boundlab.bounds.base import Assumption, Terms
from boundlab.bounds.biases import SIZES, best_constants, constants, has_constant
from boundlab.quantities.norms import Array, LayerNorms, MarginErrors, NetworkNorms, log
from boundlab.quantities.paths import path_energy
from boundlab.quantities.sample import SampleStats
from boundlab.specs.settings import Settings
from boundlab.specs.shapes import LayerShape

# spacing of the grid over rho / margin, in logs
ETA = 0.01

SHARED_UNDER_MAX = Assumption(
    "max-pooling follows shared filters (after a locally connected layer the proof needs a norm per pool window)",
    lambda net, sample, settings: (
        not any(shape.kind == "local" and pool.kind == "max" for shape in net.shapes for pool in shape.pools)
    ),
)
OWN_N = Assumption(
    "n is the size of the sample in the sums (leave n out)",
    lambda net, sample, settings: settings.n in (None, sample.n),
)


def frobenius(layers: Sequence[LayerNorms]) -> dict[str, Array]:
    """Log factors of rho, one per layer, each of the norms' leading shape."""
    return {f"frobenius.{layer.shape.name}": layer.log("frobenius") for layer in layers}


def frobenius_centered(net: NetworkNorms) -> dict[str, Array]:
    """Log factors of rho_P: the output layer with its mean row subtracted."""
    *hidden, output = net.layers
    return frobenius(hidden) | {"frobenius_centered.output": output.log("centered_frobenius")}


@lru_cache
def depth_factor(relu_layers: int, max_pools: int = 0) -> float:
    """D of Theorem S for ReLU layers, `max_pools` of them followed by max-pooling: any p >= 2 is valid, the best on a
    fine grid is taken."""

    def log_d(p: float) -> float:
        gauss = math.log(2) + (2 / p) * (math.lgamma((p + 1) / 2) - 0.5 * math.log(math.pi))
        peel = (relu_layers - max_pools) * math.log(0.5 + 0.5 * 2 ** (1 / p)) + max_pools * math.log(2) / p
        return gauss + 2 * peel

    return math.exp(min(log_d(float(p)) for p in np.geomspace(2, 200, 4000)))


def class_factor(classes: int) -> tuple[float, float]:
    """(sqrt(pi/2) for the passage to Gaussians, 1 for two classes; kappa_C of the margin contraction): A3 of Theorem S."""
    kappa = (classes - 2 + math.sqrt(classes)) / math.sqrt(classes - 1)
    return (1.0 if classes == 2 else math.sqrt(math.pi / 2)), kappa


def of_steps(function: Callable[[Array], Array], steps: Array) -> Array:
    """`function` of whole numbers, of which many are alike: computed once for each that lies between the smallest and the largest."""
    low, high = (steps.min(), steps.max()) if steps.size else (0.0, np.inf)
    if not high - low < steps.size:  # far apart, infinite or NaN
        return function(steps)
    return function(np.arange(low, high + 1))[(steps - low).astype(np.intp)]


def _confidence(log_tau: Array, n: int, delta: float) -> Array:
    def of(t: Array) -> Array:
        return np.sqrt(2 * np.log(1.5 * (np.abs(t) + 1) * (np.abs(t) + 2) / delta) / n)

    return of_steps(of, np.ceil(log_tau / ETA))


def best_margin(
    searched: MarginErrors | None,
    log_rho: Array,
    log_rest: Array | float,
    grid: Callable[[Array], tuple[Array | float, Array]],
) -> Array:
    """The searched margin at which ramp error, complexity and confidence sum up to least, in the shape of `log_rho`; NaN where no
    errors were measured, 1 without any pass over the data. Free of charge: only rho / margin enters the proof's grid.

    `log_rest`: log of complexity / (rho / margin), one number or each network's own; `grid`: (log of what rounding up costs,
    confidence) at log (rho / margin).
    """
    if searched is None:
        return np.ones(log_rho.shape)
    known = (...,) if searched.measured is None else searched.measured
    log_tau = log_rho[known][..., None] - searched.log_grid
    rounding, confidence = grid(log_tau)
    log_complexity = log_tau + np.broadcast_to(log_rest, log_rho.shape)[known][..., None] + rounding
    total = searched.ramp + np.exp(np.minimum(log_complexity, 700)) + confidence
    least = np.argmin(np.where(np.isnan(total), np.inf, total), axis=-1)[..., None]
    best = np.take_along_axis(np.broadcast_to(searched.grid, total.shape), least, axis=-1)[..., 0]
    return searched.spread(best)


@lru_cache(maxsize=256)
def _weightless(shapes: tuple[LayerShape, ...], sample: SampleStats) -> dict[str, float]:
    """Log factors of Theorem S's complexity that neither weights nor margin enter."""
    gaussian, kappa = class_factor(sample.classes)
    paths = path_energy(sample.fed.pixel_energy, shapes)
    max_pools = sum(pool.kind == "max" for shape in shapes for pool in shape.pools)
    return {
        "symmetrisation": math.log(2),
        "gaussian": math.log(gaussian),
        "classes": math.log(kappa),
        "depth": 0.5 * math.log(depth_factor(len(shapes) - 1, max_pools)),
        "paths": 0.5 * float(log(paths)) - math.log(sample.fed.frobenius),
        "data": math.log(sample.fed.frobenius / math.sqrt(sample.n)),
        "sample_size": -0.5 * math.log(sample.n),
        "scale_grid": ETA,
    }


@lru_cache(maxsize=256)
def _more_paths(shapes: tuple[LayerShape, ...], sample: SampleStats) -> tuple[float, ...]:
    """For each of `SIZES` the log of the factor by which the constants make the root of the path energy larger."""
    energy, n = sample.fed.pixel_energy, sample.n
    without = float(log(path_energy(energy, shapes)))
    whole = [path_energy(energy, shapes, constants=[n * c for c in constants(shapes, sample, s)]) for s in SIZES]
    return tuple(0.5 * (float(log(one)) - without) for one in whole)


def complexity_per_norm(shapes: Sequence[LayerShape], sample: SampleStats) -> float:
    """e^eta c_C sqrt(D) sqrt(P) / n: Theorem S's complexity is this times rho_P / margin."""
    return math.exp(sum(_weightless(tuple(shapes), sample).values()))


def strict(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """Theorem S of this project (theorem_s.md), every constant proved: holds with probability 1 - delta for all weights and
    margins at once. Without a margin in `settings` the best of those searched, per network.
    """
    n, delta = sample.n, settings.delta
    norms, weightless = frobenius_centered(net), _weightless(net.shapes, sample)
    log_rho, log_rest = np.asarray(sum(norms.values())), sum(weightless.values())
    factors: dict[str, Array | float] = {**norms, **weightless}
    if has_constant(net.shapes):
        best = best_constants(net, sample, log_rho, _more_paths(net.shapes, sample))
        more = np.array(_more_paths(net.shapes, sample))[best.place]
        factors["biases"] = best.log_rho - log_rho + more
        log_rho, log_rest, delta = best.log_rho, log_rest + more, delta / len(SIZES)

    def grid(log_tau: Array) -> tuple[float, Array]:
        return 0.0, _confidence(log_tau, n, delta)

    if settings.margin is not None:
        margin = np.full(log_rho.shape, settings.margin)
    else:
        margin = best_margin(net.searched, log_rho, log_rest, grid)
    confidence = {"confidence": _confidence(log_rho - np.log(margin), n, delta)}
    factors["margin"] = -np.log(margin)
    return Terms(factors, confidence, net.error_at(margin, "ramp"), margin)
