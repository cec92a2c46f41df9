"""The middle and the right of the Playground: buttons, chart, words, and the network of one weight decay."""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from boundlab.analysis.sweep import epoch_of, standing
from boundlab.charts.progress import alive, update_of
from boundlab.charts.theme import INK
from boundlab.charts.trend import Picture
from boundlab.data import locate
from boundlab.runs.places import runs_folder
from boundlab.specs.played import Played
from boundlab.text import format_epoch, in_words
from boundlab.ui import chart, server
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.page import is_dark
from boundlab.ui.pages.playground import engine, picture
from boundlab.ui.pages.playground.network import beside
from boundlab.ui.pages.playground.picture import Ground
from boundlab.ui.pages.playground.sweep import Sweep, look, place_in_line
from boundlab.ui.player import player, reported_position
from boundlab.ui.privacy import plain
from boundlab.words.played import compared, verdict

OF_THE_STAGE = frozenset(("wd", "epoch"))  # names in the link
_KEY = "player_play"
_FIRST = "play_first"  # in the session: the figure that a growing sweep began with


@with_controls
def stage(controls: Controls, played: Played, ghost: Played | None, me: str, was_moving: bool) -> None:
    """Called inside a fragment that reruns several times a second while something trains."""
    controls.answers_for = OF_THE_STAGE
    sweep = look(played.specs, me)
    if st.session_state.get(engine.PLAYING) and sweep.missing and not sweep.live and not sweep.failed and was_moving:
        engine.play(played.specs, me)  # somebody else, who asked for them first, left
        sweep = look(played.specs, me)
    if sweep.moving != was_moving or st.session_state.pop(engine.MOVED, False):
        st.rerun()  # begin, or cease, to refresh
    server.scheduler().wake()
    middle, right = st.columns([76, 24], gap="small")
    with middle:
        _buttons(sweep, played, me)
        picture_place = st.container(key="stage_play")
        decays = [f"{spec.train.weight_decay:g}" for spec in played.specs]
        decay = float(controls.slide("Weight decay λ of the network beside the chart", decays, "wd", "0.004"))
    with picture_place:
        curves = _draw(controls, sweep, ghost, decay, me)
    with middle:
        _words(sweep, curves, played, ghost, decay, me)
    with right:
        spec = next(spec for spec in played.specs if f"{spec.train.weight_decay:g}" == f"{decay:g}")
        run = sweep.runs.get(spec.id)
        done = run is not None and run.state == "done" and spec.id in sweep.jobs
        beside(run, decay, runs_folder() / spec.id if done else None)
        _keep(sweep, me)


def _buttons(sweep: Sweep, played: Played, me: str) -> None:
    ready = not locate.missing(played.dataset)
    with st.container(horizontal=True, vertical_alignment="center"):
        if sweep.live:
            st.button("Pause", type="primary", icon=":material/pause:", on_click=engine.pause, args=(sweep.live, me))
        elif sweep.missing:
            st.button(
                "Play", type="primary", icon=":material/play_arrow:", disabled=not ready,
                on_click=engine.play, args=(played.specs, me),
            )  # fmt: skip
        else:
            st.button(
                "Another seed", icon=":material/casino:", disabled=not ready, on_click=engine.another_seed, args=(played,),
                help="Train the same networks again from other random weights.",
            )  # fmt: skip
        st.markdown(_state(sweep))
    if note := st.session_state.get(engine.NOTE):
        st.error(note, icon=":material/error:")
    for job in sweep.failed[:1]:
        st.error(f"λ = {job.spec.train.weight_decay:g} ended: {plain(job.error or '')}. Press Play to try again.")


def _state(sweep: Sweep) -> str:
    count, epochs = len(sweep.specs), sweep.specs[0].train.epochs
    if sweep.finished:
        return f"**{count} networks, {epochs} epochs**, one per λ. Move the epoch, or change a handle at the left."
    if not sweep.runs:
        if sweep.live:
            ahead = place_in_line(sweep)
            return "**In line**" + (f", {ahead} before you" if ahead else ": it starts now")
        return f"**{count} networks**, one per λ, train at once."
    now = epoch_of(list(sweep.runs.values()))
    halted = "" if sweep.live else ", interrupted: Play goes on from there"
    return f"**Epoch {math.floor(now)}** of {epochs}{halted}" + (f" · {left}" if (left := _left(sweep)) else "")


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


def _draw(controls: Controls, sweep: Sweep, ghost: Played | None, decay: float, me: str) -> pd.DataFrame:
    """The chart; returns what it shows."""
    dark = is_dark()
    if not sweep.runs:
        st.info(
            "Press **Play**: every curve of the paper's figure 4 comes down before your eyes.",
            icon=":material/play_circle:",
        )
        return pd.DataFrame()
    behind = _curves(ghost, me)
    where = picture.ground(sweep, dark, behind, ghost.written if ghost and behind is not None else "")
    if sweep.finished:
        return _finished(controls, sweep, where, decay)
    controls.spare()
    return _growing(sweep, where, decay)


def _curves(ghost: Played | None, me: str) -> pd.DataFrame | None:
    """What is drawn behind: the sweep before, as far as it came."""
    if ghost is None:
        return None
    before = look(ghost.specs, me)
    if before.finished:
        return picture.curves_at([spec.id for spec in ghost.specs])
    return standing(list(before.runs.values()), before.parts) if before.runs else None


def _growing(sweep: Sweep, where: Ground, decay: float) -> pd.DataFrame:
    curves = standing(list(sweep.runs.values()), sweep.parts)
    figure = picture.marked(picture.growing_figure(curves, where), decay, INK[where.dark])
    ids = tuple(spec.id for spec in sweep.specs)
    stamp = picture.stamp_of(ids, where.key, [trace.name for trace in figure.data])
    if st.session_state.get(_FIRST, (None,))[0] != stamp:
        st.session_state[_FIRST] = (stamp, alive(figure, stamp, stamp))
    first = st.session_state[_FIRST][1]
    player(_KEY, Picture(first, (), [], stamp), "", [], 0, "boundlab-playground", _caption(sweep), update_of(figure))
    chart.show(
        first, "chart_play", "Bounds and errors of all networks of the sweep against weight decay, while they train"
    )
    return curves


def _finished(controls: Controls, sweep: Sweep, where: Ground, decay: float) -> pd.DataFrame:
    ids = [spec.id for spec in sweep.specs]
    epochs = picture.epochs(ids)
    names = [format_epoch(epoch) for epoch in epochs]
    at = _position(controls, names)
    film = picture.whole_film(ids, where)
    shot = film.at(_anchored((ids, where.key, decay), at))
    picture.marked(shot.figure, decay, INK[where.dark])
    chart.show(shot.figure, "chart_play", "Bounds and errors of all networks of the sweep against weight decay")
    player(_KEY, shot, "epoch", names, at, "boundlab-playground-epoch", _caption(sweep))
    return picture.curves_at(ids, epochs[at])


def _position(controls: Controls, names: list[str]) -> int:
    """Where the handle stands: where the reader's browser reports it, else as the address says."""
    arriving, reported = controls.arriving("epoch"), reported_position(_KEY)
    at = controls.hold("epoch", names, "epoch", few=False)
    if not arriving and reported in names and reported != st.session_state.get(f"{_KEY}_reported"):
        at = reported
    st.session_state[f"{_KEY}_reported"] = reported
    controls.keep("epoch", at or names[-1], names[-1])
    return names.index(at or names[-1])


def _anchored(signature: object, at: int) -> int:
    """A handle at rest does not make a new chart."""
    if st.session_state.get("play_anchor", (None,))[0] != signature:
        st.session_state["play_anchor"] = (signature, at)
    return int(st.session_state["play_anchor"][1])


def _caption(sweep: Sweep) -> str:
    run = next(iter(sweep.runs.values()))
    noise = run.spec.train.label_noise
    parts = [
        f"{run.spec.arch.title}, {len(sweep.specs)} networks",
        f"n = {run.sample.n:,}",
        f"{noise:.0%} of the training labels drawn anew" if noise else "",
        "δ = 0.001",
        "bounds as published, not guarantees; Theorem S2 strict",
        f"seed {run.spec.train.seed}",
    ]
    return " · ".join(filter(None, parts))


def _words(sweep: Sweep, curves: pd.DataFrame, played: Played, ghost: Played | None, decay: float, me: str) -> None:
    if curves.empty:
        return
    st.caption(_caption(sweep))
    st.markdown(verdict(curves, decay))
    behind = _curves(ghost, me)
    if ghost is not None and behind is not None and sweep.finished:
        st.caption(compared(curves, behind, played, ghost, decay))


def _keep(sweep: Sweep, me: str) -> None:
    """Make them ordinary runs; once they are, lead to the pages that show them."""
    if not sweep.finished or not sweep.jobs:
        return
    mine = [job for job in sweep.jobs.values() if job.played]
    if mine:
        st.button(
            f"Keep these {len(mine)}", icon=":material/bookmark_add:", on_click=engine.keep, args=(mine,), width="stretch",
            help="They become ordinary runs: every page shows them. What is not kept is deleted some day.",
        )  # fmt: skip
    else:
        st.caption(":material/bookmark_added: Kept: every page shows them.")
