"""What there is of the runs that the handles stand for: finished ones, what trains, what nobody asked for yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from boundlab.errors import RunError
from boundlab.jobs import queue
from boundlab.quantities.sample import SampleStats
from boundlab.runs.growing import Growing
from boundlab.runs.job import LIVE, WAITING, Job, read_job_folder
from boundlab.runs.part_errors import PartErrors
from boundlab.runs.places import runs_folder
from boundlab.runs.run import Run
from boundlab.specs.run import RunSpec
from boundlab.ui.privacy import may_see
from boundlab.ui.shelf import shelf
from boundlab.ui.shipped import shipped_by_id


@dataclass(frozen=True)
class Sweep:
    """`runs`: by id, of those that have records; `jobs`: of those that are not shipped and that this reader may see."""

    specs: Sequence[RunSpec]
    runs: dict[str, Run]
    parts: dict[str, PartErrors]
    jobs: dict[str, Job]

    @property
    def finished(self) -> bool:
        """Whether every run is there, with all its records."""
        return all(spec.id in self.runs and self.runs[spec.id].state == "done" for spec in self.specs)

    @property
    def live(self) -> list[Job]:
        """Those that wait or train, or are about to end."""
        return [job for job in self.jobs.values() if job.state in (*WAITING, *LIVE)]

    @property
    def moving(self) -> bool:
        """Whether it will look otherwise soon: something trains, or is finished and has not been read whole."""
        done = [job for job in self.jobs.values() if job.state == "done"]
        return bool(self.live) or any(self.runs[job.id].state != "done" for job in done if job.id in self.runs)

    @property
    def missing(self) -> list[RunSpec]:
        """Those that would have to be asked for: nobody trains them, and they are not finished."""
        live = {job.id for job in self.jobs.values() if job.state in (*WAITING, *LIVE, "done")}
        return [s for s in self.specs if s.id not in live and getattr(self.runs.get(s.id), "state", "") != "done"]

    @property
    def failed(self) -> list[Job]:
        """Those that cannot go on by themselves."""
        return [job for job in self.jobs.values() if job.state == "failed"]

    @property
    def progress(self) -> tuple[int, int]:
        """(steps done, steps in all), over all runs; the second is 0 while nobody has said how many there are."""
        steps = max((job.steps or 0 for job in self.jobs.values()), default=0)
        done = sum(steps if job.state == "done" else min(job.step, steps) for job in self.jobs.values())
        return done, steps * len(self.specs)


@st.cache_resource(show_spinner=False, max_entries=256)
def _growing(folder: str, _spec: RunSpec) -> Growing:
    return Growing(Path(folder), _spec)


def look(specs: Sequence[RunSpec], me: str) -> Sweep:
    """As it stands now."""
    out, here, shipped = runs_folder(), shelf(), shipped_by_id()
    runs, parts, jobs = dict[str, Run](), dict[str, PartErrors](), dict[str, Job]()
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
            continue
        growing = _growing(str(job.folder.absolute()), spec)
        if (run := growing.look()) is not None:
            runs[spec.id] = run
            if growing.part is not None:
                parts[spec.id] = growing.part
    return Sweep(specs, _on_one_sample(runs), parts, jobs)


def _on_one_sample(runs: dict[str, Run]) -> dict[str, Run]:
    """Those on equal samples hold the same one, so that all are evaluated together."""
    samples: list[SampleStats] = []
    found = {}
    for name, run in runs.items():
        same = next(
            (sample for sample in samples if sample is run.sample or sample.to_dict() == run.sample.to_dict()), None
        )
        samples += [] if same else [run.sample]
        found[name] = run if same in (None, run.sample) else replace(run, sample=same)
    return found


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
