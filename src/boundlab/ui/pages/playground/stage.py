"""The middle and the right of the Playground: buttons, chart, words, and the network of one weight decay."""

from __future__ import annotations

import math
from functools import partial

import pandas as pd
import streamlit as st

from boundlab.analysis.sweep import SWEEP_DELTA, blank, epoch_reached, sweep_now
from boundlab.data import locate
from boundlab.runs.places import runs_folder
from boundlab.specs.played import Played
from boundlab.specs.run import PLATEAU
from boundlab.specs.work import sample_size
from boundlab.text import format_epoch, in_words
from boundlab.ui import chart, server
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.handle import anchored, handle_at
from boundlab.ui.page import is_dark
from boundlab.ui.pages.playground import engine, picture
from boundlab.ui.pages.playground.network import beside
from boundlab.ui.pages.playground.picture import Stage
from boundlab.ui.pages.playground.sweep import Sweep, look, place_in_line
from boundlab.ui.player import player
from boundlab.ui.privacy import plain
from boundlab.words.played import compared_with_last, dashed, sweep_verdict

OF_THE_STAGE = frozenset(("epoch",))  # names in the link
_KEY = "player_play"


@with_controls
def stage(controls: Controls, played: Played, ghost: Played | None, decay: float, me: str, was_moving: bool) -> None:
    """Buttons, chart, words; called inside a fragment that reruns several times a second while something trains."""
    controls.answers_for = OF_THE_STAGE
    sweep = look(played.specs, me)
    if st.session_state.get(engine.PLAYING) and sweep.missing and not sweep.live and not sweep.failed and was_moving:
        engine.play_these(played.specs, me)  # somebody else, who asked for them first, left
        sweep = look(played.specs, me)
    if sweep.moving != was_moving or st.session_state.pop(engine.HANDLE_MOVED, False):
        st.rerun()  # begin, or cease, to refresh
    server.scheduler().wake()
    _buttons(sweep, played, me)
    with st.container(key="stage_play"):
        curves, behind = _draw(controls, sweep, ghost, decay, me)
    _words(sweep, curves, behind, played, ghost, decay)


def _buttons(sweep: Sweep, played: Played, me: str) -> None:
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
    halted = "" if sweep.live else ", interrupted: Play goes on from there"
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


def _draw(
    controls: Controls, sweep: Sweep, ghost: Played | None, decay: float, me: str
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The chart; returns what it shows, and what is behind it."""
    behind = _behind(ghost, me)
    where = picture.ground(sweep.specs, is_dark(), behind, ghost.written if ghost and behind is not None else "")
    if sweep.finished:
        st.session_state.setdefault(engine.PLAYING, True)
        return _finished(controls, sweep, where, decay), behind
    return _growing(sweep, where, decay), behind


def _behind(ghost: Played | None, me: str) -> pd.DataFrame | None:
    """The sweep before, as far as it came."""
    if ghost is None:
        return None
    before = look(ghost.specs, me)
    if before.finished:
        return picture.curves_at([spec.id for spec in ghost.specs])
    return sweep_now(list(before.latest.values())) if before.latest else None


def _growing(sweep: Sweep, where: Stage, decay: float) -> pd.DataFrame:
    latest = list(sweep.latest.values())
    curves = sweep_now(latest)
    shot = picture.growing(curves if len(curves) else blank(where.decays), where, decay)
    chart.draw(
        shot.figure,
        "chart_play",
        "Bounds and errors of all networks of the sweep against weight decay, while they train",
    )
    serial = [(run.last["step"], run.part.step if run.part else -1) for run in latest]
    player(
        _KEY,
        shot,
        "",
        ["now"],
        0,
        "boundlab-playground",
        _caption(sweep),
        None,
        partial(picture.points_csv, curves, sweep.specs),
        picture.picture_stamp(serial),
    )
    return curves


def _finished(controls: Controls, sweep: Sweep, where: Stage, decay: float) -> pd.DataFrame:
    ids = [spec.id for spec in sweep.specs]
    epochs = picture.moments(ids)
    names = [format_epoch(epoch) for epoch in epochs]
    at = _position(controls, names)
    shot = picture.whole_film(ids, where).at(anchored("play", (ids, where.key, decay), at))
    picture.marked(shot.figure, where, decay)
    chart.draw(shot.figure, "chart_play", "Bounds and errors of all networks of the sweep against weight decay")
    curves = picture.curves_at(ids, epochs[at])
    points = partial(picture.points_csv, curves, sweep.specs)
    player(_KEY, shot, "epoch", names, at, "boundlab-playground-epoch", _caption(sweep), points=points, speeds=True)
    return curves


def _position(controls: Controls, names: list[str]) -> int:
    """Where the handle stands, at the last epoch to begin with."""
    at = handle_at(controls, _KEY, "epoch", "epoch", names, names, few=False) or names[-1]
    controls.keep("epoch", at, names[-1])
    return names.index(at)


def _caption(sweep: Sweep) -> str:
    spec = sweep.specs[0]
    noise = spec.train.label_noise
    short = any(one.plateau_number(sample_size(one)) < PLATEAU for one in sweep.specs)
    parts = [
        f"{len(sweep.specs)} networks {spec.arch.title}",
        f"n = {sample_size(spec):,}",
        f"{noise:.0%} of the training labels drawn anew, test labels clean" if noise else "",
        f"δ = {SWEEP_DELTA:g}",
        "bounds as published, not guarantees; Theorem S2 strict",
        f"seed {spec.train.seed}",
        "not settled yet: weight decay needs longer there than these trained" if short else "",
        "ringed: learnt nothing" if any(not run.trained for run in sweep.runs.values()) else "",
        "" if sweep.finished else "* errors of a part of the images, or measured earlier",
    ]
    return " · ".join(filter(None, parts))


def _words(
    sweep: Sweep, curves: pd.DataFrame, behind: pd.DataFrame | None, played: Played, ghost: Played | None, decay: float
) -> None:
    if curves.empty:
        return
    spec = next(spec for spec in sweep.specs if spec.train.weight_decay == decay)
    run = sweep.runs.get(spec.id)
    st.markdown(sweep_verdict(curves, decay, run is None or run.trained, spec.train.label_noise))
    if ghost is not None and behind is not None:
        told = compared_with_last(curves, behind, played, ghost, decay) if sweep.finished else dashed(played, ghost)
        st.caption(told)
    st.caption(_caption(sweep))


@with_controls
def network_panel(controls: Controls, played: Played, decay: float, me: str) -> None:
    """The network of one weight decay; called inside a fragment of its own, which reruns less often."""
    controls.answers_for = ()
    sweep = look(played.specs, me)
    spec = next(spec for spec in played.specs if spec.train.weight_decay == decay)
    beside(
        sweep.runs.get(spec.id), sweep.latest.get(spec.id), runs_folder() / spec.id if spec.id in sweep.jobs else None
    )
    if sweep.finished and (mine := [job for job in sweep.jobs.values() if job.played]):
        st.button(
            f"Keep these {len(mine)}", icon=":material/bookmark_add:", on_click=engine.keep_these, args=(mine,), width="stretch",
            help="They become ordinary runs: every page shows them. What is not kept is deleted some day.",
        )  # fmt: skip
    elif sweep.finished and sweep.jobs:
        st.caption(":material/bookmark_added: Kept: every page shows them.")
