"""A network under Gaussian noise on its weights, drawn afresh for every example, and the errors that it makes (torch)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from boundlab.data.splits import Split
from boundlab.networks import layer_maps
from boundlab.specs.shapes import LayerShape

# numbers in the widest layer's maps and kernels of one batch: they stay in cache
_MEMORY = 2**21
DrawProgress = Callable[[int, int], None]  # (draws done, draws in all)


def convolve(x: Tensor, kernels: Tensor, shape: LayerShape) -> Tensor:
    """(b, in, h, w) with a kernel of its own for each example, (b, out, in, k, k) -> (b, out, oh, ow)."""
    groups = len(kernels) * shape.groups
    grouped = F.conv2d(
        x.flatten(0, 1)[None], kernels.flatten(0, 1), None, shape.stride, shape.padding, shape.dilation, groups
    )
    return grouped.unflatten(1, kernels.shape[:2])[0]


def patch_norms(x: Tensor, shape: LayerShape) -> Tensor:
    """l2 norm of what every output of a dense layer, (b, 1), or of a spatial one, (b, 1, oh, ow), sees."""
    if not shape.spatial:
        return x.flatten(1).norm(dim=1, keepdim=True)
    ones = torch.ones(1, 1, shape.kernel, shape.kernel, dtype=x.dtype)
    squares = x.square().sum(dim=1, keepdim=True)
    return F.conv2d(squares, ones, None, shape.stride, shape.padding, shape.dilation).clamp_min_(0).sqrt_()


def noisy_outputs(
    inputs: Tensor,
    weights: Sequence[Tensor],
    noise: Sequence[float],
    shapes: Sequence[LayerShape],
    rng: torch.Generator,
) -> Tensor:
    """(b, classes) outputs, each example under its own weights N(W_l, s_l^2 I).

    Where no weight is used twice, an output on one example is exactly N(Wx, s^2 |patch|^2): dense and locally connected
    layers need no draw of weights (Kingma, Salimans, Welling, "Variational dropout and the local reparameterization
    trick", NIPS 2015).
    """
    x = inputs
    for i, (weight, scale, shape) in enumerate(zip(weights, noise, shapes, strict=True)):
        if shape.kind == "conv":
            drawn = torch.randn((len(x), *weight.shape), generator=rng, dtype=x.dtype)
            x = convolve(x, drawn.mul_(scale).add_(weight), shape)
        else:
            mean, spread = layer_maps.apply_layer(x, weight, None, shape), scale * patch_norms(x, shape)
            x = mean + spread * torch.randn(mean.shape, generator=rng, dtype=x.dtype)
        x = layer_maps.pooled(layer_maps.activated(x, shape), shape) if i < len(shapes) - 1 else x
    return x


def _batch(shapes: Sequence[LayerShape]) -> int:
    layer_maps = max(s.in_channels * s.in_size[0] * s.in_size[1] + s.out_channels * s.positions for s in shapes)
    kernels = max((s.weights for s in shapes if s.kind == "conv"), default=1)
    return max(1, min(1024, _MEMORY // max(layer_maps, kernels)))


@torch.no_grad()
def count_errors(
    data: Split,
    weights: Sequence[Tensor],
    noise: Sequence[float],
    shapes: Sequence[LayerShape],
    draws: int,
    rng: torch.Generator,
    progress: DrawProgress = lambda *_: None,
) -> int:
    """Errors in `draws` independent draws of (weights from Q, example of `data` uniformly, with replacement).

    `data.images` as the network sees them. A tie is an error.
    """
    wrong, done, batch = 0, 0, _batch(shapes)
    while done < draws:
        chosen = torch.randint(len(data.labels), (min(batch, draws - done),), generator=rng)
        out, labels = noisy_outputs(data.images[chosen], weights, noise, shapes, rng), data.labels[chosen][:, None]
        others = out.scatter(1, labels, -torch.inf).max(dim=1).values
        wrong += int((~(out.gather(1, labels)[:, 0] > others)).sum())
        done += len(chosen)
        progress(done, draws)
    return wrong
