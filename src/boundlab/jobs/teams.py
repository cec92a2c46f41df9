"""Which queued jobs start together."""

from __future__ import annotations

from collections.abc import Sequence

from boundlab.runs import stacks
from boundlab.runs.job import Job
from boundlab.specs.stacking import kind, most_together
from boundlab.specs.work import memory


def next_team(waiting: Sequence[Job], device: str, places: int, free: int) -> list[Job]:
    """The first of the queued jobs with those of its owner that are best trained with it, in their order: the others of the
    stack it was begun in, or, for a job that is in none, others like it.

    `device`: "cpu" or "cuda"; `places`: how many processes may start there; `free`: bytes of memory for one on the CPU.
    """
    first = waiting[0]
    mates = stacks.mates(first.folder)
    mine = [job for job in waiting if job.owner == first.owner and job.device == first.device]
    if mates is not None:
        return [job for job in mine if job.id in mates]
    alike = [job for job in mine if kind(job.spec) == kind(first.spec) and stacks.mates(job.folder) is None]
    most = most_together(first.spec, device)
    if len(alike) == len(waiting):  # nobody else waits: no core stays idle
        most = min(most, -(-len(alike) // max(1, places)))
    if device == "cpu":
        most = max((m for m in range(1, most + 1) if memory(first.spec, m) <= free), default=1)
    return alike[:most]
