"""What a training process says of itself (status.json) and what it is asked to do (the request in job.json)."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from boundlab.errors import RunError
from boundlab.runs.folder import status
from boundlab.runs.job import Job, requested
from boundlab.system.files import write_atomic

EVERY = 1.0  # seconds between two heartbeats
_LOOK_EVERY = 0.2  # seconds between two looks at the request
RESERVE = ".reserve"  # a file whose deletion makes room for the last status on a full disk
RESERVED = 16_384  # bytes
_ENDS = {"pause": "paused", "stop": "stopped"}  # request -> state in which the process ends


class Interrupted(Exception):
    """Training was asked to end before it is finished; `state`: "paused" or "stopped"."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


def read_job(folder: Path) -> dict[str, Any]:
    """The run's job.json; {} where there is none or it cannot be read."""
    try:
        job = json.loads((folder / "job.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return job if isinstance(job, dict) else {}


class Watch:
    """Call it often: it raises Interrupted once the request in `folder`/job.json is "pause" or "stop"."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.next, self.seen, self.request = folder, 0.0, (0, 0, 0), "run"

    def __call__(self) -> None:
        if (now := time.monotonic()) < self.next:
            return
        self.next = now + _LOOK_EVERY
        try:
            found = os.stat(self.folder / "job.json")
        except OSError:
            return
        if (seen := (found.st_mtime_ns, found.st_ino, found.st_size)) != self.seen:
            self.seen, self.request = seen, requested(read_job(self.folder))
        if self.request in _ENDS:
            raise Interrupted(_ENDS[self.request])


class Heartbeat:
    """Writes status.json about every second from a thread of its own: set `step` and the rest, they are read there.

    A beat that cannot be written is left out; the last status (`end`) is not. Use as a context: it ends with it.
    """

    def __init__(self, folder: Path) -> None:
        attempt = read_job(folder).get("attempt", 0)
        self.folder, self.attempt = folder, attempt if isinstance(attempt, int) else 0
        self.step, self.steps = _position(folder)
        self.device: str | None = None
        self.note: str | None = None
        self.saved: float | None = None  # epochs in the saved state
        self.began: tuple[float, int] | None = None  # when this attempt began to train, and at which step
        self._ended, self._writing = threading.Event(), threading.Lock()  # one writer at a time, and none after the end

    def __enter__(self) -> Heartbeat:
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(EVERY):
            self.beat()

    def beat(self) -> None:
        """Say that training goes on."""
        with self._writing, suppress(OSError):
            if not self._ended.is_set() and self.folder.is_dir():
                self._write("running", None)

    def end(self, state: str, error: str | None = None) -> None:
        """Write the last status; raises OSError."""
        with self._writing:
            self._ended.set()
            with suppress(OSError):
                (self.folder / RESERVE).unlink(missing_ok=True)
            if self.folder.is_dir():
                self._write(state, error)

    def _write(self, state: str, error: str | None) -> None:
        now = {
            "state": state,
            "step": self.step,
            "steps": self.steps,
            "heartbeat": time.time(),
            "pid": os.getpid(),
            "attempt": self.attempt,
            "device": self.device,
            "note": self.note,
            "error": error,
            "began": self.began,
        }
        write_atomic(self.folder / "status.json", json.dumps(now) + "\n")


def _position(folder: Path) -> tuple[int, int]:
    """(step, steps) as the last status had them: better than 0 until the state is read."""
    try:
        before = status(folder)
    except RunError:
        return 0, 0
    step, steps = before.get("step"), before.get("steps")
    return step if isinstance(step, int) else 0, steps if isinstance(steps, int) else 0


def write_status(job: Job, **fields: Any) -> None:
    """Write the job's status.json, for who holds its lock."""
    now = {"state": "running", "step": job.step, "steps": job.steps, "heartbeat": time.time(), "pid": None}
    now |= {"attempt": job.attempt, "device": None, "note": job.note, "error": None} | fields
    write_atomic(job.folder / "status.json", json.dumps(now) + "\n")
