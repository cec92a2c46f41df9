"""Geometry of a network's layers: sizes, fan-ins, parameter counts. Plain integers, no weights."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from boundlab.validation import shown

_MAX_POOL = 64


class Pool(NamedTuple):
    """Pooling over windows that do not overlap: `kind` "max" or "avg", `size` (height, width)."""

    kind: str
    size: tuple[int, int]

    @property
    def area(self) -> int:
        """Positions in a window."""
        return self.size[0] * self.size[1]


@dataclass(frozen=True)
class LayerShape:
    """One parametrised layer, and the pooling after its ReLU. A dense layer has kernel 1x1 on a 1x1 map of `in_channels`
    features; a "local" layer is a convolution with weights of its own at every output position."""

    name: str
    kind: str  # "conv", "local" or "dense"
    in_channels: int
    in_size: tuple[int, int]
    out_channels: int
    out_size: tuple[int, int]
    kernel: int
    stride: int
    padding: int
    bias: bool
    weight_norm: bool
    dilation: int = 1
    groups: int = 1
    pools: tuple[Pool, ...] = ()
    negative_slope: float = 0.0  # of the LeakyReLU after it, in [0, 1]; 0: a ReLU, or the output layer

    @property
    def spatial(self) -> bool:
        """Whether it slides over a map: all but dense layers."""
        return self.kind != "dense"

    @property
    def area(self) -> int:
        """Kernel area (taps); 1 for a dense layer."""
        return self.kernel**2

    @property
    def positions(self) -> int:
        """Output positions O_l, before pooling; 1 for a dense layer."""
        return self.out_size[0] * self.out_size[1]

    @property
    def copies(self) -> int:
        """Weight tensors of the layer's own: one per output position without sharing, else 1."""
        return self.positions if self.kind == "local" else 1

    @property
    def passed_size(self) -> tuple[int, int]:
        """(height, width) that the next layer sees, after pooling."""
        height, width = self.out_size
        for pool in self.pools:
            height, width = height // pool.size[0], width // pool.size[1]
        return height, width

    @property
    def fan_in(self) -> int:
        """Numbers that one neuron sees."""
        return self.in_channels // self.groups * self.area

    @property
    def weight_shape(self) -> tuple[int, ...]:
        if self.kind == "dense":
            return (self.out_channels, self.in_channels)
        if self.kind == "local":
            return (self.positions, self.out_channels, self.fan_in)
        return (self.out_channels, self.in_channels // self.groups, self.kernel, self.kernel)

    @property
    def bias_shape(self) -> tuple[int, ...]:
        return (self.positions, self.out_channels) if self.kind == "local" else (self.out_channels,)

    @property
    def weights(self) -> int:
        """Number of weights, without biases and weight-norm scalars."""
        return math.prod(self.weight_shape)

    @property
    def used_weights(self) -> int:
        """Those that an output may depend on: without sharing, not those on the padding."""
        if self.kind != "local":
            return self.weights
        return self.out_channels * (self.in_channels // self.groups) * int(self.tap_counts().sum())

    @property
    def parameters(self) -> int:
        """Number of trainable numbers, biases and the weight-norm scalar included."""
        return self.weights + self.bias * math.prod(self.bias_shape) + self.weight_norm

    @property
    def multiply_adds(self) -> int:
        """Of one image."""
        return self.out_channels * self.positions * self.fan_in

    def tap_counts(self) -> np.ndarray:
        """(kernel, kernel): output positions at which each tap meets a real, unpadded input."""
        rows, columns = self._inside()
        return np.outer(rows.sum(axis=1), columns.sum(axis=1))

    def real_taps(self) -> np.ndarray:
        """(positions, kernel * kernel): whether a tap meets a real, unpadded input there."""
        rows, columns = self._inside()  # (tap, out) of each axis
        return np.einsum("ay,bx->yxab", rows, columns).reshape(self.positions, self.area)

    def _inside(self) -> tuple[np.ndarray, np.ndarray]:
        def axis(side: int, out: int) -> np.ndarray:
            first = np.arange(out) * self.stride - self.padding  # input coordinate under tap 0
            at = first + np.arange(self.kernel)[:, None] * self.dilation
            return (at >= 0) & (at < side)

        height, width = (axis(side, out) for side, out in zip(self.in_size, self.out_size, strict=True))
        return height, width


def parse_pool(text: str) -> Pool | None:
    """ "max2" or "avg3" -> Pool, "" -> None; raises ValueError."""
    if text == "":
        return None
    found = re.fullmatch(r"(max|avg)([1-9]\d?)", text) if isinstance(text, str) else None
    if found is None or not 2 <= int(found[2]) <= _MAX_POOL:
        raise ValueError(
            f'pool must be "" (none), or "max" or "avg" and a size from 2 to {_MAX_POOL}, got {shown(text)}'
        )
    return Pool(found[1], (int(found[2]), int(found[2])))
