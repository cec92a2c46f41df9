"""An architecture's layers: the size of every map, and what does not fit."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from boundlab.specs.shapes import LayerShape, Pool, parse_pool

if TYPE_CHECKING:
    from boundlab.specs.arch import ArchSpec

MAX_WEIGHTS = 2_000_000_000


def layer_shapes(arch: ArchSpec) -> tuple[LayerShape, ...]:
    """Every parametrised layer of a spec; raises ValueError when a kernel or pool does not fit, groups do not divide, or
    there are too many weights."""
    layers = _convolutions(arch)
    features = math.prod((layers[-1].out_channels, *layers[-1].passed_size)) if layers else math.prod(arch.in_shape)
    for i, (wide, out) in enumerate(itertools.pairwise([features, *(arch.hidden or ())]), start=1):
        layers.append(_dense(f"dense{i}", wide, out, arch.bias, arch.weight_norm, arch.negative_slope))
    last = layers[-1].out_channels if layers and not layers[-1].spatial else features
    layers.append(_dense("output", last, arch.classes, arch.bias, False))
    if (total := sum(layer.weights for layer in layers)) > MAX_WEIGHTS:
        raise ValueError(f"the network has {total:,} weights, more than the {MAX_WEIGHTS:,} allowed")
    return tuple(layers)


def _convolutions(arch: ArchSpec) -> list[LayerShape]:
    fields = ("channels", "kernel_size", "stride", "padding", "dilation", "groups", "pool", "local")
    channels, size = arch.in_shape[0], arch.in_shape[1:]
    layers: list[LayerShape] = []
    every = list(zip(*(arch.per_layer(name) for name in fields), strict=True))
    for i, (out, kernel, stride, padding, dilation, groups, pool, local) in enumerate(every, start=1):
        kind = "local" if local or arch.kind == "lc" else "conv"
        what = f"convolution {i} of {len(every)}"
        map_size = _map_size(what, size, kernel, stride, padding, dilation)
        if channels % groups or out % groups or (groups > 1 and kind == "local"):
            raise ValueError(
                f"groups {groups} of {what} must divide its {channels} input and {out} output channels (1 where weights "
                "are not shared); give one value per layer, for example [1, 4, 4]"
            )
        pools = _pools(what, map_size, pool, arch.head == "gap" and i == len(every))
        fixed = (kernel, stride, padding, arch.bias, arch.weight_norm, dilation, groups, pools, arch.negative_slope)
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


def _dense(name: str, features: int, out: int, bias: bool, weight_norm: bool, slope: float = 0.0) -> LayerShape:
    fixed = (1, 1, 0, bias, weight_norm)
    return LayerShape(name, "dense", features, (1, 1), out, (1, 1), *fixed, negative_slope=slope)
