"""The job of a run folder: everything is in files, so any server and any page may look.

What was asked of it is its request (job.json), what its training said is its status (status.json); its state follows from
both and from whether a process holds the run's lock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from boundlab.errors import RunError
from boundlab.runs.folder import sealed
from boundlab.runs.status import JOB_FILE, STATUS_FILE, Request, Status
from boundlab.specs.run import RunSpec
from boundlab.system.files import cached_reader, read_json, signature
from boundlab.system.locks import held

WAITING, LIVE = ("queued",), ("running", "stopping")
RESTING = ("paused", "stopped", "failed", "lost")
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
    played: bool = False  # of the Playground, and not kept: no other page shows it
    pid: int | None = None  # of the process that trains it, or did

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def recorded(self) -> bool:
        """Whether there is anything to look at."""
        return any((self.folder / name).is_file() for name in ("records.jsonl", "epochs.parquet"))

    def said(self, state: str, **changes: Any) -> Status:
        """Its status as it stands, with that state and these changes, said now by no process."""
        now = Status(state, self.step, self.steps, time.time(), attempt=self.attempt, note=self.note)
        return replace(now, **changes)


def _object(path: Path) -> dict[str, Any]:
    content = read_json(path) if path.exists() else {}
    if not isinstance(content, dict):
        raise RunError(f"{path} should be a JSON object, got {str(content)[:40]}; delete that folder")
    return content


_read_object = cached_reader(_object)
_read_spec = cached_reader(lambda path: RunSpec.from_dict(read_json(path)))
_done: dict[Path, tuple[tuple[object, object], Job]] = {}  # what is sealed is not edited: one look until it is shared


def read_job_folder(folder: Path) -> Job:
    """The job of a run folder; raises RunError when the folder is damaged."""
    now = signature(folder / STATUS_FILE), signature(folder / JOB_FILE)
    if now[0] and folder in _done and _done[folder][0] == now:
        return _done[folder][1]
    job = _read_files(folder)
    if now[0] and job.state == "done":
        _done[folder] = (now, job)
    return job


def _read_files(folder: Path) -> Job:
    done = _read_object(folder / STATUS_FILE).get("state") == "done" and sealed(folder)
    alive = not done and held(folder.parent, folder.name)  # before the files: what a process writes last is then seen
    asked, said = _read_object(folder / JOB_FILE), _read_object(folder / STATUS_FILE)
    try:
        spec = _read_spec(folder / "spec.json")
        if not asked and not said:
            raise ValueError("it has neither a job nor a status")
        request, now = Request.from_dict(asked), Status.from_dict(said)
    except (ValueError, TypeError, LookupError) as error:
        raise RunError(f"{folder} is not a readable job ({error}); delete that folder") from error
    return Job(
        spec=spec,
        folder=folder,
        state="done" if done else _state(folder, alive, request, now),
        owner=request.owner,
        submitted=request.submitted,
        attempt=request.attempt,
        device=request.device,
        step=now.step,
        steps=now.steps,
        heartbeat=now.heartbeat,
        used=now.device,
        note=now.note,
        error=now.error,
        began=now.began,
        address=request.address,
        shared=request.shared,
        played=request.played,
        pid=now.pid,
    )


def _state(folder: Path, alive: bool, request: Request, now: Status) -> str:
    if now.state == "done" and sealed(folder):
        return "done"
    if alive:
        return "running" if request.action == "run" else "stopping"
    if now.attempt != request.attempt or now.state == "new":
        return _AFTER[request.action]
    if now.state in ("running", "lost"):  # it ended without a word
        return "lost" if request.action == "run" else _AFTER[request.action]
    return now.state if now.state in ("paused", "stopped", "failed") else "lost"
