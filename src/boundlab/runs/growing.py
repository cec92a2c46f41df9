"""The records of a run while it trains, each read once, for who looks several times a second."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boundlab.quantities.sample import SampleStats
from boundlab.runs.part_errors import PartErrors, read_part_errors
from boundlab.runs.run import DAMAGES, Run
from boundlab.specs.run import RunSpec
from boundlab.system.files import read_json

_RECORDS = "records.jsonl"
Columns = dict[str, Any]


@dataclass(frozen=True)
class Latest:
    """Where a run stands. `last`: its last record; `whole`: the last one with errors and margins, None while there is none;
    `part`: errors of a part of the images, None where none were measured."""

    spec: RunSpec
    sample: SampleStats
    last: Columns
    whole: Columns | None
    part: PartErrors | None = None


def latest_of(run: Run) -> Latest:
    """Of a run that is read whole."""
    whole: Columns | None = run.final.to_dict() if len(run.ends) else None
    return Latest(run.spec, run.sample, run.records.iloc[-1].to_dict(), whole)


class Growing:
    """A run folder as it grows. What was read is kept when sealing takes the file away, and dropped when the run begins anew."""

    def __init__(self, folder: Path, spec: RunSpec) -> None:
        self.folder, self.spec = folder, spec
        self._latest: Latest | None = None
        self._whole: Columns | None = None
        self._last: Columns | None = None
        # the file's inode, and bytes of it that are read
        self._place: tuple[int, int] = (0, 0)
        self._lock = threading.Lock()

    def look(self) -> Latest | None:
        """As it stands now; None while it has no record."""
        with self._lock:
            before = self._place
            self._read()
            if self._last is not None and (self._latest is None or before != self._place):
                self._latest = self._made(self._last)
            return self._latest

    def _read(self) -> None:
        """Every whole line that is new."""
        inode, read = self._place
        try:
            with (self.folder / _RECORDS).open("rb") as file:
                number = os.fstat(file.fileno()).st_ino
                read = read if number == inode else 0
                file.seek(read)
                text = file.read()
        except OSError:  # not begun, or sealed
            return
        text = text[: text.rfind(b"\n") + 1]
        for line in text.splitlines():
            self._keep(line)
        self._place = (number, read + len(text))

    def _keep(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            step = int(record["step"])
        except (ValueError, LookupError, TypeError):
            return
        if self._last is None or step <= self._last["step"]:  # it begins, perhaps anew
            self._whole = None
        self._last = record
        if "train_error" in record:
            self._whole = record

    def _made(self, last: Columns) -> Latest | None:
        try:
            sample = self._latest.sample if self._latest else self._sample()
        except DAMAGES:  # its head is not written yet
            return None
        parts = read_part_errors(self.folder)
        return Latest(self.spec, sample, last, self._whole, parts[-1] if parts else None)

    def _sample(self) -> SampleStats:
        return SampleStats.from_dict(read_json(self.folder / "sample.json"), self.spec.arch.normalize)
