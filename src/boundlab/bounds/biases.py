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
    "sizes are the best of thirty choices that were fixed in advance, each at a thirtieth of δ; it enters the norm and the path energy."
)


class Sizes(NamedTuple):
    """How large the constants are: together they bring `share` of the most energy that an image can bring along its paths, a layer of N
    paths in proportion to N to the `power`."""

    share: float
    power: float


SIZES = tuple(Sizes(4.0**k, power) for k in range(-8, 2) for power in (0.0, 0.5, 1.0))


def has_constant(shapes: Sequence[LayerShape]) -> bool:
    """Whether layers see the constant: the architecture decides, not the values of its biases."""
    return any(shape.bias for shape in shapes)


@lru_cache(maxsize=256)
def largest_energy(shapes: tuple[LayerShape, ...], sample: SampleStats) -> float:
    """A: path energy of an image whose pixels are all as large as they can be; 0: no pixel reaches the output layer."""
    first, pixels = shapes[0], np.ones_like(sample.fed.pixel_energy)
    channels = first.in_channels * math.prod(first.in_size) / pixels.size
    return sample.fed.limit**2 * channels * path_energy(pixels, shapes, linear=True)


def constant_energies(shapes: tuple[LayerShape, ...], sample: SampleStats, sizes: Sizes) -> list[float]:
    """N c^2 per layer, fixed before any data: path energy that its constant brings, of one image; 0 where a layer sees none, or no
    path leads on."""
    counts = [count if shape.bias else 0.0 for shape, count in zip(shapes, constant_paths(shapes), strict=True)]
    weights = [count**sizes.power if count > 0 else 0.0 for count in counts]
    total = sizes.share * (largest_energy(shapes, sample) or 1.0) / max(sum(weights), 1.0)
    return [total * weight for weight in weights]


def constants(shapes: tuple[LayerShape, ...], sample: SampleStats, sizes: Sizes) -> list[float]:
    """c^2 per layer; 0 where a layer sees no constant, or no path leads on."""
    energies = constant_energies(shapes, sample, sizes)
    return [
        energy / count if energy > 0 else 0.0 for energy, count in zip(energies, constant_paths(shapes), strict=True)
    ]


class Constants(NamedTuple):
    """The constants that suit each network best: their place in `SIZES`, and log of the norm rho' with them."""

    place: Array
    log_rho: Array


def best_constants(net: NetworkNorms, sample: SampleStats, log_rho: Array, log_rest: Sequence[float]) -> Constants:
    """Per network those with the smallest complexity; `log_rho`: of the norm without biases; `log_rest`: log of
    whatever else depends on the sizes, for each of them."""
    found = [_log_norm(net, log_rho, constants(net.shapes, sample, sizes)) for sizes in SIZES]
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
