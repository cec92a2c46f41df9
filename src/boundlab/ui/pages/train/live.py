"""The live view of one run while it trains, and after; called inside a fragment that reruns every second."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from boundlab.analysis.tables import growing_table
from boundlab.bounds import ALL
from boundlab.charts.progress import alive, update_of
from boundlab.charts.trend import Picture
from boundlab.runs.part_errors import PartErrors
from boundlab.runs.run import Run
from boundlab.specs.run import RunSpec
from boundlab.specs.settings import Settings
from boundlab.specs.work import sample_size
from boundlab.ui import chart
from boundlab.ui.bound_choice import choose_settings
from boundlab.ui.controls import Controls
from boundlab.ui.formulas import formulas
from boundlab.ui.page import is_dark
from boundlab.ui.pages.train.live_views import DRAW, NONE, VIEWS, Watched
from boundlab.ui.player import player
from boundlab.ui.shipped import listed_runs
from boundlab.words import live

_PREVIEW = 400  # pixels high
_COMPARE_HELP = "A shipped run drawn behind, dashed. The first ones are the most alike: data, layers, channels, λ."


def _likeness(spec: RunSpec, n: int, other: Run) -> tuple[float, ...]:
    """Of a run on `n` images; smaller is more alike, the first difference decides."""

    def apart(one: Any, two: Any) -> float:
        sizes = (max(x or 0, 1e-6) if not isinstance(x, tuple) else max(x) for x in (one, two))
        return abs(math.log(next(sizes)) - math.log(next(sizes)))

    (a, t), (b, u) = ((s.arch, s.train) for s in (spec, other.spec))
    sizes = [(a.conv_layers, b.conv_layers), (a.channels, b.channels), (t.weight_decay, u.weight_decay)]
    equal = (
        t.preset == u.preset,
        t.certificate_weight == u.certificate_weight,
        t.batch_size == u.batch_size,
        a == b,
        n == other.sample.n,
    )
    distance = [apart(*pair) for pair in sizes]
    return (
        float(t.labels != u.labels),
        float(a.kind != b.kind),
        float(t.loss != u.loss),
        *distance,
        *(float(not same) for same in equal),
        float(u.seed),
    )


@st.cache_data(show_spinner=False, max_entries=64)
def _choices(_run: Run, name: str, _shipped: Sequence[Run], ids: int) -> dict[str, int]:
    """Label -> position in `_shipped` of one seed of each network, the most alike first."""
    found: dict[object, int] = {}
    order = sorted(range(len(_shipped)), key=lambda i: _likeness(_run.spec, _run.sample.n, _shipped[i]))
    for i in order:
        spec = _shipped[i].spec
        if _shipped[i].id != name:
            found.setdefault((spec.arch, dataclasses.replace(spec.train, seed=0)), i)
    labels = [live.run_title(_shipped[i].spec) for i in found.values()]
    unique = [
        label if labels.count(label) == 1 else f"{label} ({_shipped[i].id[-6:]})"
        for label, i in zip(labels, found.values(), strict=True)
    ]
    return dict(zip(unique, found.values(), strict=True))


def preview(spec: RunSpec, words_before: str = "") -> None:
    """Before a run has recorded anything: how the shipped run that is most like it went, pale; `words_before`: on its line."""
    shipped = [run for run in listed_runs() if run.spec.train.dataset == spec.train.dataset]
    if not shipped:
        st.caption(words_before)
        return
    alike = min(shipped, key=lambda other: _likeness(spec, sample_size(spec), other))
    figure = DRAW[VIEWS[0]][0](Watched(alike, None, Settings()))
    if figure is not None:
        words = f"How the shipped run {live.run_title(alike.spec)} went, the most alike; yours is drawn in full colour."
        st.caption(". ".join(filter(None, [words_before, "Pale: a shipped run like it."])), help=words)
        pale = figure.update_traces(opacity=0.35).update_layout(height=_PREVIEW)
        chart.show(pale, f"preview_{alike.id}", words)


def _compare(controls: Controls, run: Run, shipped: Sequence[Run]) -> Run | None:
    found = _choices(run, run.id, shipped, len(shipped))
    options, default = [*found, NONE], next(iter(found), NONE)
    if st.session_state.get("compare") != NONE:  # no comparison was chosen for good; another run has another likeness
        controls.renew("compare", options, default)
    chosen = controls.choose("Compare with", options, "compare", _COMPARE_HELP, default, 300)
    return None if chosen == NONE else shipped[found[chosen]]


def _digest(*content: object) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()


def _chart(view: str, watched: Watched, figure: go.Figure) -> None:
    """The chart as it was when this picture was first drawn, and through the player what is new since.

    Another view, run, comparison or setting is another picture, and so another chart: no part of the last may stay.
    """
    canvas, other = f"{view}/{watched.revision}", watched.other.id if watched.other else NONE
    traces = [trace.name for trace in figure.data]
    stamp = _digest(view, watched.run.id, other, watched.settings, is_dark(), traces)
    if st.session_state.get("live_first", (None,))[0] != stamp:
        st.session_state["live_first"] = (stamp, alive(figure, canvas, stamp))
    first: go.Figure = st.session_state["live_first"][1]
    file, words = f"{watched.run.id}-{view.replace(' ', '-')}", live.live_caption(watched.run, watched.settings)
    picture = Picture(first, (), [], stamp)
    chart.draw(
        first, f"live_chart_{stamp}", f"{view} of the run over its epochs; the words below the chart say what it shows"
    )
    player(
        f"live_player_{_digest(canvas)}", picture, "", [], 0, file, words, update_of(figure), chart.writer(figure, None)
    )


def _csv(run: Run, settings: Settings) -> Callable[[], str]:
    """Every bound and error at every recorded step, made when asked for."""
    return lambda: growing_table(run, run.records, settings).to_csv(index=False, float_format="%.10g")


def live_view(controls: Controls, run: Run, shipped: Sequence[Run], parts: Sequence[PartErrors] = ()) -> None:
    """One picture, its controls, what to notice, CSV. `shipped`: shipped runs of the same data set, to compare with; `parts`:
    errors of a part of the images, between those of all that the records have."""
    stage = st.container(key="stage_live", gap="xsmall")
    with st.container(horizontal=True):
        view = controls.pick("Live view", VIEWS, "live")
        settings = choose_settings(controls)
        other = _compare(controls, run, shipped)
    watched = Watched(run, other, settings, tuple(parts))
    draw, words = DRAW[view]
    if run.records.empty or (figure := draw(watched)) is None:
        st.info("Nothing has been measured yet that this view could draw.")
        return
    with stage:
        _chart(view, watched, figure)
    st.caption(" ".join([live.live_caption(run, settings) + ".", live.compared(run, other) if other else ""]))
    notice, *lines = words(watched)
    st.markdown(" ".join(filter(None, [live.errors_sentence(run, parts), notice])))
    for line in lines:
        st.caption(line)
    st.download_button(
        "CSV: every bound at every recorded step",
        _csv(run, settings),
        f"{run.id}-bounds.csv",
        "text/csv",
        key="live_csv",
        icon=":material/download:",
        on_click="ignore",
    )
    if view == VIEWS[0]:
        formulas(settings.convention, [bound.key for bound in ALL if settings.convention in bound.formulas])
