"""What is trained just now, beside the sentence of the figure of epochs: a loop that a monitor watches is opened in the figure, what is
trained here on page Train; and of a loop that was watched here and broke off, what became of it."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import streamlit as st

from boundlab.errors import RunError
from boundlab.runs.job import Job, read_job_folder
from boundlab.runs.run import Run
from boundlab.specs.recipes import asked, recipe, task
from boundlab.specs.run import RunSpec
from boundlab.text import format_epoch
from boundlab.ui import address
from boundlab.ui.privacy import plain
from boundlab.ui.shelf import VisibleRuns, has_place, shelf

_WATCHED = "watched_live"  # in the session: the id and name of the loop that the figure showed last while it grew
_ICON = ":material/sensors:"


def live_part(now: VisibleRuns, shown: Collection[str]) -> None:
    """`shown`: the ids of the runs in the figure."""
    growing = [now.runs[name] for name in now.live]
    for run in growing:
        if run.id in shown:
            st.session_state[_WATCHED] = (run.id, _name(run.spec))
            st.badge(f"live, epoch {_epoch(run)}", icon=_ICON, color="green")
            return
    _broke_off(now)
    if places := [run for run in growing if has_place(run)]:
        run = places[0]
        what = f"{_name(run.spec)}, epoch {_epoch(run)}, trained by its own program. Open it."
        called, link = plain(f"Live: {task(run.spec)}"), partial(address.go, _link(run))
        st.button(called, icon=_ICON, key="open_live", help=what, type="tertiary", on_click=link)
    elif waiting := [*(run.spec for run in growing), *(job.spec for job in now.training)]:
        spec = waiting[0]
        called = plain(f"Live: {task(spec)}")
        st.page_link("pages/9_train.py", label=called, icon=_ICON, query_params={"run": spec.id}, help=_name(spec))


def _name(spec: RunSpec) -> str:
    return plain(f"{spec.arch.title}, {asked(spec)}, {task(spec)}")


def _epoch(run: Run) -> str:
    return format_epoch(float(run.final["epoch"]))


def _link(run: Run) -> dict[str, str]:
    """The figure at this run."""
    arch, train = run.spec.arch, run.spec.train
    at = {
        "dataset": train.dataset,
        "recipe": recipe(run.spec),
        "layers": str(arch.conv_layers),
        "channels": str(arch.channels),
    }
    return at | {"wd": f"{train.weight_decay:g}"} | ({} if run.trained else {"flagged": "true"})


def _broke_off(now: VisibleRuns) -> None:
    """What became of the loop that was shown here, where it ended without a result."""
    name, called = st.session_state.get(_WATCHED, ("", ""))
    if not name or name in now.runs:
        return
    try:
        job: Job | None = read_job_folder(shelf().folder / name)
    except RunError:
        job = None
    if job is None:
        st.info(f"**{called}** was watched here, and its folder is gone.", icon=_ICON)
        return
    why = (
        plain(job.error)
        if job.error and job.state in ("failed", "stopped")
        else "its program ended without a word, as a killed one does"
    )
    st.warning(f"**{called}** is no longer trained: {why}. It has no result, so that no figure shows it.", icon=_ICON)
    st.page_link("pages/9_train.py", label="What it recorded", icon=":material/monitoring:", query_params={"run": name})
