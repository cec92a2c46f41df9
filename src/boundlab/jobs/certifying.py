"""Certificates of Theorems D and D2 for what readers look at: one worker at a time, the readers in turn. No torch."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from boundlab.system.processes import Worker, start_attached

_SECONDS = 300.0  # that the certificates of one reader's runs may take; what is not there by then is given up
_LINGER = 1.5  # seconds after the last one, in which who looks at the folders once a second has seen it
_Run = tuple[Path, int]  # its folder, and when it was finished: trained anew it is another one


@dataclass
class _Working:
    """A worker, and what it certifies; `ended`: when it was first seen to have ended."""

    runs: frozenset[_Run]
    worker: Worker
    began: float
    ended: float | None = None


class Certifying:
    """What is wanted, what is computed now, and what was tried."""

    def __init__(self, start: Callable[[Sequence[Path]], Worker] | None = None) -> None:
        self._start = start or _coded_worker
        self._wanted: dict[str, tuple[_Run, ...]] = {}  # by reader, who waited longest first
        self._tried: set[_Run] = set()
        self._now: _Working | None = None
        self._lock = threading.Lock()

    def want(self, owner: str, folders: Sequence[Path]) -> bool:
        """Ask for certificates of these finished runs, in this order, in the place of what else this reader waits for; returns
        whether there will be more of them. Asked again and again by who waits. Raises OSError where no process can be started."""
        with self._lock:
            self._reap()
            runs = tuple(run for run in map(_finished, folders) if run is not None and run not in self._tried)
            if self._now is not None and self._now.runs & set(runs):
                return True
            if runs:
                self._wanted[owner] = runs
            else:
                self._wanted.pop(owner, None)
            self._start_next()
            return bool(runs)

    def close(self) -> None:
        """End the worker, at the server's end."""
        with self._lock:
            self._end()

    def _reap(self) -> None:
        """The lock is held."""
        now = self._now
        if now is None:
            return
        moment = time.monotonic()
        if now.worker.code is None and moment - now.began > _SECONDS:
            now.worker.process.kill()
        if now.worker.code is not None and now.ended is None:
            now.ended = moment
        if now.ended is not None and moment - now.ended > _LINGER:
            self._tried |= now.runs
            self._end()

    def _end(self) -> None:
        if self._now is not None:
            self._now.worker.process.kill()
            self._now.worker.process.wait()
            self._now.worker.close()
            self._now = None

    def _start_next(self) -> None:
        """The lock is held."""
        if self._now is None and self._wanted:
            runs = self._wanted.pop(next(iter(self._wanted)))
            worker = self._start([folder for folder, _ in runs])
            self._now = _Working(frozenset(runs), worker, time.monotonic())


def _finished(folder: Path) -> _Run | None:
    with suppress(OSError):  # deleted meanwhile
        return folder, os.stat(folder / "status.json").st_mtime_ns
    return None


def _coded_worker(folders: Sequence[Path]) -> Worker:
    return start_attached(["boundlab.evaluation.coded_worker", *map(str, folders)], {}, ())
