"""What there is of the runs that the handles stand for: finished ones, what trains, what nobody asked for yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from boundlab.analysis.sweep import rounded_value
from boundlab.errors import RunError
from boundlab.jobs import queue
from boundlab.runs.growing import Growing, Latest, latest_of
from boundlab.runs.job import LIVE, WAITING, Job, read_job_folder
from boundlab.runs.places import runs_folder
from boundlab.runs.run import Run
from boundlab.specs.run import RunSpec
from boundlab.ui.privacy import may_see
from boundlab.ui.shelf import shelf
from boundlab.ui.shipped import shipped_by_id


@dataclass(frozen=True)
class Sweep:
    """`runs`: by id, of those that are finished; `latest`: by id, of those that have records; `jobs`: of those that are not
    shipped and that this reader may see."""

    specs: Sequence[RunSpec]
    runs: dict[str, Run]
    latest: dict[str, Latest]
    jobs: dict[str, Job]

    @property
    def finished(self) -> bool:
        """Whether every run is there, with all its records."""
        return len(self.runs) == len(self.specs)

    @property
    def live(self) -> list[Job]:
        """Those that wait or train, or are about to end."""
        return [job for job in self.jobs.values() if job.state in (*WAITING, *LIVE)]

    @property
    def moving(self) -> bool:
        """Whether it will look otherwise soon: something trains, or is finished and has not been read whole."""
        done = [job for job in self.jobs.values() if job.state == "done"]
        return bool(self.live) or any(job.id not in self.runs for job in done)

    @property
    def missing(self) -> list[RunSpec]:
        """Those that would have to be asked for: nobody trains them, and they are not finished."""
        live = {job.id for job in self.jobs.values() if job.state in (*WAITING, *LIVE, "done")}
        return [spec for spec in self.specs if spec.id not in live and spec.id not in self.runs]

    @property
    def rounded(self) -> tuple[tuple[float, float], ...]:
        """λ, and what Theorem D2 promises of the network with its hidden weights rounded, of those that are certified."""
        found = (
            (spec.train.weight_decay, rounded_value(self.runs[spec.id])) for spec in self.specs if spec.id in self.runs
        )
        return tuple((decay, value) for decay, value in found if value is not None)

    @property
    def failed(self) -> list[Job]:
        """Those that cannot go on by themselves."""
        return [job for job in self.jobs.values() if job.state == "failed"]


@st.cache_resource(show_spinner=False, max_entries=256)
def _growing(folder: str, _spec: RunSpec) -> Growing:
    return Growing(Path(folder), _spec)


def look(specs: Sequence[RunSpec], me: str) -> Sweep:
    """As it stands now."""
    out, here, shipped = runs_folder(), shelf(), shipped_by_id()
    runs, latest, jobs = dict[str, Run](), dict[str, Latest](), dict[str, Job]()
    for spec in specs:
        if spec.id in shipped:
            runs[spec.id] = shipped[spec.id]
            continue
        job = _job(out / spec.id)
        if job is None or not may_see(job, me):
            continue
        jobs[spec.id] = job
        if job.state == "done" and (whole := here.find(spec.id)) is not None:
            runs[spec.id] = whole
        elif (found := _growing(str(job.folder.absolute()), spec).look()) is not None:
            latest[spec.id] = found
    latest |= {} if len(runs) == len(specs) else {name: latest_of(run) for name, run in runs.items()}
    return Sweep(specs, runs, {spec.id: latest[spec.id] for spec in specs if spec.id in latest}, jobs)


def _job(folder: Path) -> Job | None:
    if not folder.is_dir():
        return None
    try:
        return read_job_folder(folder)
    except RunError:
        return None


def place_in_line(sweep: Sweep) -> int:
    """How many other sweeps and runs start before its first; 0 once one of it trains."""
    waiting = {job.id for job in sweep.live if job.state in WAITING}
    if not waiting or len(waiting) < len(sweep.live):
        return 0
    ahead = []
    for job in queue.in_order(queue.jobs(runs_folder())):
        if job.id in waiting:
            break
        ahead.append((job.owner, "" if job.played else job.id))
    return len(set(ahead))
