"""What happens to a network's inputs before its first layer: the reader's normalisation, and the model's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from boundlab.networks.sequential import Placed
from boundlab.networks.traced_modules import Affine
from boundlab.validation import numbers, shown


def scaled_first(parts: list[Placed]) -> tuple[list[Placed], tuple[float, float]]:
    """(the rest, (scale, shift)): what a model does to its inputs before anything else, if that is one scale and shift for all."""
    scale, shift = 1.0, 0.0
    while parts and isinstance(first := parts[0][1], Affine) and first.scale.numel() == first.shift.numel() == 1:
        scale, shift = scale * float(first.scale), shift * float(first.scale) + float(first.shift)
        parts = parts[1:]
    return parts, (scale, shift)


def composed(normalize: Sequence[Any] | None, scaled: tuple[float, float]) -> tuple[float, ...] | None:
    """(mean, deviation) of both: the reader's, then the model's own scale and shift."""
    scale, shift = scaled
    fed = None if normalize is None else scalars_of(normalize)
    if scaled == (1.0, 0.0):
        return fed
    if scale <= 0:
        raise ValueError(
            f"the model multiplies its inputs by {scale:g}; a normalisation must have a positive deviation"
        )
    mean, deviation = fed or (0.0, 1.0)
    return mean - shift / scale * deviation, deviation / scale


def scalars_of(normalize: Sequence[Any]) -> tuple[Any, Any]:
    """(mean, deviation) of `(m, s)` or, as torchvision writes it, `((m,), (s,))`: one for all channels. Raises ValueError."""
    found = []
    for value in numbers("normalize", normalize, ("mean", "deviation")):
        each = value if isinstance(value, list | tuple) and value else [value]
        if any(one != each[0] for one in each[1:]):
            raise ValueError(f"normalize must be one mean and one deviation for all channels, got {shown(normalize)}")
        found.append(each[0])
    return found[0], found[1]
