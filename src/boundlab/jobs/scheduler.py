"""The queue's other half: a thread of the server that starts jobs as processes of their own. It never trains."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from boundlab.errors import BoundlabError
from boundlab.jobs import queue, teams, workers
from boundlab.jobs.queue import Limits
from boundlab.jobs.workers import WarmWorkers
from boundlab.runs import job as jobstate
from boundlab.runs.job import Job
from boundlab.runs.status import write_status
from boundlab.specs.work import memory
from boundlab.system import memory as room
from boundlab.system.devices import Device, cpu, free_memory, probe
from boundlab.system.locks import take_lock
from boundlab.system.processes import Worker, detached

_BUSY, _IDLE = 0.2, 1.0  # seconds between two looks at the folder
_WARM_FOR = 600.0  # seconds warm workers are kept after somebody last looked at a page that trains
_MOST_WARM = 2  # each holds 0.3 GB
GRACE = 30.0  # seconds in which a worker must have stopped when asked; then it is killed and keeps its last checkpoint
HEAD_START = 3.0  # seconds that a started job has for itself before another warm worker loads


@dataclass
class _Running:
    """A worker and what it trains, together."""

    runs: tuple[str, ...]
    worker: Worker
    gpu: int | None
    comes_back: bool  # it waits again when it is done
    asked: float | None = None  # when it was first seen asked to end


class Scheduler:
    """Starts the queued jobs below `out`, fairly and within `limits`. Of several servers on one folder one does so."""

    def __init__(
        self,
        out: Path,
        limits: Limits,
        find_devices: Callable[[], list[Device]] = probe,
        free: Callable[[], int | None] = free_memory,
    ) -> None:
        self.out, self.limits, self._find, self._free = out, limits, find_devices, free
        self.devices: list[Device] | None = None  # None: not known yet
        self.trouble: str | None = None  # why something cannot be started
        self.waits: dict[str, tuple[int, int]] = {}  # id of a job that waits for memory -> bytes it needs, bytes free
        self.running: list[_Running] = []
        self.warm = WarmWorkers(min(_MOST_WARM, limits.running))
        self._wanted = 0.0  # when somebody last looked at the Train page
        self._leads: int | None = None
        self._wake, self._end = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=t, daemon=True) for t in (self._look_for_devices, self._loop)]

    def start(self) -> Scheduler:
        """Begin to look after the folder."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """End it, and with it the workers of this server (unless detached)."""
        self._end.set()
        self._wake.set()
        self._threads[1].join()
        for worker in [*self.warm.dismiss(), *(entry.worker for entry in self.running)]:
            worker.close()
            if not detached():
                worker.process.wait()
        if self._leads is not None:
            os.close(self._leads)

    def wake(self) -> None:
        """Look at the folder now, and keep warm workers ready: somebody is at a page that trains."""
        self._wanted = time.monotonic()
        self._wake.set()

    @property
    def gpus(self) -> list[Device]:
        """The CUDA devices, none while they are not known."""
        return [device for device in self.devices or [] if device.kind == "cuda"]

    def kind(self, job: Job) -> str:
        """ "cuda" or "cpu": where the job will run."""
        return "cpu" if job.device == "cpu" or not self.gpus else "cuda"

    def _taken(self, every: Iterable[Job]) -> list[room.Taken]:
        """The memory of what trains on the CPU, by process."""
        ours = {run: entry.worker.process.pid for entry in self.running for run in entry.runs}
        processes: dict[object, list[Job]] = {}
        for job in every:
            if job.state in jobstate.LIVE and not (job.used or "").startswith("cuda"):
                processes.setdefault(ours.get(job.id) or job.pid or job.id, []).append(job)
        return [
            room.Taken(memory(team[0].spec, len(team)), room.resident(ours[team[0].id]) if team[0].id in ours else None)
            for team in processes.values()
        ]

    def memory_left(self, every: Iterable[Job]) -> int:
        """Bytes for a further training on the CPU beside what runs."""
        total = (self.devices or [cpu()])[0].memory
        return room.left(total, self._free(), self._taken(every))

    def memory_most(self, every: Iterable[Job]) -> int:
        """Bytes for a training on the CPU once none of these runs."""
        total = (self.devices or [cpu()])[0].memory
        return room.most(total, self._free(), self._taken(every))

    def _look_for_devices(self) -> None:
        self.devices = self._find()
        self._wake.set()

    def _loop(self) -> None:
        while not self._end.is_set():
            try:
                busy = self.tick()
            except Exception as error:  # whatever it is: the queue must go on
                self.trouble, busy = str(error) or type(error).__name__, False
                traceback.print_exc()
            self._wake.wait(_BUSY if busy else _IDLE)
            self._wake.clear()

    def tick(self) -> bool:
        """One look at the folder: reap what ended, start what may start; returns whether anything waits or runs."""
        self._reap()
        coming = sum(entry.comes_back for entry in self.running)
        self.warm.update(time.monotonic() - self._wanted < _WARM_FOR and not detached(), coming)
        if not self.out.is_dir() or not self._leading():
            self.trouble = None
            return False
        with queue.writing(self.out):  # what somebody is about to ask for together starts together
            every = queue.jobs(self.out)
        trouble = None
        self._kill_unresponsive(every)
        for team in self._startable(every):
            try:
                self._launch(team)
            except (OSError, BoundlabError) as error:  # the next ones may start all the same
                trouble = f"{team[0].id}: {error}"
        self.trouble = trouble
        return any(job.state in (*jobstate.WAITING, *jobstate.LIVE) for job in every)

    def _kill_unresponsive(self, every: list[Job]) -> None:
        """Kill what does not stop though all that it trains was asked to; one of several must not take the others along."""
        stopping = {job.id for job in every if job.state == "stopping"}
        live = {job.id for job in every if job.state in jobstate.LIVE}
        for entry in self.running:
            entry.asked = (entry.asked or time.monotonic()) if set() < live & set(entry.runs) <= stopping else None
            if entry.asked and time.monotonic() - entry.asked > GRACE:
                entry.worker.process.kill()

    def _leading(self) -> bool:
        if self._leads is None:
            self._leads = take_lock(self.out, ".scheduler")
        return self._leads is not None

    def _startable(self, every: list[Job]) -> list[list[Job]]:
        """Queued jobs for which there is room, in order, each with those of its owner that are best trained with it."""
        if self.devices is None:
            return []
        live = [job for job in every if job.state in jobstate.LIVE]
        places = Counter({"cpu": self.limits.running, "cuda": len(self.gpus)})
        places.subtract(kind for kind, _ in {("cuda" if _on_gpu(job) else "cpu", job.pid or job.id) for job in live})
        waiting = queue.in_order(every)
        chosen: list[list[Job]] = []
        free, most, waits = self.memory_left(every), self.memory_most(every), {}
        busy = not all(map(_on_gpu, live))
        while waiting:
            kind = self.kind(waiting[0])
            team = teams.next_team(waiting, kind, places[kind], free)
            job, need = team[0], memory(team[0].spec, len(team))
            waiting = [other for other in waiting if other not in team]
            if places[kind] <= 0:
                continue
            if kind == "cpu" and need > free:
                waits[job.id] = (need, free)
                if (busy or chosen) and need <= most:  # it is next once they end: nothing smaller passes it for ever
                    places["cpu"] = 0
                continue
            free -= need if kind == "cpu" else 0
            places[kind] -= 1
            chosen.append(team)
        self.waits = waits
        return chosen

    def _launch(self, team: list[Job]) -> None:
        locks = {job.id: lock for job in team if (lock := take_lock(self.out, job.id)) is not None}
        try:  # those that another process was faster with, or that are done already, are left to it
            team = [job for job in team if job.id in locks and jobstate.read_job_folder(job.folder).state != "done"]
            if not team:
                return
            gpu = self._free_gpu() if self.kind(team[0]) == "cuda" else None
            device = "cpu" if gpu is None else f"cuda ({self.gpus[gpu].name})"
            for job in team:
                write_status(job.folder, job.said("running", device=device))
            environment = {"CUDA_VISIBLE_DEVICES": "" if gpu is None else str(self.gpus[gpu].index)}
            self.warm.not_before = time.monotonic() + HEAD_START
            given = [job.folder for job in team], [locks[job.id] for job in team], environment
            warm = self.warm.take(*given)
            worker = warm or workers.for_jobs(*given)
            self.running.append(_Running(tuple(job.id for job in team), worker, gpu, warm is not None and gpu is None))
        finally:
            for lock in locks.values():
                os.close(lock)

    def _free_gpu(self) -> int:
        """The GPU with the fewest of this server's jobs."""
        used = Counter(entry.gpu for entry in self.running)
        return min(range(len(self.gpus)), key=lambda i: used[i])

    def _reap(self) -> None:
        """Take back workers that have trained what they were given; wait for ended ones, so that none stays a zombie, and say how
        those ended that could not."""
        for entry in list(self.running):
            code = entry.worker.code
            if code is None:
                if entry.comes_back and entry.worker.ready:
                    self.running.remove(entry)
                    self.warm.give_back(entry.worker)
                continue
            entry.worker.close()
            self.running.remove(entry)
            if code < 0:
                for run in entry.runs:
                    with contextlib.suppress(OSError, BoundlabError):  # that it is lost is known all the same
                        self._explain(self.out / run, -code)

    def _explain(self, folder: Path, signal: int) -> None:
        job = jobstate.read_job_folder(folder)
        lock = take_lock(self.out, folder.name) if job.state == "lost" else None
        if lock is not None:
            error = f"its process was killed (signal {signal}" + (", perhaps for memory)" if signal == 9 else ")")
            try:
                write_status(folder, job.said("lost", error=error, heartbeat=job.heartbeat, device=job.used))
            finally:
                os.close(lock)


def _on_gpu(job: Job) -> bool:
    return (job.used or "cpu").startswith("cuda")
