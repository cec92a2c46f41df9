"""Biases in Theorems S and S2: a constant input that every neuron sees (theorem_s.md, section "Biases")."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from boundlab.bounds.base import log_sum
from boundlab.quantities.norms import Array, LayerNorms, NetworkNorms, log
from boundlab.quantities.paths import constant_paths, path_energy
from boundlab.quantities.sample import SampleStats
from boundlab.specs.shapes import LayerShape

BIASES_COUNTED = (
    "Of a network with biases it is about the one that has, in place of each, a weight on a constant input: one constant per layer, whose "
    "sizes are the best of ten that were fixed in advance, each at a tenth of δ; it enters the norm and the path energy."
)
# epsilon: what a layer's constant brings to the output layer, as a share of the most that an image can bring
SHARES = tuple(4.0**k for k in range(-8, 2))


def has_constant(shapes: Sequence[LayerShape]) -> bool:
    """Whether layers see the constant: the architecture decides, not the values of its biases."""
    return any(shape.bias for shape in shapes)


@lru_cache(maxsize=256)
def largest_energy(shapes: tuple[LayerShape, ...], sample: SampleStats) -> float:
    """A: path energy of an image whose pixels are all as large as they can be; 0: no pixel reaches the output layer."""
    first, pixels = shapes[0], np.ones_like(sample.fed.pixel_energy)
    channels = first.in_channels * math.prod(first.in_size) / pixels.size
    return sample.fed.limit**2 * channels * path_energy(pixels, shapes, linear=True)


def constants(shapes: tuple[LayerShape, ...], sample: SampleStats, share: float) -> tuple[float, ...]:
    """c^2 per layer, fixed before any data: along all paths `share` of A; 0 where a layer sees no constant, or no path leads on."""
    total = share * (largest_energy(shapes, sample) or 1.0)
    paths = constant_paths(shapes)
    return tuple(total / count if shape.bias and count > 0 else 0.0 for shape, count in zip(shapes, paths, strict=True))


def constant_energies(shapes: tuple[LayerShape, ...], sample: SampleStats, share: float) -> list[float]:
    """N c^2 per layer: path energy that the constants bring, of one image."""
    squares = constants(shapes, sample, share)
    return [count * square for count, square in zip(constant_paths(shapes), squares, strict=True)]


class Constants(NamedTuple):
    """The constants that suit each network best: their place in `SHARES`, and log of the norm rho' with them."""

    place: Array
    log_rho: Array


def best_constants(net: NetworkNorms, sample: SampleStats, log_rho: Array, log_rest: Sequence[float]) -> Constants:
    """Per network those with the smallest complexity; `log_rho`: of the norm without biases; `log_rest`: per share, log of
    whatever else depends on it."""
    found = [_log_norm(net, log_rho, constants(net.shapes, sample, share)) for share in SHARES]
    total = np.stack([norm + rest for norm, rest in zip(found, log_rest, strict=True)])
    place = np.asarray(np.argmin(np.where(np.isnan(total), np.inf, total), axis=0))
    return Constants(place, np.take_along_axis(np.stack(found), place[None], axis=0)[0])


def _log_norm(net: NetworkNorms, log_rho: Array, squares: Sequence[float]) -> Array:
    """log rho': rho'^2 = rho_P^2 + sum over l of ||b_l||^2 / c_l^2 prod_{j > l} ||W_j||^2."""
    squared, after = [2 * log_rho], np.zeros_like(log_rho)
    for layer, square in zip(reversed(net.layers), reversed(squares), strict=True):
        if square > 0:
            squared.append(2 * log(_bias(layer)) - math.log(square) + 2 * after)
        after = after + layer.log("centered_frobenius" if layer is net.layers[-1] else "frobenius")
    return 0.5 * log_sum(squared)


def _bias(layer: LayerNorms) -> Array:
    """The norm that counts; in records from before it was measured, that of all the layer's biases, which is not smaller."""
    counts = layer.centered_bias_norm if layer.shape.name == "output" else layer.max_bias_norm
    return np.where(np.isnan(counts), layer.bias_norm, counts)
