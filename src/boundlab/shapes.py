"""Geometry of a network's layers: sizes, fan-ins, parameter counts. Plain integers, no weights."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from boundlab.specs import ArchSpec

MAX_WEIGHTS = 2_000_000_000


@dataclass(frozen=True)
class LayerShape:
    """One parametrised layer. A dense layer has kernel 1x1 on a 1x1 map of `in_channels` features."""

    name: str
    kind: str  # "conv" or "dense"
    in_channels: int
    in_size: tuple[int, int]
    out_channels: int
    out_size: tuple[int, int]
    kernel: int
    stride: int
    padding: int
    bias: bool
    weight_norm: bool

    @property
    def area(self) -> int:
        """Kernel area (taps); 1 for a dense layer."""
        return self.kernel**2

    @property
    def positions(self) -> int:
        """Output positions O_l; 1 for a dense layer."""
        return self.out_size[0] * self.out_size[1]

    @property
    def weight_shape(self) -> tuple[int, ...]:
        if self.kind == "dense":
            return (self.out_channels, self.in_channels)
        return (self.out_channels, self.in_channels, self.kernel, self.kernel)

    @property
    def weights(self) -> int:
        """Number of weights, without biases and weight-norm scalars."""
        return self.out_channels * self.in_channels * self.area

    @property
    def parameters(self) -> int:
        """Number of trainable numbers, biases and the weight-norm scalar included."""
        return self.weights + self.bias * self.out_channels + self.weight_norm

    def tap_counts(self) -> np.ndarray:
        """(kernel, kernel): output positions at which each tap meets a real, unpadded input."""
        return np.outer(*(self._axis_counts(side, out) for side, out in zip(self.in_size, self.out_size, strict=True)))

    def _axis_counts(self, side: int, out: int) -> np.ndarray:
        first = np.arange(out) * self.stride - self.padding  # input coordinate under tap 0
        inside = [(first + tap >= 0) & (first + tap < side) for tap in range(self.kernel)]
        return np.array([row.sum() for row in inside])


def conv_shapes(arch: ArchSpec) -> tuple[LayerShape, ...]:
    """Convolutions and the output layer of a "conv" spec; raises ValueError when a kernel does not fit."""
    assert arch.channels and arch.conv_layers and arch.kernel_size  # noqa: PT018 (one fact: this is a "conv" spec)
    channels, size = arch.in_shape[0], arch.in_shape[1:]
    layers = []
    for i in range(1, arch.conv_layers + 1):
        out = tuple((s + 2 * arch.padding - arch.kernel_size) // arch.stride + 1 for s in size)
        if min(s + 2 * arch.padding for s in size) < arch.kernel_size:
            raise ValueError(
                f"convolution {i} of {arch.conv_layers} with kernel {arch.kernel_size} does not fit on its "
                f"{size[0]}x{size[1]} input: use fewer layers, a smaller kernel or stride, or padding"
            )
        layers.append(
            LayerShape(
                f"conv{i}",
                "conv",
                channels,
                size,
                arch.channels,
                (out[0], out[1]),
                arch.kernel_size,
                arch.stride,
                arch.padding,
                arch.bias,
                arch.weight_norm,
            )
        )
        channels, size = arch.channels, (out[0], out[1])
    return _checked([*layers, _dense("output", channels * size[0] * size[1], arch.classes, arch.bias, False)])


def mlp_shapes(arch: ArchSpec) -> tuple[LayerShape, ...]:
    """Dense layers of an "mlp" spec."""
    widths = [int(np.prod(arch.in_shape)), *(arch.hidden or ())]
    layers = [
        _dense(f"dense{i}", wide, out, arch.bias, arch.weight_norm)
        for i, (wide, out) in enumerate(itertools.pairwise(widths), start=1)
    ]
    return _checked([*layers, _dense("output", widths[-1], arch.classes, arch.bias, False)])


def _dense(name: str, features: int, out: int, bias: bool, weight_norm: bool) -> LayerShape:
    return LayerShape(name, "dense", features, (1, 1), out, (1, 1), 1, 1, 0, bias, weight_norm)


def _checked(layers: list[LayerShape]) -> tuple[LayerShape, ...]:
    if (total := sum(layer.weights for layer in layers)) > MAX_WEIGHTS:
        raise ValueError(f"the network has {total:,} weights, more than the {MAX_WEIGHTS:,} allowed")
    return tuple(layers)
