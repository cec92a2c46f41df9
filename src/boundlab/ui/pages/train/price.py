"""What a run will cost, and what is refused because of it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from boundlab.jobs.cost import epochs_for_plateau, estimate
from boundlab.jobs.scheduler import Scheduler
from boundlab.runs.job import WAITING, Job
from boundlab.specs.run import PLATEAU, RunSpec
from boundlab.specs.stacking import together
from boundlab.specs.work import memory, sample_size
from boundlab.system.devices import Device
from boundlab.text import in_words
from boundlab.ui.pages.train import engine
from boundlab.ui.training_limit import longest


def _where(device: str, machine: Scheduler) -> Device:
    """The device that a run asked for on `device` gets."""
    return next(iter([*(machine.gpus if device != "cpu" else []), *(machine.devices or [])]))


def refused(spec: RunSpec, device: str, machine: Scheduler, every: Sequence[Job] = ()) -> str | None:
    """Why this machine does not take the run, None where it does; `every`: all jobs of the server."""
    if machine.devices is None:
        return None
    where = _where(device, machine)
    need = estimate(spec, where.kind, engine.measured_runs())
    if need.memory > where.memory:
        return (
            f"this run needs about {need.memory / 2**30:,.1f} GiB of memory and {where.title} has {where.memory / 2**30:,.1f}; "
            "take a smaller network or batch"
        )
    if where.kind == "cpu" and need.memory > (free := machine.memory_most(every)):
        return (
            f"this run needs about {need.memory / 2**30:,.1f} GiB of memory and of {where.title} only {free / 2**30:,.1f} would be "
            "free for it once no other run is there; take a smaller network or batch, or end other programs"
        )
    if longest() and need.seconds > 60 * longest():
        return (
            f"this run would take {in_words(need.seconds)}, and {longest()} minutes is the most here (BOUNDLAB_MINUTES); "
            "take fewer epochs, fewer images or a smaller network"
        )
    return None


def price(specs: Sequence[RunSpec], device: str, machine: Scheduler) -> None:
    """What pressing the button will cost."""
    if machine.devices is None:
        st.caption("Looking for devices …")
        return
    where = _where(device, machine)
    teams = together(specs, lambda spec: spec, where.kind, _at_once(where, machine))
    measured = engine.measured_runs()
    prices = [[estimate(spec, where.kind, measured, len(team)) for spec in team] for team in teams]
    at_once = min(len(teams), _at_once(where, machine))
    costs = [sum(price.seconds for price in team) for team in prices]
    seconds = max(*costs, sum(costs) / at_once) if len(teams) > 1 else costs[0]
    words = in_words(seconds)
    many = _many(teams, at_once)
    work = sum(price.multiply_adds for team in prices for price in team)
    low, high = (in_words(seconds * factor) for factor in prices[0][0].spread)
    st.markdown(
        f"**{words[0].upper()}{words[1:]}**{many}, on {where.title}",
        help=f"{work / 1e9:,.3g} billion multiply-adds · {low} to {high}, {prices[0][0].basis}; a busy machine takes longer",
    )
    if where.note:
        st.caption(f":material/info: GPUs could not be looked for: {where.note}.")


def _many(teams: Sequence[Sequence[RunSpec]], at_once: int) -> str:
    """How several runs are trained, in words."""
    most = max(map(len, teams))
    if most > 1:
        return f" in all, {'' if len(teams) == 1 else 'up to '}{most} trained together" + (
            f", {at_once} such groups at a time" if at_once > 1 else ""
        )
    return f" in all, {at_once} at a time" if len(teams) > 1 else ""


def waits_for_memory(specs: Sequence[RunSpec], device: str, machine: Scheduler, every: Sequence[Job]) -> None:
    """Say that these runs will wait, where they do not fit beside what runs and waits already."""
    if machine.devices is None or _where(device, machine).kind != "cpu":
        return
    need = max(memory(spec) for spec in specs)
    ahead = sum(memory(job.spec) for job in every if job.state in WAITING and machine.kind(job) == "cpu")
    free = machine.memory_left(every)
    if need > free - ahead:
        before = f" and {ahead / 2**30:,.1f} GiB are wanted by runs that wait" if ahead else ""
        st.caption(
            f":material/info: {'It needs' if len(specs) == 1 else 'The largest needs'} about {need / 2**30:,.1f} GiB of memory; "
            f"{free / 2**30:,.1f} GiB are free beside what runs{before}: it will wait in line until there is room."
        )


def _at_once(where: Device, machine: Scheduler) -> int:
    return max(1, len(machine.gpus)) if where.kind == "cuda" else machine.limits.running


def plateau(specs: Sequence[RunSpec]) -> None:
    """Whether weight decay will have had time to act."""
    short = [spec for spec in specs if spec.needs_plateau and spec.plateau_number(sample_size(spec)) < PLATEAU]
    if not short:
        return
    which = "This run" if len(specs) == 1 else "These runs"
    which = f"{len(short)} of these {len(specs)} runs" if len(short) < len(specs) else which
    needs = [epochs_for_plateau(spec) for spec in short]
    advice = (
        f"{max(filter(None, needs)):,} epochs would do" if all(needs) else "without weight decay they never come down"
    )
    st.caption(
        f":material/info: {which} will end before "
        f"weight decay has brought the norms down (plateau number below {PLATEAU:g}), and will be marked so; "
        f"{advice}."
    )
