"""A job on the board: state, progress, time left, and a button for everything that may be done with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import streamlit as st

from boundlab.jobs import queue
from boundlab.jobs.cost import estimate
from boundlab.jobs.scheduler import Scheduler
from boundlab.jobs.time_left import remaining
from boundlab.runs.job import LIVE, RESTING, WAITING, Job
from boundlab.specs.recipes import described
from boundlab.specs.run import RunSpec
from boundlab.specs.work import sample_size
from boundlab.text import in_words
from boundlab.ui.pages.train import engine
from boundlab.ui.privacy import plain

_SILENT = 30.0  # seconds without a heartbeat after which a process may hang
_KILLED = "its program ended without a word, as a killed one does"
_ITS_OWN = "Trained by a program of its own, which alone can pause it, stop it or go on; a page can only show it, and delete it once it ended."
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


def job_title(spec: RunSpec) -> str:
    """What is trained, in a line."""
    name, *rest = described(spec)
    return " · ".join((f"**{name}**", *rest))


def job_name(spec: RunSpec) -> str:
    """The same in plain text, for buttons."""
    return ", ".join(described(spec))


def row(job: Job, every: Sequence[Job], watched: str | None, me: str, machine: Scheduler) -> None:
    """One job of `every`; `watched`: the id of the one whose curves are shown."""
    with st.container(border=True, key=f"job_{job.id}", gap="xsmall"):
        name, buttons = st.columns([3, 1], vertical_alignment="center")
        with name, st.container(horizontal=True, vertical_alignment="center", wrap=False):
            st.badge(job.state, icon=_ICONS[job.state], color=_COLOURS.get(job.state, "gray"))
            st.markdown(f"{job_title(job.spec)} &nbsp; :small[:gray[{_words(job, every, machine)}]]", width="stretch")
        with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="xsmall"):
            _buttons(job, watched, me)
        unknown = job.spec.watched and not job.steps  # how many epochs there will be
        if not unknown and (job.state in LIVE or (job.step and job.state in RESTING)):
            st.progress(min(1.0, job.step / job.steps) if job.steps else 0.0)
        if job.state == "lost":
            then = (
                _ITS_OWN if job.spec.watched else "What it recorded is kept; Resume goes on from its last checkpoint."
            )
            how = _KILLED if job.spec.watched else "its process ended without a word, perhaps with the server"
            st.caption(f"Interrupted: {plain(job.error or how)}. {then}")
        elif job.error:
            st.error(f"{plain(job.error)}.")
        if job.spec.watched and job.state not in ("done", "lost"):
            st.caption(_ITS_OWN)
        if job.note:
            st.caption(f":material/info: {plain(job.note)}")


def _words(job: Job, every: Sequence[Job], machine: Scheduler) -> str:
    if job.state in WAITING:
        return _wait(job, every, machine)
    return "" if job.state == "done" else _progress(job)


def _progress(job: Job) -> str:
    if job.spec.watched:
        return _watched_progress(job)
    epoch = job.spec.train.epochs * job.step / job.steps if job.steps else 0.0
    words = f"epoch {epoch:.0f} of {job.spec.train.epochs}"
    if job.state == "running":
        if not job.steps:
            return f"starting on {job.used or 'its device'}"
        words += f" · {in_words(_left(job))} left · {job.used or 'starting'}"
        if job.heartbeat and time.time() - job.heartbeat > _SILENT:
            words += f" · no sign of life for {time.time() - job.heartbeat:.0f} s: stop it and resume"
    return words + (" · keeping what it has" if job.state == "stopping" else "")


def _watched_progress(job: Job) -> str:
    """Of what another program trains, whose epochs may not be known and whose process may wait for somebody."""
    epoch = f"epoch {job.step // -(-sample_size(job.spec) // job.spec.train.batch_size)}"
    words = f"{epoch} of {job.spec.train.epochs}" if job.steps else epoch
    return f"{words} · live from its own program, on {job.used or 'its device'}" if job.state == "running" else words


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

    name, here = job_name(job.spec), not job.spec.watched
    if job.state == "running" and here:
        button("pause", "pause", f"Pause {name}: keeps everything and frees its place", engine.pause, job)
    if job.state in (*WAITING, "running") and here:
        button("stop", "stop", f"Stop {name}: keeps what is recorded; it can go on later", engine.stop, job)
    if job.state in RESTING and here:
        word = "Retry" if job.state == "failed" else "Resume"
        button("resume", "play_arrow", f"{word} {name}: goes on from its last checkpoint", engine.resume_all, me, job)
    if job.state in (*RESTING, "done"):
        with st.popover("", icon=":material/delete:", help=f"Delete {name}", key=f"ask_{job.id}"):
            st.markdown(f"Delete {job_title(job.spec)} and all it recorded?")
            delete = f"Delete {name}"
            st.button(delete, type="primary", key=f"delete_{job.id}", on_click=engine.delete_all, args=(job,))
    if job.id != watched and job.recorded:
        button("watch", "monitoring", f"Show the curves of {name}", engine.watch, job.id)
