"""A run's lock: held by the process that trains it, for as long as it lives, however that ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from boundlab.errors import RunError
from boundlab.system.files import make_folder

BUSY = "is being trained by another process"
_PATIENCE = 10  # tries: a reader that looks whether a lock is held has it for a few microseconds


def take_lock(out: Path, run: str) -> int | None:
    """Lock a run below `out`; returns the descriptor that holds the lock until every copy of it is closed (a child that
    inherits it holds it too), or None when another process has it."""
    make_folder(out / ".locks")
    descriptor = os.open(out / ".locks" / run, os.O_RDWR | os.O_CREAT, 0o644)
    for attempt in range(_PATIENCE):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            time.sleep(0.01 if attempt < _PATIENCE - 1 else 0)
    os.close(descriptor)
    return None


def held(out: Path, run: str) -> bool:
    """Whether a living process has the run's lock."""
    try:
        descriptor = os.open(out / ".locks" / run, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def holding(folder: Path, held: int | None = None) -> Iterator[None]:
    """Hold the run's lock; it goes with the process, however that ends. Raises RunError when another holds it."""
    path = folder.parent / ".locks" / folder.name
    make_folder(path.parent)
    with path.open("w") if held is None else os.fdopen(held, "w") as lock:
        if held is not None and not (path.exists() and os.path.samestat(os.fstat(held), path.stat())):
            raise ValueError(f"descriptor {held} should hold {path}, but it is of another file; pass that file's")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # one that is held already stays held
        except BlockingIOError as error:
            raise RunError(f"{folder} {BUSY}; wait for it or stop it") from error
        yield
