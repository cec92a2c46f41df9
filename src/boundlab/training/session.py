"""One run's folder while it is trained: begin or go on, record, save, seal. Its only writer, whoever trains."""

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

from boundlab.networks.checkpoint import Checkpoint, save
from boundlab.quantities.sample import SampleStats
from boundlab.runs import part_errors, stacks
from boundlab.runs.certificates import CERTIFICATES
from boundlab.runs.coded import CODED, TRAINED
from boundlab.runs.heartbeat import RESERVE, RESERVED, Heartbeat
from boundlab.runs.part_errors import PartErrors
from boundlab.specs.run import RunSpec
from boundlab.system.files import read_lines, write_atomic, write_parquet
from boundlab.training.hooks import Record
from boundlab.training.schedule import Schedule
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
    """The folder of an attempt at a run of `spec` on a `sample`; `steps`: of the whole training, where that is known."""

    def __init__(self, attempt: Attempt, spec: RunSpec, sample: SampleStats, steps: int) -> None:
        self.folder, self.beat, self.progress = attempt.folder, attempt.beat, attempt.progress
        self.spec, self.sample, self.steps = spec, sample, steps
        self.records: list[Record] = []

    def open(self, device: torch.device) -> None:
        """Write the head of the folder. `device`: what the network is trained on."""
        self.beat.device = _device_name(device)
        for leftover in (path for name in _OWN for path in self.folder.glob(f".{name}.*")):
            leftover.unlink(missing_ok=True)  # of a killed process
        (self.folder / RESERVE).write_bytes(os.urandom(RESERVED))  # no zeros: some file systems store none
        self.write_spec()
        write_atomic(self.folder / "sample.json", json.dumps(self.sample.to_dict()) + "\n")
        for earlier in (CERTIFICATES, CODED, TRAINED):  # of an earlier network of this folder
            (self.folder / earlier).unlink(missing_ok=True)

    def write_spec(self) -> None:
        """What is trained."""
        write_atomic(self.folder / "spec.json", json.dumps(self.spec.to_dict(), indent=1) + "\n")

    def recorded(self, schedule: Schedule, finished: int, due: bool) -> list[Record]:
        """The records up to a saved state; raises ValueError when they are not those that should be there."""
        last = finished - due  # the last step whose record should be there
        if not 0 <= finished <= schedule.steps:
            raise ValueError(f"the state is of step {finished} of {schedule.steps}")
        records = [r for r in read_lines(self.folder / "records.jsonl") if r["step"] <= last]
        if [r["step"] for r in records] != [s for s in range(last + 1) if schedule.record_due(s)]:
            raise ValueError("records are missing")
        if any(("train_error" in r) != schedule.errors_due(r["step"]) for r in records):
            raise ValueError("errors of records are missing")
        return records

    def begin(self, records: list[Record], finished: int) -> None:
        """Go on at step `finished`, after these records, which are in the folder or before it."""
        self.records = records
        if records:
            write_atomic(self.folder / "records.jsonl", "".join(json.dumps(record) + "\n" for record in records))
            (self.folder / "epochs.parquet").unlink(missing_ok=True)
        parts = part_errors.read_part_errors(self.folder)
        kept = [part.line() for part in parts if part.step <= finished]
        write_atomic(self.folder / part_errors.FILE, "".join(kept))
        self._beat(finished)

    def preview(self, record: Record) -> None:
        """Show the norms before training while their errors are still to come."""
        write_atomic(self.folder / "records.jsonl", json.dumps(record) + "\n")
        (self.folder / "epochs.parquet").unlink(missing_ok=True)

    def record(self, record: Record) -> None:
        """Keep and show it."""
        self.records.append(record)
        with (self.folder / "records.jsonl").open("a") as log:
            log.write(json.dumps(record) + "\n")
        self._beat(record["step"])
        self.progress(record["step"], self.steps, record)

    def part(self, errors: PartErrors) -> None:
        """Show errors of a part of the images, for who watches."""
        with (self.folder / part_errors.FILE).open("a") as log:
            log.write(errors.line())

    def _beat(self, finished: int) -> None:
        self.beat.step, self.beat.steps = finished, self.steps
        self.beat.beat()

    def seal(self, network: Checkpoint, device: torch.device, spent: dict[str, Any]) -> None:
        """Write network, records and environment (`spent` in it), then the status "done"."""
        save(self.folder / "network.safetensors", network)
        write_parquet(pd.DataFrame(self.records), self.folder / "epochs.parquet")
        environment: dict[str, Any] = {
            "boundlab": __version__,
            "torch": torch.__version__,
            "device": str(device),
            "machine": platform.machine(),
            **spent,
        }
        write_atomic(self.folder / "env.json", json.dumps(environment, indent=1) + "\n")
        self.beat.step = self.records[-1]["step"]
        self.beat.end("done")
        for leftover in _RUNNING:
            with suppress(OSError):  # sealed: what is left does no harm
                (self.folder / leftover).unlink(missing_ok=True)


def _device_name(device: torch.device) -> str:
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type
