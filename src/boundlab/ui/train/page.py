"""The Train page: form, cost, button; jobs; curves of the one that is watched."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from boundlab import cost, jobs
from boundlab.devices import Device
from boundlab.jobs import DEVICES, LIVE, WAITING, Job
from boundlab.runs import runs_folder
from boundlab.scheduler import Scheduler
from boundlab.specs import PLATEAU, RunSpec
from boundlab.ui.controls import Controls
from boundlab.ui.train import engine
from boundlab.ui.train.board import board, sorted_jobs
from boundlab.ui.train.data import data_ready
from boundlab.ui.train.form import form
from boundlab.ui.train.view import view
from boundlab.ui.visitor import visitor


def train() -> None:
    """Everything on the page; only the lower part refreshes by itself, and only while a job lives."""
    me = visitor()
    try:
        machine = engine.scheduler()
    except ValueError as error:
        st.error(f"The dashboard was started with a setting it cannot use: {error}.")
        return
    machine.wake()
    st.fragment(_order, run_every=None if machine.devices else 1.0)(me, machine, machine.devices is None)
    alive = _alive(_jobs(), me)
    st.fragment(_watch, run_every=1.0 if alive else None)(me, machine, alive)


def _jobs() -> list[Job]:
    return jobs.jobs(runs_folder()) if runs_folder().is_dir() else []


def _alive(every: Sequence[Job], me: str) -> bool:
    """Whether something this reader looks at will change by itself."""
    watched = st.query_params.get(engine.WATCHED)
    return any(job.state in (*LIVE, *WAITING) for job in every if job.id == watched or engine.may(job, me))


def _order(me: str, machine: Scheduler, waiting: bool) -> None:
    """What to train, what it costs, and the button; `waiting`: the devices were not known yet."""
    if st.session_state.pop("moved", False) or waiting != (machine.devices is None):
        st.rerun()
    controls = Controls()
    specs, wrong = form(controls)
    ready = bool(specs) and data_ready(specs[0].train.dataset)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        device = _device(controls, machine)
        st.button(
            "Train" if len(specs) < 2 else f"Train {len(specs)} runs",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not ready,
            on_click=engine.submit,
            args=(specs, device, me),
        )
        if specs:
            st.markdown(_price(specs, device, machine))
    if wrong:
        st.error(f"{wrong}.", icon=":material/error:")
    _plateau(specs)


def _device(controls: Controls, machine: Scheduler) -> str:
    """Where to train: chosen automatically unless the reader says otherwise."""
    options = DEVICES if machine.gpus else DEVICES[:2]
    return controls.pick("Device", options, "device", "auto: a GPU where there is one, else the CPU")


def _price(specs: Sequence[RunSpec], device: str, machine: Scheduler) -> str:
    """What pressing the button will cost, in words."""
    names = machine.devices
    if names is None:
        return ":gray[Looking for devices …]"
    where = machine.gpus[0] if machine.gpus and device != "cpu" else next(d for d in names if d.kind == "cpu")
    prices = [cost.estimate(spec, where.kind, engine.measured()) for spec in specs]
    each, total = max(p.seconds for p in prices), sum(p.seconds for p in prices)
    at_once = min(len(specs), _at_once(where, machine))
    words = (
        f"{cost.in_words(each)}" if len(specs) == 1 else f"{cost.in_words(total / at_once)} in all, {at_once} at a time"
    )
    work = sum(p.multiply_adds for p in prices)
    return f"**{words}** on {where.title} :gray[· {work:.1e} multiply-adds · {prices[0].basis}]"


def _at_once(where: Device, machine: Scheduler) -> int:
    return max(1, len(machine.gpus)) if where.kind == "cuda" else machine.limits.running


def _plateau(specs: Sequence[RunSpec]) -> None:
    """Whether weight decay will have had time to act."""
    short = [
        spec for spec in specs if spec.train.loss == "mse" and spec.plateau_number(cost.sample_size(spec)) < PLATEAU
    ]
    if not short:
        return
    needs = [cost.epochs_for_plateau(spec) for spec in short]
    advice = (
        f"{max(filter(None, needs)):,} epochs would do" if all(needs) else "without weight decay they never come down"
    )
    st.caption(
        f":material/info: {'This run' if len(specs) == 1 else f'{len(short)} of these {len(specs)} runs'} will end before "
        f"weight decay has brought the norms down (plateau number below {PLATEAU:g}), and will be marked so; "
        f"{advice}."
    )


def _watch(me: str, machine: Scheduler, was_alive: bool) -> None:
    """Jobs and curves."""
    if st.session_state.pop("moved", False):
        st.rerun()
    machine.wake()
    every = _jobs()
    if _alive(every, me) != was_alive:
        st.rerun()  # begin, or cease, to refresh
    controls = Controls()
    for kind, words in engine.notes():
        (st.error if kind == "error" else st.info)(words)
    mine = [job for job in every if engine.may(job, me)]
    watched = _watched(controls, every, mine)
    board(every, mine, watched.id if watched else None, me, machine)
    if watched:
        view(controls, watched)


def _watched(controls: Controls, every: Sequence[Job], mine: Sequence[Job]) -> Job | None:
    """The run that the link names, else the reader's first."""
    controls.check(engine.WATCHED, [job.id for job in every] or ["(none yet)"], "Run")
    named = st.query_params.get(engine.WATCHED)
    return next((job for job in every if job.id == named), next(iter(sorted_jobs(mine)), None))
