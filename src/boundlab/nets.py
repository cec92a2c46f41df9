"""build(spec): the only place that knows architectures."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import is_parametrized

from boundlab.shapes import LayerShape
from boundlab.specs import ArchSpec


def _layer(shape: LayerShape) -> nn.Module:
    if shape.kind == "conv":
        layer: nn.Module = nn.Conv2d(
            shape.in_channels, shape.out_channels, shape.kernel, shape.stride, shape.padding, bias=shape.bias
        )
    else:
        layer = nn.Linear(shape.in_channels, shape.out_channels, bias=shape.bias)
    if shape.weight_norm:  # dim=None: one scalar g for the whole weight tensor, as in the paper's networks
        layer = weight_norm(layer, dim=None)  # type: ignore[arg-type]
    return layer


def build(arch: ArchSpec) -> nn.Sequential:
    """Untrained network, (n, channels, height, width) -> (n, classes): ReLU between layers, dense output layer."""
    shapes = arch.shapes()
    modules: list[nn.Module] = []
    for shape in shapes[:-1]:
        modules += [_layer(shape), nn.ReLU()]
    modules.insert(0 if arch.kind == "mlp" else len(modules), nn.Flatten())
    return nn.Sequential(*modules, _layer(shapes[-1]))


def layers(net: nn.Sequential) -> list[nn.Module]:
    """The parametrised layers in order, output layer last."""
    return [m for m in net if isinstance(m, nn.Conv2d | nn.Linear)]


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


def initialise(net: nn.Sequential, init: str, seed: int) -> None:
    """Fill the weights: "he" (normal, variance 2/fan_in; output layer 1/fan_in; biases 0), "unit" (the same directions,
    every layer of Frobenius norm 1) or "torch" (its default)."""
    generator = torch.Generator().manual_seed(seed)
    *hidden, output = layers(net)
    for layer in [*hidden, output]:
        weight = torch.empty(layer.weight.shape)  # type: ignore[arg-type]
        fan_in = weight[0].numel()
        if init == "torch":
            weight.uniform_(-(fan_in**-0.5), fan_in**-0.5, generator=generator)
        else:
            weight.normal_(0.0, ((1.0 if layer is output else 2.0) / fan_in) ** 0.5, generator=generator)
        if init == "unit":
            weight /= weight.norm()
        with torch.no_grad():
            _assign(layer, weight)
            if layer.bias is not None:
                limit = fan_in**-0.5 if init == "torch" else 0.0
                layer.bias.uniform_(-limit, limit, generator=generator)  # type: ignore[operator]


def from_weights(arch: ArchSpec, tensors: list[Tensor], bias: list[Tensor | None]) -> nn.Sequential:
    """A network for evaluation that carries the given effective weights (no weight-norm parametrization)."""
    net = build(dataclasses.replace(arch, weight_norm=False))
    with torch.no_grad():
        for layer, weight, b in zip(layers(net), tensors, bias, strict=True):
            _assign(layer, weight)
            if b is not None:
                layer.bias.copy_(b)  # type: ignore[operator, union-attr]
    return net
