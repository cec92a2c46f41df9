"""The run folder of somebody's own training loop: taken, written and ended, by nobody else."""

from __future__ import annotations

import dataclasses
import itertools
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from boundlab.errors import RunError
from boundlab.networks.checkpoint import Checkpoint
from boundlab.quantities.sample import SampleStats
from boundlab.runs.folder import remove_folder, sealed
from boundlab.runs.heartbeat import Heartbeat
from boundlab.specs.arch import ArchSpec
from boundlab.specs.presets import OWN_LOOP
from boundlab.specs.run import RunSpec
from boundlab.system.files import make_folder
from boundlab.system.locks import BUSY, holding
from boundlab.training.hooks import Record
from boundlab.training.session import Attempt, Session
from boundlab.validation import whole


class MonitoredRun:
    """A folder below `out` for a run of `spec`, held until it ends. `seed`: the run's number (None: the first that is free);
    `epochs`: how many there will be, None where nobody knows. Raises RunError where another run has the folder."""

    def __init__(
        self, spec: RunSpec, sample: SampleStats, out: Path, seed: int | None, epochs: int | None, device: torch.device
    ) -> None:
        self.per_epoch = -(-sample.n // spec.train.batch_size)
        self._held, self._device = ExitStack(), device
        self.spec, self.folder = self._taken(spec, out, seed)
        self._beat = self._held.enter_context(Heartbeat(self.folder))
        attempt = Attempt(self.folder, self._beat, lambda: None, lambda *_: None, self._held.close)
        self._session = Session(attempt, self.spec, sample, (epochs or 0) * self.per_epoch)

    def _taken(self, spec: RunSpec, out: Path, seed: int | None) -> tuple[RunSpec, Path]:
        """The spec with its seed, and the folder, held."""
        for number in itertools.count() if seed is None else [seed]:
            spec = dataclasses.replace(spec, train=dataclasses.replace(spec.train, seed=number))
            folder = out / spec.id
            if seed is None and folder.exists():
                continue
            try:
                self._held.enter_context(holding(folder))
            except RunError as error:
                if BUSY not in str(error):  # no folder can be there, by any name
                    raise
                if seed is None:
                    continue
                raise RunError(f"{folder} is written by another monitor; give another seed") from None
            if sealed(folder):
                self._held.close()
                raise RunError(
                    f"{folder} holds a finished run, which is never changed; give another seed, or delete it"
                )
            make_folder(folder)
            return spec, folder
        raise AssertionError("there is always another seed")

    @property
    def ended(self) -> bool:
        """Whether nothing can be recorded any more."""
        return self._beat.ended

    def begin(self, note: str | None) -> None:
        """Write the head of the folder, over an earlier attempt's records; `note`: what readers should know."""
        self._beat.note = note
        self._beat.beat()
        for earlier in ("records.jsonl", "epochs.parquet"):
            (self.folder / earlier).unlink(missing_ok=True)
        self._session.open(self._device)
        self._beat.began = (time.time(), 0)
        self._session.begin([], 0)

    def record(self, record: Record) -> None:
        """Keep and show it."""
        self._session.record(record)

    def longer(self, epochs: int) -> None:
        """The spec names as many epochs as there were."""
        self.spec = dataclasses.replace(self.spec, train=dataclasses.replace(self.spec.train, epochs=epochs))
        self._session.spec = self.spec
        self._session.write_spec()

    def seal(self, network: Checkpoint, spent: dict[str, Any]) -> None:
        """Write the network, and end the run for good."""
        self._session.seal(network, self._device, spent)
        self._held.close()

    def end(self, state: str, why: str) -> None:
        """End it as it stands."""
        self._beat.end(state, why)
        self._held.close()

    def remove(self) -> None:
        """End it, and leave nothing."""
        self._beat.end("stopped", "it was ended before the first epoch")
        remove_folder(self.folder)
        self._held.close()


def _told(optimizer: Any) -> dict[str, float]:
    """Weight decay, learning rate and momentum of an optimiser's first group, those that it has. Raises ValueError."""
    if optimizer is None:
        return {}
    groups = getattr(optimizer, "param_groups", None)
    if not isinstance(groups, list) or not groups:
        raise ValueError(f"optimizer should be a torch.optim.Optimizer, got {type(optimizer).__name__}")
    return {name: float(groups[0][name]) for name in ("weight_decay", "lr", "momentum") if name in groups[0]}


def own_spec(arch: ArchSpec, dataset: str, optimizer: Any, epochs: int | None, batch_size: int | None) -> RunSpec:
    """What is known of the run: what nobody told is not in it (`TrainSpec.unknown`). Raises ValueError."""
    given = {"epochs": epochs, "batch_size": batch_size}
    for name, value in given.items():
        if value is not None:
            whole(name, value, 1, 100_000)
    known = {"epochs": 1} | {name: value for name, value in given.items() if value is not None} | _told(optimizer)
    return RunSpec.from_dict({"dataset": dataset, "preset": OWN_LOOP, "arch": arch.to_dict(), **known})
