"""What a reader plays: several runs trained together, which no other page shows until they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from boundlab.errors import RunError
from boundlab.jobs import queue
from boundlab.jobs.queue import Limits
from boundlab.runs.job import LIVE, RESTING, WAITING, Job
from boundlab.runs.status import Request, read_request, write_request
from boundlab.specs.run import RunSpec

MOST_PLAYED = 600  # runs that were played and not kept; beyond it the oldest are deleted
_AT_ONCE = 24  # of them at one time


def play(
    specs: Sequence[RunSpec], owner: str | None, out: Path, limits: Limits, address: str | None = None
) -> list[Job]:
    """Queue these runs, or return what is there under the same ids; what else this reader plays is asked to stop.

    What somebody else played and left goes on as this reader's. Raises RunError when a limit is reached, or when the folder
    cannot be written.
    """
    wanted = {spec.id for spec in specs}
    every = queue.jobs(out) if out.is_dir() else []
    stop_played([job for job in every if job.played and job.owner == owner and job.id not in wanted])
    with queue.writing(out):
        every = queue.jobs(out)
        queue.check_room([job for job in every if not (job.played and job.owner == owner)], owner, address, limits)
        return [_played(spec, owner, out, address) for spec in specs]


def _played(spec: RunSpec, owner: str | None, out: Path, address: str | None) -> Job:
    old = queue.existing(out / spec.id)
    if old and old.state not in RESTING:
        return old
    request = Request(owner, address, played=old is None or old.played)
    if old and old.played:
        old = replace(old, owner=owner)
    return queue.enqueue(spec, old, request, out)


def playing(owner: str | None, out: Path) -> list[Job]:
    """What of this reader's waits or trains."""
    every = queue.jobs(out) if out.is_dir() else []
    return [job for job in every if job.played and job.owner == owner and job.state in (*WAITING, *LIVE)]


def stop_played(given: Sequence[Job], action: str = "stop") -> None:
    """Ask those that wait or run to stop, or pause."""
    for job in given:
        if job.state in (*WAITING, *LIVE):
            queue.ask(job, action)


def keep_played(given: Sequence[Job]) -> None:
    """They are ordinary runs from now on. Raises RunError when the folder cannot be written."""
    for job in given:
        with queue.writing(job.folder.parent):
            write_request(job.folder, replace(read_request(job.folder), played=False))


def prune(out: Path, most: int = MOST_PLAYED) -> None:
    """Delete some of the oldest that were played and not kept, where there are more than `most`."""
    played = [job for job in queue.jobs(out) if job.played] if out.is_dir() else []
    for job in played[: min(_AT_ONCE, max(0, len(played) - most))]:
        if job.state in (*RESTING, "done"):
            with suppress(RunError):  # somebody goes on with it just now
                queue.delete(job)
