"""Biases in the bounds of others: the network with one more input, a constant, at which every bias is a weight.

Layer l as a matrix A_l with its biases as a column b_l becomes [[A_l, b_l / k_(l-1)], [0, k_l / k_(l-1)]]. The last row, which the
output layer does not have, carries the constant on: k_0 in the input (fixed before the data), k_l after layer l. A ReLU leaves
it as it is, pooling does not touch it. The function is the same for every k_1, k_2, ... > 0, so they are chosen to make the product of
norms small. A convolution with one more input channel of ones, of which one tap of the kernel makes biases and the
next constant channel, is still a convolution: then b_l counts once, not per position. All norms here are natural logs, per layer in the norms' leading shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from boundlab.bounds.base import Assumption, averaged_before, log_sum
from boundlab.bounds.biases import has_constant
from boundlab.quantities.norms import Array, NetworkNorms
from boundlab.quantities.sample import SampleStats
from boundlab.specs.shapes import LayerShape

Logs = Sequence[Array]
_SWEEPS = 60


@dataclass(frozen=True)
class Augmented:
    """`weight`: norms of the layers; `bias`: norms of the columns b_l; `constant`: log k_0 to log k_(L-1)."""

    weight: Logs
    bias: Logs
    constant: Logs

    def columns(self) -> list[Array]:
        """Norms of the columns b_l / k_(l-1)."""
        return [b - k for b, k in zip(self.bias, self.constant, strict=True)]

    def carriers(self) -> list[Array]:
        """k_l / k_(l-1); of the output layer nothing."""
        steps = [after - before for before, after in zip(self.constant, self.constant[1:], strict=False)]
        return [*steps, np.full_like(self.constant[-1], -math.inf)]

    def frobenius(self) -> list[Array]:
        """Frobenius norms of the augmented matrices, where `weight` has those of the layers."""
        parts = zip(self.weight, self.columns(), self.carriers(), strict=True)
        return [0.5 * log_sum([2 * w, 2 * b, 2 * t]) for w, b, t in parts]

    def spectral(self) -> list[Array]:
        """Limits on the spectral norms of the augmented matrices, where `weight` has those of the layers: the norm of the
        2x2 matrix of the blocks' norms."""
        return [_of_blocks(*blocks) for blocks in zip(self.weight, self.columns(), self.carriers(), strict=True)]


def _of_blocks(weight: Array, column: Array, carrier: Array) -> Array:
    """Log of the spectral norm of [[w, b], [0, t]], all given as logs."""
    top = np.maximum(np.maximum(weight, column), carrier)
    w, b, t = (np.exp(2 * (x - top)) for x in (weight, column, carrier))
    trace = w + b + t
    root: Array = np.sqrt(np.maximum(trace**2 - 4 * w * t, 0.0))
    return top + 0.5 * np.log((trace + root) / 2)


def carried(weight: Logs, bias: Logs, log_constant: float) -> Augmented:
    """The constants k_l that make the product of Frobenius norms sqrt(w_l^2 + (b_l^2 + k_l^2) / k_(l-1)^2) smallest, one after the
    other: convex in log k, and valid wherever the search stops."""
    shape = np.broadcast_shapes(*(np.shape(x) for x in (*weight, *bias)))
    w, b = ([2 * np.broadcast_to(x, shape) for x in some] for some in (weight, bias))
    squares = [np.full(shape, 2 * log_constant)]
    for layer in w[:-1]:
        squares.append(squares[-1] + layer)
    for _ in range(_SWEEPS):
        for i in range(1, len(w)):
            before = squares[i - 1]
            onward = log_sum([b[i], squares[i + 1]]) if i + 1 < len(w) else b[i]
            squares[i] = 0.5 * (log_sum([w[i - 1], b[i - 1] - before]) + before + onward - w[i])
    return Augmented([x / 2 for x in w], [x / 2 for x in b], [x / 2 for x in squares])


def repeated_biases(net: NetworkNorms) -> list[Array]:
    """Norms of the columns b_l: a shared bias stands at every position, O_l ||b_l||^2; without sharing there is one each."""
    return [
        layer.log("bias_norm") + 0.5 * math.log(s.positions / s.copies)
        for layer, s in zip(net.layers, net.shapes, strict=True)
    ]


def data_growth(sample: SampleStats, square: float) -> float:
    """Log of sqrt(||X||_F^2 + n c^2) / ||X||_F: what one more input of square c^2 per example adds to the norm of the data."""
    return 0.5 * math.log1p(sample.n * square / sample.fed.frobenius**2)


def frobenius_price(net: NetworkNorms, sample: SampleStats) -> dict[str, Array]:
    """What biases multiply to a product of Frobenius norms of the layers as matrices, the output layer by its largest row, and of
    the data: {} without them. The constant input is 1."""
    if not has_constant(net.shapes):
        return {}
    *hidden, output = net.layers
    norms = [*(layer.log("map_frobenius") for layer in hidden), output.log("max_row")]
    weight = [norm - shrunk for norm, shrunk in zip(norms, averaged_before(net), strict=True)]
    whole = carried(weight, repeated_biases(net), 0.0)
    grown = [after - before for after, before in zip(whole.frobenius(), whole.weight, strict=True)]
    return {"biases": np.asarray(sum(grown)) + data_growth(sample, 1.0)}


def channel_size(shape: LayerShape) -> int:
    """Pixels of a constant channel beside the layer's input."""
    return shape.in_size[0] * shape.in_size[1]


def _keeps_a_channel(shape: LayerShape) -> bool:
    return not shape.spatial or bool(shape.real_taps().all(axis=0).any())


CHANNEL = Assumption(
    "with biases, some tap of every kernel meets the image at every position, so that a channel of ones can be passed on",
    lambda net, sample, settings: not has_constant(net.shapes) or all(map(_keeps_a_channel, net.shapes)),
)
