"""Networks that Theorem D is about, seen alike: a chain of layers (a checkpoint), or a graph of them (torch). Hidden weights are what is
coded; the output layer is what noise is put on."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from boundlab.networks.branched import Branched
from boundlab.networks.build import from_weights
from boundlab.networks.checkpoint import Checkpoint
from boundlab.networks.graph import tensors, with_tensors
from boundlab.networks.sample_stats import feed
from boundlab.networks.traced_modules import Affine
from boundlab.quantities.norms import Array
from boundlab.specs.arch import ArchSpec

Network = TypeVar("Network", bound=Checkpoint | Branched)
_MORE = 8  # units that any operation is off by, besides its sum


def hidden_tensors(network: Checkpoint | Branched) -> list[Array]:
    """What is coded, float64: of every layer but the last its weights, then its biases, if it has them."""
    if isinstance(network, Branched):
        return [tensor.double().numpy() for tensor in tensors(network.hidden)]
    pairs = zip(network.weights[:-1], network.biases[:-1], strict=True)
    return [part.double().numpy() for pair in pairs for part in pair if part is not None]


def with_hidden(network: Network, given: Sequence[Array]) -> Network:
    """The network with `hidden_tensors` replaced, rounded to float32; its output layer as it was, no initial weights."""
    rounded = [torch.from_numpy(np.asarray(t, np.float32)) for t in given]
    if isinstance(network, Branched):
        return dataclasses.replace(network, hidden=with_tensors(network.hidden, [t.double() for t in rounded]))
    parts, weights, biases = iter(rounded), list(network.weights), list(network.biases)
    for i in range(len(weights) - 1):
        weights[i] = next(parts)
        biases[i] = None if biases[i] is None else next(parts)
    return dataclasses.replace(network, weights=weights, biases=biases, init=None)


def output_layer(network: Checkpoint | Branched) -> tuple[Tensor, Tensor | None]:
    """(weights (C, d), biases (C,) or None) in float64. Raises ValueError for a network that does not end with a dense layer."""
    if isinstance(network, Checkpoint):
        weight, bias = network.weights[-1], network.biases[-1]
    elif network.output is None:
        raise ValueError("it assumes that the network ends with a dense layer")
    else:
        weight, bias = network.output.weight.detach(), network.output.bias
    return weight.double(), None if bias is None else bias.detach().double()


def hidden_net(network: Checkpoint | Branched, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """The network without its output layer."""
    if isinstance(network, Branched):
        return copy.deepcopy(nn.Sequential(network.module()[0])).to(dtype)
    *hidden, _ = from_weights(network.arch, network.weights, network.biases)
    return nn.Sequential(*hidden).to(dtype)


def pixels_fed(network: Checkpoint | Branched, images: Tensor, dtype: torch.dtype) -> Tensor:
    """What the network is fed, of pixels in [0, 1]."""
    return feed(images.to(dtype, copy=True), inputs_of(network).normalize)


def inputs_of(network: Checkpoint | Branched) -> ArchSpec:
    """An ArchSpec with the network's in_shape, classes and normalisation."""
    return network.inputs if isinstance(network, Branched) else network.arch


def largest_map(network: Checkpoint | Branched) -> int:
    """Numbers of the largest map between input and output, or more."""
    if isinstance(network, Branched):
        return max([math.prod(network.inputs.in_shape), *(math.prod(step.shape) for step in network.hidden)])
    return max(max(s.in_channels * math.prod(s.in_size), s.out_channels * s.positions) for s in network.arch.shapes())


def absolute_net(network: Checkpoint | Branched) -> nn.Sequential:
    """`hidden_net` in float64 with absolute weights and biases: of absolute inputs, no number in it is below the sum of absolute values
    that the network's own number is a sum of. Raises ValueError for an activation that may enlarge a number."""
    if isinstance(network, Branched) and any(
        isinstance(step.module, nn.LeakyReLU) and not 0 <= step.module.negative_slope <= 1 for step in network.hidden
    ):
        raise ValueError("it assumes that the slope of a LeakyReLU lies between 0 and 1")
    if isinstance(network, Branched):
        positive = with_tensors(network.hidden, [tensor.abs() for tensor in tensors(network.hidden)])
        return hidden_net(dataclasses.replace(network, hidden=positive))
    biases = [None if b is None else b.abs() for b in network.biases]
    return hidden_net(dataclasses.replace(network, weights=[w.abs() for w in network.weights], biases=biases))


def summands(network: Checkpoint | Branched) -> int:
    """Units that a number before the output layer may be off by, relative to the sum of absolute values: as many as are added on its way,
    and `_MORE` of every operation."""
    if isinstance(network, Branched):
        return sum(_added(step.module, network) + len(step.sources) + _MORE for step in network.hidden)
    return sum(s.fan_in + _MORE + sum(pool.area for pool in s.pools) for s in network.arch.shapes()[:-1])


def _added(module: Any, network: Branched) -> int:
    """How many numbers one result of an operation is a sum of."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        return int(module.weight[0].numel()) + 1
    if isinstance(module, Affine):
        return 2
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        size = module.kernel_size
        return math.prod(size) if isinstance(size, tuple) else size**2
    return largest_map(network) if isinstance(module, nn.AdaptiveAvgPool2d | nn.Sequential) else 1
