"""What a model's first layer takes, and images that came as rows of numbers, laid out for it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from boundlab.networks.build import LocallyConnected2d
from boundlab.networks.checkpoint import Checkpoint

_DARK = 0.25  # of white
_Shape = tuple[int, ...]


def channels_of(model: Any) -> tuple[int, ...]:
    """How many channels a module's first convolution takes, () where it has none."""
    found = _first(model)
    return () if found is None else found[:1]


def map_shape(have: _Shape, model: Any, in_shape: _Shape | None) -> _Shape | None:
    """(channels, height, width) to lay images of `have` out as, None where they are as they should be. Only rows of numbers,
    (1, 1, d), are laid out: as `in_shape`, or a checkpoint's; else, for a convolution of one channel, as a square.

    Raises ValueError where a convolution needs maps and how they lie in a row is not known.
    """
    if have[:2] != (1, 1):
        return None
    first = _first(model)
    if isinstance(model, Checkpoint):
        in_shape = model.arch.in_shape
        first = (in_shape[0], 3) if model.arch.kind != "mlp" else None
    if in_shape is not None:
        if math.prod(in_shape) != have[2] or tuple(in_shape) == have:
            return None
        if first is None or in_shape[0] == 1:
            return tuple(in_shape)
    if first is None or first[1] == 1:
        return None
    side = math.isqrt(have[2])
    if in_shape is None and first[0] == 1 and side**2 == have[2]:
        return (1, side, side)
    raise ValueError(_words(have[2], first[0], in_shape))


def other_channels(have: _Shape, model: Any) -> str:
    """What is wrong with images of `have` where a model's first convolution takes another number of channels; else ""."""
    first = _first(model)
    if first is None or first[0] == have[0]:
        return ""
    remedy = {(1, 3): "; make three of the grey one: x.repeat(1, 3, 1, 1)", (3, 1): "; make them grey"}.get(
        (have[0], first[0]), ""
    )
    looks = "x".join(map(str, have))
    return f"the images are {looks}, with {have[0]} channel{'s' * (have[0] > 1)}, and the network's first convolution takes {first[0]}{remedy}"


def rows_sentence(shape: _Shape) -> str:
    """What was made of rows."""
    looks = "x".join(map(str, shape))
    return f"The images came as rows of {math.prod(shape)} numbers and were laid out as {looks}, row after row."


def dark_sentences(brightest: float) -> list[str]:
    """What to doubt where the brightest pixel of data somebody gave is far from white: whole numbers may have gone up to something else."""
    if not 0 < brightest < _DARK:
        return []
    return [
        f"The brightest pixel is {brightest:.3g} of 1. Whole numbers are divided by 255: if yours go up to {255 * brightest:.0f}, give "
        f"floats, x / {255 * brightest:.0f}."
    ]


def _words(length: int, channels: int, in_shape: _Shape | None) -> str:
    maps = "one channel" if channels == 1 else f"{channels} channels"
    said = f"the images came as rows, (n, {length}), and the network's first layer is a convolution of maps of {maps}: give them as "
    side = math.isqrt(length // channels)
    height, width = in_shape[1:] if in_shape else (side, side)
    if channels * height * width != length:
        return f"{said}(n, {channels}, height, width), where {channels} x height x width is {length}"
    if channels == 1:
        return f"{said}(n, height, width), for example with x.reshape(-1, {height}, {width})"
    return (
        f"{said}(n, {channels}, height, width), with x.reshape(-1, {channels}, {height}, {width}) where each channel is in one piece, or "
        f"(n, height, width, {channels}), with x.reshape(-1, {height}, {width}, {channels}) where the values of a pixel lie together"
    )


def _first(model: Any) -> tuple[int, int] | None:
    """`_maps` of the first layer that takes any, unless a dense layer comes before it."""
    for module in model.modules() if isinstance(model, nn.Module) else ():
        if (found := _maps(module)) or isinstance(module, nn.Linear):
            return found
    return None


def _maps(module: nn.Module) -> tuple[int, int] | None:
    """(channels, height of the kernel) of a layer that takes maps."""
    if isinstance(module, nn.Conv2d):
        return module.in_channels, module.kernel_size[0]
    if isinstance(module, LocallyConnected2d):
        return module.shape.in_channels, module.shape.kernel
    if isinstance(module, torch.jit.ScriptModule) and getattr(module, "original_name", "") == "Conv2d":
        weight: Any = module.weight
        return int(weight.shape[1]), int(weight.shape[2])
    return None
