"""The output layer and the noise of Theorem D2, trained together for the limit itself, hidden weights as they are (torch)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from boundlab.bounds.concentration import kl_inverse
from boundlab.bounds.theorem_d import Pair
from boundlab.data.splits import Split
from boundlab.evaluation.coded_network import Output, features
from boundlab.evaluation.noise_scale import DELTA, ScaleSearch
from boundlab.evaluation.noise_shape import NoiseShape
from boundlab.networks.checkpoint import Checkpoint
from boundlab.quantities.norms import Array
from boundlab.training.noise_loss import NoiseLoss, integral

_BATCH = 3000
_RATE = 0.1  # of Adam, for outputs; as a part of their root mean square
_SHAPE_RATE = 0.1  # for the logarithms of the noise's variances


@dataclass(frozen=True)
class Reduced:
    """Features along a basis, float32: all that an output layer within its span, and noise shaped along it, can see."""

    basis: Tensor  # (d, k), orthonormal
    along: Tensor  # (n, k)
    squares: Tensor  # (n,) of the whole features
    labels: Tensor  # (n,)


@torch.no_grad()
def reduced(
    made: Checkpoint, output: Output, train: Split, directions: Tensor, watch: Callable[[int], None] = lambda done: None
) -> Reduced:
    """The sample along `directions` and the rows of the output layer."""
    basis = torch.linalg.qr(torch.cat([directions.double(), output.weight.T], dim=1)).Q
    turned, n, done = basis.float(), len(train.labels), 0
    along, squares = torch.empty(n, basis.shape[1]), torch.empty(n)
    for z in features(made, output, train, torch.float32):
        now = slice(done, done + len(z))
        torch.mm(z, turned, out=along[now])
        squares[now] = z.square().sum(dim=1)
        done += len(z)
        watch(done)
    return Reduced(basis, along, squares, train.labels)


class OutputTraining:
    """Adam on M = mu Pi W and the logarithms of the noise's variances; both within the span of the basis."""

    def __init__(self, data: Reduced, weight: Tensor, less: Array, bits: float, pair: Pair) -> None:
        """`weight`: mu Pi W (C, d); `less`: (k,) along the basis, as in `NoiseShape`; `pair`: of Theorem D2, to begin with."""
        self.data, self.bits, self.pair = data, bits, pair
        self.n, self.classes = len(data.labels), len(weight)
        self.means = (weight.double() @ data.basis).float().requires_grad_()
        # -ln of the variances
        self.quiet = torch.from_numpy(-np.log1p(-less)).float().requires_grad_()
        rate = _RATE * float(self.means.detach().square().mean().sqrt())
        self.adam = torch.optim.Adam(
            [{"params": [self.means], "lr": rate}, {"params": [self.quiet], "lr": _SHAPE_RATE}], betas=(0.9, 0.98)
        )

    def scores(self, chosen: Tensor | slice) -> Tensor:
        """(b, C - 1) a_c of some of the examples."""
        along, labels = self.data.along[chosen], self.data.labels[chosen]
        s = (self.data.squares[chosen] - along.square() @ -torch.expm1(-self.quiet)).clamp_min(1e-20).sqrt()
        outputs = along @ (self.means - self.means.mean(dim=0)).T
        others = torch.ones_like(outputs, dtype=torch.bool).scatter_(1, labels[:, None], False)
        ahead = (outputs.gather(1, labels[:, None]) - outputs)[others].reshape(len(labels), -1)
        return ahead / s[:, None]

    def loss(self, chosen: Tensor | slice) -> Tensor:
        """Mean of l over some of the examples, at the pair."""
        loss: Tensor = NoiseLoss.apply(self.scores(chosen), *integral(self.pair, self.classes, 8))
        return loss

    def divergence(self) -> Tensor:
        """In nats, at the pair."""
        spread = (torch.expm1(-self.quiet) + self.quiet).sum()
        rows = self.classes - 1 + (self.pair.rows or 0)
        return (self.means - self.means.mean(dim=0)).square().sum() / 2 + rows * spread / 2

    @torch.no_grad()
    def settle(self) -> float:
        """Choose the pair anew, from every third example; the limit there, about. How loss and divergence weigh follows from it."""
        size = float((self.means - self.means.mean(dim=0)).norm())
        spread = float((torch.expm1(-self.quiet) + self.quiet).double().sum())
        a = self.scores(slice(0, None, 3)).double().numpy()
        found = ScaleSearch((a, np.zeros(len(a))), size, self.bits, self.n, spread).about(size)
        self.pair = found.pair
        price = (found.divergence + self.bits * math.log(2) + math.log(2 * math.sqrt(self.n) / DELTA) + 4) / self.n
        p, q = float(kl_inverse(found.loss, price)), max(found.loss, 1e-6)
        # kl(q || p) = price: how p follows q and the price
        slope = (p - q) / (p * (1 - p))
        self.of_loss = (math.log(p / q) + math.log((1 - q) / (1 - p))) / slope
        self.of_price = 1 / slope
        return found.limit

    def epoch(self, rate: float, generator: torch.Generator) -> None:
        """Once through the sample; `rate`: part of the full learning rates."""
        for group, full in zip(self.adam.param_groups, self._full, strict=True):
            group["lr"] = rate * full
        for chosen in torch.randperm(self.n, generator=generator).split(_BATCH):
            self.adam.zero_grad()
            (self.of_loss * self.loss(chosen) + self.of_price * self.divergence() / self.n).backward()
            self.adam.step()
            with torch.no_grad():
                self.quiet.clamp_(min=0)

    def train(self, epochs: int, watch: Callable[[int, float], None] = lambda epoch, limit: None) -> float:
        """Cosine schedule; the limit at its end, about."""
        self._full = [group["lr"] for group in self.adam.param_groups]
        generator = torch.Generator().manual_seed(0)
        for epoch in range(epochs):
            limit = self.settle()
            watch(epoch, limit)
            self.epoch(0.02 + 0.98 * (1 + math.cos(math.pi * epoch / epochs)) / 2, generator)
        return self.settle()

    def shape(self) -> NoiseShape:
        """The noise as it is now."""
        return NoiseShape(self.data.basis, -np.expm1(-self.quiet.detach().double().numpy()))

    @torch.no_grad()
    def network(self, made: Checkpoint, constant: float | None) -> Checkpoint:
        """The network with the output layer as it is now."""
        means = self.means.double()
        weight = (means - means.mean(dim=0)) @ self.data.basis.T
        biases = list(made.biases)
        if constant is not None:
            biases[-1] = (weight[:, -1] * constant).float()
            weight = weight[:, :-1]
        return dataclasses.replace(made, weights=[*made.weights[:-1], weight.float()], biases=biases)
