"""Training workers as the server starts them, and the one that waits warm."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from boundlab.system.files import make_folder
from boundlab.system.processes import NICENESS, ONE_THREAD, Worker, detached, lower_priority, start_attached

_WORKER = (sys.executable, "-m", "boundlab.training.worker")


def for_jobs(folders: Sequence[Path], locks: Sequence[int], environment: dict[str, str]) -> Worker:
    """A worker that trains `folders` together; `locks`: the descriptors that hold their locks, which it inherits. Raises OSError."""
    first = folders[0]
    arguments = [*map(str, folders), *(part for lock in locks for part in ("--lock-fd", str(lock)))]
    if detached():
        make_folder(first.parent / ".queue")
        with (first.parent / ".queue" / f"{first.name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*_WORKER, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | ONE_THREAD | environment,
                pass_fds=tuple(locks),
                start_new_session=True,
            )
        lower_priority(process.pid)
        # A session has its own share of the CPU on Linux, which niceness leaves alone.
        with contextlib.suppress(OSError):
            Path(f"/proc/{process.pid}/autogroup").write_text(str(NICENESS))
        return Worker(process, None)
    return start_attached(["boundlab.training.worker", *arguments], environment, tuple(locks))


class WarmWorker:
    """Keeps one worker that has loaded torch, so that the next job starts at once."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.not_before = 0.0  # time.monotonic; a job that has just begun has the CPU for itself
        self._leaving: list[Worker] = []

    def update(self, wanted: bool) -> None:
        """Start one, replace a dead one, or let it go; reap those that went."""
        self._leaving = [worker for worker in self._leaving if worker.code is None]
        if self.worker and (not wanted or self.worker.code is not None):
            self.dismiss()
        elif wanted and self.worker is None and time.monotonic() > self.not_before:
            self.worker = start_attached(["boundlab.training.worker", "--warm"], {}, ())

    def dismiss(self) -> list[Worker]:
        """Let it go; returns those that are still on their way out."""
        if self.worker:
            self.worker.close()
            self._leaving.append(self.worker)
            self.worker = None
        return self._leaving

    def take(self, folders: Sequence[Path], locks: Sequence[int], environment: dict[str, str]) -> Worker | None:
        """Give it jobs, as in `for_jobs`; None when there is none that lives."""
        worker = self.worker
        if worker is None or worker.line is None:
            return None
        message = json.dumps({"folders": list(map(str, folders)), "environment": environment}) + "\n"
        try:
            if worker.code is not None:
                raise ChildProcessError("the warm worker is dead")
            socket.send_fds(worker.line, [message.encode()], list(locks))
        except OSError:
            self.dismiss()
            return None
        self.worker = None
        return worker
