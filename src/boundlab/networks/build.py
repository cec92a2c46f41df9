"""build(spec): the only place that knows architectures."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import is_parametrized

from boundlab.networks.layer_maps import apply_layer
from boundlab.specs.arch import ArchSpec
from boundlab.specs.shapes import LayerShape, Pool


class LocallyConnected2d(nn.Module):
    """A convolution with weights of its own at every output position: weight (positions, out, in*kh*kw)."""

    def __init__(self, shape: LayerShape) -> None:
        super().__init__()
        self.shape = shape
        self.weight = nn.Parameter(torch.empty(shape.weight_shape))
        self.bias = nn.Parameter(torch.empty(shape.bias_shape)) if shape.bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(n, in, h, w) -> (n, out, oh, ow)."""
        return apply_layer(x, self.weight, self.bias, self.shape)


def _layer(shape: LayerShape) -> nn.Module:
    if shape.kind == "conv":
        layer: nn.Module = nn.Conv2d(
            shape.in_channels,
            shape.out_channels,
            shape.kernel,
            shape.stride,
            shape.padding,
            shape.dilation,
            shape.groups,
            bias=shape.bias,
        )
    elif shape.kind == "local":
        layer = LocallyConnected2d(shape)
    else:
        layer = nn.Linear(shape.in_channels, shape.out_channels, bias=shape.bias)
    if shape.weight_norm:  # dim=None: one scalar g for the whole weight tensor, as in the paper's networks
        layer = weight_norm(layer, dim=None)  # type: ignore[arg-type]
    return layer


def _pool(pool: Pool) -> nn.Module:
    return nn.MaxPool2d(pool.size) if pool.kind == "max" else nn.AvgPool2d(pool.size)


def _activation(shape: LayerShape) -> nn.Module:
    return nn.LeakyReLU(shape.negative_slope) if shape.negative_slope else nn.ReLU()


def build(arch: ArchSpec) -> nn.Sequential:
    """Untrained network, (n, channels, height, width) -> (n, classes): ReLU (or LeakyReLU) between layers, dense output layer."""
    *hidden, output = arch.shapes()
    maps = [shape for shape in hidden if shape.spatial]
    modules: list[nn.Module] = []
    for shape in maps:
        modules += [_layer(shape), _activation(shape), *map(_pool, shape.pools)]
    modules.append(nn.Flatten())
    for shape in hidden[len(maps) :]:
        modules += [_layer(shape), _activation(shape)]
    return nn.Sequential(*modules, _layer(output))


def layers(net: nn.Sequential) -> list[nn.Module]:
    """The parametrised layers in order, output layer last."""
    return [m for m in net if isinstance(m, nn.Conv2d | LocallyConnected2d | nn.Linear)]


def layer_geometry(layer: nn.Module) -> tuple[int, int, int, int]:
    """(kernel, stride, padding, dilation) of a convolution or locally connected layer."""
    if isinstance(layer, LocallyConnected2d):
        return layer.shape.kernel, layer.shape.stride, layer.shape.padding, layer.shape.dilation
    assert isinstance(layer, nn.Conv2d)
    return layer.kernel_size[0], layer.stride[0], int(layer.padding[0]), layer.dilation[0]


def weights(net: nn.Sequential) -> list[Tensor]:
    """Effective weights (weight norm folded in), detached copies."""
    return [layer.weight.detach().clone() for layer in layers(net)]  # type: ignore[operator, union-attr]


def biases(net: nn.Sequential) -> list[Tensor | None]:
    """Biases, detached copies; None where the layer has none."""
    return [None if layer.bias is None else layer.bias.detach().clone() for layer in layers(net)]  # type: ignore[operator, union-attr]


def _assign(layer: nn.Module, weight: Tensor) -> None:
    """Set the effective weight; under weight norm v = weight and g = its norm."""
    if is_parametrized(layer):
        layer.weight = weight
    else:
        layer.weight.copy_(weight)  # type: ignore[operator, union-attr]


def initialise(net: nn.Sequential, arch: ArchSpec, init: str, seed: int) -> None:
    """Fill the weights: "he" (normal, variance 2/fan_in; output layer 1/fan_in; biases 0), "unit" (the same directions,
    every layer of Frobenius norm 1; without sharing, the largest over positions) or "torch" (its default)."""
    generator = torch.Generator().manual_seed(seed)
    for layer, shape in zip(layers(net), arch.shapes(), strict=True):
        weight, limit = torch.empty(shape.weight_shape), shape.fan_in**-0.5
        if init == "torch":
            weight.uniform_(-limit, limit, generator=generator)
        else:
            weight.normal_(0.0, ((1.0 if shape.name == "output" else 2.0) / shape.fan_in) ** 0.5, generator=generator)
        if init == "unit":
            weight /= position_norms(weight, shape).max()
        with torch.no_grad():
            _assign(layer, weight)
            if layer.bias is not None:
                limit = limit if init == "torch" else 0.0
                layer.bias.uniform_(-limit, limit, generator=generator)  # type: ignore[operator]


def position_norms(weight: Tensor, shape: LayerShape) -> Tensor:
    """(copies,) Frobenius norms of the layer's weight tensors: one, or one per output position without sharing."""
    return weight.flatten(1).norm(dim=1) if shape.kind == "local" else weight.norm()[None]


def from_weights(arch: ArchSpec, tensors: list[Tensor], bias: list[Tensor | None]) -> nn.Sequential:
    """A network for evaluation that carries the given effective weights (no weight-norm parametrization)."""
    net = build(dataclasses.replace(arch, weight_norm=False))
    with torch.no_grad():
        for layer, weight, b in zip(layers(net), tensors, bias, strict=True):
            _assign(layer, weight)
            if b is not None:
                layer.bias.copy_(b)  # type: ignore[operator, union-attr]
    return net
