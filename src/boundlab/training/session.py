"""One attempt at a run in its folder: begin or go on, record, save, seal."""

from __future__ import annotations

import gc
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError

from boundlab.data.splits import Split
from boundlab.networks import build
from boundlab.networks.checkpoint import Checkpoint, read_tensors, save, write_tensors
from boundlab.runs import part_errors
from boundlab.runs.certificates import CERTIFICATES
from boundlab.runs.heartbeat import RESERVE, RESERVED, Heartbeat, Interrupted
from boundlab.specs.run import RunSpec
from boundlab.system.files import read_lines, write_atomic, write_parquet
from boundlab.training.hooks import Hooks, Record
from boundlab.training.loop import Training
from boundlab.version import __version__

_SAVE_EVERY = 20.0  # seconds; besides at epoch ends
_PARTS = (8, 1)  # images at a time, tried in turn where a whole minibatch does not fit into the GPU's memory
_RUNNING = ("state.safetensors", "records.jsonl", part_errors.FILE)  # of a run that is not sealed
_OWN = ("status.json", "sample.json", "network.safetensors", "epochs.parquet", *_RUNNING)
Progress = Callable[[int, int, Record | None], None]  # (step, steps in all, latest record)


def train_folder(
    folder: Path,
    spec: RunSpec,
    data: tuple[Split, Split],
    device: str,
    beat: Heartbeat,
    watch: Callable[[], None],
    progress: Progress,
    started: float,
) -> None:
    """Train `folder` to its seal; on a GPU whose memory is too small in smaller parts, at last on the CPU.

    `started`: when setting up began (time.monotonic). Raises Interrupted with the state saved, Diverged, OSError.
    """

    def before_step(finished: int) -> None:
        beat.step = finished

    hooks = Hooks(watch, before_step, partial(_preview, folder))
    tries = list(plans(device, spec.train.batch_size))
    for place, part, note in tries:
        beat.note = note
        try:
            training = Training(spec, data, place, part, hooks)
            Session(folder, training, beat, progress, started).run()
            return
        except torch.OutOfMemoryError:
            if (place, part) == tries[-1][:2]:
                raise
            training = None  # type: ignore[assignment]  # its memory is wanted
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def plans(device: str, batch: int) -> Iterator[tuple[str, int | None, str | None]]:
    """(device, images at a time or None for all, what to say of it), in the order in which they are tried."""
    yield device, None, None
    small = f"the GPU's memory is too small for batches of {batch}: going on"
    for part in (part for part in _PARTS if part < batch):
        yield device, part, f"{small} " + (f"in parts of {part}" if part > 1 else "one image at a time")
    if device != "cpu":
        yield "cpu", None, "the GPU's memory is too small for this network: going on on the CPU"


class Session:
    """A `Training` and its folder: every record and state of the one is in the other."""

    def __init__(self, folder: Path, training: Training, beat: Heartbeat, progress: Progress, started: float) -> None:
        self.folder, self.training, self.beat, self.progress = folder, training, beat, progress
        self.records: list[Record] = []
        self.seconds = 0.0  # trained in earlier attempts
        self._begin()
        self.begun = self.saved = time.monotonic()
        beat.began = (time.time(), training.finished)
        self.setup = self.begun - started

    def run(self) -> None:
        """Train to the end and seal."""
        try:
            while not self.training.complete:
                for record in self.training.epoch():
                    self._record(record)
                self._measure_part()
                self._save()
        except Interrupted:
            self._save()
            raise
        self._seal()

    def _begin(self) -> None:
        """Write the head of the folder; go back to the saved state, or to the beginning where none can be used."""
        self.beat.device = _device_name(self.training)
        for leftover in (path for name in _OWN for path in self.folder.glob(f".{name}.*")):
            leftover.unlink(missing_ok=True)  # of a killed process
        (self.folder / RESERVE).write_bytes(os.urandom(RESERVED))  # no zeros: some file systems store none
        write_atomic(self.folder / "spec.json", json.dumps(self.training.spec.to_dict(), indent=1) + "\n")
        write_atomic(self.folder / "sample.json", json.dumps(self.training.sample.to_dict()) + "\n")
        (self.folder / CERTIFICATES).unlink(missing_ok=True)  # of an earlier network of this folder
        self.beat.saved = self._resume()
        if self.records:
            write_atomic(self.folder / "records.jsonl", "".join(json.dumps(record) + "\n" for record in self.records))
            (self.folder / "epochs.parquet").unlink(missing_ok=True)
        kept = [
            part.line() for part in part_errors.read_part_errors(self.folder) if part.step <= self.training.finished
        ]
        write_atomic(self.folder / part_errors.FILE, "".join(kept))
        self._beat()

    def _resume(self) -> float | None:
        """Restore state and records; returns the epochs trained, None when there is nothing usable to go on from."""
        training = self.training
        try:
            state = read_tensors(self.folder / "state.safetensors")
            finished, due = int(state["finished"]), bool(state["due"])
            if not 0 <= finished <= training.steps:
                return None
            recorded = finished - due  # the last step whose record should be there
            records = [r for r in read_lines(self.folder / "records.jsonl") if r["step"] <= recorded]
            if [r["step"] for r in records] != [s for s in range(recorded + 1) if training.record_due(s)]:
                return None
            if any(("train_error" in r) != training.errors_due(r["step"]) for r in records):
                return None
            seconds, evaluating = float(state["seconds"]), float(state["evaluating"])
            training.restore(state)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError):
            return None
        self.records, self.seconds, training.evaluating = records, seconds, evaluating
        return finished / training.steps_per_epoch

    def _record(self, record: Record) -> None:
        self.records.append(record)
        with (self.folder / "records.jsonl").open("a") as log:
            log.write(json.dumps(record) + "\n")
        self._beat()
        self.progress(record["step"], self.training.steps, record)
        if time.monotonic() - self.saved > _SAVE_EVERY:
            self._save()

    def _measure_part(self) -> None:
        """At the end of an epoch that has no errors in its record: those of a part of the images, for who watches."""
        if not self.training.errors_due(self.training.finished):
            with (self.folder / part_errors.FILE).open("a") as log:
                log.write(self.training.part_errors().line())

    def _beat(self) -> None:
        self.beat.step, self.beat.steps = self.training.finished, self.training.steps
        self.beat.beat()

    def _trained(self) -> float:
        return self.seconds + time.monotonic() - self.begun

    def _save(self) -> None:
        spent = {"seconds": self._trained(), "evaluating": self.training.evaluating}
        clocks = {name: torch.tensor(value, dtype=torch.float64) for name, value in spent.items()}
        write_tensors(self.training.state() | clocks, self.folder / "state.safetensors")
        self.saved, self.beat.step = time.monotonic(), self.training.finished
        self.beat.saved = self.training.finished / self.training.steps_per_epoch

    def _seal(self) -> None:
        training, seconds = self.training, self._trained()
        network = Checkpoint(training.spec.arch, build.weights(training.net), build.biases(training.net), training.init)
        save(self.folder / "network.safetensors", network)
        write_parquet(pd.DataFrame(self.records), self.folder / "epochs.parquet")
        environment: dict[str, Any] = {
            "boundlab": __version__,
            "torch": torch.__version__,
            "device": str(next(training.net.parameters()).device),
            "machine": platform.machine(),
            "seconds": round(seconds, 1),
            "seconds_setup": round(self.setup, 3),
            "seconds_evaluating": round(training.evaluating, 3),
            "images_per_second": round(len(training.train.labels) * training.spec.train.epochs / max(seconds, 1e-9)),
        }
        write_atomic(self.folder / "env.json", json.dumps(environment, indent=1) + "\n")
        self.beat.step = training.finished
        self.beat.end("done")
        for leftover in _RUNNING:
            with suppress(OSError):  # sealed: what is left does no harm
                (self.folder / leftover).unlink(missing_ok=True)


def _preview(folder: Path, record: Record) -> None:
    """Show the norms before training while their errors are still to come."""
    write_atomic(folder / "records.jsonl", json.dumps(record) + "\n")
    (folder / "epochs.parquet").unlink(missing_ok=True)


def _device_name(training: Training) -> str:
    device = next(training.net.parameters()).device
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type
