"""When what happens in a training: learning rate, records, errors. Plain numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from boundlab.specs.own_data import DATASETS
from boundlab.specs.presets import PRESETS, errors_every, record_steps
from boundlab.specs.run import RunSpec


@dataclass(frozen=True)
class Schedule:
    """Of a run on `images` training images; the learning rate apart, that of every run it is trained together with."""

    spec: RunSpec
    images: int

    @cached_property
    def steps_per_epoch(self) -> int:
        return -(-self.images // self.spec.train.batch_size)

    @cached_property
    def steps(self) -> int:
        """Of the whole training."""
        return self.spec.train.epochs * self.steps_per_epoch

    @cached_property
    def _drops(self) -> tuple[int, ...]:
        return self.spec.drop_steps(self.steps_per_epoch)

    def factor(self, step: int) -> float:
        """Of the learning rate, at the step that follows `step` finished ones: linear warm-up, then /10 at each drop."""
        warmup = DATASETS[self.spec.train.dataset].warmup_steps
        warm = min(1.0, (step + 1) / warmup) if PRESETS[self.spec.train.preset].warmup else 1.0
        return float(warm * 0.1 ** sum(step >= drop for drop in self._drops))

    def errors_due(self, step: int) -> bool:
        """Whether the record at `step` carries errors and margins: every few epochs, and at the end."""
        epoch, left = divmod(step, self.steps_per_epoch)
        every = errors_every(self.spec.train.preset, DATASETS[self.spec.train.dataset].errors_every)
        return left == 0 and (epoch % every == 0 or epoch == self.spec.train.epochs)

    def record_due(self, step: int) -> bool:
        """Whether there is a record at `step`."""
        standard = DATASETS[self.spec.train.dataset].record_every
        every = record_steps(self.spec.train.preset, standard, self.steps_per_epoch)
        return (every is not None and step % every == 0) or self.errors_due(step)
