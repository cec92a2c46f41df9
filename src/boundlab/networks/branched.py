"""A model whose layers do not follow each other, read as a graph and checked against the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from boundlab.networks.export import check_plain, plain_copy
from boundlab.networks.graph import Graph, GraphNetwork, follow_steps, norms_folded, tensors
from boundlab.networks.input_scale import composed, scaled_first
from boundlab.networks.not_followed import NotFollowed
from boundlab.networks.scripted import class_name
from boundlab.networks.traced_modules import Affine
from boundlab.networks.tracing import Traced, followed, unwrapped
from boundlab.specs.arch import ArchSpec
from boundlab.validation import numbers

_TESTED = 8  # random inputs on which model and graph are compared
_CLOSE = 1e-9  # relative to the largest output, in float64
_ENDS = (nn.Softmax, nn.LogSoftmax)


@dataclass(frozen=True)
class Branched:
    """`hidden`: the graph up to what the output layer sees; `output`: that layer, None where the model does not end with one
    (`hidden` is then all of it). `inputs`: a stand-in for the architecture, which says in_shape, classes and normalisation.
    `flat`: it takes flattened inputs. All in float64."""

    name: str
    hidden: Graph
    output: nn.Linear | None
    inputs: ArchSpec
    flat: bool

    @property
    def parameters(self) -> int:
        """Numbers, batch norm folded."""
        last = [] if self.output is None else list(self.output.parameters())
        return sum(tensor.numel() for tensor in [*tensors(self.hidden), *last])

    @property
    def whole(self) -> Graph:
        """The graph from input to output."""
        if self.output is None:
            return self.hidden
        classes = self.inputs.classes
        return (*self.hidden, Traced("output", self.output, (len(self.hidden) - 1,), (classes,)))

    @property
    def biased(self) -> bool:
        """Whether a number is added anywhere."""
        return any(
            bool(step.module.shift.any())
            if isinstance(step.module, Affine)
            else getattr(step.module, "bias", None) is not None
            for step in self.whole
        )

    def module(self) -> nn.Sequential:
        """The network as two modules: up to the output layer, and that; of inputs as `normalize` leaves them."""
        first = [nn.Flatten()] if self.flat else []
        return nn.Sequential(nn.Sequential(*first, GraphNetwork(self.hidden)), self.output or nn.Identity())


def branched(model: nn.Module, in_shape: Sequence[int], normalize: Sequence[Any] | None = None) -> Branched:
    """`model` in eval mode, as a graph, without the Softmax or LogSoftmax that it ends with. Raises ValueError naming the first
    operation that is not known, or when the graph does not compute what the model does."""
    name = class_name(unwrapped(model))
    model = unwrapped(model)
    check_plain(model)
    size = numbers("in_shape", in_shape, ("channels", "height", "width"))
    size = ArchSpec(kind="mlp", in_shape=size, hidden=()).in_shape
    with torch.no_grad():
        exact = plain_copy(model, torch.float64)
        steps, flat = followed(exact, size)
        steps, scaled = _plain_start(steps)
        end = steps.pop() if steps and isinstance(steps[-1].module, _ENDS) else None
        if inner := next((step for step in steps if isinstance(step.module, (*_ENDS, nn.Sigmoid))), None):
            raise NotFollowed(
                f"{inner.place or 'the model'}: a {type(inner.module).__name__} may only stand at the end"
            )
        inputs = _inputs(size, steps, composed(normalize, scaled))
        hidden, output = _split(_averaged_first(norms_folded(steps)))
        found = Branched(name, hidden, output, inputs, flat)
        _compare(exact, found, end, scaled)
    return found


def _inputs(in_shape: tuple[int, ...], steps: Sequence[Traced], normalize: tuple[Any, ...] | None) -> ArchSpec:
    outputs = steps[-1].shape if steps else ()
    if len(outputs) != 1 or outputs[0] < 2:
        raise ValueError(
            f"the model must have one output per class, two at least, got outputs of shape {list(outputs)}"
        )
    return ArchSpec(kind="mlp", in_shape=in_shape, hidden=(), classes=outputs[0], normalize=normalize)  # type: ignore[arg-type]


def _plain_start(steps: Sequence[Traced]) -> tuple[list[Traced], tuple[float, float]]:
    """(the rest, (scale, shift)) where the model begins by scaling its inputs."""
    begin = 0
    while begin < len(steps) - 1 and [s for s in steps if begin - 1 in s.sources] == [steps[begin]]:
        if not isinstance(steps[begin].module, Affine) or steps[begin].join:
            break
        begin += 1
    rest, scaled = scaled_first([(step.place, step.module) for step in steps[:begin]])
    begin -= len(rest)
    moved = [dataclasses.replace(s, sources=tuple(max(-1, i - begin) for i in s.sources)) for s in steps[begin:]]
    return moved, scaled


def _split(graph: Graph) -> tuple[Graph, nn.Linear | None]:
    last = graph[-1]
    plain = isinstance(last.module, nn.Linear) and not last.join and last.sources == (len(graph) - 2,)
    return (graph[:-1], last.module) if plain else (graph, None)  # type: ignore[return-value]


def _averaged_first(graph: Graph) -> Graph:
    """A last 1x1 convolution whose maps are averaged: averages first, then a dense layer, which is the same."""
    length = _length_of_average(graph)
    before, tail = list(graph[: -length - 1]), graph[-length - 1 :]
    layer: Any = tail[0].module
    if not (
        length and before and isinstance(layer, nn.Conv2d) and {*layer.kernel_size, *layer.stride, layer.groups} == {1}
    ):
        return graph
    follow = all(not step.join and step.sources == (len(before) + i,) for i, step in enumerate(tail[1:]))
    if layer.padding not in ("same", "valid", (0, 0)) or not follow or tail[0].join:
        return graph
    made: Any = nn.Linear(layer.in_channels, layer.out_channels, layer.bias is not None, device="meta")
    made.weight = nn.Parameter(layer.weight.detach().flatten(1), requires_grad=False)
    made.bias = layer.bias
    whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    average = dataclasses.replace(tail[-1], module=whole, sources=tail[0].sources, shape=(layer.in_channels,))
    return (*before, average, Traced(tail[0].place, made, (len(before),), tail[-1].shape))


def _length_of_average(graph: Graph) -> int:
    """How many steps the average of whole maps takes that the graph ends with; 0 where it does not."""
    modules = [step.module for step in graph[-2:]]
    if isinstance(modules[-1], nn.Sequential):
        return 1
    ends = len(modules) == 2 and isinstance(modules[0], nn.AdaptiveAvgPool2d) and isinstance(modules[1], nn.Flatten)
    return 2 if ends else 0


def _compare(exact: nn.Module, found: Branched, end: Traced | None, scaled: tuple[float, float]) -> None:
    """Raise ValueError unless both give the same outputs on random inputs."""
    x = torch.randn(_TESTED, *found.inputs.in_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = x.flatten(1) if found.flat else x
    whole = found.whole
    got = follow_steps(whole, [step.module for step in whole], x * scaled[0] + scaled[1])
    got = got if end is None else end.module(got)
    expected = exact(x)
    if expected.shape != got.shape or not bool((expected - got).abs().max() <= _CLOSE * expected.abs().max()):
        raise ValueError(
            "the graph that was read does not compute what the model computes; does a module have hooks, or a forward that changes "
            "from call to call?"
        )
