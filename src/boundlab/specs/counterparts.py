"""The same network built otherwise: without weight sharing, with patches that do not overlap, of dense layers. No torch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from boundlab.specs.arch import ArchSpec

CLOSE = 0.01  # difference in parameters, as a fraction, up to which equal widths stay equal


def locally_connected(arch: ArchSpec, matched: bool = False) -> ArchSpec:
    """The same layers without weight sharing; `matched`: with channels such that there are as many parameters, as nearly
    as possible. Raises ValueError for an "mlp" and for groups."""
    _check_spatial(arch)
    if set(arch.per_layer("groups")) != {1}:
        raise ValueError("a network with groups has no locally connected counterpart here; set groups to 1")
    if not matched:
        return dataclasses.replace(arch, kind="lc")
    return _nearest(arch, lambda channels: dataclasses.replace(arch, kind="lc", channels=channels))


def tree(arch: ArchSpec) -> ArchSpec:
    """The same kernels with patches that do not overlap (stride = kernel, no padding, dilation, pooling or groups), as many
    of the layers as fit, and channels such that there are as many parameters, as nearly as possible. Raises ValueError for
    an "mlp", and when not even the first layer fits."""
    _check_spatial(arch)
    kernels, channels = arch.per_layer("kernel_size"), arch.per_layer("channels")
    side = min(arch.in_shape[1:])
    deep = 0
    while deep < len(kernels) and side >= kernels[deep]:
        side //= kernels[deep]
        deep += 1
    if not deep:
        raise ValueError(f"the first kernel, {kernels[0]}, does not fit on its {side} pixels without padding")
    same: dict[str, Any] = {
        "conv_layers": deep,
        "kernel_size": kernels[:deep],
        "stride": kernels[:deep],
        "channels": channels[:deep],
        "local": arch.per_layer("local")[:deep],
    }
    plain = dataclasses.replace(arch, padding=0, dilation=1, groups=1, pool="", **same)
    return _nearest(plain, lambda widths: dataclasses.replace(plain, channels=widths), arch.parameters)


def mlp(arch: ArchSpec) -> ArchSpec:
    """Dense layers, as many as there are layers, all of one width such that there are as many parameters, as nearly as
    possible."""
    deep = len(arch.shapes()) - 1
    fields: dict[str, Any] = {
        name: getattr(arch, name)
        for name in ("in_shape", "classes", "bias", "weight_norm", "normalize", "negative_slope")
    }
    return _closest(lambda width: ArchSpec(kind="mlp", hidden=(width,) * deep, **fields), arch.parameters)


def _check_spatial(arch: ArchSpec) -> None:
    if arch.kind == "mlp":
        raise ValueError("an mlp has no convolutions; take a network of kind conv or lc")


def _nearest(arch: ArchSpec, made: Callable[[tuple[int, ...]], ArchSpec], target: int | None = None) -> ArchSpec:
    """`made(channels)` with as many parameters as `arch`, or `target`: channels in `arch`'s proportions, rounded up in the
    first layers; widths that were equal stay so where that costs at most `CLOSE`."""
    target = arch.parameters if target is None else target
    shares = arch.per_layer("channels")
    best = _closest(lambda total: made(split_dataset(total, shares)), target)
    if len(set(shares)) == 1:
        equal = _closest(lambda width: made((width,) * len(shares)), target)
        if abs(equal.parameters - target) <= CLOSE * target:
            return equal
    return best


def split_dataset(total: int, shares: tuple[int, ...]) -> tuple[int, ...]:
    """Channels per layer, about `total` in all, at least 1 each, in the proportions of `shares`; monotone in `total`."""
    layers, whole = len(shares), sum(shares)
    return tuple(
        max(1, (total * share * layers + (layers - 1 - i) * whole) // (whole * layers))
        for i, share in enumerate(shares)
    )


def _closest(made: Callable[[int], ArchSpec], target: int) -> ArchSpec:
    """`made(size)` whose parameters are nearest to `target`, the smaller of two as near; parameters grow with size."""

    def parameters(size: int) -> float:
        try:
            return made(size).parameters
        except ValueError:  # more weights than are allowed
            return math.inf

    low, high = 1, 1
    while parameters(high) < target:
        low, high = high, 2 * high
    while low < high:  # the least size with at least `target`
        middle = (low + high) // 2
        low, high = (low, middle) if parameters(middle) >= target else (middle + 1, high)
    sizes = [size for size in (low - 1, low) if size and math.isfinite(parameters(size))]
    return min((made(size) for size in sizes), key=lambda arch: abs(arch.parameters - target))
