"""The server's side of uploads: private folders, at most `MOST` judges at once, a queue, a time limit. No torch.

Nothing of an upload is parsed in this process.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import shutil
import signal
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boundlab import processes
from boundlab.errors import CheckpointError, RunError
from boundlab.files import read_json
from boundlab.judge import NETWORK, REQUEST, STATUS, SUBJECT
from boundlab.processes import Worker
from boundlab.subjects import Subject

MOST = 2  # judges at once
MOST_MB = 30  # of a file
SECONDS = 300  # of one measurement
_PREFIX = "boundlab-upload-"
Labels = tuple[tuple[int, ...], ...] | None


@dataclass(eq=False)
class Upload:
    """One file, in a private folder until it is dropped, and the judge that measures it."""

    folder: Path
    title: str
    asked: tuple[str, Labels] | None = None  # data set, sub-task
    worker: Worker | None = None
    timer: threading.Timer | None = None
    late: bool = False

    @property
    def network(self) -> Path:
        return self.folder / NETWORK


class Judges:
    """All uploads of one server."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._queue: list[Upload] = []
        self._running: list[Upload] = []
        self._lock = threading.Lock()
        _clear_leftovers()
        self._home, self._hold = _home()
        atexit.register(self.close)

    def hold(self, content: bytes, title: str) -> Upload:
        """Put an upload into a folder of its own; raises CheckpointError when it is too large, RunError when there is no
        room."""
        if len(content) > MOST_MB * 2**20:
            raise CheckpointError(
                f"the file has {len(content) / 2**20:,.0f} MB, an upload at most {MOST_MB}; "
                "measure a larger one with `boundlab evaluate FILE`"
            )
        try:
            folder = Path(tempfile.mkdtemp(dir=self._home))
            upload = Upload(folder, title)
            upload.network.write_bytes(content)
        except OSError as error:
            raise RunError(f"{self._home} cannot be written ({error.strerror}); make room there") from error
        return upload

    def measure(self, upload: Upload, dataset: str, labels: Labels) -> None:
        """Queue the upload for a judge; raises RunError when its folder cannot be written."""
        self._end(upload)
        upload.asked, upload.late = (dataset, labels), False
        request = {"dataset": dataset, "labels": labels, "title": upload.title, "seconds": self.seconds}
        try:
            for name in (STATUS, SUBJECT):
                (upload.folder / name).unlink(missing_ok=True)
            (upload.folder / REQUEST).write_text(json.dumps(request))
        except OSError as error:
            raise RunError(f"{upload.folder} cannot be written ({error.strerror}); upload the file again") from error
        with self._lock:
            self._queue.append(upload)
            self._mind()

    def look(self, upload: Upload) -> dict[str, Any]:
        """state: "idle", "queued" (and `ahead`), "running" (and `part`), "done" or "failed" (and `error`); `arch`: its
        network, once the file is found sound."""
        with self._lock:
            self._mind()
            if upload in self._queue:
                return {"state": "queued", "ahead": self._queue.index(upload)}
        if upload.worker is None:
            return {"state": "idle"}
        code = upload.worker.code  # before the file is read: a judge writes its last word, then ends
        path = upload.folder / STATUS
        now: dict[str, Any] = read_json(path) if path.exists() else {"state": "running", "part": "starting"}
        if code is not None and now["state"] == "running":
            return now | {"state": "failed", "error": self._why(upload, code)}
        return now

    def result(self, upload: Upload) -> Subject:
        """What the judge found; raises RunError before it is done."""
        return Subject.from_dict(read_json(upload.folder / SUBJECT))

    def drop(self, upload: Upload) -> None:
        """End its judge and delete its folder."""
        self._end(upload)
        shutil.rmtree(upload.folder, ignore_errors=True)

    def close(self) -> None:
        """Drop everything, at the server's end."""
        for upload in [*self._queue, *self._running]:
            self._end(upload)
        shutil.rmtree(self._home, ignore_errors=True)
        with suppress(OSError):
            os.close(self._hold)

    def _why(self, upload: Upload, code: int) -> str:
        if upload.late or code == -signal.SIGXCPU:
            words = f"the measurement took more than the {self.seconds} seconds an upload may take"
            return f"{words}; measure it with `boundlab evaluate FILE`"
        return f"the measurement broke off (exit code {code}); try again, or use `boundlab evaluate FILE`"

    def _mind(self) -> None:
        """Bury those that ended, start those whose turn it is. The lock is held."""
        for upload in [upload for upload in self._running if upload.worker and upload.worker.code is not None]:
            self._running.remove(upload)
            _let_go(upload)
        while self._queue and len(self._running) < MOST:
            upload = self._queue.pop(0)
            upload.worker = processes.judge(upload.folder)
            upload.timer = threading.Timer(self.seconds, self._too_late, [upload])
            upload.timer.daemon = True
            upload.timer.start()
            self._running.append(upload)

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
            self._mind()
            upload.worker = None


def _let_go(upload: Upload) -> None:
    """What an ended judge leaves: its timer and its line."""
    if upload.timer and upload.worker:
        upload.timer.cancel()
        upload.worker.hang_up()


def _home() -> tuple[Path, int]:
    """This server's folder of uploads (mode 0700), and the descriptor whose lock says that the server lives."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        hold = os.open(folder, os.O_RDONLY)
        fcntl.flock(hold, fcntl.LOCK_EX)
        if folder.exists():  # another server's start has not taken it for a leftover
            return folder, hold
        os.close(hold)


def _clear_leftovers() -> None:
    """Delete the folders of servers that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            hold = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(hold).st_uid == os.getuid():
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(hold)
