"""Which runs the pages know: the shipped pack, and of the ones trained here, finished or still growing under a
`boundlab.Monitor`, as they come and go, those that this reader may see. Whose a run is, and whether it is shared, says job.json in its folder."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from boundlab.errors import BoundlabError, RunError
from boundlab.runs.folder import open_run, sealed
from boundlab.runs.job import Job, read_job_folder
from boundlab.runs.places import runs_folder
from boundlab.runs.run import Run
from boundlab.runs.status import read_state
from boundlab.specs.own_data import DATASETS
from boundlab.specs.recipes import described, figured, studied
from boundlab.system.files import signature
from boundlab.ui import visitor
from boundlab.ui.privacy import may_see
from boundlab.ui.shipped import shipped_by_id, shipped_runs

SCAN_EVERY = 1.0  # seconds
_RECORDS = "records.jsonl"
_NEEDED = ("step", "epoch", "train_error", "test_error")
Stamp = tuple[int, int]  # mtime in ns


class Shelf:
    """The sealed runs of one folder, and those that grow under a monitor: looked at most once a second, each read once, or
    again when it has a new record; a deleted one is forgotten."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs: dict[str, Run] = {}  # newest first
        self.broken: dict[str, str] = {}  # folder's name -> why
        self.about: dict[str, tuple[Stamp, Job | None]] = {}  # of `runs`: when it changed, and whose it is
        self.live: dict[str, object] = {}  # of `runs`: those that grow, and their records' file as it was read
        self.training: dict[str, Job] = {}  # what is trained here just now, as it stood at the last look
        self._gone: dict[str, Run] = {}  # by the latest change: a page under way still finds what it listed
        self._stamps: dict[str, Stamp] = {}
        self._samples = {json.dumps(s.to_dict()): s for s in {id(r.sample): r.sample for r in shipped_runs()}.values()}
        self._scanned = -float("inf")
        self._lock = threading.Lock()

    def update(self) -> Shelf:
        """Itself, up to date."""
        with self._lock:
            if time.monotonic() - self._scanned >= SCAN_EVERY:
                stamps = _scan(self.folder)
                if stamps != self._stamps or self.live or self.training:
                    self._read(stamps)
                self._scanned = time.monotonic()
        return self

    @property
    def left_out(self) -> dict[str, str]:
        """What lies there and cannot be used, and why: whole folders, and certificates of runs that can."""
        return self.broken | {f"certificate of {name}": run.trouble for name, run in self.runs.items() if run.trouble}

    def find(self, name: str) -> Run | None:
        """A run by id."""
        return self.runs.get(name) or self._gone.get(name)

    def _read(self, stamps: dict[str, Stamp]) -> None:
        moving = {*self.live, *self.training}
        same = {name for name, stamp in stamps.items() if self._stamps.get(name) == stamp and name not in moving}
        live, training = dict[str, object](), dict[str, Job]()
        runs = {name: run for name, run in self.runs.items() if name in same}
        broken = {name: why for name, why in self.broken.items() if name in same}
        for name in sorted(set(stamps) - same):
            try:
                job = _running(self.folder / name)
                if grows := signature(self.folder / name / _RECORDS) if job and job.spec.watched else None:
                    live[name] = grows
                elif job:
                    training[name] = job
                run = (
                    self.runs[name]
                    if grows and self.live.get(name) == grows
                    else _opened(self.folder / name, bool(grows))
                )
            except BoundlabError as error:
                broken[name] = str(error)
            else:
                runs |= {name: self._sharing(run)} if run else {}
        runs = dict(sorted(runs.items(), key=lambda item: (-stamps[item[0]][1], item[0])))
        if {id(run) for run in runs.values()} != {id(run) for run in self.runs.values()}:
            self._gone = {name: run for name, run in self.runs.items() if name not in runs}
        known = {name: self.about[name] for name in set(runs) if self.runs.get(name) is runs[name]}
        self.about = known | {name: (stamps[name], _job(self.folder / name)) for name in set(runs) - set(known)}
        self.live = {name: grows for name, grows in live.items() if name in runs}
        self.runs, self.broken, self._stamps, self.training = runs, broken, stamps, training

    def _sharing(self, run: Run) -> Run:
        """The run; those on equal samples hold the same one, so that `tables` evaluates them together."""
        if any(run.sample is sample for sample in self._samples.values()):
            return run
        return dataclasses.replace(run, sample=self._samples.setdefault(json.dumps(run.sample.to_dict()), run.sample))


def _scan(folder: Path) -> dict[str, Stamp]:
    """Name of every folder that has a status -> when the folder and the status last changed."""
    stamps = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):  # no run, not started, or deleted this moment
                    status_changed = os.stat(f"{entry.path}/status.json").st_mtime_ns
                    stamps[entry.name] = (entry.stat().st_mtime_ns, status_changed)
    except OSError:
        return {}
    return stamps


def _running(folder: Path) -> Job | None:
    """The job of a run that a process trains now; None for any other."""
    if read_state(folder) != "running":
        return None
    job = _job(folder)
    return job if job and job.state == "running" else None


def _opened(folder: Path, grows: bool) -> Run | None:
    """The run, None while it is not finished, unless it `grows` for all to see; raises RunError."""
    if grows:
        try:
            run = open_run(folder)
        except RunError:  # sealed this moment: the next look knows
            return None
        return None if run.epochs.empty else run
    if read_state(folder) != "done":
        return None
    if not sealed(folder):
        raise RunError(f"{folder} says that it is done, but lacks its results; delete it and train again")
    run = open_run(folder)
    if run.id != folder.name:
        raise RunError(f"{folder} holds the run {run.id}; give the folder that name, or delete it")
    if run.epochs.empty or not set(_NEEDED) <= set(run.records):
        raise RunError(f"{folder} lacks the errors of training; delete it and train again")
    return run


def _job(folder: Path) -> Job | None:
    """Whose the run is; None where that cannot be read: in a class nobody sees it then."""
    try:
        return read_job_folder(folder)
    except RunError:
        return None


@st.cache_resource(show_spinner=False, max_entries=4)
def _shelf(folder: str) -> Shelf:
    return Shelf(Path(folder))


def shelf() -> Shelf:
    """The runs trained here, as they are now."""
    return _shelf(str(runs_folder().absolute())).update()


@dataclass(frozen=True)
class VisibleRuns:
    """The runs trained here that a reader may see, by id, newest first. `version`: what tables of them are kept under: the same
    for all who see the same, another one whenever one of these comes, goes or changes."""

    runs: dict[str, Run]
    version: str
    live: tuple[str, ...] = ()  # ids of those that grow
    training: tuple[Job, ...] = ()  # what this reader may see of what is trained here just now

    @property
    def stamp(self) -> str:
        """Another one whenever `version` is, and when something begins or ceases to be trained."""
        return "/".join((self.version, *sorted(job.id for job in self.training)))

    @property
    def own(self) -> list[Run]:
        """Those that are not shipped too."""
        shipped = shipped_by_id()
        return [run for name, run in self.runs.items() if name not in shipped]

    @property
    def all(self) -> list[Run]:
        """Shipped, then trained here."""
        return [*shipped_runs(), *self.own]

    def figured(self, dataset: str) -> list[Run]:
        """All on one data set that the figures are about; those made for their certificate are not."""
        return [run for run in self.all if run.spec.train.dataset == dataset and has_place(run)]

    def studied(self, dataset: str, preset: str) -> list[Run]:
        """All on one data set of a recipe that has a page of its own."""
        return [run for run in self.all if run.spec.train.dataset == dataset and studied(run.spec, preset)]


def visible_runs() -> VisibleRuns:
    """What this reader may see now: at home everything, in a class what is their own or shared."""
    now, home, me = shelf(), visitor.at_home(), visitor.visitor_name()
    about = now.about
    runs = {key: run for key, run in now.runs.items() if key in about and _shown(about[key][1], home, me)}
    stamps = [(key, about[key][0]) for key in runs]
    version = hashlib.sha256(repr(stamps).encode()).hexdigest()[:16] if stamps else ""
    training = tuple(job for job in now.training.values() if _shown(job, home, me))
    return VisibleRuns(runs, version, tuple(name for name in runs if name in now.live), training)


def _shown(job: Job | None, home: bool, me: str) -> bool:
    """What is played has no place outside the Playground; at home a run whose job cannot be read has one."""
    return home if job is None else not job.played and (home or may_see(job, me))


def own_runs() -> list[Run]:
    """The finished runs trained here that this reader may see, newest first; one that is shipped too counts as shipped."""
    return visible_runs().own


def find_run(name: str) -> Run:
    """One of all runs, by an id that was listed for this reader (none comes from a link); raises RunError when it is gone."""
    if run := shipped_by_id().get(name) or shelf().find(name):
        return run
    raise RunError(f"the run {name} is no longer there; reload the page")


def datasets(study: str | None = None) -> list[str]:
    """The data sets that the figures, or the page of the recipe `study`, have runs of, in the catalogue's order."""
    now = visible_runs()
    return _datasets(study, now.version, now)


@st.cache_data(show_spinner=False, max_entries=32)
def _datasets(study: str | None, version: str, _seen: VisibleRuns) -> list[str]:
    has = has_place if study is None else lambda run: studied(run.spec, study)
    known = {run.spec.train.dataset for run in _seen.all if has(run)}
    return [name for name in DATASETS if name in known]


def has_place(run: Run) -> bool:
    """Whether a figure has a place for the run; of the shipped ones only those with the paper's layers."""
    return figured(run.spec) and (run.spec.arch.papers or run.id not in shipped_by_id())


def run_name(run: Run) -> str:
    """A run trained here as the pages call it, and links do (`?networks=trained here&run=...`)."""
    return " · ".join((*described(run.spec), run.id[-6:]))
