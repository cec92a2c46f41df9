"""Spectral norms of layers as linear maps with their true boundary (torch): from below for many networks at once, and from above."""

from __future__ import annotations

import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from boundlab.networks.lanczos import STEPS, top_vectors
from boundlab.networks.many_maps import ManyMaps, sides, unread
from boundlab.networks.symbols import convolution_upper, quarter_turns, wave_start
from boundlab.specs.shapes import LayerShape

# inputs or outputs of a map that is written out, at most; of a dense layer, which is written out already
_SMALL, _SMALL_DENSE = 64, 512
# numbers in the inputs or outputs of the maps that are searched together: what stays in a core's cache
_TOGETHER = 2**17
_ROUNDING = 1e-12


def spectral_maps(weights: Tensor, shape: LayerShape) -> Tensor:
    """(members,) float64: operator norms of one layer of several networks, `weights` (members, *weight_shape), each with its true
    boundary; approached from below, within 1e-6 (usually 1e-8).

    NaN for weights that are not finite; the others' norms do not depend on who else is there, but for 1e-7.
    """
    if shape.groups > 1:  # maps of their own: the layer's norm is the largest of theirs
        return spectral_maps(*_apart(weights, shape)).unflatten(0, (-1, shape.groups)).amax(dim=1)
    size = weights.flatten(1).abs().amax(dim=1).double()
    sound = (torch.isfinite(size) & (size > 0)).reshape(-1, *[1] * (weights.ndim - 1))
    unit = torch.where(sound, size.reshape(sound.shape), 1.0)
    scaled = torch.where(sound, weights.double() / unit, 0.0)  # products of the given ones might leave float64
    least = min(sides(shape))
    if least <= _SMALL or (shape.kind == "dense" and least <= _SMALL_DENSE):
        norms = largest_singular(ManyMaps(scaled, shape).written_out())
    else:
        norms = _searched(*_fewer_outputs(scaled, shape))
    return torch.where(torch.isfinite(size), size * norms, torch.nan)


def spectral_map(weight: Tensor, shape: LayerShape) -> float:
    """`spectral_maps` of one network."""
    return float(spectral_maps(weight[None], shape)[0])


def spectral_map_upper(weight: Tensor, shape: LayerShape) -> float:
    """A number that the operator norm of a layer with its true boundary does not exceed, but for 1e-12 of rounding.

    Of a convolution `convolution_upper`; of a dense layer the norm itself. Without sharing, output position k sees a patch P_k x
    by weights W_k, so ||A x||^2 = sum_k ||W_k P_k x||^2 is at most ||x||^2 times the largest sum, over an input pixel's patches,
    of ||W_k||^2.
    """
    if shape.groups > 1:
        groups, alone = _apart(weight[None], shape)
        return max(spectral_map_upper(group, alone) for group in groups)
    size = float(weight.abs().max())
    if size == 0 or not math.isfinite(size):
        return size
    scaled = weight.double() / size
    if shape.kind == "conv":
        return size * convolution_upper(scaled, shape)
    if shape.kind == "dense":
        return size * float(largest_singular(scaled)) * (1 + _ROUNDING)
    squares = largest_singular(scaled).square().reshape(1, 1, *shape.out_size)
    ones = torch.ones(1, 1, shape.kernel, shape.kernel).to(squares)
    sums = F.conv_transpose2d(squares, ones, None, shape.stride, shape.padding, unread(shape), 1, shape.dilation)
    return size * math.sqrt(float(sums.max())) * (1 + _ROUNDING)


def largest_singular(matrices: Tensor) -> Tensor:
    """(...) largest singular values of matrices (..., rows, columns), from the smaller Gram matrix."""
    wide = matrices.shape[-2] <= matrices.shape[-1]
    gram = matrices @ matrices.mT if wide else matrices.mT @ matrices
    return torch.linalg.eigvalsh(gram)[..., -1].clamp_min(0).sqrt()


def _apart(weights: Tensor, shape: LayerShape) -> tuple[Tensor, LayerShape]:
    """A grouped convolution's groups as members, and the shape of one."""
    out, into = shape.out_channels // shape.groups, shape.in_channels // shape.groups
    alone = dataclasses.replace(shape, groups=1, out_channels=out, in_channels=into)
    return weights.unflatten(1, (shape.groups, out)).flatten(0, 1), alone


def _fewer_outputs(weights: Tensor, shape: LayerShape) -> tuple[Tensor, LayerShape]:
    """The same lengths of outputs from fewer channels: a convolution's matrix of filters is Q R, Q of orthonormal columns, and R
    has no more rows than a patch has numbers."""
    if shape.kind != "conv" or shape.out_channels <= shape.fan_in:
        return weights, shape
    fewer = torch.linalg.qr(weights.flatten(2), mode="r").R.unflatten(2, weights.shape[2:])
    return fewer, dataclasses.replace(shape, out_channels=fewer.shape[1])


def _searched(weights: Tensor, shape: LayerShape) -> Tensor:
    """(members,) of weights no larger than 1, some members at a time: top vectors, in float32 on a CPU, which is four times
    faster, and what these and their `quarter_turns` are stretched by, in float64: their error counts squared."""
    together = max(1, _TOGETHER // max(sides(shape)))
    parts = torch.chunk(weights, -(-len(weights) // together))
    dtype = torch.float32 if weights.device.type == "cpu" else torch.float64  # a GPU's float32 may be TF32
    inputs = sides(shape)[0]
    room = torch.empty(min(STEPS, inputs) + 1, len(parts[0]), inputs, dtype=dtype, device=weights.device)
    norms = []
    for part in parts:
        maps = ManyMaps(part, shape)
        fast = maps.to(dtype)
        best = top_vectors(fast, _start(fast), room).double()
        span = torch.linalg.qr(torch.stack([best, *quarter_turns(best, shape)], dim=2)).Q
        norms.append(largest_singular(maps.forwards(span.permute(2, 0, 1)).transpose(0, 1)))
    return torch.cat(norms)


def _start(maps: ManyMaps) -> Tensor:
    """(members, inputs): a plane wave that the kernel lets through best, and a little of everything."""
    noise = torch.randn(sides(maps.shape)[0], generator=torch.Generator().manual_seed(0)).to(maps.weights)
    noise = (noise / noise.norm()).expand(len(maps.weights), -1)
    if maps.shape.kind != "conv":
        return noise
    wave = wave_start(maps.weights, maps.shape).flatten(1)
    return wave / wave.norm(dim=1, keepdim=True).clamp_min(1e-30) + 0.1 * noise
