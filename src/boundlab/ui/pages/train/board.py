"""The jobs: state, progress, time left, and a button for everything that may be done with each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import streamlit as st

from boundlab.jobs import queue
from boundlab.jobs.cost import estimate
from boundlab.jobs.scheduler import Scheduler
from boundlab.jobs.time_left import remaining
from boundlab.runs.job import LIVE, RESTING, WAITING, Job
from boundlab.specs.recipes import described
from boundlab.specs.run import RunSpec
from boundlab.text import in_words
from boundlab.ui.pages.train import engine
from boundlab.ui.privacy import plain
from boundlab.ui.visitor import at_home

_ROWS = 4
_SILENT = 30.0  # seconds without a heartbeat after which a process may hang
_ICONS = {
    "queued": ":material/hourglass_empty:",
    "running": ":material/play_circle:",
    "stopping": ":material/pending:",
    "paused": ":material/pause_circle:",
    "stopped": ":material/stop_circle:",
    "done": ":material/check_circle:",
    "failed": ":material/error:",
    "lost": ":material/heart_broken:",
}
_COLOURS: dict[str, Literal["green", "red", "blue"]] = {
    "running": "green",
    "done": "green",
    "failed": "red",
    "lost": "red",
    "queued": "blue",
}
_ORDER = (*LIVE, *WAITING, "paused", "lost", "failed", "done", "stopped")


def job_title(spec: RunSpec) -> str:
    """What is trained, in a line."""
    name, *rest = described(spec)
    return " · ".join((f"**{name}**", *rest))


def job_name(spec: RunSpec) -> str:
    """The same in plain text, for buttons."""
    return ", ".join(described(spec))


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


def board(every: Sequence[Job], mine: Sequence[Job], watched: str | None, me: str, machine: Scheduler) -> None:
    """`every`: all jobs of the server; `mine`: those this reader may act on."""
    own = {job.id for job in mine}
    others = [job for job in every if job.id not in own]
    here = _in_place(mine)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("#### Jobs")
        st.caption(_summary(every, others, machine))
    if machine.trouble:
        why = (
            machine.trouble if at_home() else "the page of whoever runs this server says why"
        )  # it names somebody's run
        st.error(f"A job cannot be started: {plain(why)}.")
    if not here:
        st.caption("None yet: press Train. A job goes on when you close the page; you find it here when you come back.")
    rows = _shown(here, watched)
    for job in rows:
        _row(job, every, watched, me, machine)
    if len(rows) < len(here) or st.session_state.get("all_jobs", False):
        st.toggle(f"Show all {len(here)} jobs", key="all_jobs")
    _several(here, me)


def _several(shown: Sequence[Job], me: str) -> None:
    """What may be done with many at once."""

    def of(*states: str) -> list[Job]:
        return [job for job in shown if job.state in states]

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
    words = f"{running} running, {waiting} waiting; {machine.limits.running} at a time"
    if machine.gpus:
        words += f" on the CPU, {len(machine.gpus)} on GPUs"
    busy = sum(job.state in (*LIVE, *WAITING) for job in others)
    return words + (f" · {busy} of them somebody else's" if busy else "")


def _row(job: Job, every: Sequence[Job], watched: str | None, me: str, machine: Scheduler) -> None:
    with st.container(border=True, key=f"job_{job.id}", gap="xsmall"):
        name, buttons = st.columns([3, 1], vertical_alignment="center")
        with name, st.container(horizontal=True, vertical_alignment="center", wrap=False):
            st.badge(job.state, icon=_ICONS[job.state], color=_COLOURS.get(job.state, "gray"))
            st.markdown(f"{job_title(job.spec)} &nbsp; :small[:gray[{_words(job, every, machine)}]]", width="stretch")
        with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="xsmall"):
            _buttons(job, watched, me)
        if job.state in LIVE or (job.step and job.state in RESTING):
            st.progress(min(1.0, job.step / job.steps) if job.steps else 0.0)
        if job.state == "lost":
            st.caption(
                f"Interrupted: {plain(job.error or 'its process ended without a word, perhaps with the server')}. "
                "What it recorded is kept; Resume goes on from its last checkpoint."
            )
        elif job.error:
            st.error(f"{plain(job.error)}.")
        if job.note:
            st.caption(f":material/info: {plain(job.note)}")


def _words(job: Job, every: Sequence[Job], machine: Scheduler) -> str:
    if job.state in WAITING:
        return _wait(job, every, machine)
    return "" if job.state == "done" else _progress(job)


def _progress(job: Job) -> str:
    epoch = job.spec.train.epochs * job.step / job.steps if job.steps else 0.0
    words = f"epoch {epoch:.0f} of {job.spec.train.epochs}"
    if job.state == "running":
        if not job.steps:
            return f"starting on {job.used or 'its device'}"
        words += f" · {in_words(_left(job))} left · {job.used or 'starting'}"
        if job.heartbeat and time.time() - job.heartbeat > _SILENT:
            words += f" · no sign of life for {time.time() - job.heartbeat:.0f} s: stop it and resume"
    return words + (" · keeping what it has" if job.state == "stopping" else "")


@st.cache_data(show_spinner=False, ttl=30, max_entries=64)
def _expected(_spec: RunSpec, name: str, device: str) -> float:
    """Seconds for the whole run, as expected from what finished runs took; looked up every second, so kept as long."""
    return estimate(_spec, device, engine.measured_runs()).seconds


def _left(job: Job) -> float:
    """Seconds the job still needs, from its own speed and what was expected."""
    began, at = job.began or (time.time(), job.step)
    expected = _expected(job.spec, job.id, job.used or "cpu")
    return remaining(job.step, job.steps or 1, (job.heartbeat or began) - began, expected, at)


def _wait(job: Job, every: Sequence[Job], machine: Scheduler) -> str:
    if machine.devices is None:
        return "Looking for devices …"
    place = queue.position(job, every)
    if job.id in machine.waits:
        need, free = (size / 2**30 for size in machine.waits[job.id])
        return f"Number {place} in line: starts when its {need:,.1f} GiB of memory are free; {free:,.1f} are."
    return (
        f"Number {place} in line"
        + (": starts next." if place == 1 else ".")
        + (f" It has {job.step:,} steps behind it." if job.step else "")
    )


def _buttons(job: Job, watched: str | None, me: str) -> None:
    def button(name: str, icon: str, help: str, what, *args) -> None:
        st.button("", icon=f":material/{icon}:", help=help, key=f"{name}_{job.id}", on_click=what, args=args)

    name = job_name(job.spec)
    if job.state == "running":
        button("pause", "pause", f"Pause {name}: keeps everything and frees its place", engine.pause, job)
    if job.state in (*WAITING, "running"):
        button("stop", "stop", f"Stop {name}: keeps what is recorded; it can go on later", engine.stop, job)
    if job.state in RESTING:
        word = "Retry" if job.state == "failed" else "Resume"
        button("resume", "play_arrow", f"{word} {name}: goes on from its last checkpoint", engine.resume_all, me, job)
    if job.state in (*RESTING, "done"):
        with st.popover("", icon=":material/delete:", help=f"Delete {name}", key=f"ask_{job.id}"):
            st.markdown(f"Delete {job_title(job.spec)} and all it recorded?")
            delete = f"Delete {name}"
            st.button(delete, type="primary", key=f"delete_{job.id}", on_click=engine.delete_all, args=(job,))
    if job.id != watched and job.recorded:
        button("watch", "monitoring", f"Show the curves of {name} below", engine.watch, job.id)
