"""In which precision a checkpoint is measured, so that its margins are those of the weights whose norms are measured (torch)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from boundlab.errors import CheckpointError
from boundlab.networks.build import position_norms
from boundlab.networks.checkpoint import Checkpoint
from boundlab.networks.sample_stats import feed
from boundlab.quantities.sample import pixel_limit

_SMALLEST = 1e-100  # of a weight that is not 0: the square of a much smaller one has no digits in float64
_SAFE = {torch.float32: (1e-20, 1e30), torch.float64: (1e-250, 1e280)}  # of what stands between input and output


def precision(checkpoint: Checkpoint, images: Tensor) -> torch.dtype:
    """float32, or float64 where numbers between input and output might leave float32's normal range, in which a rounded
    number is off by up to a factor 2. `images`: pixels in [0, 1].

    Two numbers are followed from input to output. An upper limit on the length of what a layer passes on: ||W||_F
    sqrt(kernel area) times that of its input, since a number is seen by at most so many patches. And the scale on which
    Theorems S and S2 see it: ||W||_F times that of its input, beginning with the smallest pixel that is not 0, over the area
    of an average, the output layer centred; the layers' own ||W||_F count as well, since rounding may double a weight below
    the normal range. Raises CheckpointError for products out of reach.
    """
    arch, biased = checkpoint.arch, checkpoint.biases[-1] is not None
    # logs: no product may vanish
    top = high = math.log(pixel_limit(arch.normalize) * math.sqrt(math.prod(arch.in_shape)))
    scale = low = math.log(_smallest(images, arch.normalize))
    for weight, bias, shape in zip(checkpoint.weights, checkpoint.biases, arch.shapes(), strict=True):
        exact = weight.double()
        top += _log(float(position_norms(exact, shape).max())) + 0.5 * math.log(shape.area)
        if bias is not None:
            top = float(np.logaddexp(top, _log(float(bias.double().norm())) + 0.5 * math.log(shape.positions)))
        high = max(high, top)
        charged = exact - exact.mean(dim=0) if shape.name == "output" and not biased else exact
        norm = _log(float(position_norms(charged, shape).max()))
        if norm > -math.inf:  # else every margin is 0, exactly
            scale += norm - sum(math.log(pool.area) for pool in shape.pools if pool.kind == "avg")
            low = min(low, norm, scale)
    for dtype, (least, most) in _SAFE.items():
        if low >= math.log(least) and high <= math.log(most):
            return dtype
    raise CheckpointError(
        f"numbers between 10^{low / math.log(10):.0f} and 10^{high / math.log(10):.0f} stand between the network's input and its "
        "output, beyond what can be computed; divide one layer's weights and multiply the next one's by the same number, which "
        "changes no output"
    )


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def _smallest(images: Tensor, normalize: tuple[float, float] | None) -> float:
    """Smallest absolute value that is not 0 of what the network is fed; 1 where all is 0."""
    found = math.inf
    for part in images.split(5000):
        size = feed(part, normalize).abs()
        found = min(found, float(size.masked_fill(size == 0, math.inf).min()))
    return 1.0 if math.isinf(found) else found


def check_weights(weights: Sequence[Tensor | None]) -> None:
    """Raises CheckpointError for weights or biases so small that their norm would not have them."""
    for weight in weights:
        if weight is None:
            continue
        size = weight.double().abs()
        if bool(((size > 0) & (size < _SMALLEST)).any()):
            raise CheckpointError(
                f"there are weights below {_SMALLEST:g} that are not 0, or such biases, beyond what can be measured; set them to 0 or rescale the "
                "layer"
            )
