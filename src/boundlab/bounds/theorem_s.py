"""Theorem S of this project, the sparse bound's `strict` convention; statement and proof: theorem_s.md beside this file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from boundlab.bounds.base import Assumption, Terms, log
from boundlab.quantities.norms import Array, MarginErrors, NetworkNorms
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


def frobenius(net: NetworkNorms) -> dict[str, Array]:
    """Log factors of rho, one per layer, each of the norms' leading shape."""
    return {f"frobenius.{layer.shape.name}": log(layer.frobenius) for layer in net.layers}


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


def _confidence(log_tau: Array, n: int, delta: float) -> Array:
    t = np.abs(np.ceil(log_tau / ETA))
    return np.sqrt(2 * np.log(1.5 * (t + 1) * (t + 2) / delta) / n)


def _best_margin(net: NetworkNorms, log_rest: Array, log_rho: Array, n: int, delta: float) -> Array:
    """The searched margin that minimises the bound: free, because only rho / margin enters the proof's grid."""
    if net.searched is None:
        return np.ones(log_rho.shape)
    logs = np.log(net.searched.grid)
    return least_at(net.searched, log_rest[..., None] - logs, _confidence(log_rho[..., None] - logs, n, delta))


def least_at(margins: MarginErrors, log_complexity: Array, confidence: Array) -> Array:
    """Margin of the grid at which ramp error, complexity and confidence, each (..., margins), sum up to least."""
    total = margins.ramp + np.exp(np.minimum(log_complexity, 700)) + confidence
    best = np.argmin(np.nan_to_num(total, nan=np.inf), axis=-1)[..., None]
    return np.take_along_axis(np.broadcast_to(margins.grid, total.shape), best, axis=-1)[..., 0]


def _weightless(shapes: Sequence[LayerShape], sample: SampleStats) -> dict[str, float]:
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


def complexity_per_norm(shapes: Sequence[LayerShape], sample: SampleStats) -> float:
    """e^eta c_C sqrt(D) sqrt(P) / n: Theorem S's complexity is this times rho_P / margin."""
    return math.exp(sum(_weightless(shapes, sample).values()))


def strict(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """Theorem S of this project (theorem_s.md), every constant proved: holds with probability 1 - delta for all weights and
    margins at once. Without a margin in `settings` the best of those searched, per network.
    """
    n = sample.n
    *hidden, output = net.layers
    norms: dict[str, Array] = {f"frobenius.{layer.shape.name}": log(layer.frobenius) for layer in hidden}
    norms["frobenius_centered.output"] = log(output.centered_frobenius)
    log_rho = np.asarray(sum(norms.values()))
    factors: dict[str, Array | float] = {**norms, **_weightless(net.shapes, sample)}
    if settings.margin is not None:
        margin = np.full(log_rho.shape, settings.margin)
    else:
        margin = _best_margin(net, np.asarray(sum(factors.values())), log_rho, n, settings.delta)
    confidence = {"confidence": _confidence(log_rho - np.log(margin), n, settings.delta)}
    return Terms(factors | {"margin": -np.log(margin)}, confidence, net.error_at(margin, "ramp"), margin)
