"""A network whose layers do not follow each other: residual sums, channels side by side, batch norm anywhere, pools that overlap."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from boundlab.networks.traced_modules import Affine
from boundlab.networks.tracing import Traced

Graph: TypeAlias = tuple[Traced, ...]
_LINEAR = (nn.Conv2d, nn.Linear, Affine)


class GraphNetwork(nn.Module):
    """What the steps of a graph do, one after the other; (n, ...) -> (n, ...)."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.steps = nn.ModuleList([step.module for step in graph])

    def forward(self, x: Tensor) -> Tensor:
        """The last step's result, or the input where there is no step."""
        return follow_steps(self.graph, list(self.steps), x)


def follow_steps(graph: Graph, modules: Sequence[Callable[[Tensor], Tensor]], x: Tensor) -> Tensor:
    """The last step's result with `modules` in the place of the steps' own; sums and channels are joined as the steps say."""
    found: list[Tensor] = []
    for step, module in zip(graph, modules, strict=True):
        given = [x if i < 0 else found[i] for i in step.sources]
        joined = torch.cat(given, dim=1) if step.join == "cat" else given[0]
        if step.join == "add":
            for other in given[1:]:
                joined = joined + other
        found.append(module(joined))
    return found[-1] if found else x


def norms_folded(steps: Sequence[Traced]) -> Graph:
    """The same with every scale and shift per channel (batch norm) folded into the layer before it, where only that follows it,
    and without steps that do nothing. Raises ValueError for batch norm that cannot be computed."""
    steps = [_as_affine(step) for step in steps]
    users = [sum(step.sources.count(i) for step in steps) for i in range(len(steps))]
    for i, step in enumerate(steps):
        before = steps[j] if (j := step.sources[0]) >= 0 and not step.join else None
        if isinstance(step.module, Affine) and before is not None and users[j] == 1:
            merged = _merged(before.module, step.module)
            if merged is not None:
                steps[j] = dataclasses.replace(before, module=merged)
                steps[i] = dataclasses.replace(step, module=nn.Identity())
    return _without_identities(steps)


def _as_affine(step: Traced) -> Traced:
    module: Any = step.module
    if not isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        return step
    mean, variance = module.running_mean, module.running_var
    assert isinstance(mean, Tensor)  # else what it does is not known, and was refused
    assert isinstance(variance, Tensor)
    if not bool(torch.isfinite(mean).all() & torch.isfinite(variance).all() & (variance >= 0).all()):
        raise ValueError(f"{step.place}: its running statistics are NaN, infinite or negative; train it again")
    scale = (variance + module.eps).rsqrt() * (1.0 if module.weight is None else module.weight.detach())
    shift = -mean * scale + (0.0 if module.bias is None else module.bias.detach())
    size = (-1, 1, 1) if isinstance(module, nn.BatchNorm2d) else (-1,)
    return dataclasses.replace(step, module=Affine(scale.reshape(size), shift.reshape(size)))


def _merged(layer: nn.Module, affine: Affine) -> nn.Module | None:
    """The layer that does both; None where it is not one, or where the scale is not one per channel."""
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        return None
    channels, inner = len(layer.weight), 2 if isinstance(layer, nn.Conv2d) else 0
    for tensor in (affine.scale, affine.shift):
        if tensor.numel() not in (1, channels) or (tensor.numel() > 1 and tensor.shape != (channels, *[1] * inner)):
            return None
    scale, shift = (tensor.flatten().expand(channels) for tensor in (affine.scale, affine.shift))
    bias = (0.0 if layer.bias is None else layer.bias.detach()) * scale + shift
    weight = layer.weight.detach() * scale.reshape(-1, *[1] * (layer.weight.ndim - 1))
    return with_weights(layer, weight, bias if layer.bias is not None or bool(shift.any()) else None)


def with_weights(layer: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Module:
    """The same layer with other weights and biases."""
    made: Any = layer.__class__.__new__(layer.__class__)
    made.__dict__ |= {name: value for name, value in layer.__dict__.items() if name != "_parameters"}
    made._parameters = {"weight": nn.Parameter(weight, requires_grad=False), "bias": None}
    if bias is not None:
        made._parameters["bias"] = nn.Parameter(bias, requires_grad=False)
    return made  # type: ignore[no-any-return]


def _without_identities(steps: Sequence[Traced]) -> Graph:
    kept: list[Traced] = []
    at = {-1: -1}
    for i, step in enumerate(steps):
        if isinstance(step.module, nn.Identity) and not step.join:
            at[i] = at[step.sources[0]]
        else:
            at[i] = len(kept)
            kept.append(dataclasses.replace(step, sources=tuple(at[j] for j in step.sources)))
    return tuple(kept)


def path_norm(graph: Graph, in_shape: Sequence[int]) -> float:
    """The sum of the outputs of the network with absolute weights on the all-ones input, max-pooling replaced by sums (Gonon et al.
    2024). Raises ValueError for an activation that it is not about."""
    return float(
        follow_steps(graph, [absolute(step, summed=True) for step in graph], torch.ones(1, *in_shape).double()).sum()
    )


def absolute(step: Traced, summed: bool = False) -> Callable[[Tensor], Tensor]:
    """The step with absolute weights; `summed`: max-pooling as a sum over its window."""
    module: Any = step.module
    if isinstance(module, nn.Conv2d | nn.Linear):
        bias = None if module.bias is None else module.bias.detach().abs()
        return with_weights(module, module.weight.detach().abs(), bias)
    if isinstance(module, Affine):
        return Affine(module.scale.abs(), module.shift.abs())
    if isinstance(module, nn.LeakyReLU):
        raise ValueError("it assumes that every activation is ReLU; the network has a LeakyReLU")
    if isinstance(module, nn.MaxPool2d) and summed:
        sizes = module.kernel_size, module.stride, module.padding, module.ceil_mode
        return lambda x: F.avg_pool2d(x, *sizes, divisor_override=1)
    return module  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Depth:
    """What the theorem of path norms counts: the path from input to output on which `layers` and max-pools weigh most."""

    layers: int
    max_pools: tuple[int, ...]  # their areas


def depth(graph: Graph) -> Depth:
    """Of a graph: layers are convolutions, dense layers, scales and shifts, averages and sums; more than are needed, never fewer."""
    areas = [_area(step.module) for step in graph]
    most = max([1, *filter(None, areas)])
    best: list[tuple[float, int, int]] = []
    for step, area in zip(graph, areas, strict=True):
        cost, layers, pools = max([(0.0, 0, 0), *(best[i] for i in step.sources if i >= 0)])
        counts = bool(
            step.join == "add" or isinstance(step.module, (*_LINEAR, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Sequential))
        )
        own = math.log(3) * (counts + bool(area)) + (math.log(most) if area else 0.0)
        best.append((cost + own, layers + counts, pools + bool(area)))
    _, layers, pools = best[-1]
    return Depth(layers, (most,) * pools)


def _area(module: nn.Module) -> int:
    """Numbers under a max-pool's window; 0 of anything else."""
    if not isinstance(module, nn.MaxPool2d):
        return 0
    size = module.kernel_size
    return math.prod(size) if isinstance(size, tuple) else size**2


def tensors(graph: Graph) -> list[Tensor]:
    """Every weight and bias, in order: of a layer its weights, then its biases; of a scale and shift both."""
    found: list[Tensor] = []
    for step in graph:
        module: Any = step.module
        if isinstance(module, Affine):
            found += [module.scale, module.shift]
        elif isinstance(module, nn.Conv2d | nn.Linear):
            found += [module.weight.detach(), *([] if module.bias is None else [module.bias.detach()])]
    return found


def with_tensors(graph: Graph, new: Sequence[Tensor]) -> Graph:
    """The graph with `tensors` replaced."""
    given, made = iter(new), []
    for step in graph:
        module: Any = step.module
        if isinstance(module, Affine):
            module = Affine(next(given), next(given))
        elif isinstance(module, nn.Conv2d | nn.Linear):
            module = with_weights(module, next(given), None if module.bias is None else next(given))
        made.append(dataclasses.replace(step, module=module))
    return tuple(made)
