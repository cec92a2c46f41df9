"""The jobs: which are shown, in which order, and buttons for many at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from boundlab.jobs import queue
from boundlab.jobs.scheduler import Scheduler
from boundlab.runs.job import LIVE, WAITING, Job
from boundlab.ui.pages.train import engine
from boundlab.ui.pages.train.row import job_name, job_title, row
from boundlab.ui.privacy import plain
from boundlab.ui.visitor import at_home

_ROWS = 4
_ORDER = (*LIVE, *WAITING, "paused", "lost", "failed", "done", "stopped")


def _rank(state: str) -> int:
    """Running and stopping are one: a click must not move what the next click is meant for."""
    return max(1, _ORDER.index(state))


def sorted_jobs(every: Sequence[Job]) -> list[Job]:
    """As the board shows them at first: what runs, what waits in its order, then the rest, newest first."""
    waiting = {job.id: place for place, job in enumerate(queue.in_order(every))}
    return sorted(every, key=lambda job: (_rank(job.state), waiting.get(job.id, 0), -job.submitted, job.id))


def _in_place(every: Sequence[Job]) -> list[Job]:
    """In the order of this visit: a row keeps its place whatever becomes of its job, so that no click hits another's; new
    jobs come on top."""
    found = {job.id: job for job in sorted_jobs(every)}
    known = [name for name in st.session_state.get("job_order", []) if name in found]
    st.session_state["job_order"] = order = [*(name for name in found if name not in known), *known]
    return [found[name] for name in order]


def _shown(every: Sequence[Job], watched: str | None) -> list[Job]:
    """The first rows, what runs or waits, what is watched; and what was shown before in this visit stays."""
    before = st.session_state.get("job_rows", set())
    all_of_them = st.session_state.get("all_jobs", False)
    rows = [
        job
        for place, job in enumerate(every)
        if all_of_them or place < _ROWS or job.id in (watched, *before) or job.state in (*WAITING, *LIVE)
    ]
    if not all_of_them:
        st.session_state["job_rows"] = {job.id for job in rows}
    return rows


def trouble(machine: Scheduler) -> None:
    """Why a job cannot be started."""
    if machine.trouble:
        # what is wrong names somebody's run
        why = machine.trouble if at_home() else "the page of whoever runs this server says why"
        st.error(f"A job cannot be started: {plain(why)}.")


def board(
    every: Sequence[Job], mine: Sequence[Job], watched: str | None, me: str, machine: Scheduler, apart: bool = False
) -> None:
    """`every`: all jobs of the server; `mine`: those this reader may act on; `apart`: the row of the watched one is elsewhere."""
    own = {job.id for job in mine}
    others = [job for job in every if job.id not in own]
    here = _in_place(mine)
    rows = _shown(here, watched)
    for job in rows:
        if not (apart and job.id == watched):
            row(job, every, watched, me, machine)
    if len(every) > 1 or others:
        st.caption(_summary(every, others, machine))
    if len(rows) < len(here) or st.session_state.get("all_jobs", False):
        st.toggle(f"Show all {len(here)} jobs", key="all_jobs")
    _several(here, me)


def _several(shown: Sequence[Job], me: str) -> None:
    """What may be done with many at once."""

    def of(*states: str) -> list[Job]:
        return [job for job in shown if job.state in states and not job.spec.watched]

    interrupted, busy, stopped = of("lost"), of("running", *WAITING), of("stopped")
    with st.container(horizontal=True):
        if len(interrupted) > 1:
            resume = partial(engine.resume_all, me)
            _all("Resume all {} interrupted jobs", "restart_alt", "all_resume", resume, interrupted)
        if len(busy) > 2:
            _all("Stop all {} jobs", "stop", "all_stop", engine.stop, busy)
        if len(stopped) > 2:
            with st.popover(f"Delete all {len(stopped)} stopped jobs", icon=":material/delete:"):
                st.markdown("Delete these runs and all they recorded?\n" + "".join(f"\n- {_title(j)}" for j in stopped))
                _all("Delete these {} runs", "delete", "all_delete", engine.delete_all, stopped)


def _title(job: Job) -> str:
    return job_title(job.spec)


def _all(words: str, icon: str, key: str, what: Callable[..., None], chosen: Sequence[Job]) -> None:
    names = "; ".join(job_name(job.spec) for job in chosen)
    label = words.format(len(chosen))
    st.button(label, icon=f":material/{icon}:", help=names, key=key, on_click=what, args=list(chosen))


def _summary(every: Sequence[Job], others: Sequence[Job], machine: Scheduler) -> str:
    running, waiting = (sum(job.state in states for job in every) for states in (LIVE, WAITING))
    words = f"{running} running, {waiting} waiting; {machine.limits.running} processes at a time"
    if machine.gpus:
        words += f" on the CPU, {len(machine.gpus)} on GPUs"
    busy = sum(job.state in (*LIVE, *WAITING) for job in others)
    return words + (f" · {busy} of them somebody else's" if busy else "")
