"""Locks between processes (flock): each is held until the last copy of its descriptor is closed, however the process ends.

A run's lock is a file, `<runs>/.locks/<run>`, held by the process that trains it; a folder's lock is on the folder itself.
"""

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
_TRIES = 10  # a reader that looks whether a lock is held has it for a few microseconds


def _file(out: Path, run: str) -> Path:
    return out / ".locks" / run


def try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Lock an open file or folder unless another process has it; returns whether it is locked now."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take_lock(out: Path, run: str) -> int | None:
    """Lock a run below `out`; returns the descriptor that holds the lock (a child that inherits it holds it too), or None
    when another process has it."""
    make_folder(out / ".locks")
    descriptor = os.open(_file(out, run), os.O_RDWR | os.O_CREAT, 0o644)
    for attempt in range(_TRIES):
        if try_lock(descriptor):
            return descriptor
        time.sleep(0.01 if attempt < _TRIES - 1 else 0)
    os.close(descriptor)
    return None


def held(out: Path, run: str) -> bool:
    """Whether a living process has the run's lock."""
    try:
        descriptor = os.open(_file(out, run), os.O_RDONLY)
    except OSError:
        return False
    try:
        return not try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


@contextmanager
def holding(folder: Path, descriptor: int | None = None) -> Iterator[None]:
    """Hold a run's lock, or the one that `descriptor` holds already. Raises RunError when another process has it, ValueError
    when the descriptor is of another file."""
    path = _file(folder.parent, folder.name)
    make_folder(path.parent)
    with path.open("w") if descriptor is None else os.fdopen(descriptor, "w") as lock:
        if descriptor is not None and not (path.exists() and os.path.samestat(os.fstat(descriptor), path.stat())):
            raise ValueError(f"descriptor {descriptor} should hold {path}, but it is of another file; pass that file's")
        if not try_lock(lock.fileno()):  # one that is held already stays held
            raise RunError(f"{folder} {BUSY}; wait for it or stop it")
        yield


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, waiting for it. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def take_folder(folder: Path) -> int | None:
    """Lock a folder of this user; returns the descriptor that holds the lock, or None when another process has it, or it is
    gone, no folder, or another user's."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    except OSError:
        return None
    if os.fstat(descriptor).st_uid == os.getuid() and try_lock(descriptor) and folder.exists():
        return descriptor
    os.close(descriptor)
    return None
