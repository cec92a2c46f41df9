"""Training workers as the server starts them, and those that wait warm."""

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
from boundlab.system.processes import NICENESS, WORKER_ENVIRONMENT, Worker, detached, lower_priority, start_attached

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
                env=os.environ | WORKER_ENVIRONMENT | environment,
                pass_fds=tuple(locks),
                start_new_session=True,
            )
        lower_priority(process.pid)
        # A session has its own share of the CPU on Linux, which niceness leaves alone.
        with contextlib.suppress(OSError):
            Path(f"/proc/{process.pid}/autogroup").write_text(str(NICENESS))
        return Worker(process, None)
    return start_attached(["boundlab.training.worker", *arguments], environment, tuple(locks))


class WarmWorkers:
    """Keeps a few workers that have loaded torch, so that the next jobs start at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.workers: list[Worker] = []
        self.not_before = 0.0  # time.monotonic; a job that has just begun has the CPU for itself
        self._leaving: list[Worker] = []

    def update(self, wanted: bool, coming: int) -> None:
        """Start what is missing beside those that are `coming` back, forget the dead, or let all go; reap those that went."""
        self._leaving = [worker for worker in self._leaving if worker.code is None]
        for worker in [worker for worker in self.workers if not wanted or worker.code is not None]:
            self._dismiss(worker)
        if wanted and len(self.workers) + coming < self.most and time.monotonic() > self.not_before:
            self.workers.append(start_attached(["boundlab.training.worker", "--warm"], {}, ()))

    def _dismiss(self, worker: Worker) -> None:
        worker.close()
        self.workers.remove(worker)
        self._leaving.append(worker)

    def dismiss(self) -> list[Worker]:
        """Let all go; returns those that are still on their way out."""
        for worker in list(self.workers):
            self._dismiss(worker)
        return self._leaving

    def give_back(self, worker: Worker) -> None:
        """Keep one that has trained what it was given and waits again, unless there are enough."""
        self.workers.insert(0, worker)
        if len(self.workers) > self.most:
            self._dismiss(worker)

    def take(self, folders: Sequence[Path], locks: Sequence[int], environment: dict[str, str]) -> Worker | None:
        """Give one of them jobs, as in `for_jobs`; None when there is none that lives."""
        message = json.dumps({"folders": list(map(str, folders)), "environment": environment}) + "\n"
        for worker in list(self.workers):
            try:
                if worker.code is not None or worker.line is None:
                    raise ChildProcessError("the warm worker is dead")
                socket.send_fds(worker.line, [message.encode()], list(locks))
            except OSError:
                self._dismiss(worker)
                continue
            self.workers.remove(worker)
            return worker
        return None
