"""One layer of several networks of one architecture as linear maps with their true boundary (torch)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from boundlab.specs.shapes import LayerShape


def sides(shape: LayerShape) -> tuple[int, int]:
    """Numbers in a layer's input and in its output."""
    return shape.in_channels * math.prod(shape.in_size), shape.out_channels * shape.positions


def unread(shape: LayerShape) -> tuple[int, int]:
    """Rows and columns at the end of the (padded) input that no output reads, since a stride does not fit."""
    reach = shape.dilation * (shape.kernel - 1) + 1 - 2 * shape.padding
    height, width = (
        side - (out - 1) * shape.stride - reach for side, out in zip(shape.in_size, shape.out_size, strict=True)
    )
    return height, width


@dataclass(frozen=True)
class ManyMaps:
    """`weights`: (members, *weight_shape). For one network: `layer_maps.apply_layer` and `adjoint`."""

    weights: Tensor
    shape: LayerShape

    def of(self, members: Tensor) -> ManyMaps:
        """Some of them, by number."""
        return ManyMaps(self.weights[members], self.shape)

    def to(self, dtype: torch.dtype) -> ManyMaps:
        """With weights of another type."""
        return ManyMaps(self.weights.to(dtype), self.shape)

    def forwards(self, x: Tensor) -> Tensor:
        """(..., members, inputs) -> (..., members, outputs)."""
        w, s, before = self.weights, self.shape, x.shape[:-1]
        if s.kind == "dense":
            return (w @ x[..., None])[..., 0]
        if s.kind == "local":
            patches = F.unfold(x.reshape(-1, s.in_channels, *s.in_size), s.kernel, s.dilation, s.padding, s.stride)
            y = w @ patches.mT.unflatten(0, before)[..., None]  # (..., members, positions, out, 1)
            return y[..., 0].mT.reshape(*before, -1)
        maps = x.reshape(-1, len(w) * s.in_channels, *s.in_size)
        y = F.conv2d(maps, w.flatten(0, 1), None, s.stride, s.padding, s.dilation, len(w) * s.groups)
        return y.reshape(*before, -1)

    def backwards(self, y: Tensor) -> Tensor:
        """(..., members, outputs) -> (..., members, inputs): the transposes."""
        w, s, before = self.weights, self.shape, y.shape[:-1]
        if s.kind == "dense":
            return (w.mT @ y[..., None])[..., 0]
        if s.kind == "local":
            patches = w.mT @ y.reshape(*before, s.out_channels, -1).mT[..., None]
            columns = patches[..., 0].mT.flatten(0, len(before) - 1)
            return F.fold(columns, s.in_size, s.kernel, s.dilation, s.padding, s.stride).reshape(*before, -1)
        maps, groups = y.reshape(-1, len(w) * s.out_channels, *s.out_size), len(w) * s.groups
        x = F.conv_transpose2d(maps, w.flatten(0, 1), None, s.stride, s.padding, unread(s), groups, s.dilation)
        return x.reshape(*before, -1)

    def written_out(self) -> Tensor:
        """(members, rows, columns): the matrices, transposed where there are no more inputs than outputs."""
        if self.shape.kind == "dense":
            return self.weights
        inputs, outputs = sides(self.shape)
        one, side = (self.forwards, inputs) if inputs <= outputs else (self.backwards, outputs)
        units = torch.eye(side, dtype=self.weights.dtype, device=self.weights.device)
        return one(units[:, None].expand(-1, len(self.weights), -1)).transpose(0, 1)
