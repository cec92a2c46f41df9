"""One network of a training: what it started from, what it is trained and measured on, and its records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from boundlab.data.splits import Split
from boundlab.errors import Diverged
from boundlab.networks import build
from boundlab.networks.checkpoint import Checkpoint
from boundlab.networks.outcome import Outcome, outcome_columns
from boundlab.networks.sample_stats import feed, sample_stats
from boundlab.quantities.sample import SampleStats
from boundlab.specs.presets import PRESETS
from boundlab.specs.run import RunSpec
from boundlab.training.schedule import Schedule

# Images of a part: a fifth, within these; some 5 % of an epoch's time on digits, 2 on MNIST.
_PART, _LEAST, _SHARE = 2000, 200, 5


@dataclass(frozen=True)
class Fed:
    """Training and test images as a network is fed, on its device, and the statistics of the former."""

    train: Split
    test: Split
    sample: SampleStats


def feed_all(specs: Sequence[RunSpec], data: Iterable[tuple[Split, Split]], device: str) -> list[Fed]:
    """What each network sees of its (train, test) of pixels in [0, 1]; images that are one tensor stay one."""
    images: dict[int, Tensor] = {}
    samples: dict[int, SampleStats] = {}
    found, kept = [], list(data)  # alive until the end, so that no two tensors have the same id
    for spec, (train, test) in zip(specs, kept, strict=True):
        for split in (train, test):
            if id(split.images) not in images:
                images[id(split.images)] = feed(split.images.to(device), spec.arch.normalize)
        if id(train.images) not in samples:
            samples[id(train.images)] = sample_stats(train.images, spec.arch, spec.train.dataset)
        one, other = (Split(images[id(split.images)], split.labels.to(device)) for split in (train, test))
        found.append(Fed(one, other, samples[id(train.images)]))
    return found


class Member:
    """A network that is trained, alone or among others. Nothing here changes it."""

    def __init__(self, spec: RunSpec, fed: Fed) -> None:
        self.spec, self.shapes = spec, spec.arch.shapes()
        self.train, self.test, self.sample = fed.train, fed.test, fed.sample
        self.schedule = Schedule(spec, len(self.train.labels))
        self.net = build.build(spec.arch)
        build.initialise(self.net, spec.arch, PRESETS[spec.train.preset].init, spec.train.seed)
        self.init = build.weights(self.net)
        self.net.to(self.train.images)

    def checkpoint(self) -> Checkpoint:
        """The network as it is now, and what it started from."""
        return Checkpoint(self.spec.arch, build.weights(self.net), build.biases(self.net), self.init)

    def rate(self, step: int) -> float:
        """Learning rate of the step that follows `step` finished ones."""
        return self.spec.train.lr * self.schedule.factor(step)

    @cached_property
    def parts(self) -> tuple[Split, Split]:
        """A part of the train and of the test images, the same for every run on them."""
        return _part_of(self.train), _part_of(self.test)

    def columns(self, train: Outcome, test: Outcome, step: int) -> dict[str, object]:
        """Columns of errors and margins; raises Diverged where an output is not finite."""
        for name, found in (("train", train), ("test", test)):
            if not np.isfinite([found.loss, *found.patch_norms]).all() or not np.isfinite(found.margins).all():
                raise self.diverged(f"the {name} outputs are not finite", step)
        return outcome_columns(train, test)

    def check_losses(self, losses: Tensor, step: int) -> None:
        """`losses`: of the last steps, the last of them the `step`-th. Raises Diverged."""
        wrong = (~torch.isfinite(losses)).nonzero()
        if len(wrong):
            raise self.diverged("the loss is not finite", step - len(losses) + 1 + int(wrong[0]))

    def check_weights(self, step: int) -> None:
        """Raises Diverged where a parameter is not finite."""
        if not all(bool(torch.isfinite(tensor).all()) for tensor in self.net.parameters()):
            raise self.diverged("a weight is not finite", step)

    def check_norms(self, norms: dict[str, object], step: int) -> None:
        """`norms`: columns of a record. Raises Diverged where one is not finite."""
        for name, value in norms.items():
            if value is not None and not np.isfinite(value).all():  # type: ignore[call-overload]
                raise self.diverged(f"{name} is not finite", step)

    def diverged(self, what: str, step: int) -> Diverged:
        """The error that says what was no longer finite, when, and what to do."""
        train = self.spec.train
        clip = PRESETS[train.preset].clip_norm
        clipping = "does not clip gradients" if clip is None else f"clips gradients at norm {clip:g}"
        remedy = f"try a smaller lr (it is {train.lr:g}; the preset {train.preset} {clipping})"
        return Diverged(f"{what} after {step} steps; {remedy}")


def _part_of(split: Split) -> Split:
    """The first of a fixed permutation: labels may lie in order."""
    n = len(split.labels)
    chosen = torch.randperm(n, generator=torch.Generator().manual_seed(0))[: min(_PART, max(_LEAST, n // _SHARE))]
    chosen = chosen.to(split.labels.device)
    return Split(split.images[chosen], split.labels[chosen])
