"""One run's folder while it is trained: begin or go on, record, save, seal."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from boundlab.networks import build
from boundlab.networks.checkpoint import Checkpoint, save
from boundlab.runs import part_errors, stacks
from boundlab.runs.certificates import CERTIFICATES
from boundlab.runs.coded import CODED, TRAINED
from boundlab.runs.heartbeat import RESERVE, RESERVED, Heartbeat
from boundlab.runs.part_errors import PartErrors
from boundlab.system.files import read_lines, write_atomic, write_parquet
from boundlab.training.hooks import Record
from boundlab.training.loop import Training
from boundlab.version import __version__

STATE = "state.safetensors"
_RUNNING = (STATE, "records.jsonl", part_errors.FILE, stacks.STACK_FILE)  # of a run that is not sealed
_OWN = ("status.json", "sample.json", "network.safetensors", "epochs.parquet", *_RUNNING)
Progress = Callable[[int, int, Record | None], None]  # (step, steps in all, latest record)


@dataclass
class Attempt:
    """One attempt at the run of a folder. `watch` raises Interrupted when it is asked to end; `release` gives its lock back."""

    folder: Path
    beat: Heartbeat
    watch: Callable[[], None]
    progress: Progress
    release: Callable[[], None]


class Session:
    """An attempt and its member of a `Training`: every record of the one is in the folder of the other."""

    def __init__(self, attempt: Attempt, training: Training, place: int) -> None:
        self.folder, self.beat, self.progress = attempt.folder, attempt.beat, attempt.progress
        self.training, self.member = training, training.members[place]
        self.records: list[Record] = []

    def open(self) -> None:
        """Write the head of the folder."""
        self.beat.device = _device_name(self.training)
        for leftover in (path for name in _OWN for path in self.folder.glob(f".{name}.*")):
            leftover.unlink(missing_ok=True)  # of a killed process
        (self.folder / RESERVE).write_bytes(os.urandom(RESERVED))  # no zeros: some file systems store none
        write_atomic(self.folder / "spec.json", json.dumps(self.member.spec.to_dict(), indent=1) + "\n")
        write_atomic(self.folder / "sample.json", json.dumps(self.member.sample.to_dict()) + "\n")
        for earlier in (CERTIFICATES, CODED, TRAINED):  # of an earlier network of this folder
            (self.folder / earlier).unlink(missing_ok=True)

    def recorded(self, finished: int, due: bool) -> list[Record]:
        """The records up to a saved state; raises ValueError when they are not those that should be there."""
        schedule, last = self.member.schedule, finished - due  # the last step whose record should be there
        if not 0 <= finished <= schedule.steps:
            raise ValueError(f"the state is of step {finished} of {schedule.steps}")
        records = [r for r in read_lines(self.folder / "records.jsonl") if r["step"] <= last]
        if [r["step"] for r in records] != [s for s in range(last + 1) if schedule.record_due(s)]:
            raise ValueError("records are missing")
        if any(("train_error" in r) != schedule.errors_due(r["step"]) for r in records):
            raise ValueError("errors of records are missing")
        return records

    def begin(self, records: list[Record]) -> None:
        """Go on after these records, which are in the folder or before it."""
        self.records = records
        if records:
            write_atomic(self.folder / "records.jsonl", "".join(json.dumps(record) + "\n" for record in records))
            (self.folder / "epochs.parquet").unlink(missing_ok=True)
        parts = part_errors.read_part_errors(self.folder)
        kept = [part.line() for part in parts if part.step <= self.training.finished]
        write_atomic(self.folder / part_errors.FILE, "".join(kept))
        self._beat()

    def preview(self, record: Record) -> None:
        """Show the norms before training while their errors are still to come."""
        write_atomic(self.folder / "records.jsonl", json.dumps(record) + "\n")
        (self.folder / "epochs.parquet").unlink(missing_ok=True)

    def record(self, record: Record) -> None:
        """Keep and show it."""
        self.records.append(record)
        with (self.folder / "records.jsonl").open("a") as log:
            log.write(json.dumps(record) + "\n")
        self._beat()
        self.progress(record["step"], self.training.schedule.steps, record)

    def part(self, errors: PartErrors) -> None:
        """Show errors of a part of the images, for who watches."""
        with (self.folder / part_errors.FILE).open("a") as log:
            log.write(errors.line())

    def _beat(self) -> None:
        self.beat.step, self.beat.steps = self.training.finished, self.training.schedule.steps
        self.beat.beat()

    def seal(self, spent: dict[str, Any]) -> None:
        """Write network, records and environment (`spent` in it), then the status "done"."""
        member, net = self.member, self.member.net
        network = Checkpoint(member.spec.arch, build.weights(net), build.biases(net), member.init)
        save(self.folder / "network.safetensors", network)
        write_parquet(pd.DataFrame(self.records), self.folder / "epochs.parquet")
        environment: dict[str, Any] = {
            "boundlab": __version__,
            "torch": torch.__version__,
            "device": str(next(net.parameters()).device),
            "machine": platform.machine(),
            **spent,
        }
        write_atomic(self.folder / "env.json", json.dumps(environment, indent=1) + "\n")
        self.beat.step = self.training.finished
        self.beat.end("done")
        for leftover in _RUNNING:
            with suppress(OSError):  # sealed: what is left does no harm
                (self.folder / leftover).unlink(missing_ok=True)


def _device_name(training: Training) -> str:
    device = training.rates.device
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type
