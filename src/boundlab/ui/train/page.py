"""The Train page: form, cost, button; jobs; curves of the one that is watched."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from boundlab import jobs, sources
from boundlab.cost import epochs_for_plateau, estimate, in_words, sample_size
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
    with st.expander(
        "New run: data, network, weight decay, seeds",
        icon=":material/add:",
        expanded=True,
        key=engine.FORM,
        on_change="rerun",
        bind="query-params",
    ):
        specs, wrong, row = form(controls)
        with row:
            device = _device(controls, machine)
            ready = bool(specs) and not sources.missing(specs[0].train.dataset)
            st.button(
                "Train" if len(specs) < 2 else f"Train {len(specs)} runs",
                type="primary",
                icon=":material/play_arrow:",
                disabled=not ready,
                on_click=engine.submit,
                args=(specs, device, me),
            )
        if wrong:
            st.error(f"{wrong}.", icon=":material/error:")
        if specs:
            data_ready(specs[0].train.dataset)
            _price(specs, device, machine)
            _plateau(specs)


def _device(controls: Controls, machine: Scheduler) -> str:
    """Where to train: chosen automatically unless the reader says otherwise."""
    options = DEVICES if machine.gpus else DEVICES[:2]
    return controls.pick("Device", options, "device", "auto: a GPU where there is one, else the CPU")


def _price(specs: Sequence[RunSpec], device: str, machine: Scheduler) -> None:
    """What pressing the button will cost."""
    if machine.devices is None:
        st.caption("Looking for devices …")
        return
    where = next(d for d in (*(machine.gpus if device != "cpu" else ()), *machine.devices) if d)
    prices = [estimate(spec, where.kind, engine.measured()) for spec in specs]
    at_once = min(len(specs), _at_once(where, machine))
    longest, total = max(p.seconds for p in prices), sum(p.seconds for p in prices)
    words = in_words(longest if len(specs) == 1 else max(longest, total / at_once))
    many = "" if len(specs) == 1 else f" in all, {at_once} at a time"
    work = sum(p.multiply_adds for p in prices)
    st.markdown(f"**{words[0].upper()}{words[1:]}**{many}, on {where.title}")
    st.caption(f"{work / 1e9:,.3g} billion multiply-adds · estimated {prices[0].basis}")
    if where.note:
        st.caption(f":material/info: GPUs could not be looked for: {where.note}.")


def _at_once(where: Device, machine: Scheduler) -> int:
    return max(1, len(machine.gpus)) if where.kind == "cuda" else machine.limits.running


def _plateau(specs: Sequence[RunSpec]) -> None:
    """Whether weight decay will have had time to act."""
    short = [spec for spec in specs if spec.train.loss == "mse" and spec.plateau_number(sample_size(spec)) < PLATEAU]
    if not short:
        return
    needs = [epochs_for_plateau(spec) for spec in short]
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
