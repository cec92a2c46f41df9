"""The page Playground: handles at the left, the sweep in the middle, one of its networks at the right."""

from __future__ import annotations

import streamlit as st

from boundlab.data import locate
from boundlab.specs.played import Played
from boundlab.ui import server
from boundlab.ui.address import arrived_with, here, put
from boundlab.ui.controls import Controls
from boundlab.ui.download import data_ready
from boundlab.ui.pages.playground import engine
from boundlab.ui.pages.playground.choice import choose_played
from boundlab.ui.pages.playground.stage import OF_THE_STAGE, network_panel, stage
from boundlab.ui.pages.playground.sweep import look
from boundlab.ui.privacy import plain
from boundlab.ui.visitor import visitor

_NOW, _GHOST = "play_now", "play_ghost"  # in the session: what is played, and what was before it
_GHOST_PARAM = "ghost"
_LOOK = """<style>
@media (min-width: 641px) {
  [data-testid="stMainBlockContainer"] { padding-left: 1.5rem; padding-right: 1.5rem; padding-top: 2.2rem; }
}
@media (max-width: 640px) { [data-testid="stColumn"]:has(.st-key-playground_stage) { order: -1; } }
</style>"""
_REFRESH = 0.3  # seconds, while something trains
_SELDOM = 1.5


def playground() -> None:
    """Everything on the page; the middle and the right refresh by themselves while something trains."""
    me = visitor()
    try:
        server.scheduler().wake()
    except ValueError as error:
        st.error(f"The dashboard was started with a setting it cannot use: {error}.")
        return
    left, middle, right = st.columns([29, 53, 18], gap="medium")
    with left:
        card = st.container(border=True, gap="xsmall")
        st.html(_LOOK)
    with card:
        controls = Controls("handles")
    with controls:
        controls.answers_for = here().known - OF_THE_STAGE - {_GHOST_PARAM}
        with card:
            played = choose_played(controls)
        if played is None:
            return
        with right:
            decay = _decay(controls, played)
        ghost = _ghost(controls, played, me)
    sweep = look(played.specs, me)
    if st.session_state.get(engine.PLAYING) and sweep.missing and not locate.missing(played.dataset):
        engine.play_these(played.specs, me)
        sweep = look(played.specs, me)
    coming = engine.certify_these(sweep, decay, me)
    every = _REFRESH if sweep.moving else _SELDOM if coming else None
    with middle, st.container(key="playground_stage"):
        data_ready(played.dataset)
        st.fragment(stage, run_every=every)(played, ghost, decay, me, (sweep.moving, coming))
    with right:
        st.fragment(network_panel, run_every=_SELDOM if sweep.moving else None)(played, decay, me)


def _decay(controls: Controls, played: Played) -> float:
    """The weight decay whose network stands at the right."""
    decays = {f"{spec.train.weight_decay:g}": spec.train.weight_decay for spec in played.specs}
    return decays[controls.slide("The network at λ =", list(decays), "wd", "0.004")]


def _ghost(controls: Controls, played: Played, me: str) -> Played | None:
    """What was played before this, where there is something of it to draw; a link may say so too."""
    controls.own(_GHOST_PARAM)
    if (linked := arrived_with(_GHOST_PARAM)) is not None and linked:
        st.session_state[_GHOST] = _parsed(controls, linked[-1], me)
        st.session_state[_NOW] = played
    before: Played | None = st.session_state.get(_NOW)
    if before is not None and before != played:
        left = look(before.specs, me)
        if left.runs or left.latest:
            st.session_state[_GHOST] = before
    st.session_state[_NOW] = played
    ghost: Played | None = st.session_state.get(_GHOST)
    if ghost is not None and (ghost == played or ghost.dataset != played.dataset):
        ghost = None  # other images: nothing to compare
    put(_GHOST_PARAM, [ghost.written] if ghost else [])
    return ghost


def _parsed(controls: Controls, text: str, me: str) -> Played | None:
    """What a link puts behind the curves; None, and a note, where it is nothing, or nothing of it is here."""
    try:
        ghost = Played.parse(text)
    except ValueError as error:
        controls.own(_GHOST_PARAM, f"In the link, `ghost`: {plain(str(error))}.")
        return None
    there = look(ghost.specs, me)
    if there.runs or there.latest:
        return ghost
    controls.own(
        _GHOST_PARAM, f"In the link, `ghost`: {ghost.title} was never played here, so nothing is drawn behind."
    )
    return None
