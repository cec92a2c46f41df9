"""A network with rounded hidden weights; its outputs and features over a sample, with what rounding may do to them (torch)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from boundlab.data.splits import Split
from boundlab.evaluation.codable import (
    Network,
    absolute_net,
    hidden_net,
    hidden_tensors,
    inputs_of,
    largest_map,
    output_layer,
    pixels_fed,
    summands,
    with_hidden,
)
from boundlab.networks.branched import Branched
from boundlab.networks.checkpoint import Checkpoint
from boundlab.quantities.norms import Array
from boundlab.quantities.weight_code import Rounding, as_bfloat16

_BLOCK = 100  # images whose features are multiplied at once
_BYTES = 2**20  # of the largest_map maps of one batch: they stay in cache (2 to 5 times faster than hundreds of images)


def rounded_network(network: Network, roundings: Sequence[Rounding]) -> Network:
    """The network that Theorem D is about."""
    pairs = zip(roundings, hidden_tensors(network), strict=True)
    return with_hidden(network, [rounding.rounded(tensor) for rounding, tensor in pairs])


@dataclass(frozen=True)
class Output:
    """The output layer as Theorem D sees it, float64: class mean subtracted; a bias is the weight of a constant feature."""

    weight: Tensor  # (C, d), or (C, d + 1)
    constant: float | None  # a bfloat16, part of the code

    @property
    def norm(self) -> float:
        """||Pi W||_F."""
        return float(self.weight.norm())

    def features(self, net: nn.Sequential, inputs: Tensor) -> Tensor:
        """(b, d) what the output layer sees, the constant included; `net` without its output layer."""
        z = net(inputs)
        return z if self.constant is None else F.pad(z, (0, 1), value=self.constant)


def output_of(network: Checkpoint | Branched, few: Split) -> Output:
    """The network's output layer; the constant is as large as the features of `few` images are long."""
    weight, bias = output_layer(network)
    weight = weight - weight.mean(dim=0)
    if bias is None:
        return Output(weight, None)
    with torch.no_grad():
        z = hidden_net(network)(pixels_fed(network, few.images[:100], torch.float64))
    constant = as_bfloat16(float(z.norm(dim=1).median())) or 1.0
    bias = bias - bias.mean()
    return Output(torch.cat([weight, bias[:, None] / constant], dim=1), constant)


@dataclass(frozen=True)
class Seen:
    """A pass over n examples, float64: differences f_y - f_c to the others, squared lengths of features, projections of these."""

    ahead: Array  # (n, C - 1)
    squares: Array  # (n,) |z|^2
    projections: Array  # (n, k) onto the directions that were given
    width: int  # d
    ahead_off: float  # no difference is off by more
    features_off: float  # nor any z, in length

    def exact(self) -> Seen:
        """As if nothing were rounded: for choices, which any numbers may guide."""
        return dataclasses.replace(self, ahead_off=0.0, features_off=0.0)

    @property
    def error(self) -> float:
        """Share of the examples where another class's output is as large."""
        return float((~(self.ahead > 0).all(axis=1)).mean())


@torch.no_grad()
def run_over(
    network: Checkpoint | Branched,
    output: Output,
    data: Split,
    directions: Tensor | None = None,
    dtype: torch.dtype = torch.float64,
    watch: Callable[[int], None] = lambda done: None,
) -> Seen:
    """The network over `data` (pixels in [0, 1]); `directions`: (d, k). `watch` gets how many images are done."""
    weight, done, n = output.weight.T.to(dtype), 0, len(data.labels)
    turned = (torch.zeros(len(weight), 0) if directions is None else directions).to(dtype)
    # made whole: small results of each block would lie between the large ones that are given back, and keep that memory in pieces
    ahead, squares, projections = np.empty((n, weight.shape[1] - 1)), np.empty(n), np.empty((n, turned.shape[1]))
    for z, labels in zip(features(network, output, data, dtype), data.labels.split(_BLOCK), strict=True):
        now = slice(done, done + len(z))
        ahead[now] = _ahead((z @ weight).double(), labels)
        squares[now] = z.double().square().sum(dim=1).numpy()
        projections[now] = (z @ turned).double().numpy()
        done += len(z)
        watch(done)
    off = _off(network, output, data, torch.finfo(dtype).eps / 2)
    return Seen(ahead, squares, projections, len(weight), *off)


@torch.no_grad()
def features(network: Checkpoint | Branched, output: Output, data: Split, dtype: torch.dtype) -> Iterator[Tensor]:
    """(<= `_BLOCK`, d) what the output layer sees of the images in turn; the next block takes the place of the last."""
    net = hidden_net(network, dtype)
    size = max(1, min(_BLOCK, _BYTES // (largest_map(network) * dtype.itemsize)))
    block = torch.empty(_BLOCK, output.weight.shape[1], dtype=dtype)
    for images in data.images.split(_BLOCK):
        for part, few in zip(block.split(size), images.split(size), strict=False):
            part[: len(few)] = output.features(net, pixels_fed(network, few, dtype))
        yield block[: len(images)]


def _ahead(outputs: Tensor, labels: Tensor) -> Array:
    own = outputs.gather(1, labels[:, None])
    others = torch.ones_like(outputs, dtype=torch.bool).scatter_(1, labels[:, None], False)
    found: Array = (own - outputs)[others].reshape(len(labels), -1).numpy()
    return found


def _off(network: Checkpoint | Branched, output: Output, data: Split, unit: float) -> tuple[float, float]:
    """What rounding can do to a difference of outputs, and to the features: a sum of k numbers, in any order, is off by at most
    k units of the sum of absolute values, and the network with absolute weights of the largest absolute inputs is never below
    that sum. Twice that, so that nothing else that small matters."""
    normalize = inputs_of(network).normalize
    pixels = data.images.abs().amax(dim=0, keepdim=True).double()
    largest = pixels if normalize is None else (pixels + abs(normalize[0])) / normalize[1]
    top = output.features(absolute_net(network), largest)
    steps = 8 + summands(network)
    features = 2 * steps * unit * float(top.norm())
    sums = float((top @ output.weight.abs().T).max())
    return 4 * (steps + output.weight.shape[1] + 8) * unit * sums, features
