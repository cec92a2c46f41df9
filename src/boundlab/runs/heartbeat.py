"""What a process does while it trains a run: it tells its status every second, and looks at what is asked of it."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from boundlab.errors import RunError
from boundlab.runs.status import Status, read_request, read_status, write_status

EVERY = 1.0  # seconds between two heartbeats
_LOOK_EVERY = 0.2  # seconds between two looks at the request
RESERVE = ".reserve"  # a file whose deletion makes room for the last status on a full disk
RESERVED = 16_384  # bytes
_ENDS = {"pause": "paused", "stop": "stopped"}  # action asked for -> state in which the process ends


class Interrupted(Exception):
    """Training was asked to end before it is finished; `state`: "paused" or "stopped"."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


class Watch:
    """Call it often: it raises Interrupted once the request in `folder` is "pause" or "stop"."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.next = folder, 0.0

    def __call__(self) -> None:
        if (now := time.monotonic()) < self.next:
            return
        self.next = now + _LOOK_EVERY
        if (action := read_request(self.folder).action) in _ENDS:
            raise Interrupted(_ENDS[action])


class Heartbeat:
    """Writes status.json about every second from a thread of its own: set `step` and the rest, they are read there.

    A beat that cannot be written is left out; the last status (`end`) is not. Use as a context: it ends with it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.attempt = folder, read_request(folder).attempt
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
                write_status(self.folder, self._now("running", None))

    @property
    def ended(self) -> bool:
        """Whether the last status was written, or tried to be."""
        return self._ended.is_set()

    def end(self, state: str, error: str | None = None) -> None:
        """Write the last status; raises OSError."""
        with self._writing:
            self._ended.set()
            with suppress(OSError):
                (self.folder / RESERVE).unlink(missing_ok=True)
            if self.folder.is_dir():
                write_status(self.folder, self._now(state, error))

    def _now(self, state: str, error: str | None) -> Status:
        return Status(
            state=state,
            step=self.step,
            steps=self.steps,
            heartbeat=time.time(),
            pid=os.getpid(),
            attempt=self.attempt,
            device=self.device,
            note=self.note,
            error=error,
            began=self.began,
        )


def _position(folder: Path) -> tuple[int, int]:
    """(step, steps) as the last status had them: better than 0 until the state is read."""
    try:
        before = read_status(folder)
    except RunError:
        return 0, 0
    return before.step, before.steps or 0
