"""Values that take long to compute, kept as JSON in a folder: a damaged file is computed anew, and where nothing can be written nothing
is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from boundlab.system.files import write_atomic

_SCHEMA = 1


def kept(folder: Path, named: Any, compute: Callable[[], Any]) -> Any:
    """`compute()`, a value that JSON gives back exactly, or what an earlier call computed for the same `named` (plain values that say
    all that it depends on)."""
    path = folder / f"{_digest([_SCHEMA, named])}.json"
    with suppress(OSError, ValueError, RecursionError, KeyError, TypeError):
        stored = json.loads(path.read_bytes())
        if stored["sha256"] == _digest([named, stored["value"]]):
            return stored["value"]
    value = compute()
    if not writable(folder):
        return value
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps({"sha256": _digest([named, value]), "value": value}))
    return value


def writable(folder: Path) -> bool:
    """Whether somebody may write there: a folder marked as read-only is left alone by root, too."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return bool(there.stat().st_mode & 0o222)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
