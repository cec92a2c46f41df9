"""Steps of networks that are trained together: losses, gradients, and what SGD makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from boundlab.networks.stacked import StackedNetworks
from boundlab.quantities.sample import SampleStats
from boundlab.specs.presets import PRESETS
from boundlab.specs.run import RunSpec
from boundlab.training.objective import objective
from boundlab.training.sgd import Sgd


class Steps:
    """`samples`: of the training images of each; `part`: images whose maps are in memory at once, None for a whole minibatch."""

    def __init__(
        self, networks: StackedNetworks, specs: Sequence[RunSpec], samples: Sequence[SampleStats], part: int | None
    ) -> None:
        self.networks, self.part = networks, part
        self.loss = objective(specs, samples, next(iter(networks.parameters.values())))
        self.trained = networks.parameters  # what training goes on from, also while `kept_weights`
        train = [spec.train for spec in specs]
        self.sgd = Sgd(networks.parameters, train, PRESETS[train[0].preset].clip_norm)

    def step(self, images: Tensor, labels: Tensor, rates: Tensor) -> Tensor:
        """(batch, members * channels, height, width), (members, batch) and (members,) -> (members,) losses before the step."""
        losses, gradients = self.gradients(images, labels)
        self.sgd.step(gradients, rates)
        return losses

    @contextmanager
    def kept_weights(self) -> Iterator[None]:
        """Meanwhile the networks have the weights that they are measured and kept with: those that the loss runs them with."""
        if self.loss.rounds:
            self.trained = {name: rows.clone() for name, rows in self.networks.parameters.items()}
        self.settle()
        try:
            yield
        finally:
            if self.loss.rounds:
                for name, rows in self.networks.parameters.items():
                    rows.copy_(self.trained[name])
                self.trained = self.networks.parameters

    def settle(self) -> None:
        """Give the networks these weights for good."""
        if self.loss.rounds:
            for place, weight in enumerate(self.loss.rounded(self.networks.weights(self.networks.parameters))):
                self.networks.put(place, weight)

    def gradients(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """(members,) losses of their minibatches and the gradients of all parameters, in parts of `part` images whose losses
        count by their share."""
        if self.part is None:
            return self._backward(images, labels)
        gradients = [torch.zeros_like(rows) for rows in self.networks.parameters.values()]
        losses = gradients[0].new_zeros(len(labels))
        for some, theirs in zip(images.split(self.part), labels.split(self.part, dim=1), strict=True):
            share = len(some) / len(images)
            more, slopes = self._backward(some, theirs)
            losses += share * more
            torch._foreach_add_(gradients, list(slopes), alpha=share)
        return losses, gradients

    def _backward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        networks = self.networks
        parameters = {name: tensor.detach().requires_grad_() for name, tensor in networks.parameters.items()}
        weights = self.loss.rounded(networks.weights(parameters))
        outputs = networks.outputs(images, weights, networks.biases(parameters), self.loss.see)
        losses = self.loss(outputs, labels, weights)
        return losses.detach(), torch.autograd.grad(losses.sum(), list(parameters.values()))
