"""Which network a page is about: one of the figures' runs, or one trained for its certificate."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from boundlab.catalog import DATASETS
from boundlab.runs import Run
from boundlab.ui.controls import Controls, by_seed
from boundlab.ui.page import certified_runs, listing, shipped_run
from boundlab.ui.sides import task

KINDS = ("figures", "certified")
KINDS_HELP = (
    "figures: the runs of the paper's four figures, trained for accuracy · certified: small networks trained so that Theorem "
    "S says something about them"
)
WEIGHT_HELP = (
    "How much the training objective weighs Theorem S's complexity against the ramp error: at 1 it is the certificate itself; "
    "smaller is more accurate and less certified."
)


def chosen_network(controls: Controls) -> Run | None:
    """Sliders that pick one run; None (and a note) when there is none."""
    kinds = KINDS if certified_runs() else KINDS[:1]
    if len(kinds) > 1 and controls.pick("Networks", kinds, "networks", KINDS_HELP) == "certified":
        return _certified(controls)
    dataset = controls.pick("Data", list(DATASETS), "dataset")
    runs = controls.trusted(listing(dataset))
    if runs.empty:
        st.info("No run of this data set trained and reached the plateau; include the others above.")
        return None
    return shipped_run(controls.network(runs))


def task_title(run: Run) -> str:
    """What the network tells apart, and which network it is."""
    classes = ", ten classes" if run.spec.train.labels is None else ""
    return f"{task(run)}{classes}, {run.spec.arch.title}"


def trade_off_runs(title: str) -> pd.DataFrame:
    """Certified runs of one task: weight, seed, run (id)."""
    rows = [
        {"weight": run.spec.train.certificate_weight, "seed": run.spec.train.seed, "run": run.id}
        for run in certified_runs()
        if task_title(run) == title
    ]
    return pd.DataFrame(rows).sort_values(["weight", "seed"])


def _certified(controls: Controls) -> Run:
    tasks = sorted({task_title(run) for run in certified_runs()}, key=lambda title: ("ten classes" not in title, title))
    first = max(tasks, key=lambda title: trade_off_runs(title)["weight"].nunique())  # the longest slide
    rows = trade_off_runs(controls.choose("Task", tasks, "task", default=first, width=430))
    weights = {f"{weight:g}": weight for weight in rows["weight"].unique()}
    last = list(weights)[-1]
    weight = controls.slide("accurate → certified", list(weights), "weight", last, WEIGHT_HELP)
    rows = rows[rows["weight"] == weights[weight]]
    seeds = by_seed(rows)
    return shipped_run(seeds[controls.choose("Seed", list(seeds), "seed")])
