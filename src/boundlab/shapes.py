"""Geometry of a network's layers: sizes, fan-ins, parameter counts. Plain integers, no weights."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from boundlab.checks import shown

if TYPE_CHECKING:
    from boundlab.arch import ArchSpec

MAX_WEIGHTS = 2_000_000_000
MAX_POOL = 64


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
    if found is None or not 2 <= int(found[2]) <= MAX_POOL:
        raise ValueError(
            f'pool must be "" (none), or "max" or "avg" and a size from 2 to {MAX_POOL}, got {shown(text)}'
        )
    return Pool(found[1], (int(found[2]), int(found[2])))


def layer_shapes(arch: ArchSpec) -> tuple[LayerShape, ...]:
    """Every parametrised layer of a spec; raises ValueError when a kernel or pool does not fit, groups do not divide, or
    there are too many weights."""
    layers = _convolutions(arch)
    features = math.prod((layers[-1].out_channels, *layers[-1].passed_size)) if layers else math.prod(arch.in_shape)
    for i, (wide, out) in enumerate(itertools.pairwise([features, *(arch.hidden or ())]), start=1):
        layers.append(_dense(f"dense{i}", wide, out, arch.bias, arch.weight_norm))
    last = layers[-1].out_channels if layers and not layers[-1].spatial else features
    layers.append(_dense("output", last, arch.classes, arch.bias, False))
    if (total := sum(layer.weights for layer in layers)) > MAX_WEIGHTS:
        raise ValueError(f"the network has {total:,} weights, more than the {MAX_WEIGHTS:,} allowed")
    return tuple(layers)


def _convolutions(arch: ArchSpec) -> list[LayerShape]:
    kind = "local" if arch.kind == "lc" else "conv"
    fields = ("channels", "kernel_size", "stride", "padding", "dilation", "groups", "pool")
    channels, size = arch.in_shape[0], arch.in_shape[1:]
    layers: list[LayerShape] = []
    every = list(zip(*(arch.per_layer(name) for name in fields), strict=True))
    for i, (out, kernel, stride, padding, dilation, groups, pool) in enumerate(every, start=1):
        what = f"convolution {i} of {len(every)}"
        map_size = _map_size(what, size, kernel, stride, padding, dilation)
        if channels % groups or out % groups or (groups > 1 and kind == "local"):
            raise ValueError(
                f"groups {groups} of {what} must divide its {channels} input and {out} output channels (1 where weights "
                "are not shared); give one value per layer, for example [1, 4, 4]"
            )
        pools = _pools(what, map_size, pool, arch.head == "gap" and i == len(every))
        fixed = (kernel, stride, padding, arch.bias, arch.weight_norm, dilation, groups, pools)
        layers.append(LayerShape(f"{kind}{i}", kind, channels, size, out, map_size, *fixed))
        channels, size = out, layers[-1].passed_size
    return layers


def _map_size(
    what: str, size: tuple[int, int], kernel: int, stride: int, padding: int, dilation: int
) -> tuple[int, int]:
    reach = dilation * (kernel - 1) + 1
    if min(s + 2 * padding for s in size) < reach:
        spread = "" if dilation == 1 else f" and dilation {dilation}"
        raise ValueError(
            f"{what} with kernel {kernel}{spread} does not fit on its {size[0]}x{size[1]} input: "
            "use fewer layers, a smaller kernel, stride or pool, or padding"
        )
    height, width = ((s + 2 * padding - reach) // stride + 1 for s in size)
    return height, width


def _pools(what: str, size: tuple[int, int], text: str, averaged: bool) -> tuple[Pool, ...]:
    pools: list[Pool] = []
    if pool := parse_pool(text):
        if min(size) < pool.size[0]:
            raise ValueError(f"{text} after {what} does not fit on its {size[0]}x{size[1]} map: use a smaller pool")
        pools.append(pool)
        size = (size[0] // pool.size[0], size[1] // pool.size[1])
    return tuple([*pools, Pool("avg", size)] if averaged and size != (1, 1) else pools)


def _dense(name: str, features: int, out: int, bias: bool, weight_norm: bool) -> LayerShape:
    return LayerShape(name, "dense", features, (1, 1), out, (1, 1), 1, 1, 0, bias, weight_norm)
