"""Which network a page is about: one of the figures' runs, one trained for its certificate, or one trained here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.runs.run import Run
from boundlab.specs.own_data import listed_name
from boundlab.specs.recipes import asked, recipe, task
from boundlab.text import format_epoch
from boundlab.ui.controls import Controls
from boundlab.ui.run_filters import by_seed, choose_network, filter_runs
from boundlab.ui.run_tables import runs_of
from boundlab.ui.shelf import datasets, find_run, run_name, visible_runs
from boundlab.ui.shipped import certified_runs, listed_runs, shipped_by_id
from boundlab.ui.untrained import offer_training

FIGURES, CERTIFIED = "figures", "certified"
_OWN = "trained here"
_KINDS_HELP = {
    FIGURES: "the runs of the paper's four figures, trained for accuracy",
    CERTIFIED: "small networks trained so that Theorems S and S2, or D2, say something about them",
    _OWN: "every finished run of this server's own, whatever it is",
}
_WEIGHT_HELP = (
    "How much the training objective weighs Theorem S's complexity against the ramp error: at 1 it is Theorem S's certificate "
    "itself, at 0.7 about that of Theorem S2; smaller is more accurate and less certified."
)


@dataclass(frozen=True)
class Opening:
    """A page that begins with a certified network: its task, and for every task the weight to begin at."""

    task: str
    weight: Callable[[str], str]


def chosen_network(
    controls: Controls, stage: DeltaGenerator, drawer: DeltaGenerator | None = None, opening: Opening | None = None
) -> Run | None:
    """Sliders that pick one run; None when there is none, and then the `stage` says what there is instead. `drawer`: where
    everything but the sliders stands."""
    aside = nullcontext() if drawer is None else drawer
    with aside:
        kind = kind_of(controls, FIGURES if opening is None else CERTIFIED)
    if kind == CERTIFIED:
        return _certified(controls, drawer, opening)
    if kind != FIGURES:
        return own_run(controls)
    with aside:
        dataset = controls.pick("Data", datasets(), "dataset", called=listed_name)
        peers, runs = filter_runs(controls, runs_of(dataset))
    if runs.empty:
        stage.info("No run of this data set trained and reached the plateau; include the others above.")
        return None
    name, choice = choose_network(controls, runs, drawer=drawer)
    if name is None:
        with stage:
            offer_training(choice, peers)
    return None if name is None else find_run(name)


def kind_of(controls: Controls, first: str = FIGURES) -> str:
    """Which runs to choose from, to begin with the `first` kind; those trained here where there are some."""
    kinds = (FIGURES, *((CERTIFIED,) if certified_runs() else ()), *((_OWN,) if visible_runs().runs else ()))
    if len(kinds) > 1:
        words = " · ".join(f"{k}: {_KINDS_HELP[k]}" for k in kinds)
        return controls.pick("Networks", kinds, "networks", words, first if first in kinds else None)
    controls.check("networks", kinds, "Networks")
    return kinds[0]


def named_run(controls: Controls, kind: str) -> Run:
    """A run that is not one of the figures'."""
    return own_run(controls) if kind == _OWN else _certified(controls)


def own_run(controls: Controls) -> Run:
    """One of the runs trained here, by name, the newest first."""
    names = {run_name(run): run for run in visible_runs().runs.values()}
    return names[_by_name(controls, "Run", list(names), "run")]


def _by_name(controls: Controls, label: str, names: list[str], key: str) -> str:
    return controls.choose(label, names, key, width=560, few=len(names) < 5)


def second_run(controls: Controls, first: Run) -> Run | None:
    """Another run, by name, of all trained here and of those shipped on the same data; None where there is none."""
    data = first.spec.train.dataset
    others = [*visible_runs().runs.values(), *(run for run in listed_runs() if run.spec.train.dataset == data)]
    names = {run_name(run): run for run in others if run.id != first.id}
    if not names:
        st.info("There is no second run to compare with.")
        return None
    return names[_by_name(controls, "Second: run", list(names), "run2")]


def task_title(run: Run) -> str:
    """What the network tells apart, and which network it is."""
    many = run.spec.arch.classes
    classes = f", {'ten' if many == 10 else many} classes" if run.spec.train.labels is None else ""
    return f"{task(run.spec)}{classes}, {run.spec.arch.title}"


def trade_off_runs(title: str) -> pd.DataFrame:
    """Certified runs of one task: weight, seed, run (id)."""
    rows = [
        {"weight": run.spec.train.certificate_weight, "seed": run.spec.train.seed, "run": run.id}
        for run in certified_runs()
        if task_title(run) == title
    ]
    return pd.DataFrame(rows).sort_values(["weight", "seed"])


def _certified(controls: Controls, drawer: DeltaGenerator | None = None, opening: Opening | None = None) -> Run:
    aside = nullcontext() if drawer is None else drawer
    tasks = sorted({task_title(run) for run in certified_runs()}, key=lambda title: ("ten classes" not in title, title))
    longest = max(tasks, key=lambda title: trade_off_runs(title)["weight"].nunique())  # the longest slide
    with aside:
        task = controls.choose("Task", tasks, "task", default=opening.task if opening else longest, width=430)
    rows = trade_off_runs(task)
    weights = {f"{weight:g}": weight for weight in rows["weight"].unique()}
    first = opening.weight(task) if opening else list(weights)[-1]
    with aside if len(weights) == 1 else nullcontext():
        weight = controls.slide("accurate → certified", list(weights), "weight", first, _WEIGHT_HELP)
    rows = rows[rows["weight"] == weights[weight]]
    seeds = by_seed(rows)
    with aside:
        return find_run(seeds[controls.choose("Seed", list(seeds), "seed")])


def run_caption(run: Run, label: str) -> str:
    """What the network is, in a line."""
    train = run.spec.train
    weighed = asked(run.spec)
    if train.loss == "certificate":
        weighed = f"trained for its certificate, weight {train.certificate_weight:g}"
    if train.loss == "certificate_d":
        weighed = "trained for Theorem D2"
    made = recipe(run.spec)
    own = run.id not in shipped_by_id()
    usual = made == "short" or (train.preset in ("certified", "coded") and not own)  # shipped in several forms
    parts = [run.spec.arch.title, task(run.spec), weighed, "" if usual else f"recipe {made}", f"seed {train.seed}"]
    return " · ".join(filter(None, [*parts, "trained here" if own else "", f"epoch {label}"]))


def epoch_of(controls: Controls, run: Run, second: bool = False) -> str:
    """The epoch looked at, one at whose end errors and margins were measured."""
    labels = [format_epoch(e) for e in run.epochs["epoch"]]
    name, key = ("Second: epoch", "epoch2") if second else ("Epoch", "epoch")
    default = labels[0] if second else labels[-1]
    controls.renew(key, labels, default)
    return controls.slide(name, labels, key, default)
