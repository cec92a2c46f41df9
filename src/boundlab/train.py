"""epochs(spec, data, device): train one network and yield its records. Deterministic per spec on one machine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from boundlab import nets
from boundlab.captured import CapturedStep, Step
from boundlab.catalog import DATASETS, PRESETS
from boundlab.datasets import Split
from boundlab.errors import Diverged
from boundlab.measure import Reference, feed, norm_columns, outcome, outcome_columns, references
from boundlab.objective import objective
from boundlab.specs import RunSpec

Record = dict[str, Any]


class Training:
    """One run in progress: network, optimiser, position. `epoch()` trains one epoch; `state()` is all it needs."""

    def __init__(self, spec: RunSpec, data: tuple[Split, Split], device: str = "cpu") -> None:
        self.spec, self.facts, self.preset = spec, DATASETS[spec.train.dataset], PRESETS[spec.train.preset]
        self.shapes = spec.arch.shapes()
        self.net = nets.build(spec.arch)
        nets.initialise(self.net, self.preset.init, spec.train.seed)
        self.init = nets.weights(self.net)
        self.references: list[Reference] = references(self.init, self.shapes)
        self.net.to(device)
        train, test = (part.to(device) for part in data)
        self.train = Split(feed(train.images, spec.arch.normalize), train.labels)
        self.test = Split(feed(test.images, spec.arch.normalize), test.labels)
        self.loss = objective(spec, self.net, train.images)
        self.optimiser = torch.optim.SGD(
            self.net.parameters(),
            lr=spec.train.lr,
            momentum=spec.train.momentum,
            weight_decay=spec.train.weight_decay,
            fused=True,
        )
        self.steps_per_epoch = -(-len(self.train.labels) // spec.train.batch_size)
        self.drops = spec.drop_steps(self.steps_per_epoch)
        self.done = 0  # finished epochs
        self.step: Step = CapturedStep(self._step) if torch.device(device).type == "cuda" else self._step

    def rate(self, step: int) -> float:
        """Learning rate of the step that follows `step` finished ones: linear warm-up, then /10 at each drop."""
        warm = min(1.0, (step + 1) / self.facts.warmup_steps) if self.preset.warmup else 1.0
        return self.spec.train.lr * warm * 0.1 ** sum(step >= drop for drop in self.drops)

    def errors_due(self, step: int) -> bool:
        """Whether the record at `step` carries errors and margins: every few epochs, and at the end."""
        epoch, left = divmod(step, self.steps_per_epoch)
        every = self.preset.record_epochs or self.facts.errors_every
        return left == 0 and (epoch % every == 0 or epoch == self.spec.train.epochs)

    def record_due(self, step: int) -> bool:
        """Whether there is a record at `step`."""
        between = self.preset.record_epochs is None and step % self.facts.record_every == 0
        return between or self.errors_due(step)

    def record(self, step: int, losses: list[Tensor]) -> Record:
        """Norms now; `loss`: mean minibatch loss since this epoch's last record; errors where the epoch ends."""
        record: Record = {
            "step": step,
            "epoch": step / self.steps_per_epoch,
            "loss": float(torch.stack(losses).mean()) if losses else None,
            **norm_columns(nets.weights(self.net), nets.biases(self.net), self.references, self.shapes),
        }
        if self.errors_due(step):
            train = outcome(self.net, self.train.images, self.train.labels, patches=True)
            record |= outcome_columns(train, outcome(self.net, self.test.images, self.test.labels))
        return record

    def epoch(self) -> Iterator[Record]:
        """Train one epoch, yielding the records that fall into it."""
        shuffle = torch.Generator().manual_seed(self.spec.train.seed * 100_003 + self.done)
        order = torch.randperm(len(self.train.labels), generator=shuffle).to(self.train.labels.device)
        step, losses = self.done * self.steps_per_epoch, []
        steps = self.spec.train.epochs * self.steps_per_epoch
        for batch in order.split(self.spec.train.batch_size):
            self.loss.at(step / steps)
            losses.append(self.step(self.train.images[batch], self.train.labels[batch], self.rate(step)))
            step += 1
            if self.record_due(step):
                if not math.isfinite(float(torch.stack(losses).mean())):
                    rate = self.spec.train.lr
                    raise Diverged(f"the loss is not finite after {step} steps; try a smaller lr (it is {rate:g})")
                yield self.record(step, losses)
                losses = []
        self.done += 1

    def _step(self, images: Tensor, labels: Tensor, rate: float) -> Tensor:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        loss: Tensor = self.loss(self.net(images), labels)
        loss.backward()
        if self.preset.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.preset.clip_norm)
        self.optimiser.step()
        return loss.detach()

    def state(self) -> dict[str, Tensor]:
        """Tensors from which `restore` continues exactly: parameters, momentum, finished epochs."""
        state = {f"param.{k}": v.detach().cpu().clone() for k, v in self.net.named_parameters()}
        for name, parameter in self.net.named_parameters():
            if (buffer := self.optimiser.state[parameter].get("momentum_buffer")) is not None:
                state[f"momentum.{name}"] = buffer.detach().cpu().clone()
        return state | {"done": torch.tensor(self.done)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from `state()`; raises KeyError or ValueError when it is of another network."""
        for name, parameter in self.net.named_parameters():
            if state[f"param.{name}"].shape != parameter.shape:
                raise ValueError(f"the state's {name} has another shape than the network's")
        with torch.no_grad():
            for name, parameter in self.net.named_parameters():
                parameter.copy_(state[f"param.{name}"])
                if f"momentum.{name}" in state:
                    self.optimiser.state[parameter]["momentum_buffer"] = state[f"momentum.{name}"].to(parameter.device)
        self.done = int(state["done"])


def epochs(spec: RunSpec, data: tuple[Split, Split], device: str = "cpu") -> Iterator[Record]:
    """Train `spec` on (train, test) of pixels in [0, 1]; yield records: before training, every `record_every` steps,
    and at epoch ends with errors and margins. Raises Diverged when the loss is no longer finite."""
    training = Training(spec, data, device)
    yield training.record(0, [])
    while training.done < spec.train.epochs:
        yield from training.epoch()
