"""What training minimises: mean squared error, or the certificate of Theorem S (bounds/theorem_s.md) or D2 (`noise_loss`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from boundlab.bounds.theorem_s import complexity_per_norm
from boundlab.quantities.sample import SampleStats
from boundlab.specs.run import RunSpec
from boundlab.specs.shapes import LayerShape
from boundlab.training.noise_loss import CodedObjective

_HINGE_UNTIL, _RAMP_FROM = 0.1, 0.3  # fractions of the steps; between them the cap comes down to the ramp's 1
_FIRST_CAP = 3.0
_FIRST_WEIGHT, _WHOLE_WEIGHT_FROM = 0.2, 0.7  # the complexity counts little before the classes are told apart


class Objective(Protocol):
    """Loss per member of one minibatch each; `at(fraction)` says how much of the training is done.

    `out`: (members, batch, classes); `labels`: (members, batch); `weights`: per layer (members, *weight_shape).
    """

    rounds: bool  # whether `rounded` changes anything

    def __call__(self, out: Tensor, labels: Tensor, weights: Sequence[Tensor]) -> Tensor: ...

    def at(self, fraction: float) -> None: ...

    def rounded(self, weights: Sequence[Tensor]) -> Sequence[Tensor]:
        """The weights that the network is run with."""

    def see(self, place: int, x: Tensor) -> None:
        """Gets the input of every layer."""


class _AsItIs:
    """Of a network that is run with its weights as they are, and seen by its outputs alone."""

    rounds = False

    def rounded(self, weights: Sequence[Tensor]) -> Sequence[Tensor]:
        """The same."""
        return weights

    def see(self, place: int, x: Tensor) -> None:
        """Nothing."""


class MeanSquaredError(_AsItIs):
    """Mean over examples and outputs of the squared distance to one-hot labels, as in the paper."""

    def __call__(self, out: Tensor, labels: Tensor, weights: Sequence[Tensor]) -> Tensor:
        return (out - F.one_hot(labels, out.shape[2]).to(out.dtype)).square().mean(dim=(1, 2))

    def at(self, fraction: float) -> None:
        """The same throughout."""


class Certificate(_AsItIs):
    """mean min(cap, max(0, 1 - margin)) + weight x complexity at margin 1.

    With cap 1 and weight 1 this is Theorem S's value without its confidence term, at margin 1: no restriction, since
    the network's scale is free. The ramp is not convex and has no gradient at negative margins, so training begins with
    the hinge (no cap) and a small weight.
    """

    def __init__(
        self,
        shapes: Sequence[LayerShape],
        samples: Sequence[SampleStats],
        final_weights: Sequence[float],
        like: Tensor,
    ) -> None:
        self.shapes = shapes
        self.per_norm = like.new_tensor([complexity_per_norm(shapes, sample) for sample in samples])
        self.final_weights = like.new_tensor(final_weights)
        # tensors, so that a captured step reads them
        self.cap, self.weight = like.new_zeros(()), torch.zeros_like(self.final_weights)
        self.at(0.0)

    def at(self, fraction: float) -> None:
        """Set cap and weight for this fraction of the steps."""
        left = min(1.0, max(0.0, (_RAMP_FROM - fraction) / (_RAMP_FROM - _HINGE_UNTIL)))
        self.cap.fill_(1 + (_FIRST_CAP - 1) * left if fraction >= _HINGE_UNTIL else torch.inf)
        scale = _FIRST_WEIGHT ** max(0.0, 1 - fraction / _WHOLE_WEIGHT_FROM)
        self.weight.copy_(self.final_weights * scale)

    def complexity(self, weights: Sequence[Tensor]) -> Tensor:
        """(members,) Theorem S's complexity at margin 1 of the networks as they are now."""
        *hidden, output = weights
        rho = (output - output.mean(1, keepdim=True)).flatten(1).norm(dim=1)
        for weight, shape in zip(hidden, self.shapes[:-1], strict=True):
            local = shape.kind == "local"  # the largest over positions
            rho = rho * (weight.flatten(2).norm(dim=2).amax(1) if local else weight.flatten(1).norm(dim=1))
        return self.per_norm * rho

    def __call__(self, out: Tensor, labels: Tensor, weights: Sequence[Tensor]) -> Tensor:
        own = out.gather(2, labels[..., None]).squeeze(2)
        other = out.scatter(2, labels[..., None], -torch.inf).amax(dim=2)
        errors = torch.minimum((1 - (own - other)).clamp_min(0), self.cap)
        return errors.mean(1) + self.weight * self.complexity(weights)


def objective(specs: Sequence[RunSpec], samples: Sequence[SampleStats], like: Tensor) -> Objective:
    """The loss that `specs` name, which is one for all; `samples`: of each one's training images; `like`: a parameter."""
    if specs[0].train.loss == "mse":
        return MeanSquaredError()
    if specs[0].train.loss == "certificate_d":
        return CodedObjective(specs[0].arch.shapes(), [sample.n for sample in samples], like)
    weights = [spec.train.certificate_weight for spec in specs]
    return Certificate(specs[0].arch.shapes(), samples, weights, like)
