"""The story that page Certificates tells, from an easy task with a strong promise to a hard one, and to networks of the figures."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from boundlab.analysis.guarantees import THEOREMS, along_the_weights
from boundlab.runs.run import Run
from boundlab.specs.own_data import DATASETS
from boundlab.specs.recipes import figured
from boundlab.specs.tasks import TASKS
from boundlab.ui import address
from boundlab.ui.controls import Controls
from boundlab.ui.network_choice import CERTIFIED, FIGURES, Opening, task_title
from boundlab.ui.shipped import certified_runs

_TITLES = {
    "0 against 1": "0 or 1",
    "even against odd": "odd or even",
    "all classes": "ten digits",
}  # the easy ones first
_ROUNDED, ACCURATE = "ten, rounded", "ten, accurate"
_HELP = (
    "What the network tells apart, and the least that is promised of it first. The first three were trained so that Theorems S and S2 promise something about them, the "
    "fourth so that Theorem D2 promises much about a copy of it with rounded weights, the last one for few errors, like the networks of the figures. Other networks: under More."
)
_OF_FIGURES = (
    "dataset",
    "recipe",
    "runs",
    "flagged",
    "layers",
    "channels",
    "wd",
)  # in a link: about the figures' networks
_DELTA = 0.001


@dataclass(frozen=True)
class Chapter:
    """One network of the story: `task`: of `network_choice.task_title`; `weight`: of the training objective."""

    task: str
    weight: str


@st.cache_data(show_spinner=False)
def chapters() -> dict[str, Chapter]:
    """Title -> the shipped network about which Theorem S2 promises most, of those that see whole images; last the one about
    whose rounded copy Theorem D or D2 does."""
    found = {}
    for name, title in _TITLES.items():
        groups = TASKS[name] and tuple(map(tuple, TASKS[name] or ()))
        runs = [run for run in _trained_for("certificate") if _labels(run) == groups and _whole(run)]
        best = min(((*_least(task), task) for task in {task_title(run) for run in runs}), default=None)
        if best:
            found[title] = Chapter(best[2], best[1])
    rounded = [run for run in _trained_for("certificate_d") if run.coded]
    if rounded:
        run = min(rounded, key=lambda run: min(one.value(_DELTA) for one in run.coded))
        found[_ROUNDED] = Chapter(task_title(run), f"{run.spec.train.certificate_weight:g}")
    return found


def _trained_for(loss: str) -> list[Run]:
    return [run for run in certified_runs() if run.spec.train.loss == loss]


def _labels(run: Run) -> tuple[tuple[int, ...], ...] | None:
    labels = run.spec.train.labels
    return None if labels is None else tuple(map(tuple, labels))


def _whole(run: Run) -> bool:
    return run.spec.arch.in_shape == DATASETS[run.spec.train.dataset].in_shape


def _least(task: str) -> tuple[float, str]:
    """The least limit of Theorem S2 among the certified runs of one task, and its weight."""
    runs = [run for run in certified_runs() if task_title(run) == task]
    table = along_the_weights(runs, _DELTA, next(iter(THEOREMS)))
    row = table.loc[table["certificate"].idxmin()]
    return float(row["certificate"]), f"{row['weight']:g}"


@st.cache_data(show_spinner=False)
def best_weight(task: str) -> str:
    """The weight at which least error is promised."""
    return _least(task)[1]


def first_chapter() -> Opening | None:
    """Where the page begins: at the easiest task; None where nothing is shipped for it."""
    first = next(iter(chapters().values()), None)
    return Opening(first.task, best_weight) if first else None


def is_opening(run: Run) -> bool:
    """Whether the page begins with this network."""
    first, train = next(iter(chapters().values()), None), run.spec.train
    weight = f"{train.certificate_weight:g}"
    return first is not None and (task_title(run), weight, train.seed) == (first.task, first.weight, 0)


def from_older_link(controls: Controls) -> None:
    """Before the controls: a link from before there was a story, which names a figures' network and not its kind, is about those."""
    if controls.arriving("networks") and not address.get("networks") and any(map(address.get, _OF_FIGURES)):
        address.put("networks", [FIGURES])


def choose_chapter(run: Run | None) -> None:
    """The story's networks side by side, the one that holds `run` marked; None: a figures' network that was not trained."""
    known = chapters()
    figure = run is None or figured(run.spec)
    holds = [title for title, chapter in known.items() if run and chapter.task == task_title(run)]
    now = ACCURATE if figure else next(iter(holds), None)
    st.session_state["chapter"] = now
    st.segmented_control(
        "Task", [*known, ACCURATE], key="chapter", help=_HELP, required=True, on_change=_open, width="content"
    )


def _open() -> None:
    title = st.session_state["chapter"]
    known = chapters()
    if title in known:
        chosen = {"networks": CERTIFIED, "task": known[title].task, "weight": known[title].weight, "seed": "0"}
        st.session_state.update(chosen)
    elif title == ACCURATE:
        st.session_state["networks"] = FIGURES
