"""The watched run: its curves while it trains and after, and what may be taken away."""

from __future__ import annotations

import functools
from pathlib import Path

import pandas as pd
import streamlit as st

from boundlab.errors import BoundlabError
from boundlab.runs import part_errors
from boundlab.runs.folder import open_run
from boundlab.runs.job import LIVE, WAITING, Job
from boundlab.runs.run import Run
from boundlab.specs.recipes import recipe
from boundlab.ui.controls import Controls
from boundlab.ui.pages.train import engine
from boundlab.ui.pages.train.live import live_view, preview
from boundlab.ui.pages.train.row import job_title
from boundlab.ui.privacy import plain
from boundlab.ui.shelf import has_place, run_name
from boundlab.ui.shipped import listed_runs
from boundlab.ui.visitor import at_home

_LOADING = ":material/hourglass_empty: Loading torch and the images: a few seconds, longer on a busy machine"


@st.cache_data(show_spinner=False, max_entries=16)
def _opened(folder: Path, signature: tuple[str, int, int]) -> Run:
    return open_run(folder)


def _signature(job: Job) -> tuple[str, int, int]:
    """Changes with every record and state, not with every heartbeat."""
    records = next(p for name in ("epochs.parquet", "records.jsonl") if (p := job.folder / name).exists())
    now = records.stat()
    return job.state, now.st_size, now.st_mtime_ns


def view(controls: Controls, job: Job, me: str, alone: bool) -> None:
    """Everything there is to see of one run; `alone`: there is no other job that it could be mistaken for."""
    if not alone:
        st.markdown(f"#### {job_title(job.spec)}")
    if not at_home() and job.owner == me:
        _share(job)
    if not job.recorded:
        _nothing_yet(job)
        return
    try:
        run = _opened(job.folder, _signature(job))
    except (OSError, StopIteration):  # deleted, or sealed, this moment: the next refresh knows
        return
    except BoundlabError as error:
        st.error(f"{plain(str(error))}.")
        return
    shipped = [other for other in listed_runs() if other.spec.train.dataset == run.spec.train.dataset]
    live_view(controls, run, shipped, part_errors.read_part_errors(job.folder))
    _take_away(job)
    if job.state == "done" or (job.spec.watched and job.state == "running"):
        _elsewhere(run)


def _nothing_yet(job: Job) -> None:
    """What is waited for, and meanwhile a picture."""
    if job.state in LIVE:
        preview(job.spec, _LOADING)
        return
    words = "Waiting for its turn." if job.state in WAITING else "Nothing recorded yet."
    st.info(words, icon=":material/hourglass_empty:")
    if job.state in WAITING:
        preview(job.spec)


def _share(job: Job) -> None:
    key = f"share_{job.id}"
    st.toggle(
        "Share",
        job.shared,
        key=key,
        help="Shared: the run is on everybody's other pages too, and whoever has the link of this page may watch it and download "
        "its checkpoint, history and spec.",
        on_change=engine.share_ticked,
        args=(job, key),
    )


def _take_away(job: Job) -> None:
    """Checkpoint, history and spec as files; read when they are asked for."""
    folder = job.folder
    with st.container(horizontal=True):
        if (folder / "network.safetensors").is_file():
            _download("Checkpoint", folder / "network.safetensors", f"{job.id}.safetensors")
        st.download_button(
            "History",
            functools.partial(_history, folder),
            f"{job.id}-history.csv",
            "text/csv",
            icon=":material/download:",
            help="Every recorded step: losses, errors, margins, all norms (CSV)",
            on_click="ignore",
            key="take_history",
        )
        if not job.spec.watched:  # of its recipe not everything is known
            _download("Spec", folder / "spec.json", f"{job.id}.json")


def _download(label: str, path: Path, name: str) -> None:
    st.download_button(
        label, path.read_bytes, name, icon=":material/download:", on_click="ignore", key=f"take_{label.lower()}"
    )


def _history(folder: Path) -> str:
    run = open_run(folder)
    return pd.DataFrame(run.records).to_csv(index=False)


def _elsewhere(run: Run) -> None:
    """The other pages, opened at this run."""
    arch, train = run.spec.arch, run.spec.train
    here = {"networks": "trained here", "run": run_name(run)}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"It has joined the other pages (recipe {recipe(run.spec)}):", width="content")
        if has_place(run):
            figure = {"dataset": train.dataset, "recipe": recipe(run.spec)}
            shape = {"layers": str(arch.conv_layers), "channels": str(arch.channels)}
            st.page_link("pages/2_lambda.py", label="Weight decay λ", query_params=figure | shape)
            st.page_link("pages/1_training.py", label="During training", query_params=figure | shape)
        for path, label in (("5_anatomy", "Anatomy"), ("6_certificates", "Certificates"), ("8_theory", "Theory")):
            st.page_link(f"pages/{path}.py", label=label, query_params=here)
