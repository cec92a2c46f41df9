"""The Train page: form, cost, button; jobs; curves of the one that is watched."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from boundlab.data import locate
from boundlab.jobs import queue
from boundlab.jobs.scheduler import Scheduler
from boundlab.runs.job import LIVE, WAITING, Job
from boundlab.runs.places import runs_folder
from boundlab.specs.run import DEVICES, RunSpec
from boundlab.ui import server
from boundlab.ui.address import get, here
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.download import data_ready
from boundlab.ui.pages.train import engine
from boundlab.ui.pages.train.board import board, sorted_jobs, trouble
from boundlab.ui.pages.train.form import choose_start, form
from boundlab.ui.pages.train.live import preview
from boundlab.ui.pages.train.price import plateau, price, refused, waits_for_memory
from boundlab.ui.pages.train.row import row
from boundlab.ui.pages.train.view import view
from boundlab.ui.privacy import may_see, plain
from boundlab.ui.training_limit import longest
from boundlab.ui.visitor import visitor
from boundlab.words.live import what_is_trained

_WATCHING = frozenset((engine.WATCHED, "live", "compare", "convention", "delta"))  # names in the link of the lower part
_NOTICE_EVERY = 5.0  # seconds
_WATCHING_SINCE = "train_watching"  # in the session: in which visit a job lived


def train() -> None:
    """Everything on the page; only jobs and curves refresh by themselves, while a job lives."""
    me = visitor()
    try:
        machine, _ = server.scheduler(), longest()
    except ValueError as error:
        st.error(f"The dashboard was started with a setting it cannot use: {error}.")
        return
    machine.wake()
    alive = _alive(_jobs(), me)
    curves_first = _curves_first(alive)
    upper, lower = st.container(key="train_upper"), st.container(key="train_lower")
    with lower if curves_first else upper:
        st.fragment(_order, run_every=None if machine.devices else 1.0)(me, machine, machine.devices is None)
    with upper if curves_first else lower:
        st.fragment(_watch, run_every=1.0 if alive else None)(me, machine, alive, curves_first)
    if not alive:
        st.fragment(_notice, run_every=_NOTICE_EVERY)(me)


def _notice(me: str) -> None:
    """Draw the page again when something has begun elsewhere: a loop of one's own, the command line, another tab."""
    if _alive(_jobs(), me):
        st.rerun()


def _curves_first(alive: bool) -> bool:
    """Whether jobs and curves stand above the form, on the first screen: once a job lives, until the page is left."""
    if alive:
        st.session_state[_WATCHING_SINCE] = here().visit
    return bool(st.session_state.get(_WATCHING_SINCE) == here().visit)


def _jobs() -> list[Job]:
    """All on the server but what was played to its end, which stays in the Playground until it is kept."""
    every = queue.jobs(runs_folder()) if runs_folder().is_dir() else []
    return [job for job in every if not (job.played and job.state == "done")]


def _alive(every: Sequence[Job], me: str) -> bool:
    """Whether something this reader looks at will change by itself."""
    watched = get(engine.WATCHED)
    seen = (job for job in every if engine.may(job, me) or (job.id == watched and may_see(job, me)))
    return any(job.state in (*LIVE, *WAITING) for job in seen)


@with_controls
def _order(controls: Controls, me: str, machine: Scheduler, waiting: bool) -> None:
    """What to train, what it costs, and the button; `waiting`: the devices were not known yet."""
    if st.session_state.pop("moved", False) or waiting != (machine.devices is None):
        st.rerun()
    controls.answers_for = here().known - _WATCHING
    starts, go = st.container(), st.container()
    controls.begin_switch(engine.FORM, "Form", False)
    with st.expander(
        "Customise",
        icon=":material/tune:",
        expanded=bool(st.session_state[engine.FORM]),
        key=engine.FORM,
        on_change="rerun",
    ):
        specs, wrong, row = form(controls)
        with row:
            device = _device(controls, machine)
    controls.keep(engine.FORM, str(bool(st.session_state[engine.FORM])).lower(), "false")
    with starts:
        choose_start()
    with go:
        _go(specs, wrong, device, me, machine)


def _go(specs: list[RunSpec], wrong: str | None, device: str, me: str, machine: Scheduler) -> None:
    """The button, what pressing it costs, and what speaks against it."""
    every = _jobs()
    why_not = next(filter(None, (refused(spec, device, machine, every) for spec in specs)), None)
    ready = bool(specs) and not why_not and not locate.missing(specs[0].train.dataset)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Train" if len(specs) < 2 else f"Train {len(specs)} runs",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not ready,
            on_click=engine.submit_all,
            args=(specs, device, me),
            help="A job goes on when you close the page; you find it here when you come back.",
        )
        if specs:
            with st.container(gap="xxsmall"):
                price(specs, device, machine)
    if wrong or why_not:
        st.error(f"{plain(wrong or why_not or '')}.", icon=":material/error:")
    if specs:
        data_ready(specs[0].train.dataset)
        if not why_not:
            waits_for_memory(specs, device, machine, every)
        plateau(specs)
        words = plain(what_is_trained(specs))
        st.caption(words) if every else preview(specs[0], words)


def _device(controls: Controls, machine: Scheduler) -> str:
    """Where to train: chosen automatically unless the reader says otherwise."""
    options = DEVICES if machine.gpus else DEVICES[:2]
    return controls.pick("Device", options, "device", "auto: a GPU where there is one, else the CPU")


@with_controls
def _watch(controls: Controls, me: str, machine: Scheduler, was_alive: bool, curves_first: bool) -> None:
    """Jobs and curves; `curves_first`: those of the watched one under its own row, before the other jobs."""
    if st.session_state.pop("moved", False):
        st.rerun()
    machine.wake()
    every = _jobs()
    if _alive(every, me) != was_alive:
        st.rerun()  # begin, or cease, to refresh
    controls.answers_for = _WATCHING
    for kind, words in engine.notes():
        (st.error if kind == "error" else st.info)(words)
    mine = [job for job in every if engine.may(job, me)]
    watched = _watched(controls, [job for job in every if may_see(job, me)], mine)
    trouble(machine)
    if watched and curves_first and watched in mine:
        row(watched, every, watched.id, me, machine)
        view(controls, watched, me, alone=True)
        board(every, mine, watched.id, me, machine, apart=True)
        return
    board(every, mine, watched.id if watched else None, me, machine)
    if watched:
        view(controls, watched, me, alone=len(every) == 1)


def _watched(controls: Controls, every: Sequence[Job], mine: Sequence[Job]) -> Job | None:
    """The run of `every` that the link names, else the reader's first."""
    named = controls.hold(engine.WATCHED, [job.id for job in every] or ["(none yet)"], "Run")
    return next((job for job in every if job.id == named), next(iter(sorted_jobs(mine)), None))
