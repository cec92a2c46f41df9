"""`boundlab.Monitor`: somebody's own training loop, measured after every epoch into a run folder that every page shows while it grows."""

from __future__ import annotations

import atexit
import dataclasses
import os
import sys
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from boundlab.data.splits import Split
from boundlab.errors import Diverged
from boundlab.evaluation.monitored_data import as_dataset, read_pair
from boundlab.evaluation.monitored_run import MonitoredRun, own_spec
from boundlab.evaluation.notebook import as_a_command
from boundlab.evaluation.precision import check_weights, precision
from boundlab.evaluation.report import outcomes_on
from boundlab.networks.checkpoint import Checkpoint
from boundlab.networks.export import checkpoint_of
from boundlab.networks.measure import norm_columns, references
from boundlab.networks.outcome import outcome_columns
from boundlab.networks.sample_stats import sample_stats
from boundlab.networks.sequential import NotAChain
from boundlab.runs.places import runs_folder
from boundlab.specs.recipes import why_not_figured
from boundlab.specs.run import RunSpec
from boundlab.system.devices import usable_cores
from boundlab.training.failure import explain
from boundlab.training.hooks import Record


class Monitor:
    """Watches `model` while your own loop trains it: call it after every epoch.

    Writes a run folder below `out` (None: BOUNDLAB_RUNS, else `.runs`), which the dashboard shows while it grows: norms, errors,
    margins of every epoch, at the end the network. The model, its mode and random numbers are left as they are.

    `model`: layers that follow each other, as `boundlab.export` takes them; as it is now is where training begins.
    `train_data`, `test_data`: (images, labels) with pixels in [0, 1] or 0 to 255, a torch Dataset of such pairs, or a DataLoader. What is
    not a data set of Boundlab's is kept as one of your own called `name`. `normalize`: (mean, deviation) that the network's inputs
    had subtracted and divided; of data outside [0, 1] it is undone. `optimizer`: where weight decay, learning rate and momentum of
    its first group are read. What nobody tells is in no file: the loss never, weight decay, learning rate and momentum without an optimizer. `epochs`: how many calls will come, and then it finishes by itself;
    else `finish()`, the end of `with`, or of the program does. `batch_size` counts steps (a DataLoader knows it; else a step is an epoch). `seed`: a number for this
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
        if batch_size is None and isinstance(train_data, DataLoader):
            batch_size = train_data.batch_size
        with as_a_command():
            pictures = read_pair(train_data, test_data, model, normalize)
            self._in_shape = tuple(pictures.train.pixels.shape[1:])
            self._start = self._network()
            arch = self._start.arch
            key, self.train, self.test = as_dataset(pictures, arch.classes, name)
            self._references = references(self._start.weights, arch.shapes())
            sample = sample_stats(self.train.images, arch, key)
        spec = own_spec(arch, key, optimizer, epochs, batch_size)
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        self._run = MonitoredRun(spec, sample, Path(out) if out is not None else runs_folder(), seed, epochs, device)
        self._run.begin(self.note or None)
        self._record(self._start)
        atexit.register(_at_exit, weakref.ref(self))

    def __repr__(self) -> str:
        state = "finished" if self.finished else "watching"
        return f"<boundlab.Monitor of {self._start.arch.title}, {state}, {self.epoch} epochs, in {self.folder}>"

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self._run.folder

    @property
    def spec(self) -> RunSpec:
        """What the run is, as far as it is known."""
        return self._run.spec

    @property
    def note(self) -> str:
        """Which pages will not show the run, and why; "" where all do."""
        why = why_not_figured(self.spec)
        return why and f"Pages During training, Weight decay, Width and Depth leave it out: {why}."

    @property
    def finished(self) -> bool:
        """Whether nothing can be recorded any more."""
        return self._run.ended

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
                self._run.longer(self.epoch)
            self._record(found)
        except Exception as error:
            self._run.end("failed", explain(error, self.folder, None))
            raise
        if self.epoch == self._epochs:
            self.finish()

    def finish(self) -> Path:
        """Write the network and end the run, if it has not ended; returns its folder. Before the first epoch there is nothing to
        keep: raises ValueError, and leaves no folder."""
        if not self.finished:
            if not self.epoch:
                self._run.remove()
                raise ValueError(
                    "there is no epoch to keep, and the run is gone: call the monitor after every epoch, monitor(), then finish()"
                )
            network = dataclasses.replace(self._last, init=self._start.weights)
            self._run.seal(network, {"seconds_evaluating": round(self._evaluating, 3)})
        return self.folder

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.finished:
            return
        if error is None and self.epoch:
            self.finish()
        elif isinstance(error, Exception):
            self._run.end("failed", f"the training loop ended with {explain(error, self.folder, None)}")
        else:
            self._run.end("stopped", f"it was ended after {self.epoch} epochs")

    def __del__(self) -> None:
        if hasattr(self, "_run") and os.getpid() == self._process and not self.finished:
            with suppress(OSError):
                self._run.end("stopped", f"its monitor was given up after {self.epoch} epochs, before finish()")

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
        record: Record = {"step": self.epoch * self._run.per_epoch, "epoch": float(self.epoch), **norms}
        record |= outcome_columns(seen, unseen)
        record["loss"] = record["train_loss"] if self.epoch else None
        for name, value in record.items():
            if value is not None and not np.isfinite(value).all():
                raise Diverged(f"{name} is not finite after {self.epoch} epochs; try a smaller learning rate")
        self._last = found
        self._run.record(record)
        self._evaluating += time.monotonic() - started


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
