"""The row above the chart of the Playground: a button, and how the sweep stands."""

from __future__ import annotations

import math

import streamlit as st

from boundlab.analysis.sweep import epoch_reached
from boundlab.data import locate
from boundlab.specs.played import Played
from boundlab.text import in_words
from boundlab.ui.pages.playground import engine
from boundlab.ui.pages.playground.sweep import Sweep, place_in_line
from boundlab.ui.privacy import plain


def buttons(sweep: Sweep, played: Played, me: str) -> None:
    """Play or pause, how far it is, and what went wrong."""
    ready = not locate.missing(played.dataset)
    with st.container(horizontal=True, vertical_alignment="center"):
        if sweep.live:
            st.button(
                "Pause", type="primary", icon=":material/pause:", on_click=engine.pause_these, args=(sweep.live, me)
            )
        elif sweep.missing:
            st.button(
                "Play", type="primary", icon=":material/play_arrow:", disabled=not ready,
                on_click=engine.play_these, args=(played.specs, me),
            )  # fmt: skip
        else:
            st.button(
                "Another seed", icon=":material/casino:", disabled=not ready, on_click=engine.another_seed, args=(played,),
                help="Train the same networks again from other random weights.",
            )  # fmt: skip
        st.markdown(_state(sweep))
    if note := st.session_state.get(engine.PLAY_NOTE):
        st.error(note, icon=":material/error:")
    if sweep.missing and st.session_state.get(engine.GAVE_WAY):
        st.info("Stopped: you play something else in another tab. Play brings this one back.", icon=":material/tab:")
    for job in sweep.failed[:1]:
        st.error(f"λ = {job.spec.train.weight_decay:g} ended: {plain(job.error or '')}. Press Play to try again.")


def _state(sweep: Sweep) -> str:
    count, epochs = len(sweep.specs), sweep.specs[0].train.epochs
    if sweep.finished:
        return f"**{count} networks**, one per λ, after {epochs} epochs"
    if not sweep.latest:
        if sweep.live:
            return _waiting(sweep)
        return f"**{count} networks**, one per λ, train at once."
    now = epoch_reached(list(sweep.latest.values()))
    halted = ", interrupted: Play goes on from there" if sweep.missing else ""
    return f"**Epoch {math.floor(now)}** of {epochs}{halted}" + (f" · {left}" if (left := _left(sweep)) else "")


def _waiting(sweep: Sweep) -> str:
    if any(job.state == "running" for job in sweep.live):
        return "**Starting**"
    ahead = place_in_line(sweep)
    return "**In line**, " + (f"{ahead} before you" if ahead else "next")


def _left(sweep: Sweep) -> str:
    """Time left, by what these trained so far."""
    running = [job for job in sweep.live if job.began is not None and job.heartbeat is not None and job.steps]
    rates = [
        (job.step - job.began[1]) / max(1e-3, job.heartbeat - job.began[0])  # type: ignore[index, operator]
        for job in running
    ]
    if not rates or min(rates) <= 0:
        return ""
    seconds = max((job.steps - job.step) / rate for job, rate in zip(running, rates, strict=True))  # type: ignore[operator]
    return f"{in_words(seconds)} left" if math.isfinite(seconds) else ""
