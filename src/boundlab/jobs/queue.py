"""Jobs: what is asked of trainings, in the requests of their run folders, and in which order they start."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from boundlab.errors import RunError
from boundlab.runs.folder import remove_folder
from boundlab.runs.job import LIVE, RESTING, WAITING, Job, read_job_folder
from boundlab.runs.status import JOB_FILE, STATUS_FILE, Request, read_request, write_request
from boundlab.specs.run import DEVICES, RunSpec
from boundlab.system.files import make_folder, write_atomic
from boundlab.system.locks import held, locked_folder, take_lock
from boundlab.validation import one_of, whole


@dataclass(frozen=True)
class Limits:
    """`running`: CPU jobs at a time (on GPUs one each); `waiting`: queued jobs of everybody; `per_person`: queued and
    running jobs of one person; `per_address`: of one network address, as names cost nothing (a school may be one address)."""

    running: int
    waiting: int = 100
    per_person: int = 12
    per_address: int = 36

    @classmethod
    def from_environment(cls) -> Limits:
        """BOUNDLAB_JOBS (default: one per core), BOUNDLAB_QUEUE, BOUNDLAB_PER_PERSON, BOUNDLAB_PER_ADDRESS; raises ValueError naming
        them."""
        names = {"running": "BOUNDLAB_JOBS", "waiting": "BOUNDLAB_QUEUE"}
        names |= {"per_person": "BOUNDLAB_PER_PERSON", "per_address": "BOUNDLAB_PER_ADDRESS"}
        default = cls(running=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
        given = {}
        for field, name in names.items():
            text = os.environ.get(name) or str(getattr(default, field))
            whole(name, int(text) if text.isascii() and text.isdigit() else text, 1, 10_000)
            given[field] = int(text)
        return cls(**given)


def jobs(out: Path) -> list[Job]:
    """Every run folder below `out` that can be read, the oldest first; those of the command line come first."""
    found = []
    with os.scandir(out) as entries:
        folders = [out / entry.name for entry in entries if not entry.name.startswith(".")]
    for folder in folders:
        try:
            found.append(read_job_folder(folder))
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


def submit(spec: RunSpec, owner: str | None, device: str, out: Path, limits: Limits, address: str | None = None) -> Job:
    """Queue a run, or return what is there already under the same id (a resting one goes on, and stays whose it was; one that
    was played is kept). Raises RunError when a limit is reached, when somebody else has halted that run, or when the folder
    cannot be written; ValueError for a wrong device."""
    one_of("device", device, DEVICES)
    spec.check_trains()
    with writing(out):
        if (old := existing(out / spec.id)) and old.played:
            write_request(old.folder, replace(read_request(old.folder), played=False))
        if old and old.state not in RESTING:
            return old
        _not_halted(old, owner)
        check_room(jobs(out), owner, address, limits)
        return enqueue(spec, old, Request(owner, address, device=device), out)


def _not_halted(old: Job | None, owner: str | None) -> None:
    """Raises RunError where somebody else has halted the run."""
    if old and old.owner not in (None, owner) and old.state in ("paused", "stopped"):
        raise RunError(f"somebody else has {old.state} the run with these settings; choose another seed, or ask them")


def enqueue(spec: RunSpec, old: Job | None, request: Request, out: Path) -> Job:
    """Make the folder where there is none, and ask for the run's next attempt; for who is `writing`."""
    folder = out / spec.id
    if old is None:
        _make(folder, spec)
    attempt, owner = (old.attempt + 1, old.owner or request.owner) if old else (1, request.owner)
    shared = bool(old and old.shared)
    write_request(folder, replace(request, owner=owner, shared=shared, submitted=time.time(), attempt=attempt))
    return read_job_folder(folder)


def existing(folder: Path) -> Job | None:
    """The job of that folder; what cannot be read, and nobody trains, is made readable by forgetting state and owner."""
    try:
        return read_job_folder(folder)
    except RunError:
        if folder.exists() and not held(folder.parent, folder.name):
            for name in (JOB_FILE, STATUS_FILE):
                (folder / name).unlink(missing_ok=True)
    return None


def _make(folder: Path, spec: RunSpec) -> None:
    """A folder with its spec, or none."""
    try:
        folder.mkdir(exist_ok=True)
        write_atomic(folder / "spec.json", json.dumps(spec.to_dict(), indent=1) + "\n")
        write_atomic(folder / JOB_FILE, "{}")  # room for what follows
    except OSError:
        if not (folder / "records.jsonl").exists():
            shutil.rmtree(folder, ignore_errors=True)
        raise


def check_room(every: list[Job], owner: str | None, address: str | None, limits: Limits) -> None:
    """Raises RunError when a limit is reached. What one person plays is trained together and counts as one job; what is about to
    stop does not count."""
    waiting = _counted(job for job in every if job.state in WAITING)
    busy = [job for job in every if job.state in (*WAITING, "running")]
    mine = _counted(job for job in busy if job.owner == owner)
    near = _counted(job for job in busy if job.address == address is not None)
    if mine >= limits.per_person:
        raise RunError(
            f"you have {mine} jobs waiting or running, and {limits.per_person} is the most for one person; wait for one, or stop one"
        )
    if near >= limits.per_address:
        raise RunError(
            f"{near} jobs from your network address wait or run, and {limits.per_address} is the most for one; wait for some of them"
        )
    if waiting >= limits.waiting:
        raise RunError(f"the queue is full ({waiting} jobs wait); try again when some are done")


def _counted(given: Iterable[Job]) -> int:
    return len({(job.owner, "") if job.played else (job.owner, job.id) for job in given})


def ask(job: Job, action: str) -> None:
    """Ask a queued or running job to pause or stop, at its very step. Raises RunError for what another program trains."""
    one_of("action", action, ("pause", "stop"))
    _not_watched(job)
    with writing(job.folder.parent):
        now = read_job_folder(job.folder)
        of_a_page = (now.folder / JOB_FILE).exists()
        if now.state in LIVE or (now.state in WAITING and of_a_page):
            write_request(now.folder, replace(read_request(now.folder), action=action))


def _not_watched(job: Job) -> None:
    if job.spec.watched:
        raise RunError(
            f"{job.folder.name} is trained by a program of its own, which alone can stop it or go on with it"
        )


def share(job: Job, shared: bool) -> None:
    """Let everybody look at a run that a page asked for, or its owner only."""
    with writing(job.folder.parent):
        if (job.folder / JOB_FILE).exists():
            read_job_folder(job.folder)  # raises where the request is damaged: whose it is must not be lost
            write_request(job.folder, replace(read_request(job.folder), shared=shared))


def resume(job: Job, owner: str | None, limits: Limits, address: str | None = None) -> None:
    """Queue a resting job again, where it was; a paused one keeps its place in line. Raises RunError at a limit, and for what
    another program trains."""
    _not_watched(job)
    with writing(job.folder.parent):
        now = read_job_folder(job.folder)
        if now.state not in RESTING:
            return
        check_room(jobs(job.folder.parent), owner, address, limits)
        submitted = now.submitted if now.state == "paused" and now.submitted else time.time()
        asked = read_request(now.folder)
        request = Request(
            now.owner or owner, address, now.shared, submitted, now.attempt + 1, now.device, played=asked.played
        )
        write_request(now.folder, request)


def delete(job: Job) -> None:
    """Remove a job that no process is training, with all it recorded; raises RunError when one is."""
    out = job.folder.parent
    with writing(out):
        lock = take_lock(out, job.folder.name)
        if lock is None:
            raise RunError(f"{job.folder.name} is being trained; stop it first")
        try:
            if job.folder.exists():
                remove_folder(job.folder)
        finally:
            os.close(lock)


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """One writer of jobs at a time; what the disk refuses becomes a sentence."""
    try:
        make_folder(out)
        with locked_folder(out):
            yield
    except OSError as error:
        raise RunError(
            f"{out} cannot be written ({error.strerror or error}); free space or make it writable, or start the dashboard with "
            "BOUNDLAB_RUNS set to another folder"
        ) from error


def position(job: Job, every: Iterable[Job]) -> int:
    """1 for the queued job that starts next; 0 when it does not wait."""
    waiting = [other.id for other in in_order(every)]
    return waiting.index(job.id) + 1 if job.id in waiting else 0
