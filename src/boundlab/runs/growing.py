"""The records of a run while it trains, each read once, for who looks several times a second."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pandas as pd

from boundlab.quantities.sample import SampleStats
from boundlab.runs.part_errors import PartErrors, read_part_errors
from boundlab.runs.run import DAMAGES, Run
from boundlab.specs.run import RunSpec
from boundlab.system.files import read_json

_RECORDS = "records.jsonl"


class Growing:
    """The latest of a run folder. What is there is kept when sealing takes it away, and dropped when the run begins anew."""

    def __init__(self, folder: Path, spec: RunSpec) -> None:
        self.folder, self.spec = folder, spec
        self.part: PartErrors | None = None
        self._run: Run | None = None
        # the first record, the last one with errors, the last
        self._first: dict[str, Any] | None = None
        self._whole: dict[str, Any] | None = None
        self._last: dict[str, Any] | None = None
        self._place: tuple[int, int] = (0, 0)  # inode, and bytes of it that are read
        self._lock = threading.Lock()

    def look(self) -> Run | None:
        """The run with its first record, its last one, and the last one with errors; None while it has none."""
        with self._lock:
            before = self._place
            self._read()
            if self._last is not None and (self._run is None or before != self._place):
                self._run = self._made()
                self.part = next(iter(read_part_errors(self.folder)[-1:]), self.part)
            return self._run

    def _read(self) -> None:
        try:
            with (self.folder / _RECORDS).open("rb") as file:
                inode, read = self._place
                file.seek(read if (number := _inode(file.fileno())) == inode else 0)
                text = file.read()
        except OSError:  # not begun, or sealed
            return
        whole = text[: text.rfind(b"\n") + 1]
        start = read if number == inode else 0
        for line in whole.splitlines():
            self._keep(line)
        self._place = (number, start + len(whole))

    def _keep(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            step = record["step"]
        except (ValueError, LookupError, TypeError):
            return
        if self._last is None or step <= self._last["step"]:  # it begins, perhaps anew
            self._first, self._whole = record, None
        self._last = record
        if "train_error" in record:
            self._whole = record

    def _made(self) -> Run | None:
        found = {record["step"]: record for record in (self._first, self._whole, self._last) if record}
        records = [found[step] for step in sorted(found)]
        try:
            sample = SampleStats.from_dict(read_json(self.folder / "sample.json"), self.spec.arch.normalize)
            return Run(self.spec, pd.DataFrame(records), sample, "running")
        except DAMAGES:  # its head is not written yet
            return None


def _inode(descriptor: int) -> int:
    return os.fstat(descriptor).st_ino
