"""What a run folder says of its training: everything is in files, so any server and any page may look.

Beside what `runs` describes, a folder that a page asked for holds job.json (`jobs` writes it): owner, submitted, attempt,
device, request. status.json is written by who holds the run's lock (`locks`) alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from boundlab.errors import RunError
from boundlab.runs.folder import sealed
from boundlab.specs.run import RunSpec
from boundlab.system.files import read_json
from boundlab.system.locks import held
from boundlab.validation import number, one_of, whole

WAITING, LIVE = ("queued",), ("running", "stopping")
RESTING = ("paused", "stopped", "failed", "lost")
_STATES = (*WAITING, *LIVE, *RESTING, "done")
_AFTER = {"run": "queued", "pause": "paused", "stop": "stopped"}  # where a request leads when no process is there


@dataclass(frozen=True)
class Job:
    """One training as its folder tells it; `device`: as asked for; `used`: what it runs on; times in unix seconds."""

    spec: RunSpec
    folder: Path
    state: str
    owner: str | None
    submitted: float
    attempt: int
    device: str
    step: int
    steps: int | None
    heartbeat: float | None
    used: str | None
    note: str | None
    error: str | None
    began: tuple[float, int] | None  # when this attempt began to train, and at which step
    address: str | None = None  # from where it was asked for, where that counts
    shared: bool = False  # its owner lets everybody look at it

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def recorded(self) -> bool:
        """Whether there is anything to look at."""
        return any((self.folder / name).is_file() for name in ("records.jsonl", "epochs.parquet"))


@lru_cache(maxsize=4096)
def _parsed(path: Path, signature: tuple[int, int, int]) -> Any:
    return read_json(path)


@lru_cache(maxsize=4096)
def _spec(path: Path, signature: tuple[int, int, int]) -> RunSpec:
    return RunSpec.from_dict(read_json(path))


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        now = os.stat(path)
    except OSError:
        return None
    return (now.st_ino, now.st_mtime_ns, now.st_size)


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object that is there or not yet; read again only when the file changed. Raises RunError."""
    signature = _signature(path)
    content = {} if signature is None else _parsed(path, signature)
    if not isinstance(content, dict):
        raise RunError(f"{path} should be a JSON object, got {str(content)[:40]}; delete that folder")
    return content


_done: dict[Path, tuple[tuple[object, object], Job]] = {}  # what is sealed is not edited: one look until it is shared


def read_job_folder(folder: Path) -> Job:
    """The job of a run folder; raises RunError when the folder is damaged."""
    signature = _signature(folder / "status.json"), _signature(folder / "job.json")
    if signature[0] and folder in _done and _done[folder][0] == signature:
        return _done[folder][1]
    job = _read_files(folder)
    if signature[0] and job.state == "done":
        _done[folder] = (signature, job)
    return job


def _read_files(folder: Path) -> Job:
    done = read_object(folder / "status.json").get("state") == "done" and sealed(folder)
    alive = not done and held(folder.parent, folder.name)  # before the files: what a process writes last is then seen
    job, now = read_object(folder / "job.json"), read_object(folder / "status.json")
    try:
        spec = _spec(folder / "spec.json", _signature(folder / "spec.json") or (0, 0, 0))
        if not job and not now:
            raise ValueError("it has neither a job nor a status")
        attempt, request = _whole(job, "attempt") or 0, requested(job)
        one_of("request", request, _AFTER)
        return Job(
            spec=spec,
            folder=folder,
            state="done" if done else _state(folder, alive, attempt, request, now),
            owner=_text(job, "owner"),
            submitted=_time(job, "submitted") or 0.0,
            attempt=attempt,
            device=str(job.get("device", "auto")),
            step=_whole(now, "step") or 0,
            steps=_whole(now, "steps"),
            heartbeat=_time(now, "heartbeat"),
            used=_text(now, "device"),
            note=_text(now, "note"),
            error=_text(now, "error"),
            began=_began(now.get("began")),
            address=_text(job, "address"),
            shared=job.get("shared") is True,
        )
    except (ValueError, TypeError, LookupError) as error:
        raise RunError(f"{folder} is not a readable job ({error}); delete that folder") from error


def requested(job: dict[str, Any]) -> str:
    """What job.json asks for: "run", "pause", "stop"; earlier versions wrote "wish"."""
    return str(job.get("request", job.get("wish", "run")))


def _began(given: Any) -> tuple[float, int] | None:
    if given is None:
        return None
    number("began", given[0], 0, 1e12)
    whole("began", given[1], 0, 10**15)
    return float(given[0]), given[1]


def _text(given: dict[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} must be text, got {value!r}")
    return value


def _whole(given: dict[str, Any], name: str) -> int | None:
    if (value := given.get(name)) is not None:
        whole(name, value, 0, 10**15)
    return value


def _time(given: dict[str, Any], name: str) -> float | None:
    if (value := given.get(name)) is not None:
        number(name, value, 0, 1e12)
    return value


def _state(folder: Path, alive: bool, attempt: int, request: str, now: dict[str, Any]) -> str:
    if now.get("state") == "done" and sealed(folder):
        return "done"
    if alive:
        return "running" if request == "run" else "stopping"
    if now.get("attempt", 0) != attempt or "state" not in now:
        return _AFTER[request]
    if now["state"] in ("running", "lost"):  # it ended without a word
        return "lost" if request == "run" else _AFTER[request]
    return now["state"] if now["state"] in ("paused", "stopped", "failed") else "lost"
