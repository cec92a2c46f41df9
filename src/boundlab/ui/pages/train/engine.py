"""The server's one scheduler, and what a reader may do with jobs. Errors become notes on the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from boundlab.errors import BoundlabError
from boundlab.jobs import queue
from boundlab.jobs.cost import Measured, read_measured
from boundlab.runs.job import Job
from boundlab.runs.places import runs_folder
from boundlab.specs.run import RunSpec
from boundlab.ui import server
from boundlab.ui.actions import failure
from boundlab.ui.address import put
from boundlab.ui.privacy import ASKED, plain
from boundlab.ui.visitor import address, at_home

_NOTES = "train_notes"  # (kind, words) of what the last click led to
WATCHED, FORM = "run", "form"  # in the link: the run that is shown; whether the form is open


@st.cache_data(show_spinner=False, ttl=30, max_entries=1)
def measured_runs() -> list[Measured]:
    """What finished runs took on this machine."""
    return read_measured(runs_folder())


def may(job: Job, me: str) -> bool:
    """Whether this reader may pause, stop, resume and delete a job: it is theirs, or the whole server is."""
    return job.owner == me or at_home()


def notes() -> list[tuple[str, str]]:
    """(kind, words) of what the last click led to; they stay until the next one."""
    return st.session_state.get(_NOTES, [])


def _act(*steps: Callable[[], object]) -> None:
    """Do what a button is for, as its callback; what goes wrong is said on the page; the scheduler looks at once."""
    failed = failure(*steps)
    st.session_state[_NOTES] = [("error", f"{plain(failed)}.")] if failed else []
    server.scheduler().wake()


def share_ticked(job: Job, key: str) -> None:
    """As the reader has set the switch `key`."""
    _act(partial(queue.share, job, bool(st.session_state[key])))


def submit_all(specs: Sequence[RunSpec], device: str, me: str) -> None:
    """Queue the runs; watch the first. What exists already is shown instead."""
    found: list[tuple[str, str]] = []
    first: str | None = None
    for spec in specs:
        try:
            before = (runs_folder() / spec.id / "spec.json").exists()
            job = queue.submit(spec, me, device, runs_folder(), server.scheduler().limits, address())
        except (BoundlabError, ValueError) as error:
            found.append(("error", f"Not started: {plain(str(error))}."))
            break
        first = first or job.id
        st.session_state.setdefault(ASKED, set()).add(job.id)
        if before and job.state == "done":
            found.append(("info", f"`{job.id}` was trained before: the same settings are the same run. Here it is."))
        elif before and job.owner != me:
            found.append(
                ("info", f"`{job.id}` is somebody else's too: the same settings are one run. You can watch it.")
            )
    st.session_state[_NOTES] = found
    if first:
        watch(first)
        st.session_state[FORM] = False
    server.scheduler().wake()


def watch(run: str) -> None:
    """Show this run below."""
    put(WATCHED, [run])
    st.session_state["moved"] = True


def pause(job: Job) -> None:
    """Keep everything and free its place."""
    _act(partial(queue.ask, job, "pause"))


def stop(*given: Job) -> None:
    """Keep what is recorded; a job can go on later."""
    _act(*(partial(queue.ask, job, "stop") for job in given))


def resume_all(me: str, *given: Job) -> None:
    """Go on from their last checkpoints, as jobs of `me`."""
    _act(*(partial(queue.resume, job, me, server.scheduler().limits, address()) for job in given))


def delete_all(*given: Job) -> None:
    """Forget the jobs and all that they recorded."""
    _act(*(partial(queue.delete, job) for job in given))
