"""The queue's other half: a thread of the server that starts jobs as processes of their own. It never trains."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from boundlab import jobs
from boundlab.devices import Device, probe
from boundlab.errors import BoundlabError
from boundlab.files import make_folder
from boundlab.jobs import Job, Limits
from boundlab.locks import take

BUSY, IDLE = 0.2, 1.0  # seconds between two looks at the folder
SPARE_FOR = 600.0  # seconds a spare worker is kept after somebody last looked at the Train page
BREATH = 3.0  # seconds that a started job has for itself before the next spare loads
NICENESS = 19  # pages come first
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def detached() -> bool:
    """Whether jobs outlive the server (BOUNDLAB_DETACHED=1); else they end with it and can be resumed."""
    return os.environ.get("BOUNDLAB_DETACHED", "") not in ("", "0")


@dataclass
class _Child:
    process: subprocess.Popen[bytes]
    line: socket.socket | None  # closes when this server dies, and the worker ends with it


class Scheduler:
    """Starts the queued jobs below `out`, fairly and within `limits`. Of several servers on one folder one does so."""

    def __init__(self, out: Path, limits: Limits, find_devices: Callable[[], list[Device]] = probe) -> None:
        self.out, self.limits, self._find = out, limits, find_devices
        self.devices: list[Device] | None = None  # None: not known yet
        self.trouble: str | None = None  # why nothing can be started
        self._children: dict[str, tuple[_Child, int | None]] = {}  # run id -> process and its GPU
        self._spare: _Child | None = None
        self._leaving: list[_Child] = []  # spares that were told to go
        self._launched = 0.0  # when a job was last started
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
        self._dismiss_spare()
        for child in [*(child for child, _ in self._children.values()), *self._leaving]:
            _hang_up(child)
            if not detached():
                child.process.wait()
        if self._leads is not None:
            os.close(self._leads)

    def wake(self) -> None:
        """Look at the folder now, and keep a spare worker ready: somebody is at the Train page."""
        self._wanted = time.monotonic()
        self._wake.set()

    @property
    def gpus(self) -> list[Device]:
        """The CUDA devices, none while they are not known."""
        return [device for device in self.devices or [] if device.kind == "cuda"]

    def kind(self, job: Job) -> str:
        """ "cuda" or "cpu": where the job will run."""
        return "cpu" if job.device == "cpu" or not self.gpus else "cuda"

    def _look_for_devices(self) -> None:
        self.devices = self._find()
        self._wake.set()

    def _loop(self) -> None:
        while not self._end.is_set():
            try:
                busy = self.tick()
                self.trouble = None
            except (OSError, BoundlabError) as error:
                self.trouble, busy = str(error), False
            self._wake.wait(BUSY if busy else IDLE)
            self._wake.clear()

    def tick(self) -> bool:
        """One look at the folder: bury the dead, start what may start; returns whether anything waits or runs."""
        self._bury()
        if not self.out.is_dir() or not self._leading():
            self._mind_the_spare()
            return False
        every = jobs.jobs(self.out)
        for job in self._startable(every):
            self._launch(job)
        self._mind_the_spare()
        return any(job.state in (*jobs.WAITING, *jobs.LIVE) for job in every)

    def _leading(self) -> bool:
        if self._leads is None:
            self._leads = take(self.out, ".scheduler")
        return self._leads is not None

    def _startable(self, every: list[Job]) -> list[Job]:
        """Queued jobs for which there is room, in order."""
        if self.devices is None:
            return []
        live = [job for job in every if job.state in jobs.LIVE]
        room = Counter({"cpu": self.limits.running, "cuda": len(self.gpus)})
        room.subtract("cuda" if (job.used or "cpu").startswith("cuda") else "cpu" for job in live)
        chosen = []
        for job in jobs.in_order(every):
            if room[self.kind(job)] > 0:
                room[self.kind(job)] -= 1
                chosen.append(job)
        return chosen

    def _launch(self, job: Job) -> None:
        lock = take(self.out, job.id)
        if lock is None:  # another process was faster
            return
        try:
            if jobs.read(job.folder).state == "done":  # and is done already
                return
            gpu = self._free_gpu() if self.kind(job) == "cuda" else None
            jobs.with_status(job, device="cpu" if gpu is None else f"cuda ({self.gpus[gpu].name})")
            visible = {"CUDA_VISIBLE_DEVICES": "" if gpu is None else str(self.gpus[gpu].index)}
            child = self._hand_over(job, lock, visible) or self._spawn(job, lock, visible)
            self._children[job.id] = (child, gpu)
            self._launched = time.monotonic()
        except OSError as error:
            with contextlib.suppress(OSError):
                jobs.with_status(job, state="failed", error=f"the worker could not be started ({error})")
        finally:
            os.close(lock)

    def _free_gpu(self) -> int:
        """The GPU with the fewest of this server's jobs."""
        used = Counter(gpu for _, gpu in self._children.values())
        return min(range(len(self.gpus)), key=lambda i: used[i])

    def _hand_over(self, job: Job, lock: int, visible: dict[str, str]) -> _Child | None:
        """Give the job to the spare worker, if there is one."""
        spare = self._spare
        if spare is None or spare.line is None:
            return None
        message = json.dumps({"folder": str(job.folder), "environment": visible}) + "\n"
        try:
            if spare.process.poll() is not None:
                raise ChildProcessError("the spare is dead")
            socket.send_fds(spare.line, [message.encode()], [lock])
        except OSError:
            self._dismiss_spare()
            return None
        self._spare = None
        return spare

    def _dismiss_spare(self) -> None:
        if self._spare:
            _hang_up(self._spare)
            self._leaving.append(self._spare)
            self._spare = None

    def _spawn(self, job: Job, lock: int, visible: dict[str, str]) -> _Child:
        command = [sys.executable, "-m", "boundlab.worker", str(job.folder), "--lock-fd", str(lock)]
        return _start(command, visible, (lock,), alone=detached(), log=self.out / ".queue" / f"{job.id}.log")

    def _mind_the_spare(self) -> None:
        wanted = time.monotonic() - self._wanted < SPARE_FOR and not detached()
        if self._spare and (not wanted or self._spare.process.poll() is not None):
            self._dismiss_spare()
        elif wanted and self._spare is None and time.monotonic() - self._launched > BREATH:
            self._spare = _start([sys.executable, "-m", "boundlab.worker", "--spare"], {}, (), alone=False)

    def _bury(self) -> None:
        """Wait for ended children, so that none stays a zombie, and say how those ended that could not."""
        self._leaving = [child for child in self._leaving if child.process.poll() is None]
        for name, (child, _) in list(self._children.items()):
            code = child.process.poll()
            if code is None:
                continue
            _hang_up(child)
            del self._children[name]
            if code < 0:
                self._explain(self.out / name, -code)

    def _explain(self, folder: Path, signal: int) -> None:
        with contextlib.suppress(
            OSError, BoundlabError
        ):  # a full disk, a deleted folder: it is known as lost all the same
            job = jobs.read(folder)
            lock = take(self.out, folder.name) if job.state == "lost" else None
            if lock is not None:
                error = f"its process was killed (signal {signal}" + (", perhaps for memory)" if signal == 9 else ")")
                try:
                    jobs.with_status(job, state="lost", error=error, heartbeat=job.heartbeat, device=job.used)
                finally:
                    os.close(lock)


def _start(
    command: list[str], environment: dict[str, str], descriptors: tuple[int, ...], alone: bool, log: Path | None = None
) -> _Child:
    """A worker process, niced, on one thread; `alone`: it outlives the server and writes to `log`."""
    ours, theirs = (None, None) if alone else socket.socketpair()
    output = None
    if alone and log:
        make_folder(log.parent)
        output = log.open("wb")
    try:
        process = subprocess.Popen(
            command if alone or "--spare" in command else [*command, "--with-parent"],
            stdin=theirs.fileno() if theirs else subprocess.DEVNULL,
            stdout=output or subprocess.DEVNULL,
            stderr=output,
            env=os.environ | ONE_THREAD | environment,
            pass_fds=descriptors,
            start_new_session=alone,
            process_group=None if alone else 0,  # Ctrl-C is the server's; the same session, where niceness counts
        )
    finally:
        for end in (theirs, output):
            if end is not None:
                end.close()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        if alone:  # a session of its own has its own share of the CPU on Linux, which niceness does not change
            Path(f"/proc/{process.pid}/autogroup").write_text(str(NICENESS))
    return _Child(process, ours)


def _hang_up(child: _Child) -> None:
    if child.line is not None:
        child.line.close()
