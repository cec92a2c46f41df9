"""The server's side of uploads: private folders, a fair queue, a time limit. No torch.

At most `MOST_WORKERS` upload workers at once, and one of a person.
Nothing of an upload is parsed in this process.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import tempfile
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boundlab.analysis.subject import Subject
from boundlab.errors import CheckpointError, RunError
from boundlab.specs.run import Labels
from boundlab.system.files import read_json
from boundlab.system.locks import take_folder
from boundlab.system.processes import Worker, start_attached
from boundlab.uploads.protocol import NETWORK, REQUEST, STATUS, SUBJECT

MOST_WORKERS = 2  # at once
_PER_PERSON = 3  # uploads of one person that may wait, beside the one that is measured
PER_ADDRESS, MOST_WAITING = 30, 60  # of one network address, where it is known; of everybody
MOST_MB = 30  # of a file
SECONDS = 300  # of one measurement
_PREFIX = "boundlab-upload-"


@dataclass(eq=False)
class Upload:
    """One file, in a private folder until it is dropped, and the worker that measures it."""

    folder: Path
    title: str
    person: str = ""  # whose it is
    address: str | None = None  # where that person is, if known: names cost nothing
    asked: tuple[str, Labels | None] | None = None  # data set, sub-task
    worker: Worker | None = None
    timer: threading.Timer | None = None
    late: bool = False

    @property
    def network(self) -> Path:
        return self.folder / NETWORK


class UploadServer:
    """All uploads of one server."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._queue: list[Upload] = []
        self._running: list[Upload] = []
        self._served: list[str] = []  # whose uploads were started, the latest last
        self._lock = threading.Lock()
        _clear_leftovers()
        self._home, self._alive = _home()
        atexit.register(self.close)

    def hold(self, content: bytes, title: str, person: str = "", address: str | None = None) -> Upload:
        """Put an upload into a folder of its own; raises CheckpointError when it is too large, RunError when there is no
        room."""
        if len(content) > MOST_MB * 2**20:
            raise CheckpointError(
                f"the file has {len(content):,} bytes, an upload at most {MOST_MB * 2**20:,} ({MOST_MB} MB); "
                "measure a larger one with `boundlab evaluate FILE`"
            )
        try:
            folder = Path(tempfile.mkdtemp(dir=self._home))
            upload = Upload(folder, title, person, address)
            upload.network.write_bytes(content)
        except OSError as error:
            raise RunError(f"{self._home} cannot be written ({error.strerror}); make room there") from error
        return upload

    def measure(self, upload: Upload, dataset: str, labels: Labels | None, spec: dict[str, Any] | None = None) -> None:
        """Queue the upload for a worker; `spec`: what network it is, of a file that does not say. Raises RunError at a limit, or
        when its folder cannot be written."""
        self._end(upload)
        upload.asked, upload.late = (dataset, labels), False
        request = {"dataset": dataset, "labels": labels, "title": upload.title, "seconds": self.seconds, "spec": spec}
        try:
            for name in (STATUS, SUBJECT):
                (upload.folder / name).unlink(missing_ok=True)
            (upload.folder / REQUEST).write_text(json.dumps(request))
        except OSError as error:
            raise RunError(f"{upload.folder} cannot be written ({error.strerror}); upload the file again") from error
        with self._lock:
            self._room(upload)
            self._queue.append(upload)
            self._reap_and_start()

    def update(self, upload: Upload) -> dict[str, Any]:
        """Reap and start what is due; returns how this upload stands.

        state: "idle", "queued" (and `ahead`), "running" (and `part`), "done" or "failed" (and `error`); `arch`: its network,
        once the file is found sound; `open`: what a file without spec leaves open; `measured`: there is a `result`, to which Theorem D may still come.
        """
        with self._lock:
            self._reap_and_start()
            if upload in self._queue:
                return {"state": "queued", "ahead": self._in_order().index(upload)}
        if upload.worker is None:
            return {"state": "idle"}
        code = upload.worker.code  # before the file is read: a worker writes its last word, then ends
        path = upload.folder / STATUS
        now: dict[str, Any] = read_json(path) if path.exists() else {"state": "running", "part": "starting"}
        if code is not None and now["state"] == "running":
            if now.get("measured"):  # what was found before it broke off
                return now | {"state": "done"}
            return now | {"state": "failed", "error": self._why(upload, code)}
        return now

    def result(self, upload: Upload) -> Subject:
        """What the worker found; raises RunError before it is measured."""
        return Subject.from_dict(read_json(upload.folder / SUBJECT))

    def drop(self, upload: Upload) -> None:
        """End its worker and delete its folder."""
        self._end(upload)
        shutil.rmtree(upload.folder, ignore_errors=True)

    def close(self) -> None:
        """Drop everything, at the server's end."""
        for upload in [*self._queue, *self._running]:
            self._end(upload)
        shutil.rmtree(self._home, ignore_errors=True)
        with suppress(OSError):
            os.close(self._alive)

    def _why(self, upload: Upload, code: int) -> str:
        if upload.late or code == -signal.SIGXCPU:
            words = f"the measurement took more than the {self.seconds} seconds an upload may take"
            return f"{words}; measure it with `boundlab evaluate FILE`"
        return f"the measurement broke off (exit code {code}); try again, or use `boundlab evaluate FILE`"

    def _reap_and_start(self) -> None:
        """Reap those that ended, start those whose turn it is. The lock is held."""
        for ended in [upload for upload in self._running if upload.worker and upload.worker.code is not None]:
            self._running.remove(ended)
            _let_go(ended)
        while (upload := self._next()) and len(self._running) < MOST_WORKERS:
            self._queue.remove(upload)
            upload.worker = _upload_worker(upload.folder)
            upload.timer = threading.Timer(self.seconds, self._too_late, [upload])
            upload.timer.daemon = True
            upload.timer.start()
            self._running.append(upload)
            self._served = [person for person in self._served if person != upload.person] + [upload.person]
            del self._served[:-1000]

    def _in_order(self) -> list[Upload]:
        """Those that wait, as they will start: everybody's next before anybody's second, first whoever waited longest for
        a turn. The lock is held."""
        turns: Counter[str] = Counter()
        last = {person: place for place, person in enumerate(self._served)}
        ranked = []
        for place, upload in enumerate(self._queue):
            ranked.append((turns[upload.person], last.get(upload.person, -1), place, upload))
            turns[upload.person] += 1
        return [entry[-1] for entry in sorted(ranked, key=lambda entry: entry[:-1])]

    def _next(self) -> Upload | None:
        busy = {upload.person for upload in self._running}
        return next((upload for upload in self._in_order() if upload.person not in busy), None)

    def _room(self, upload: Upload) -> None:
        """Raise RunError where one more may not wait. The lock is held."""
        of_person = sum(other.person == upload.person for other in self._queue)
        of_address = sum(other.address == upload.address is not None for other in self._queue)
        if of_person >= _PER_PERSON:
            raise RunError(
                f"you have {of_person} uploads waiting, and {_PER_PERSON} is the most for one person; wait until one is measured"
            )
        if of_address >= PER_ADDRESS or len(self._queue) >= MOST_WAITING:
            raise RunError(f"{len(self._queue)} uploads wait, too many; try again when some are measured")

    def _too_late(self, upload: Upload) -> None:
        if upload.worker and upload.worker.code is None:
            upload.late = True
            upload.worker.process.kill()

    def _end(self, upload: Upload) -> None:
        with self._lock:
            if upload in self._queue:
                self._queue.remove(upload)
            if upload.worker:
                upload.worker.process.kill()
                upload.worker.process.wait()
            self._reap_and_start()
            upload.worker = None


def _let_go(upload: Upload) -> None:
    """What an ended worker leaves: its timer and its line."""
    if upload.timer and upload.worker:
        upload.timer.cancel()
        upload.worker.close()


def _home() -> tuple[Path, int]:
    """This server's folder of uploads (mode 0700), and the descriptor whose lock says that the server lives."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = take_folder(folder)
        if lock is not None:  # another server's start has not taken it for a leftover
            return folder, lock


def _clear_leftovers() -> None:
    """Delete the folders of servers that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        lock = take_folder(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _upload_worker(folder: Path) -> Worker:
    """A process that measures the checkpoint in `folder` and ends with this server. Raises OSError."""
    return start_attached(["boundlab.evaluation.upload_worker", str(folder)], {}, ())
