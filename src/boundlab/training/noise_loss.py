"""The loss of Theorems D and D2 as a function that can be differentiated, and what training minimises for them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from boundlab.bounds.concentration import kl_inverse
from boundlab.bounds.theorem_d import PAIRS, Pair, density, nodes
from boundlab.quantities.weight_code import HEAD
from boundlab.specs.shapes import LayerShape

_PAIR = Pair(1.5, 2)
_PULL = 1 / 6  # variances of the noise are 1 / (1 + pull * images * share of a direction)
_DELTA = 0.001
_OUTPUT = 10.0  # what the output layer counts more, so that one learning rate suits all layers
_BITS, _STEP = 3, 0.6  # of the hidden weights' levels; from one to the next, in root mean squares of a layer's weights
_PLAIN_UNTIL, _WHOLE_FROM = 0.2, 0.3  # fractions of the steps; before, the scores' cross-entropy is minimised
_NEAR = 7.0  # nodes of the integral farther out do not matter here


def on_grid(weights: Tensor) -> Tensor:
    """(members, ...) weights of a layer to the levels of `_BITS` bits, each member's by its own scale, a bfloat16."""
    flat = weights.detach().flatten(1)
    scale = (flat.square().mean(dim=1).sqrt() * _STEP).to(torch.bfloat16).to(flat.dtype).clamp_min(1e-30)
    scale = scale.view(-1, *[1] * (weights.ndim - 1))
    half = 2 ** (_BITS - 1)
    return (weights.detach() / scale).round().clamp(-half, half - 1) * scale


class NoiseLoss(torch.autograd.Function):
    """(n, C - 1) a_c to the mean of l; the mean product of Phi(v + a_c) under the density of a pair, `weights` at `places`."""

    @staticmethod
    def forward(ctx, a: Tensor, places: Tensor, weights: Tensor) -> Tensor:  # type: ignore[no-untyped-def, override]
        kept, slope = torch.zeros_like(a[:, 0]), torch.zeros_like(a)
        for v, weight in zip(places.tolist(), weights.tolist(), strict=True):
            x = a + v
            factors = torch.special.ndtr(x)
            product = factors.prod(dim=1)
            kept += weight * product
            # phi / Phi is about -x far to the left, where both vanish
            ratio = torch.exp(-x.square() / 2) * (1 / math.sqrt(2 * math.pi)) / factors.clamp_min(1e-30)
            slope += weight * product[:, None] * ratio
        ctx.save_for_backward(slope / len(a))
        return 1 - kept.mean()

    @staticmethod
    def backward(ctx, given: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[no-untyped-def, override]
        (slope,) = ctx.saved_tensors
        return -given * slope, None, None


def integral(pair: Pair, classes: int, near: float) -> tuple[Tensor, Tensor]:
    """Places and weights for `NoiseLoss`, without those farther out than `near`."""
    places = nodes(classes)
    weights = density(pair, classes) * (places[1] - places[0])
    chosen = np.abs(places) < near
    return torch.from_numpy(places[chosen]), torch.from_numpy(weights[chosen])


class CodedObjective:
    """What Theorem D2 says, kl^-1(q, c) / chance: q the mean loss of the minibatch, c divergence, code and confidence per training
    image. Hidden weights are rounded on the way in, and the gradient goes straight through; the noise's shape follows the
    minibatch's features. Whatever is simplified here only makes the training worse: the certificate is computed afterwards, of the
    network that comes out.
    """

    rounds = True

    def __init__(self, shapes: Sequence[LayerShape], sizes: Sequence[int], like: Tensor) -> None:
        """`sizes`: how many training images each member has."""
        self.classes, self.last = shapes[-1].out_channels, len(shapes) - 1
        code = sum(HEAD + _BITS * shape.weights for shape in shapes[:-1]) * math.log(2)
        fixed = [code + math.log(len(PAIRS)) + math.log(2 * math.sqrt(n) / _DELTA) for n in sizes]
        self.fixed, self.sizes = like.new_tensor(fixed), like.new_tensor(sizes)
        self.places, self.weights = integral(_PAIR, self.classes, _NEAR)
        self.share = 0.0
        self.features = like.new_zeros(0)

    def at(self, fraction: float) -> None:
        """How much of the loss is the theorem's after this fraction of the steps."""
        self.share = min(1.0, max(0.0, (fraction - _PLAIN_UNTIL) / (_WHOLE_FROM - _PLAIN_UNTIL)))

    def rounded(self, weights: Sequence[Tensor]) -> list[Tensor]:
        """Per layer (members, *weight_shape): the hidden ones on their grids."""
        return [w + (on_grid(w) - w).detach() for w in weights[:-1]] + [weights[-1]]

    def see(self, place: int, x: Tensor) -> None:
        """Keeps what the output layer sees, (members, batch, d)."""
        if place == self.last:
            members = len(self.sizes)
            self.features = x.reshape(len(x), members, -1).transpose(0, 1) if x.ndim == 4 else x

    def __call__(self, out: Tensor, labels: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """(members,) losses of (members, batch, classes) outputs."""
        length, spread = _quieted(self.features, self.sizes * _PULL)
        others = torch.ones_like(out, dtype=torch.bool).scatter_(2, labels[..., None], False)
        own = out.gather(2, labels[..., None])
        ahead = (own - out)[others].view(*out.shape[:2], -1) * (_OUTPUT / length[..., None])
        plain = F.softplus(torch.logsumexp(-ahead, dim=2)).mean(dim=1)
        if not self.share:
            return plain
        loss = torch.stack([NoiseLoss.apply(a, self.places, self.weights) for a in ahead])  # type: ignore[no-untyped-call]
        output = weights[-1] - weights[-1].mean(dim=1, keepdim=True)
        size = output.flatten(1).square().sum(dim=1) * _OUTPUT**2
        price = (size / 2 + (self.classes - 1 + (_PAIR.rows or 0)) * spread / 2 + self.fixed) / self.sizes
        return self.share * _kl_inverse(loss, price) / _PAIR.chance + (1 - self.share) * plain


def _kl_inverse(losses: Tensor, prices: Tensor) -> Tensor:
    """p with kl(q || p) = c, elementwise, and how it follows q and c."""
    q, c = (part.detach().double().cpu().numpy() for part in (losses, prices))
    q = np.clip(q, 1e-6, 1 - 1e-6)
    p = np.clip(kl_inverse(q, c), q + 1e-9, 1 - 1e-9)
    slope = (p - q) / (p * (1 - p))
    of_loss, of_price = (np.log(p / q) + np.log((1 - q) / (1 - p))) / slope, 1 / slope
    value, by_loss, by_price = (losses.new_tensor(part) for part in (p, of_loss, of_price))
    return value + by_loss * (losses - losses.detach()) + by_price * (prices - prices.detach())


def _quieted(features: Tensor, pulls: Tensor) -> tuple[Tensor, Tensor]:
    """((members, batch) sqrt(z^T Sigma z), (members,) tr Sigma - d - ln det Sigma) of (members, batch, d) features: Sigma is
    (I + pull * C)^-1 by each member's pull, C the mean of z z^T / |z|^2 over the minibatch, and no gradient goes through it."""
    unit = F.normalize(features.detach(), dim=2)
    batch, d = unit.shape[1:]
    if d > batch:
        values, left = torch.linalg.eigh(unit @ unit.mT / batch)
        values = values.clamp_min(1e-7)
        directions = unit.mT @ left / (values * batch).sqrt()[:, None]
    else:
        values, directions = torch.linalg.eigh(unit.mT @ unit / batch)
        values = values.clamp_min(0)
    strong = pulls[:, None] * values
    less = strong / (1 + strong)
    along = (features @ directions).square()
    squares = features.square().sum(dim=2) - (along * less[:, None]).sum(dim=2)
    spread = (torch.log1p(strong) - less).sum(dim=1)
    return squares.clamp_min(1e-12).sqrt(), spread
