"""What a layer does, as functions of its weights and its `LayerShape` (torch): the linear map, its adjoint, pooling."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_input

from boundlab.specs.shapes import LayerShape


def apply_layer(x: Tensor, weight: Tensor, bias: Tensor | None, shape: LayerShape) -> Tensor:
    """(n, in, h, w) -> (n, out, oh, ow); of a dense layer (n, ...) -> (n, out)."""
    if shape.kind == "dense":
        return F.linear(x.flatten(1), weight, bias)
    if shape.kind == "conv":
        return F.conv2d(x, weight, bias, shape.stride, shape.padding, shape.dilation, shape.groups)
    patches = F.unfold(x, shape.kernel, shape.dilation, shape.padding, shape.stride)  # (n, in*k*k, positions)
    out = torch.bmm(weight, patches.permute(2, 1, 0))  # (positions, out, n)
    if bias is not None:
        out = out + bias[:, :, None]
    return out.permute(2, 1, 0).unflatten(2, shape.out_size)


def adjoint(y: Tensor, weight: Tensor, shape: LayerShape) -> Tensor:
    """(n, out, oh, ow) -> (n, in, h, w): the transpose of a spatial layer's linear map."""
    if shape.kind == "conv":
        size = [len(y), shape.in_channels, *shape.in_size]
        return conv2d_input(size, weight, y, shape.stride, shape.padding, shape.dilation, shape.groups)
    patches = torch.bmm(weight.transpose(1, 2), y.flatten(2).permute(2, 1, 0))  # (positions, in*k*k, n)
    return F.fold(patches.permute(2, 1, 0), shape.in_size, shape.kernel, shape.dilation, shape.padding, shape.stride)


def pooled(x: Tensor, shape: LayerShape, summed: bool = False) -> Tensor:
    """(n, c, h, w) after the layer's pooling; `summed`: sums in place of maxima, as path norms count them."""
    for pool in shape.pools:
        if pool.kind == "avg" or summed:
            x = F.avg_pool2d(x, pool.size)
            x = x * pool.area if pool.kind == "max" else x
        else:
            x = F.max_pool2d(x, pool.size)
    return x


def activated(x: Tensor, shape: LayerShape) -> Tensor:
    """The layer's ReLU or LeakyReLU, in place."""
    return F.leaky_relu(x, shape.negative_slope, inplace=True) if shape.negative_slope else F.relu(x, inplace=True)
