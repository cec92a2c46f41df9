"""Theorem S2 of this project: Theorem S (theorem_s.py) by way of one sample of twice the size; theorem_s2.md beside this file."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.special import gammaln

from boundlab.bounds.base import IID, Assumption, Bound, Formula, Terms
from boundlab.bounds.biases import (
    BIASES_COUNTED,
    SIZES,
    Sizes,
    best_constants,
    constant_energies,
    has_constant,
    largest_energy,
)
from boundlab.bounds.concentration import kl_inverse
from boundlab.bounds.sparse import BOUND as SPARSE
from boundlab.bounds.theorem_s import (
    OWN_N,
    SHARED_UNDER_MAX,
    best_margin,
    class_factor,
    frobenius_centered,
    of_steps,
)
from boundlab.quantities.norms import Array, NetworkNorms, log
from boundlab.quantities.paths import contrast_energy, path_energy
from boundlab.quantities.sample import SampleStats
from boundlab.specs.settings import Settings
from boundlab.specs.shapes import LayerShape

_ETA = 0.02  # spacing of the grid over rho / margin, in logs
_ENERGY_SHARE = 0.1  # of delta, for the inputs' energy


def direction_factor(classes: int) -> float:
    """s of C - 1 dimensions: 1 over the mean |first coordinate| of a uniform direction of length sqrt(C - 1); 1 for two
    classes, sqrt(pi/2) in the limit."""
    d = classes - 1
    return math.sqrt(math.pi / d) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))


def doubling_factor(n: int) -> float:
    """sqrt(2) / (1 - 1 / sqrt(pi n)), in place of Theorem S's 2."""
    return math.sqrt(2) / (1 - 1 / math.sqrt(math.pi * n))


def energy_limit(mean: float, largest: float, n: int, delta: float) -> float:
    """mu+: with probability 1 - delta the expected path energy of an image is at most this; `mean`: over the sample."""
    return largest * float(kl_inverse(min(mean / largest, 1.0), math.log(1 / delta) / n))


@lru_cache(maxsize=2048)
def depth_factor(contrast: float, relu_layers: int, max_pools: int, first: bool) -> float:
    """D of Theorem S2: any p >= 2 is valid, the best on a fine grid is taken. `contrast`: nu, counts when the `first` of the
    ReLU layers is not followed by max-pooling; `max_pools`: how many are."""
    p = np.geomspace(2, 200, 4000)
    log_d = math.log(2) + (2 / p) * (gammaln((p + 1) / 2) - 0.5 * math.log(math.pi)) + 2 * max_pools * math.log(2) / p
    log_d += 2 * (relu_layers - max_pools - first) * np.log(0.5 + 0.5 * 2 ** (1 / p))
    log_d += 2 * first * np.log(0.5 + 0.5 * np.sqrt(1 + (2 ** (2 / p) - 1) * contrast))
    return float(np.exp(log_d.min()))


@lru_cache(maxsize=256)
def _energies(shapes: tuple[LayerShape, ...], sample: SampleStats) -> tuple[float, float, float]:
    """(A; P, path energy of the sample; the part of it outside the means of the first layer's patches)."""
    paths = path_energy(sample.fed.pixel_energy, shapes, linear=True)
    if len(shapes) == 1:
        return largest_energy(shapes, sample), paths, paths
    assert sample.patch_energy is not None  # an assumption
    contrast = contrast_energy(sample.fed.pixel_energy, sample.patch_energy, shapes)
    return largest_energy(shapes, sample), paths, contrast


@lru_cache(maxsize=2048)
def _limits(shapes: tuple[LayerShape, ...], sample: SampleStats, delta: float) -> tuple[float, float]:
    """(mu+, mu_perp+): limits, at delta / 2 each, on the expected path energy of an image and on the part of it that is not in the
    means of the first layer's patches (without a hidden layer the same)."""
    largest, paths, contrast = _energies(shapes, sample)
    limit = energy_limit(paths / sample.n, largest, sample.n, delta / 2)
    if len(shapes) == 1:
        return limit, limit
    return limit, energy_limit(contrast / sample.n, largest, sample.n, delta / 2)


@lru_cache(maxsize=2048)
def _weightless(
    shapes: tuple[LayerShape, ...], sample: SampleStats, delta: float, sizes: Sizes | None = None
) -> tuple[dict[str, float], float]:
    """(log factors of the complexity that neither weights nor margin enter; log of their product with A in place of mu+
    and nu = 1, which no data enter). `sizes`: of the constants, for networks with biases."""
    n, max_pools = sample.n, sum(pool.kind == "max" for shape in shapes for pool in shape.pools)
    first = len(shapes) > 1 and not any(pool.kind == "max" for pool in shapes[0].pools)
    largest, paths, _ = _energies(shapes, sample)
    limit, contrast_limit = _limits(shapes, sample, _ENERGY_SHARE * delta)
    added = [0.0] if sizes is None else constant_energies(shapes, sample, sizes)
    whole = limit + sum(added)
    contrast = min(1.0, (contrast_limit + added[0]) / whole)
    constants = {
        "symmetrisation": math.log(doubling_factor(n)),
        "gaussian": math.log(direction_factor(sample.classes)),
        "classes": math.log(class_factor(sample.classes)[1]),
        "sample_size": -0.5 * math.log(n),
    }
    depth = [0.5 * math.log(depth_factor(nu, len(shapes) - 1, max_pools, first)) for nu in (contrast, 1.0)]
    data = {
        "depth": depth[0],
        "paths": 0.5 * float(log(paths)) - math.log(sample.fed.frobenius),
        "data": math.log(sample.fed.frobenius / math.sqrt(n)),
        "unseen": 0.5 * float(log(limit) - log(paths) + math.log(n)),
    }
    if sizes is not None:
        data["biases"] = 0.5 * math.log(whole / limit)
    return constants | data, sum(constants.values()) + depth[1] + 0.5 * math.log(largest)


def _factors(
    net: NetworkNorms, sample: SampleStats, delta: float
) -> tuple[dict[str, Array | float], Array, Array | float]:
    """(log factors of the complexity but margin and grid; log of the norm, rho_P or with biases rho'; log of the rest of them)."""
    norms = frobenius_centered(net)
    log_rho = np.asarray(sum(norms.values()))
    if not has_constant(net.shapes):
        weightless, _ = _weightless(net.shapes, sample, delta)
        return {**norms, **weightless}, log_rho, sum(weightless.values())
    each = [_weightless(net.shapes, sample, delta, sizes)[0] for sizes in SIZES]
    best = best_constants(net, sample, log_rho, [one["depth"] + one["biases"] for one in each])
    rest = {name: np.array([one[name] for one in each])[best.place] for name in each[0]}
    return {**norms, **rest, "biases": rest["biases"] + best.log_rho - log_rho}, best.log_rho, sum(rest.values())


def _grid(log_tau: Array, log_scale: float, n: int, delta: float) -> tuple[Array, Array]:
    """(log of what rounding tau up to the grid costs, confidence term at 0.9 `delta`); `log_scale` centres the grid."""
    at = (log_tau + log_scale) / _ETA
    steps = np.ceil(at)

    def confidence(t: Array) -> Array:
        omega = 1.5 * (np.abs(t) + 1) * (np.abs(t) + 2)
        return np.sqrt(np.log(omega / ((1 - _ENERGY_SHARE) * delta)) / (2 * n))

    return _ETA * (steps - at), of_steps(confidence, steps)


def strict(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """Theorem S2 of this project (theorem_s2.md), every constant proved: holds with probability 1 - delta for all weights
    and margins at once. Without a margin in `settings` the best of those searched, per network.
    """
    n, delta = sample.n, settings.delta
    factors, log_rho, log_rest = _factors(net, sample, delta)
    _, log_scale = _weightless(net.shapes, sample, delta)
    if has_constant(net.shapes):
        delta /= len(SIZES)

    def grid(log_tau: Array) -> tuple[Array, Array]:
        return _grid(log_tau, log_scale, n, delta)

    if settings.margin is not None:
        margin = np.full(log_rho.shape, settings.margin)
    else:
        margin = best_margin(net.searched, log_rho, log_rest, grid)
    rounding, confidence = grid(log_rho - np.log(margin))
    factors |= {"scale_grid": rounding, "margin": -np.log(margin)}
    return Terms(factors, {"confidence": confidence}, net.error_at(margin, "ramp"), margin)


_PIXELS = Assumption(
    "pixels lie in [0, 1]",
    lambda net, sample, settings: sample.fed.max_abs <= sample.fed.limit * (1 + 1e-6),  # measured in float32
    measured=True,
)
_REACHED = Assumption(
    "some pixel reaches the output layer", lambda net, sample, settings: largest_energy(net.shapes, sample) > 0
)
_PATCHES = Assumption(
    "the patches of the first layer were measured (runs and checkpoints from before Theorem S2 must be measured again)",
    lambda net, sample, settings: len(net.shapes) == 1 or sample.patch_energy is not None,
    measured=True,
)
_NOT_PUBLISHED = "it is not a published bound but this project's own, with every constant proved; choose strict"
BOUND = Bound(
    key="doubled",
    title="Sparse, doubled sample (Theorem S2)",
    source=SPARSE.source,
    bibtex=SPARSE.bibtex,
    formulas={
        "strict": Formula(
            latex=r"\frac1n\sum_i\varphi_\gamma(m_i)+\frac{\sqrt2}{1-1/\sqrt{\pi n}}\,s_{C-1}\kappa_C\sqrt D\,\tau_t"
            r"\sqrt{\frac{\mu^+}{n}}+\sqrt{\frac{\ln(\omega/(0.9\,\delta))}{2n}},\quad \tau_t\ge\frac{\rho_P}\gamma,\quad "
            r"\rho_P=\|\Pi W^L\|_F\prod_{l<L}\|W^l\|_F",
            terms=strict,
            source="Theorem S2 of this project, after Golowich et al. 2018, Tolstikhin et al. 2015, Maurer 2016 and Galanti et al. 2023",
            symbols=r"$\varphi_\gamma(m)=\min(1,\max(0,1-m/\gamma))$ · $s_{C-1}\kappa_C$: price of $C$ classes · $D$: price of "
            r"depth · $\mu^+$: limit (at $\delta/20$) on the expected path energy of an image; $D$ has another (at $\delta/20$) on its part outside "
            r"the means of patches · $\Pi$: subtract the mean row · "
            r"$\tau_t$: the next of a grid of values 2 per cent apart, $\omega$ its price; all in its statement (Theory, section proof).",
            assumptions=(
                SHARED_UNDER_MAX,
                OWN_N,
                _PIXELS,
                _PATCHES,
                _REACHED,
                IID,
                Assumption("architecture, sample size and input scaling were fixed before seeing the data"),
            ),
            note="Theorem S with a better proof: the sample is compared with a second one in a single step, random directions "
            "replace Gaussians, and the inputs' energy has a limit of its own. The margin is optimised at no cost. "
            + BIASES_COUNTED,
        ),
    },
    refusals={"published": _NOT_PUBLISHED, "theorem": _NOT_PUBLISHED},
)
