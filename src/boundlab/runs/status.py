"""The two small files through which processes speak about a run, and their only readers and writers.

status.json says how its training stands, written by who holds the run's lock; job.json what is asked of it, written by
`jobs.queue` (and by `train_run`, which asks for what it does).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from boundlab.errors import RunError
from boundlab.system.files import cached_reader, read_json, write_atomic
from boundlab.validation import number, one_of, whole

STATUS_FILE, JOB_FILE = "status.json", "job.json"
ACTIONS = ("run", "pause", "stop")
_MOST, _LATEST = 10**15, 1e12  # of a count; of a time in unix seconds


@dataclass(frozen=True)
class Status:
    """How a training stands; times in unix seconds."""

    state: str = "new"  # no file; then "running", "paused", "stopped", "failed", "lost", "done"
    step: int = 0
    steps: int | None = None
    heartbeat: float | None = None
    pid: int | None = None
    attempt: int = 0
    device: str | None = None  # what it runs on
    note: str | None = None
    error: str | None = None
    began: tuple[float, int] | None = None  # when this attempt began to train, and at which step

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Status:
        """Raises ValueError for a field of another type or out of range."""
        return cls(
            state=_text(given, "state") or "new",
            step=_whole(given, "step") or 0,
            steps=_whole(given, "steps"),
            heartbeat=_time(given, "heartbeat"),
            pid=_whole(given, "pid"),
            attempt=_whole(given, "attempt") or 0,
            device=_text(given, "device"),
            note=_text(given, "note"),
            error=_text(given, "error"),
            began=_began(given.get("began")),
        )


@dataclass(frozen=True)
class Request:
    """What is asked of a training, and by whom; the defaults are those of a run of the command line."""

    owner: str | None = None
    address: str | None = None  # from where it was asked for, where that counts
    shared: bool = False  # its owner lets everybody look at it
    submitted: float = 0.0  # unix seconds
    attempt: int = 0
    device: str = "auto"
    action: str = "run"  # one of ACTIONS
    played: bool = False  # of the Playground, and not kept: no other page shows it

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Request:
        """Raises ValueError for a field of another type or out of range."""
        action = given.get("request", given.get("wish", "run"))  # "wish": as earlier versions wrote it
        one_of("request", action, ACTIONS)
        return cls(
            owner=_text(given, "owner"),
            address=_text(given, "address"),
            shared=given.get("shared") is True,
            submitted=_time(given, "submitted") or 0.0,
            attempt=_whole(given, "attempt") or 0,
            device=str(given.get("device", "auto")),
            action=action,
            played=given.get("played") is True,
        )

    def to_dict(self) -> dict[str, Any]:
        """As `from_dict` takes it."""
        fields = asdict(self)
        return fields | {"request": fields.pop("action")}


def read_state(folder: Path) -> str:
    """The state in status.json, "new" where there is none; the rest of the file is not looked at. Raises RunError."""
    return str(_read(folder)["state"])


def read_status(folder: Path) -> Status:
    """The run's status.json; raises RunError when it is damaged."""
    try:
        return Status.from_dict(_read(folder))
    except ValueError as error:
        raise RunError(f"{folder / STATUS_FILE} is damaged ({error}); delete it to train the run again") from error


def _read(folder: Path) -> dict[str, Any]:
    path = folder / STATUS_FILE
    now = read_json(path) if path.exists() else {"state": "new"}
    if not isinstance(now, dict) or not isinstance(now.get("state"), str):
        raise RunError(
            f"{path} should be an object with a state, got {str(now)[:40]}; delete it to train the run again"
        )
    return now


def write_status(folder: Path, status: Status) -> None:
    """For who holds the run's lock. Raises OSError."""
    write_atomic(folder / STATUS_FILE, json.dumps(asdict(status)) + "\n")


def read_request(folder: Path) -> Request:
    """The run's job.json, read again only when it changed; the default where there is none or it cannot be read."""
    return _read_request(folder / JOB_FILE)


def _request(path: Path) -> Request:
    try:
        return Request.from_dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError, AttributeError):
        return Request()


_read_request = cached_reader(_request)


def write_request(folder: Path, request: Request) -> None:
    """Raises OSError."""
    write_atomic(folder / JOB_FILE, json.dumps(request.to_dict()) + "\n")


def _text(given: dict[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} must be text, got {value!r}")
    return value


def _whole(given: dict[str, Any], name: str) -> int | None:
    if (value := given.get(name)) is not None:
        whole(name, value, 0, _MOST)
    return value


def _time(given: dict[str, Any], name: str) -> float | None:
    if (value := given.get(name)) is not None:
        number(name, value, 0, _LATEST)
    return value


def _began(given: Any) -> tuple[float, int] | None:
    if given is None:
        return None
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise ValueError(f"began must be [time, step], got {given!r}")
    number("began", given[0], 0, _LATEST)
    whole("began", given[1], 0, _MOST)
    return float(given[0]), given[1]
