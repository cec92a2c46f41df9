"""Jobs: what is known about a training, and what is wished of it, is in its run folder, so any server or page may look.

Beside what `runs` describes, a folder that a page asked for holds job.json: owner, submitted, attempt, device, wish.
Only the jobs layer writes it. Only who holds the run's lock (`locks`) writes status.json.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from boundlab.checks import number, one_of, whole
from boundlab.errors import RunError
from boundlab.files import locked, make_folder, read_json, write_atomic
from boundlab.locks import held, take
from boundlab.runs import sealed
from boundlab.specs import RunSpec

WAITING, LIVE = ("queued",), ("running", "stopping")
RESTING = ("paused", "stopped", "failed", "lost")
STATES = (*WAITING, *LIVE, *RESTING, "done")
DEVICES = ("auto", "cpu", "cuda")
_AFTER = {"run": "queued", "pause": "paused", "stop": "stopped"}  # where a wish leads when no process is there


@dataclass(frozen=True)
class Limits:
    """`running`: CPU jobs at a time (on GPUs one each); `waiting`: queued jobs of everybody; `per_person`: queued and
    running jobs of one person."""

    running: int
    waiting: int = 100
    per_person: int = 12

    @classmethod
    def from_environment(cls) -> Limits:
        """BOUNDLAB_JOBS (default: one per core), BOUNDLAB_QUEUE, BOUNDLAB_PER_PERSON; raises ValueError naming them."""
        names = {"running": "BOUNDLAB_JOBS", "waiting": "BOUNDLAB_QUEUE", "per_person": "BOUNDLAB_PER_PERSON"}
        default = cls(running=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
        given = {}
        for field, name in names.items():
            text = os.environ.get(name) or str(getattr(default, field))
            whole(name, int(text) if text.isdigit() else text, 1, 10_000)
            given[field] = int(text)
        return cls(**given)


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


def _object(path: Path) -> dict[str, Any]:
    """A JSON object that is there or not yet; read again only when the file changed. Raises RunError."""
    signature = _signature(path)
    content = {} if signature is None else _parsed(path, signature)
    if not isinstance(content, dict):
        raise RunError(f"{path} should be a JSON object, got {str(content)[:40]}; delete that folder")
    return content


_done: dict[Path, tuple[tuple[int, int, int], Job]] = {}  # sealed folders are never edited: one look each


def read(folder: Path) -> Job:
    """The job of a run folder; raises RunError when the folder is damaged."""
    signature = _signature(folder / "status.json")
    if signature and folder in _done and _done[folder][0] == signature:
        return _done[folder][1]
    job = _read(folder)
    if signature and job.state == "done":
        _done[folder] = (signature, job)
    return job


def _read(folder: Path) -> Job:
    done = _object(folder / "status.json").get("state") == "done" and sealed(folder)
    alive = not done and held(folder.parent, folder.name)  # before the files: what a process writes last is then seen
    job, now = _object(folder / "job.json"), _object(folder / "status.json")
    try:
        spec = _spec(folder / "spec.json", _signature(folder / "spec.json") or (0, 0, 0))
        if not job and not now:
            raise ValueError("it has neither a job nor a status")
        attempt, wish = _whole(job, "attempt") or 0, str(job.get("wish", "run"))
        one_of("wish", wish, _AFTER)
        return Job(
            spec=spec,
            folder=folder,
            state="done" if done else _state(folder, alive, attempt, wish, now),
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
        )
    except (ValueError, TypeError, LookupError) as error:
        raise RunError(f"{folder} is not a readable job ({error}); delete that folder") from error


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


def _state(folder: Path, alive: bool, attempt: int, wish: str, now: dict[str, Any]) -> str:
    if now.get("state") == "done" and sealed(folder):
        return "done"
    if alive:
        return "running" if wish == "run" else "stopping"
    if now.get("attempt", 0) != attempt or "state" not in now:
        return _AFTER[wish]
    if now["state"] in ("running", "lost"):  # it ended without a word
        return "lost" if wish == "run" else _AFTER[wish]
    return now["state"] if now["state"] in ("paused", "stopped", "failed") else "lost"


def jobs(out: Path) -> list[Job]:
    """Every run folder below `out` that can be read, the oldest first; those of the command line come first."""
    found = []
    with os.scandir(out) as entries:
        folders = [out / entry.name for entry in entries if not entry.name.startswith(".")]
    for folder in folders:
        try:
            found.append(read(folder))
        except RunError:  # named by `runs`; a job list is no place to repair folders
            continue
    return sorted(found, key=lambda job: (job.submitted, job.id))


def in_order(every: Iterable[Job]) -> list[Job]:
    """The queued jobs in the order in which they will start: everybody's first before anybody's second."""
    every = list(every)
    turns = Counter(job.owner for job in every if job.state in LIVE)
    ranked = []
    for job in sorted((job for job in every if job.state in WAITING), key=lambda job: (job.submitted, job.id)):
        ranked.append((turns[job.owner], job.submitted, job.id, job))
        turns[job.owner] += 1
    return [entry[-1] for entry in sorted(ranked, key=lambda entry: entry[:-1])]


def submit(spec: RunSpec, owner: str | None, device: str, out: Path, limits: Limits) -> Job:
    """Queue a run, or return what is there already under the same id (a resting one goes on, and stays whose it was).
    Raises RunError when a limit is reached, when somebody else has halted that run, or when the folder cannot be written;
    ValueError for a wrong device."""
    one_of("device", device, DEVICES)
    with _writing(out):
        folder = out / spec.id
        old = _existing(folder)
        if old and old.state not in RESTING:
            return old
        if old and old.owner not in (None, owner) and old.state in ("paused", "stopped"):
            raise RunError(
                f"somebody else has {old.state} the run with these settings; choose another seed, or ask them"
            )
        _room(jobs(out), owner, limits)
        if old is None:
            _make(folder, spec)
        attempt, owner = (old.attempt + 1, old.owner or owner) if old else (1, owner)
        _write(folder, owner=owner, submitted=time.time(), attempt=attempt, device=device, wish="run")
        return read(folder)


def _existing(folder: Path) -> Job | None:
    """The job of that folder; what cannot be read, and nobody trains, is made readable by forgetting state and owner."""
    try:
        return read(folder)
    except RunError:
        if folder.exists() and not held(folder.parent, folder.name):
            for name in ("job.json", "status.json"):
                (folder / name).unlink(missing_ok=True)
    return None


def _make(folder: Path, spec: RunSpec) -> None:
    """A folder with its spec, or none."""
    try:
        folder.mkdir(exist_ok=True)
        write_atomic(folder / "spec.json", json.dumps(spec.to_dict(), indent=1) + "\n")
        write_atomic(folder / "job.json", "{}")  # room for what follows
    except OSError:
        if not (folder / "records.jsonl").exists():
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _room(every: list[Job], owner: str | None, limits: Limits) -> None:
    waiting = sum(job.state in WAITING for job in every)
    mine = sum(job.owner == owner and job.state in (*WAITING, *LIVE) for job in every)
    if mine >= limits.per_person:
        raise RunError(
            f"you have {mine} jobs waiting or running, and {limits.per_person} is the most for one person; wait for one, or stop one"
        )
    if waiting >= limits.waiting:
        raise RunError(f"the queue is full ({waiting} jobs wait); try again when some are done")


def ask(job: Job, wish: str) -> None:
    """Wish that a queued or running job pauses or stops, at its very step."""
    one_of("wish", wish, ("pause", "stop"))
    with _writing(job.folder.parent):
        now = read(job.folder)
        if now.state in (*WAITING, *LIVE) and (now.folder / "job.json").exists():
            _write(now.folder, **_object(now.folder / "job.json") | {"wish": wish})
        elif now.state in LIVE:  # of the command line: it has no job.json yet
            _write(now.folder, owner=None, submitted=0.0, attempt=0, device="auto", wish=wish)


def resume(job: Job, owner: str | None, limits: Limits) -> None:
    """Queue a resting job again, where it was; a paused one keeps its place in line. Raises RunError at a limit."""
    with _writing(job.folder.parent):
        now = read(job.folder)
        if now.state not in RESTING:
            return
        _room(jobs(job.folder.parent), owner, limits)
        submitted = now.submitted if now.state == "paused" and now.submitted else time.time()
        _write(
            now.folder,
            owner=now.owner or owner,
            submitted=submitted,
            attempt=now.attempt + 1,
            device=now.device,
            wish="run",
        )


def delete(job: Job) -> None:
    """Remove a job that no process is training, with all it recorded; raises RunError when one is."""
    out = job.folder.parent
    with _writing(out):
        lock = take(out, job.folder.name)
        if lock is None:
            raise RunError(f"{job.folder.name} is being trained; stop it first")
        try:
            if job.folder.exists():
                gone = out / ".deleted" / f"{job.folder.name}-{time.time_ns()}"  # no reader sees half a folder
                make_folder(gone.parent)
                job.folder.rename(gone)
                shutil.rmtree(gone)
        finally:
            os.close(lock)


def _write(folder: Path, **fields: Any) -> None:
    write_atomic(folder / "job.json", json.dumps(fields) + "\n")


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """One writer of jobs at a time; what the disk refuses becomes a sentence."""
    try:
        make_folder(out)
        with locked(out):
            yield
    except OSError as error:
        raise RunError(
            f"{out} cannot be written ({error.strerror or error}); free space or make it writable, or start the dashboard with "
            "BOUNDLAB_RUNS set to another folder"
        ) from error


def with_status(job: Job, **fields: Any) -> None:
    """Write the job's status.json, for who holds its lock."""
    now = {"state": "running", "step": job.step, "steps": job.steps, "heartbeat": time.time(), "pid": None}
    now |= {"attempt": job.attempt, "device": None, "note": job.note, "error": None} | fields
    write_atomic(job.folder / "status.json", json.dumps(now) + "\n")


def position(job: Job, every: Iterable[Job]) -> int:
    """1 for the queued job that starts next; 0 when it does not wait."""
    waiting = [other.id for other in in_order(every)]
    return waiting.index(job.id) + 1 if job.id in waiting else 0
