"""Errors and margins of several networks of one architecture, measured together (torch); of one alone see `outcome`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from boundlab.networks.outcome import Outcome
from boundlab.networks.stacked import StackedNetworks
from boundlab.specs.shapes import LayerShape

# numbers in the widest layer's outputs of one pass, of all members: they stay in cache; and images at most
_NUMBERS, _IMAGES = 2**19, 500


@torch.no_grad()
def outcomes_of_many(
    networks: StackedNetworks,
    images: Sequence[Tensor],
    labels: Sequence[Tensor],
    patches: bool = False,
    most: int | None = None,
    watch: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Per member what `outcome` says of its own (n, ...) inputs and (n,) labels, all of one size n.

    At most `most` images of each at a time; `watch` is called before each of these batches and may raise.
    """
    weights, biases = networks.weights(networks.parameters), networks.biases(networks.parameters)
    members, batch = networks.members, _batch(networks, most)
    own = torch.stack(list(labels)).split(batch, dim=1)
    largest = [[0.0] * len(networks.shapes) for _ in range(members)]

    def see(layer: int, x: Tensor) -> None:
        for place, norm in enumerate(_patch_norms(x, networks.shapes[layer], members)):
            largest[place][layer] = max(largest[place][layer], norm)

    wrong, squared = (torch.zeros(members, dtype=torch.float64, device=own[0].device) for _ in range(2))
    margins = []
    for x, y in zip(_batches(images, members, batch), own, strict=True):
        watch()
        out = networks.outputs(x, weights, biases, see if patches else None).double()
        true = out.gather(2, y[..., None]).squeeze(2)
        margin = true - out.scatter(2, y[..., None], -torch.inf).amax(dim=2)
        wrong += (~(margin > 0)).sum(1)  # ties and NaN are errors: a dead network gets no credit
        squared += (out - F.one_hot(y, out.shape[2])).square().mean(dim=2).sum(1)
        margins.append(margin.cpu().numpy())
    n, all_margins = len(labels[0]), np.concatenate(margins, axis=1)
    errors, losses = (wrong / n).tolist(), (squared / n).tolist()
    return [
        Outcome(errors[place], losses[place], all_margins[place], largest[place] if patches else [])
        for place in range(members)
    ]


def _batch(networks: StackedNetworks, most: int | None) -> int:
    widest = max(shape.out_channels * shape.positions for shape in networks.shapes)
    return max(1, min(_IMAGES if most is None else most, _NUMBERS // (widest * networks.members)))


def _batches(images: Sequence[Tensor], members: int, batch: int) -> Iterator[Tensor]:
    """(batch, members * channels, height, width), one batch after the other."""
    if all(one is images[0] for one in images):
        return (part.repeat(1, members, 1, 1) for part in images[0].split(batch))
    parts = zip(*(one.split(batch) for one in images), strict=True)
    return (torch.cat(part, dim=1) for part in parts)


def _patch_norms(x: Tensor, shape: LayerShape, members: int) -> list[float]:
    """Per member the largest l2 norm of an input patch of a layer over a batch; of a grouped layer over all its input channels.

    `x`: as the layers see it, (batch, members * channels, ...) or (members, batch, inputs). Divided by a power of two before
    squaring, which changes no digit: squares of very small or large numbers are 0 or infinite.
    """
    own = x if x.ndim == 3 else x.unflatten(1, (members, -1)).transpose(0, 1)  # (members, batch, ...)
    units = 2.0 ** (torch.frexp(own.abs().flatten(1).amax(1)).exponent - 1).to(x)
    squares = (own / units.reshape(-1, *[1] * (own.ndim - 1))).square().sum(dim=2)
    if shape.spatial:
        ones = torch.ones(1, 1, shape.kernel, shape.kernel).to(squares)
        squares = F.conv2d(squares.flatten(0, 1)[:, None], ones, None, shape.stride, shape.padding, shape.dilation)
        squares = squares.unflatten(0, (members, -1))
    elif squares.ndim > 2:  # a dense layer on maps sees all of them
        squares = squares.flatten(2).sum(2)
    return (units * squares.flatten(1).amax(1).clamp_min(0).sqrt()).tolist()
