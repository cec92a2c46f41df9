"""Measure a sample (torch): what a network is fed, and the sums over it that the bounds need."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from boundlab.quantities.sample import InputStats, SampleStats, pixel_limit
from boundlab.specs.arch import ArchSpec
from boundlab.specs.shapes import LayerShape


def feed(images: Tensor, normalize: tuple[float, float] | None) -> Tensor:
    """Pixels in [0, 1] -> what the network sees."""
    return images if normalize is None else (images - normalize[0]).div_(normalize[1])


def _input_stats(inputs: Tensor, limit: float) -> InputStats:
    energy = torch.zeros(inputs.shape[2:], dtype=torch.float64, device=inputs.device)
    largest, extreme = 0.0, 0.0
    room = torch.empty_like(inputs[:5000], dtype=torch.float64)  # once: fresh memory costs more than the arithmetic
    for batch in inputs.split(5000):
        squares = room[: len(batch)].copy_(batch).square_()  # (batch, channels, height, width)
        energy += squares.sum(dim=(0, 1))
        largest = max(largest, float(squares.flatten(1).sum(1).max().sqrt()))
        extreme = max(extreme, float(batch.abs().max()))
    return InputStats(energy.cpu().numpy(), largest, extreme, limit)


def _patch_energy(fed: Tensor, first: LayerShape) -> np.ndarray:
    """Per position of the first layer the sum over images of (sum of its patch)^2 / size of the patch."""
    total = torch.zeros(first.out_size, dtype=torch.float64, device=fed.device)
    ones = torch.ones(1, 1, first.kernel, first.kernel, dtype=torch.float64, device=fed.device)
    for batch in fed.split(5000):
        flat = batch.double().sum(dim=1, keepdim=True)  # (batch, 1, height, width)
        if first.spatial:
            sums = F.conv2d(flat, ones, None, first.stride, first.padding, first.dilation)
        else:
            sums = flat.sum(dim=(2, 3), keepdim=True)
        total += sums.square().sum(dim=(0, 1))
    return (total / (first.in_channels * first.area)).cpu().numpy()


def sample_stats(images: Tensor, arch: ArchSpec, dataset: str) -> SampleStats:
    """Statistics of (n, channels, height, width) pixels in [0, 1], raw and as a network of `arch` sees them, in float64."""
    raw, fed = _input_stats(images, pixel_limit(None)), feed(images, arch.normalize)
    seen = raw if arch.normalize is None else _input_stats(fed, pixel_limit(arch.normalize))
    return SampleStats(dataset, len(images), arch.classes, raw, seen, _patch_energy(fed, arch.shapes()[0]))
