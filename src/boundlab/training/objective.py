"""What training minimises: mean squared error, or the certificate of Theorem S (bounds/theorem_s.md)."""

from __future__ import annotations

from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from boundlab.bounds.theorem_s import complexity_per_norm
from boundlab.networks import build
from boundlab.quantities.sample import SampleStats
from boundlab.specs.run import RunSpec

_HINGE_UNTIL, _RAMP_FROM = 0.1, 0.3  # fractions of the steps; between them the cap comes down to the ramp's 1
_FIRST_CAP = 3.0
_FIRST_WEIGHT, _WHOLE_WEIGHT_FROM = 0.2, 0.7  # the complexity counts little before the classes are told apart


class Objective(Protocol):
    """A loss of one minibatch; `at(fraction)` says how much of the training is done."""

    def __call__(self, out: Tensor, labels: Tensor) -> Tensor: ...

    def at(self, fraction: float) -> None: ...


class MeanSquaredError:
    """Mean over examples and outputs of the squared distance to one-hot labels, as in the paper."""

    def __call__(self, out: Tensor, labels: Tensor) -> Tensor:
        return F.mse_loss(out, F.one_hot(labels, out.shape[1]).to(out.dtype))

    def at(self, fraction: float) -> None:
        """The same throughout."""


class Certificate:
    """mean min(cap, max(0, 1 - margin)) + weight x complexity at margin 1.

    With cap 1 and weight 1 this is Theorem S's value without its confidence term, at margin 1: no restriction, since
    the network's scale is free. The ramp is not convex and has no gradient at negative margins, so training begins with
    the hinge (no cap) and a small weight.
    """

    def __init__(self, net: nn.Sequential, sample: SampleStats, spec: RunSpec) -> None:
        self.layers, self.shapes = build.layers(net), spec.arch.shapes()
        self.per_norm = complexity_per_norm(self.shapes, sample)
        self.final_weight = spec.train.certificate_weight
        like = next(net.parameters())
        self.cap, self.weight = (like.new_zeros(()) for _ in range(2))  # tensors, so that a captured step reads them
        self.at(0.0)

    def at(self, fraction: float) -> None:
        """Set cap and weight for this fraction of the steps."""
        left = min(1.0, max(0.0, (_RAMP_FROM - fraction) / (_RAMP_FROM - _HINGE_UNTIL)))
        self.cap.fill_(1 + (_FIRST_CAP - 1) * left if fraction >= _HINGE_UNTIL else torch.inf)
        self.weight.fill_(self.final_weight * _FIRST_WEIGHT ** max(0.0, 1 - fraction / _WHOLE_WEIGHT_FROM))

    def complexity(self) -> Tensor:
        """Theorem S's complexity at margin 1 of the network as it is now."""
        *hidden, output = (cast(Tensor, layer.weight) for layer in self.layers)
        rho = (output - output.mean(0)).norm()
        for weight, shape in zip(hidden, self.shapes[:-1], strict=True):
            rho = rho * build.position_norms(weight, shape).max()
        return self.per_norm * rho

    def __call__(self, out: Tensor, labels: Tensor) -> Tensor:
        own = out.gather(1, labels[:, None]).squeeze(1)
        other = out.scatter(1, labels[:, None], -torch.inf).amax(dim=1)
        errors = torch.minimum((1 - (own - other)).clamp_min(0), self.cap)
        return errors.mean() + self.weight * self.complexity()


def objective(spec: RunSpec, net: nn.Sequential, sample: SampleStats) -> Objective:
    """The loss that `spec` names, for `net`; `sample`: of the training images."""
    return MeanSquaredError() if spec.train.loss == "mse" else Certificate(net, sample, spec)
