"""Hidden channels that are multiples of each other become one: the same function with fewer weights to write down (torch)."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from boundlab.networks.checkpoint import Checkpoint
from boundlab.specs.arch import ArchSpec


def widths(arch: ArchSpec) -> tuple[int, ...]:
    """Channels or units of every hidden layer."""
    return tuple(s.out_channels for s in arch.shapes()[:-1])


def can_merge(arch: ArchSpec) -> bool:
    """Convolutions that see all channels, and dense layers."""
    return all(s.kind != "local" and s.groups == 1 for s in arch.shapes())


def merged(checkpoint: Checkpoint, alike: float) -> Checkpoint:
    """Of every hidden layer, channels whose weights (and bias) have a cosine of at least `alike` become one, and those that have
    none, or that nobody looks at, are left out. ReLU and pooling go along with a positive factor, so that at `alike` 1 the
    function stays; the merged channel is as long as those that it stands for, so that the last features' lengths stay too.
    """
    weights = [w.double() for w in checkpoint.weights]
    biases = [None if b is None else b.double() for b in checkpoint.biases]
    for i in range(len(weights) - 1):
        bias = biases[i]
        rows = weights[i].flatten(1) if bias is None else torch.cat([weights[i].flatten(1), bias[:, None]], dim=1)
        seen_by = weights[i + 1].reshape(len(weights[i + 1]), len(rows), -1)
        share, groups = _groups(rows, seen_by.square().sum(dim=(0, 2)).sqrt(), alike)
        # rows: what they have in common, weighted by how long they are; columns: the sum over those that are now one
        kept = groups @ (share[:, None] * rows)
        size = (groups @ share.square()).sqrt().clamp_min(1e-300)  # of a layer that is all zeros
        kept = F.normalize(kept, dim=1) * size[:, None]
        seen_by = torch.einsum("gc,ocp->ogp", groups * share / size[:, None], seen_by)
        weights[i] = (kept if bias is None else kept[:, :-1]).reshape(len(kept), *weights[i].shape[1:])
        biases[i] = None if bias is None else kept[:, -1]
        shape = weights[i + 1].shape
        weights[i + 1] = seen_by.reshape(shape[0], *((len(kept), *shape[2:]) if len(shape) > 2 else (-1,)))
    arch = with_widths(checkpoint.arch, tuple(len(w) for w in weights[:-1]))
    return Checkpoint(arch, [w.float() for w in weights], [None if b is None else b.float() for b in biases], None)


def _groups(rows: Tensor, looked_at: Tensor, alike: float) -> tuple[Tensor, Tensor]:
    """((c,) length of every row, (g, c) 1 where a row belongs to a group), the longest row first in each; at least one group."""
    share = rows.norm(dim=1)
    left = (share * looked_at).argsort(descending=True).tolist()
    most = float((share * looked_at).max())
    left = [c for c in left if float(share[c] * looked_at[c]) > 1e-6 * most] or left[:1]
    unit, groups = F.normalize(rows, dim=1), []
    while left:
        first = left[0]
        same = [c for c in left if c == first or float(unit[c] @ unit[first]) >= alike]
        groups.append(same)
        left = [c for c in left if c not in same]
    found = torch.zeros(len(groups), len(rows), dtype=rows.dtype)
    for g, same in enumerate(groups):
        found[g, same] = 1
    return share, found


def with_widths(arch: ArchSpec, to: tuple[int, ...]) -> ArchSpec:
    """The architecture with so many channels or units in its hidden layers."""
    if arch.kind == "mlp":
        return dataclasses.replace(arch, hidden=to)
    assert arch.conv_layers is not None
    convolutions, dense = to[: arch.conv_layers], to[arch.conv_layers :]
    return dataclasses.replace(arch, channels=convolutions, hidden=dense or None)
