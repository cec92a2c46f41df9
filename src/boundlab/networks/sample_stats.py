"""Measure a sample (torch): what a network is fed, and the sums over it that the bounds need."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from boundlab.quantities.sample import InputStats, SampleStats, pixel_limit
from boundlab.specs.arch import ArchSpec
from boundlab.specs.own_data import cache_folder, data_root
from boundlab.specs.shapes import LayerShape
from boundlab.system.kept import kept, writable

# images whose statistics take longer than reading a file and taking a hash
KEPT_FROM = 10_000


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


def _window_sums(flat: Tensor, first: LayerShape) -> Tensor:
    """(batch, height, width) -> (batch, *out_size): sums over the first layer's windows, one axis after the other."""
    p = first.padding
    sums = F.pad(flat, (p, p, p, p))
    for axis, out in ((1, first.out_size[0]), (2, first.out_size[1])):
        length = (out - 1) * first.stride + 1
        taps = [sums.narrow(axis, tap * first.dilation, length) for tap in range(first.kernel)]
        total = taps[0].clone()
        for tap in taps[1:]:
            total += tap
        sums = total[:, :: first.stride] if axis == 1 else total[:, :, :: first.stride]
    return sums


def _patch_energy(fed: Tensor, first: LayerShape) -> np.ndarray:
    """Per position of the first layer the sum over images of (sum of its patch)^2 / size of the patch."""
    total = torch.zeros(first.out_size, dtype=torch.float64, device=fed.device)
    for batch in fed.split(1000):
        flat = batch.double().sum(dim=1)  # (batch, height, width)
        sums = _window_sums(flat, first) if first.spatial else flat.sum(dim=(1, 2))[:, None, None]
        total += sums.square().sum(dim=0)
    return (total / (first.in_channels * first.area)).cpu().numpy()


def content_hash(*tensors: Tensor) -> str:
    """sha256 of their types, shapes and numbers."""
    sha = hashlib.sha256()
    for tensor in tensors:
        sha.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        sha.update(tensor.detach().cpu().contiguous().numpy().data.cast("B"))
    return sha.hexdigest()


def statistics_folder(root: str | Path | None = None) -> Path:
    """Where statistics of data are kept: below the data root; where that is read-only, in the user's cache folder."""
    there = data_root(root) / "statistics"
    return there if writable(there) else cache_folder() / "statistics"


def _computed(images: Tensor, arch: ArchSpec, dataset: str) -> SampleStats:
    raw, fed = _input_stats(images, pixel_limit(None)), feed(images, arch.normalize)
    seen = raw if arch.normalize is None else _input_stats(fed, pixel_limit(arch.normalize))
    return SampleStats(dataset, len(images), arch.classes, raw, seen, _patch_energy(fed, arch.shapes()[0]))


def sample_stats(images: Tensor, arch: ArchSpec, dataset: str, root: str | Path | None = None) -> SampleStats:
    """Statistics of (n, channels, height, width) pixels in [0, 1], raw and as a network of `arch` sees them, in float64.

    Those of many images are kept in `statistics_folder(root)`, by the hash of the images.
    """
    if len(images) < KEPT_FROM:
        return _computed(images, arch, dataset)
    first = arch.shapes()[0]
    geometry = [first.spatial, first.kernel, first.stride, first.padding, first.dilation]
    named = ["sample", content_hash(images), arch.normalize, geometry]
    found = kept(statistics_folder(root), named, lambda: _computed(images, arch, dataset).to_dict())
    return SampleStats.from_dict(found | {"dataset": dataset, "classes": arch.classes}, arch.normalize)
