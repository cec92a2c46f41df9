"""`boundlab.Monitor`: somebody's own training loop writes a run folder, which every page shows while it grows."""

from __future__ import annotations

import atexit
import dataclasses
import itertools
import os
import sys
import time
import weakref
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from boundlab.data.splits import Split
from boundlab.errors import Diverged, RunError
from boundlab.evaluation.monitored_data import as_dataset, read_pair
from boundlab.evaluation.notebook import as_a_command, channels_of
from boundlab.evaluation.precision import check_weights, precision
from boundlab.evaluation.report import outcomes_on
from boundlab.networks.checkpoint import Checkpoint
from boundlab.networks.export import checkpoint_of
from boundlab.networks.measure import norm_columns, references
from boundlab.networks.outcome import outcome_columns
from boundlab.networks.sample_stats import sample_stats
from boundlab.networks.sequential import NotAChain
from boundlab.runs.folder import sealed
from boundlab.runs.heartbeat import Heartbeat
from boundlab.runs.places import runs_folder
from boundlab.specs.presets import OWN_LOOP
from boundlab.specs.recipes import why_not_figured
from boundlab.specs.run import RunSpec
from boundlab.system.devices import usable_cores
from boundlab.system.files import make_folder
from boundlab.system.locks import BUSY, holding
from boundlab.training.failure import explain
from boundlab.training.hooks import Record
from boundlab.training.session import Attempt, Session
from boundlab.validation import whole


class Monitor:
    """Watches `model` while your own loop trains it: call it after every epoch.

    Writes a run folder below `out` (None: BOUNDLAB_RUNS, else `.runs`), which the dashboard shows while it grows: norms, errors,
    margins of every epoch, at the end the network. The model, its mode and random numbers are left as they are.

    `model`: layers that follow each other, as `boundlab.export` takes them; as it is now is where training begins.
    `train_data`, `test_data`: (images, labels) with pixels in [0, 1] or 0 to 255, a torch Dataset of such pairs, or a DataLoader. What is
    not a data set of Boundlab's is kept as one of your own called `name`. `normalize`: (mean, deviation) that the network's inputs
    had subtracted and divided; of data outside [0, 1] it is undone. `optimizer`: where weight decay, learning rate and momentum of
    its first group are read (else weight decay counts as 0). `epochs`: how many calls will come, and then it finishes by itself;
    else `finish()`, the end of `with`, or of the program does. `batch_size` counts steps (a DataLoader knows it; else 32). `seed`: a number for this
    run among equal ones (None: the first that is free).

    Raises ValueError for a model with no bounds per layer or data that do not fit it, DataError for data that cannot be kept,
    RunError where another run has the folder.
    """

    def __init__(
        self,
        model: nn.Module,
        train_data: Any,
        test_data: Any,
        out: str | Path | None = None,
        *,
        epochs: int | None = None,
        optimizer: Any = None,
        batch_size: int | None = None,
        normalize: Sequence[float] | None = None,
        seed: int | None = None,
        name: str = "my-data",
    ) -> None:
        self.model, self._normalize, self._epochs = model, normalize, epochs
        self.epoch, self._process, self._evaluating = 0, os.getpid(), 0.0
        self._held = ExitStack()
        if batch_size is None and isinstance(train_data, DataLoader):
            batch_size = train_data.batch_size
        with as_a_command():
            pictures = read_pair(train_data, test_data, channels_of(model), normalize)
            self._in_shape = tuple(pictures.train.pixels.shape[1:])
            self._start = self._network()
            arch = self._start.arch
            key, self.train, self.test = as_dataset(pictures, arch.classes, name)
            self._references = references(self._start.weights, arch.shapes())
            sample = sample_stats(self.train.images, arch, key)
        self.spec = _spec(self._start, key, _told(optimizer) | {"epochs": epochs, "batch_size": batch_size})
        self.folder = self._take(Path(out) if out is not None else runs_folder(), seed)
        self._beat = self._held.enter_context(Heartbeat(self.folder))
        attempt = Attempt(self.folder, self._beat, lambda: None, lambda *_: None, self._held.close)
        self._session = Session(attempt, self.spec, sample, (epochs or 0) * self._per_epoch)
        self._device = next((p.device for p in model.parameters()), torch.device("cpu"))
        self._begin()
        atexit.register(_at_exit, weakref.ref(self))

    def _take(self, out: Path, seed: int | None) -> Path:
        """Hold the folder of this run; raises RunError where another run has it."""
        for number in itertools.count() if seed is None else [seed]:
            train = dataclasses.replace(self.spec.train, seed=number)
            self.spec = dataclasses.replace(self.spec, train=train)
            folder = out / self.spec.id
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
            return folder
        raise AssertionError("there is always another seed")

    def _begin(self) -> None:
        self._beat.note = self.note or None
        self._beat.beat()
        (self.folder / "records.jsonl").unlink(missing_ok=True)  # of an earlier attempt
        (self.folder / "epochs.parquet").unlink(missing_ok=True)
        self._session.open(self._device)
        self._beat.began = (time.time(), 0)
        self._session.begin([], 0)
        self._record(self._start)

    @property
    def note(self) -> str:
        """Which pages will not show the run, and why; "" where all do."""
        why = why_not_figured(self.spec)
        return why and f"Pages During training, Weight decay, Width and Depth leave it out: {why}."

    @property
    def finished(self) -> bool:
        """Whether nothing can be recorded any more."""
        return self._beat.ended

    @property
    def _per_epoch(self) -> int:
        return -(-len(self.train.labels) // self.spec.train.batch_size)

    def __call__(self) -> None:
        """An epoch has ended: measure and record it. Raises ValueError after the end, or for a model that is another one now,
        and Diverged where it has numbers that are not finite; the run has failed then."""
        if self.finished:
            raise ValueError(f"this monitor has finished after {self.epoch} epochs; make another one for another run")
        try:
            found = self._network()
            if found.arch != self._start.arch:
                raise ValueError(f"the model was {self._start.arch.title} and is {found.arch.title} now")
            self.epoch += 1
            if self._epochs is None:
                self._longer()
            self._record(found)
        except Exception as error:
            self._end("failed", explain(error, self.folder, None))
            raise
        if self.epoch == self._epochs:
            self.finish()

    def finish(self) -> Path:
        """Write the network and end the run, if it has not ended; returns its folder. Raises ValueError before the first epoch."""
        if not self.finished:
            if not self.epoch:
                raise ValueError("call the monitor after every epoch; it was not called yet")
            spent = {"seconds_evaluating": round(self._evaluating, 3)}
            network = dataclasses.replace(self._last, init=self._start.weights)
            self._session.seal(network, self._device, spent)
            self._held.close()
        return self.folder

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.finished:
            return
        if error is None and self.epoch:
            self.finish()
        elif isinstance(error, Exception):
            self._end("failed", f"the training loop ended with {explain(error, self.folder, None)}")
        else:
            self._end("stopped", f"it was ended after {self.epoch} epochs")

    def __del__(self) -> None:
        if hasattr(self, "_session") and os.getpid() == self._process and not self.finished:
            with suppress(OSError):
                self._end("stopped", f"its monitor was given up after {self.epoch} epochs, before finish()")

    def _end(self, state: str, why: str) -> None:
        self._beat.end(state, why)
        self._held.close()

    def _network(self) -> Checkpoint:
        """The model as it is now. Raises ValueError, Diverged where it has numbers that are not finite."""
        if any(not bool(torch.isfinite(p).all()) for p in self.model.parameters() if p.is_floating_point()):
            raise Diverged(f"a weight is not finite after {self.epoch + 1} epochs; try a smaller learning rate")
        try:
            with as_a_command():
                found = checkpoint_of(self.model, self._in_shape, self._normalize)
        except NotAChain as error:
            raise ValueError(
                f"{error}; a run has norms per layer, which such a model has not. boundlab.evaluate(model, data) has the bounds that hold for it"
            ) from error
        check_weights([*found.weights, *found.biases])
        return found

    def _record(self, found: Checkpoint) -> None:
        """Norms, errors and margins of this network. Raises Diverged."""
        started, shapes = time.monotonic(), found.arch.shapes()
        with as_a_command():
            norms = norm_columns(found.weights, found.biases, self._references, shapes)
            dtype = precision(found, self.train.images)
            train, test = (Split(part.images.to(dtype), part.labels) for part in (self.train, self.test))
            seen, unseen = outcomes_on(found, train, test, dtype, lambda: None, usable_cores())
        record: Record = {"step": self.epoch * self._per_epoch, "epoch": float(self.epoch), **norms}
        record |= outcome_columns(seen, unseen)
        record["loss"] = record["train_loss"] if self.epoch else None
        for name, value in record.items():
            if value is not None and not np.isfinite(value).all():
                raise Diverged(f"{name} is not finite after {self.epoch} epochs; try a smaller learning rate")
        self._last = found
        self._session.record(record)
        self._evaluating += time.monotonic() - started

    def _longer(self) -> None:
        """The spec names as many epochs as there were."""
        self.spec = dataclasses.replace(self.spec, train=dataclasses.replace(self.spec.train, epochs=self.epoch))
        self._session.spec = self.spec
        self._session.write_spec()


def _at_exit(watched: weakref.ref[Monitor]) -> None:
    """A program that ends without an error has finished its run; a notebook that ends may have been anywhere."""
    monitor = watched()
    if monitor is None or os.getpid() != monitor._process:
        return
    with suppress(OSError):
        if hasattr(sys, "ps1"):
            monitor.__del__()
        else:
            monitor.__exit__(getattr(sys, "last_type", None), getattr(sys, "last_value", None), None)


def _told(optimizer: Any) -> dict[str, float]:
    """Weight decay, learning rate and momentum of an optimiser's first group, those that it has. Raises ValueError."""
    if optimizer is None:
        return {"weight_decay": 0.0}
    groups = getattr(optimizer, "param_groups", None)
    if not isinstance(groups, list) or not groups:
        raise ValueError(f"optimizer should be a torch.optim.Optimizer, got {type(optimizer).__name__}")
    names = {"weight_decay": "weight_decay", "lr": "lr", "momentum": "momentum"}
    return {"weight_decay": 0.0} | {name: float(groups[0][own]) for name, own in names.items() if own in groups[0]}


def _spec(network: Checkpoint, dataset: str, told: dict[str, Any]) -> RunSpec:
    """`told`: None for what is not known. Raises ValueError."""
    for name in ("epochs", "batch_size"):
        if told[name] is not None:
            whole(name, told[name], 1, 100_000)
    known = {"epochs": 1, "batch_size": 32} | {name: value for name, value in told.items() if value is not None}
    return RunSpec.from_dict({"dataset": dataset, "preset": OWN_LOOP, "arch": network.arch.to_dict(), **known})
