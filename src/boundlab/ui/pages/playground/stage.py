"""The middle and the right of the Playground: buttons, chart, words, and the network of one weight decay."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from boundlab.analysis.sweep import SWEEP_DELTA, blank, sweep_now
from boundlab.runs.places import runs_folder
from boundlab.specs.played import Played
from boundlab.specs.run import PLATEAU
from boundlab.specs.work import sample_size
from boundlab.text import format_epoch
from boundlab.ui import chart, server
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.handle import anchored, handle_at
from boundlab.ui.page import is_dark
from boundlab.ui.pages.playground import engine, picture
from boundlab.ui.pages.playground.buttons import buttons
from boundlab.ui.pages.playground.network import beside
from boundlab.ui.pages.playground.picture import Stage
from boundlab.ui.pages.playground.sweep import Sweep, look
from boundlab.ui.player import player
from boundlab.words.played import compared_with_last, dashed, sweep_verdict

OF_THE_STAGE = frozenset(("epoch",))  # names in the link
_KEY = "player_play"


@with_controls
def stage(
    controls: Controls, played: Played, ghost: Played | None, decay: float, me: str, was: tuple[bool, bool]
) -> None:
    """Buttons, chart, words; called inside a fragment that reruns several times a second while something trains. `was`: whether
    something trained, and was certified, when the page was drawn."""
    controls.answers_for = OF_THE_STAGE
    sweep = look(played.specs, me)
    if st.session_state.get(engine.PLAYING) and sweep.missing and not sweep.live and not sweep.failed and was[0]:
        engine.go_on(played.specs, me)
        sweep = look(played.specs, me)
    coming = engine.certify_these(sweep, decay, me)
    if (sweep.moving, coming) != was or st.session_state.pop(engine.HANDLE_MOVED, False):
        st.rerun()  # begin, or cease, to refresh
    server.scheduler().wake()
    buttons(sweep, played, me)
    with st.container(key="stage_play"):
        curves, behind = _draw(controls, sweep, ghost, decay, me, coming)
    _words(sweep, curves, behind, played, ghost, decay, coming)


def _draw(
    controls: Controls, sweep: Sweep, ghost: Played | None, decay: float, me: str, coming: bool
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The chart; returns what it shows, and what is behind it."""
    behind = _behind(ghost, me)
    where = picture.ground(sweep.specs, is_dark(), behind, ghost.written if ghost and behind is not None else "")
    if sweep.finished:
        st.session_state.setdefault(engine.PLAYING, True)
        return _finished(controls, sweep, where, decay, coming), behind
    return _growing(sweep, where, decay), behind


def _behind(ghost: Played | None, me: str) -> pd.DataFrame | None:
    """The sweep before, as far as it came."""
    if ghost is None:
        return None
    before = look(ghost.specs, me)
    if before.finished:
        return picture.curves_at([spec.id for spec in ghost.specs], before.rounded)
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


def _finished(controls: Controls, sweep: Sweep, where: Stage, decay: float, coming: bool) -> pd.DataFrame:
    ids = [spec.id for spec in sweep.specs]
    rounded = () if coming else sweep.rounded  # drawn once all are there: the chart is a new one then
    epochs = picture.moments(ids)
    names = [format_epoch(epoch) for epoch in epochs]
    at = _position(controls, names)
    shot = picture.whole_film(ids, rounded, where).at(anchored("play", (ids, rounded, where.key, decay), at))
    picture.marked(shot.figure, where, decay)
    chart.draw(shot.figure, "chart_play", "Bounds and errors of all networks of the sweep against weight decay")
    curves = picture.curves_at(ids, sweep.rounded, epochs[at])
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
        "bounds as published, not guarantees; Theorem S2 strict"
        + ("; Theorem D2 about the networks with their hidden weights rounded" if sweep.rounded else ""),
        f"seed {spec.train.seed}",
        "not settled yet: weight decay needs longer there than these trained" if short else "",
        "ringed: learnt nothing" if any(not run.trained for run in sweep.runs.values()) else "",
        "" if sweep.finished else "* errors of a part of the images, or measured earlier",
    ]
    return " · ".join(filter(None, parts))


def _words(
    sweep: Sweep,
    curves: pd.DataFrame,
    behind: pd.DataFrame | None,
    played: Played,
    ghost: Played | None,
    decay: float,
    coming: bool,
) -> None:
    if curves.empty:
        return
    spec = next(spec for spec in sweep.specs if spec.train.weight_decay == decay)
    run = sweep.runs.get(spec.id)
    st.markdown(sweep_verdict(curves, decay, run is None or run.trained, spec.train.label_noise, coming))
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
