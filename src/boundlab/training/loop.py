"""epochs(spec, data, device): train one network and yield its records. Deterministic per spec on one machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from scipy.sparse.linalg import ArpackError
from torch import Tensor, nn

from boundlab.data.splits import Split
from boundlab.errors import Diverged
from boundlab.networks import build
from boundlab.networks.measure import Reference, norm_columns, references
from boundlab.networks.outcome import BATCH, outcome, outcome_columns
from boundlab.networks.sample_stats import feed, sample_stats
from boundlab.runs.part_errors import PartErrors
from boundlab.specs.own_data import DATASETS
from boundlab.specs.presets import PRESETS
from boundlab.specs.run import RunSpec
from boundlab.training.cuda_graph import CapturedStep, Step
from boundlab.training.hooks import Hooks, Record
from boundlab.training.objective import objective

# Images of a part: a fifth, within these; some 5 % of an epoch's time on digits, 2 on MNIST.
_PART, _LEAST, _SHARE = 2000, 200, 5


def _part_of(split: Split) -> Split:
    """The first of a fixed permutation: labels may lie in order."""
    n = len(split.labels)
    chosen = torch.randperm(n, generator=torch.Generator().manual_seed(0))[: min(_PART, max(_LEAST, n // _SHARE))]
    chosen = chosen.to(split.labels.device)
    return Split(split.images[chosen], split.labels[chosen])


class Training:
    """One run in progress: network, optimiser, position. `epoch()` trains to an epoch's end; `state()` is all it needs.

    `part`: images whose maps are in memory at once, None for a whole minibatch; the steps are the same up to rounding.
    """

    def __init__(
        self,
        spec: RunSpec,
        data: tuple[Split, Split],
        device: str = "cpu",
        part: int | None = None,
        hooks: Hooks = Hooks(),  # noqa: B008  # frozen
    ) -> None:
        self.hooks = hooks
        self.spec, self.facts, self.preset = spec, DATASETS[spec.train.dataset], PRESETS[spec.train.preset]
        self.shapes, self.part = spec.arch.shapes(), part
        self.net = build.build(spec.arch)
        build.initialise(self.net, spec.arch, self.preset.init, spec.train.seed)
        self.init = build.weights(self.net)
        self.references: list[Reference] = references(self.init, self.shapes)
        self.sample = sample_stats(data[0].images, spec.arch, spec.train.dataset)
        self.net.to(device)
        train, test = (split.to(device) for split in data)
        self.train = Split(feed(train.images, spec.arch.normalize), train.labels)
        self.test = Split(feed(test.images, spec.arch.normalize), test.labels)
        self.loss = objective(spec, self.net, self.sample)
        self.steps_per_epoch = -(-len(self.train.labels) // spec.train.batch_size)
        self.steps = spec.train.epochs * self.steps_per_epoch
        self.drops = spec.drop_steps(self.steps_per_epoch)
        self.finished = 0  # steps
        self.losses: list[Tensor] = []  # of this epoch's steps since its last record
        self.due = True  # whether the record of step `finished` is still to be made
        self.evaluating = 0.0  # seconds spent on records
        captured = torch.device(device).type == "cuda" and part is None  # a capture keeps memory of its own
        run_step = hooks.run_step or (CapturedStep if captured else lambda plain: plain)
        self.step: Step = run_step(self._step)

    @cached_property
    def optimiser(self) -> torch.optim.SGD:
        """Made when first needed: its import of torch._dynamo takes a second, which the first record need not wait."""
        train = self.spec.train
        return torch.optim.SGD(
            self.net.parameters(), lr=train.lr, momentum=train.momentum, weight_decay=train.weight_decay, fused=True
        )

    @cached_property
    def parts(self) -> tuple[Split, Split]:
        """A part of the train and of the test images, the same for every run on them."""
        return _part_of(self.train), _part_of(self.test)

    def part_errors(self) -> PartErrors:
        """Errors now, of the parts alone: cheap, for who watches. Nothing else of the training depends on it."""
        started, most = time.monotonic(), min(self.part or BATCH, BATCH)
        found = [outcome(self.net, part.images, part.labels, False, most, self.hooks.watch) for part in self.parts]
        self.evaluating += time.monotonic() - started
        (train, test), sizes = (one.error for one in found), [len(part.labels) for part in self.parts]
        return PartErrors(self.finished, self.finished / self.steps_per_epoch, train, sizes[0], test, sizes[1])

    @property
    def complete(self) -> bool:
        """Whether every step is done and recorded."""
        return self.finished == self.steps and not self.due

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
            **self._norms(step),
        }
        if step == 0:
            self.hooks.preview(record)
        return record | self._outcomes(step) if self.errors_due(step) else record

    def _outcomes(self, step: int) -> dict[str, object]:
        most = min(self.part or BATCH, BATCH)
        train = outcome(self.net, self.train.images, self.train.labels, True, most, self.hooks.watch)
        test = outcome(self.net, self.test.images, self.test.labels, False, most, self.hooks.watch)
        for name, found in (("train", train), ("test", test)):
            if not np.isfinite([found.loss, *found.patch_norms]).all() or not np.isfinite(found.margins).all():
                raise self._diverged(f"the {name} outputs are not finite", step)
        return outcome_columns(train, test)

    def _norms(self, step: int) -> dict[str, object]:
        try:
            norms = norm_columns(build.weights(self.net), build.biases(self.net), self.references, self.shapes)
        except (torch.linalg.LinAlgError, ArpackError) as error:
            raise self._diverged(f"the weights are too large to be measured ({error})", step) from error
        for name, value in norms.items():
            if value is not None and not np.isfinite(value).all():  # type: ignore[call-overload]
                raise self._diverged(f"{name} is not finite", step)
        return norms

    def _record_now(self) -> Record:
        started = time.monotonic()
        try:
            self._check_finite()
            record = self.record(self.finished, self.losses)
        finally:
            self.evaluating += time.monotonic() - started
        self.losses, self.due = [], False
        return record

    def _check_finite(self) -> None:
        if self.losses:
            wrong = (~torch.isfinite(torch.stack(self.losses))).nonzero()
            if len(wrong):
                raise self._diverged("the loss is not finite", self.finished - len(self.losses) + 1 + int(wrong[0]))
        tensors = [*build.weights(self.net), *(b for b in build.biases(self.net) if b is not None)]
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors):
            raise self._diverged("a weight is not finite", self.finished)

    def _diverged(self, what: str, step: int) -> Diverged:
        clip, preset, rate = self.preset.clip_norm, self.spec.train.preset, self.spec.train.lr
        clipping = "does not clip gradients" if clip is None else f"clips gradients at norm {clip:g}"
        return Diverged(f"{what} after {step} steps; try a smaller lr (it is {rate:g}; the preset {preset} {clipping})")

    def epoch(self) -> Iterator[Record]:
        """Make the record that is due, if one is, then train to the end of the epoch, yielding its records."""
        if self.due:
            yield self._record_now()
        if self.finished == self.steps:
            return
        epoch, begun = divmod(self.finished, self.steps_per_epoch)
        if not begun:
            self.losses = []
        shuffle = torch.Generator().manual_seed(self.spec.train.seed * 100_003 + epoch)
        order = torch.randperm(len(self.train.labels), generator=shuffle).to(self.train.labels.device)
        for batch in order.split(self.spec.train.batch_size)[begun:]:
            self.hooks.watch()
            self.loss.at(self.finished / self.steps)
            images, labels = self.train.images[batch], self.train.labels[batch]
            self.hooks.before_step(self.finished)
            self.losses.append(self.step(images, labels, self.rate(self.finished)))
            self.finished += 1
            self.due = self.record_due(self.finished)
            if self.due:
                yield self._record_now()
        self._check_finite()

    def _step(self, images: Tensor, labels: Tensor, rate: float) -> Tensor:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._gradients(images, labels)
        if self.preset.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.preset.clip_norm)
        self.optimiser.step()
        return loss

    def _gradients(self, images: Tensor, labels: Tensor) -> Tensor:
        """Backward through the minibatch, in parts of `part` images whose losses count by their share; the loss."""
        if self.part is None:
            loss: Tensor = self.loss(self.net(images), labels)
            loss.backward()
            return loss.detach()
        total = torch.zeros((), dtype=images.dtype, device=images.device)
        for some, theirs in zip(images.split(self.part), labels.split(self.part), strict=True):
            loss = self.loss(self.net(some), theirs) * (len(theirs) / len(labels))
            loss.backward()
            total += loss.detach()
        return total

    def state(self) -> dict[str, Tensor]:
        """Tensors from which `restore` continues exactly: parameters, momentum, position, losses not yet averaged."""
        state = {f"param.{k}": v.detach().cpu().clone() for k, v in self.net.named_parameters()}
        if "optimiser" in self.__dict__:
            for name, parameter in self.net.named_parameters():
                if (buffer := self.optimiser.state[parameter].get("momentum_buffer")) is not None:
                    state[f"momentum.{name}"] = buffer.detach().cpu().clone()
        losses = torch.stack(self.losses).cpu() if self.losses else torch.zeros(0)
        return state | {"finished": torch.tensor(self.finished), "due": torch.tensor(self.due), "losses": losses}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from `state()`; raises KeyError or ValueError when it is of another network."""
        for name, parameter in self.net.named_parameters():
            if state[f"param.{name}"].shape != parameter.shape:
                raise ValueError(f"the state's {name} has another shape than the network's")
        losses = list(state["losses"].to(self.train.images.device).unbind())
        with torch.no_grad():
            for name, parameter in self.net.named_parameters():
                parameter.copy_(state[f"param.{name}"])
                if f"momentum.{name}" in state:
                    self.optimiser.state[parameter]["momentum_buffer"] = state[f"momentum.{name}"].to(parameter.device)
        self.finished, self.due, self.losses = int(state["finished"]), bool(state["due"]), losses


def epochs(spec: RunSpec, data: tuple[Split, Split], device: str = "cpu") -> Iterator[Record]:
    """Train `spec` on (train, test) of pixels in [0, 1]; yield records: before training, every `record_every` steps,
    and at epoch ends with errors and margins. Raises Diverged when loss, weights or what is measured are no longer finite."""
    training = Training(spec, data, device)
    while not training.complete:
        yield from training.epoch()
