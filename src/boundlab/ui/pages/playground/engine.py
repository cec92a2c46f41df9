"""What the buttons of the Playground do. Errors become notes on the page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from boundlab.analysis.sweep import rounded_value
from boundlab.jobs import played
from boundlab.runs.job import Job
from boundlab.runs.places import runs_folder
from boundlab.specs.played import Played
from boundlab.specs.run import RunSpec
from boundlab.ui import server
from boundlab.ui.actions import failure
from boundlab.ui.address import put
from boundlab.ui.pages.playground.sweep import Sweep
from boundlab.ui.privacy import ASKED, plain
from boundlab.ui.visitor import address

SEEDS = 100
PLAYING = "played"  # in the session: whether a change of the handles starts the new sweep at once
HANDLE_MOVED = "play_moved"  # a button has moved a handle: the whole page runs again
PLAY_NOTE = "play_note"  # why the last click did not do what it is for
GAVE_WAY = "play_gave_way"  # whether another tab of this reader stopped it


def play_these(specs: Sequence[RunSpec], me: str) -> None:
    """Train these, in the place of what else this reader plays."""
    machine = server.scheduler()
    st.session_state.setdefault(ASKED, set()).update(spec.id for spec in specs)
    failed = failure(
        partial(played.play, specs, me, runs_folder(), machine.limits, address()), partial(played.prune, runs_folder())
    )
    _note(failed)
    st.session_state[PLAYING], st.session_state[GAVE_WAY] = failed is None, False
    machine.wake()


def go_on(specs: Sequence[RunSpec], me: str) -> None:
    """What stopped without a word of this tab: somebody who asked for it first left, and it trains on; or this reader plays
    something else in another tab, and that has its way."""
    wanted, out = {spec.id for spec in specs}, runs_folder()
    if any(job.id not in wanted for job in played.playing(me, out)):
        st.session_state[PLAYING], st.session_state[GAVE_WAY] = False, True
    else:
        play_these(specs, me)


def another_seed(now: Played) -> None:
    """Move the seed, and train."""
    put("seed", [str((now.seed + 1) % SEEDS)])
    st.session_state[PLAYING] = st.session_state[HANDLE_MOVED] = True


def pause_these(jobs: Sequence[Job], me: str) -> None:
    """Keep what is recorded and free the places; what somebody else asked for goes on without this reader."""
    _note(failure(partial(played.stop_played, [job for job in jobs if job.owner == me], "pause")))
    st.session_state[PLAYING] = False
    server.scheduler().wake()


def keep_these(jobs: Sequence[Job]) -> None:
    """Let all pages show them."""
    _note(failure(partial(played.keep_played, jobs)))


def certify_these(sweep: Sweep, decay: float, me: str) -> bool:
    """Have what is finished certified by Theorem D2, the network at `decay` first; returns whether more of it is to come."""
    first = sorted(sweep.specs, key=lambda spec: spec.train.weight_decay != decay)
    folders = (
        [sweep.jobs[s.id].folder for s in first if s.id in sweep.jobs and rounded_value(sweep.runs[s.id]) is None]
        if sweep.finished
        else []
    )
    try:
        return server.certifying().want(me, folders)
    except OSError:  # no room for a process: without it then
        return False


def _note(failed: str | None) -> None:
    st.session_state[PLAY_NOTE] = f"{plain(failed)}." if failed else ""
