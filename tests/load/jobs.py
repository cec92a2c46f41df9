"""Training jobs of a dashboard under load, and how fast they train."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from boundlab.jobs import queue
from boundlab.jobs.queue import Limits
from boundlab.runs import job as jobstate
from boundlab.runs.status import read_status
from boundlab.specs.run import RunSpec
from tests.load.processes import cpu_seconds
from tests.load.protocol import Place, visiting

_PATIENCE = 180  # seconds until a job trains; torch alone takes 3


def specs(number: int) -> list[RunSpec]:
    """Runs too long to finish: MNIST where BOUNDLAB_DATA has it, else digits."""
    root = os.environ.get("BOUNDLAB_DATA")
    mnist = root and list(Path(root, "MNIST", "raw").glob("train-images-idx3-ubyte*"))
    arch = {"kind": "conv", "in_shape": [1, 28, 28] if mnist else [1, 8, 8], "channels": 16, "conv_layers": 3}
    run = {"arch": arch, "dataset": "mnist" if mnist else "digits", "weight_decay": 1e-3, "epochs": 10_000}
    return [RunSpec.from_dict(run | {"seed": seed}) for seed in range(number)]


@asynccontextmanager
async def start_jobs(url: str, out: Path, number: int) -> AsyncIterator[list[Path]]:
    """That many jobs, queued for the dashboard at `url`, whose runs lie in `out`; gives their run folders, and stops them
    in the end."""
    limits = Limits(running=number)
    queued = [queue.submit(spec, "load", "cpu", out, limits) for spec in specs(number)]
    async with visiting(url, Place("train", "", "")):  # who opens the page starts the scheduler
        pass
    try:
        yield [job.folder for job in queued]
    finally:
        for job in queued:
            queue.ask(job, "stop")
        while any(jobstate.read_job_folder(job.folder).state in jobstate.LIVE for job in queued):
            await asyncio.sleep(0.1)


def _read(folder: Path) -> tuple[int, float, int]:
    """Step, the time it was written at, process id; zeros before the first."""
    now = read_status(folder)
    if now.state == "failed":
        raise SystemExit(f"the job {folder.name} failed: {now.error}")
    return now.step, now.heartbeat or 0.0, now.pid or 0


def training(folders: list[Path]) -> bool:
    """Whether every job has got beyond the step it was at when first looked at; waits for it a while."""
    first: dict[Path, int] = {}
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        steps = {folder: _read(folder)[0] for folder in folders}
        first |= {folder: step for folder, step in steps.items() if step and folder not in first}
        if len(first) == len(folders) and all(steps[folder] > first[folder] for folder in folders):
            return True
        time.sleep(0.2)
    return False


class Speed:
    """How fast each job trains from when this is made."""

    def __init__(self, folders: list[Path]) -> None:
        self._began = time.monotonic()
        self._start = {folder: (*_read(folder), cpu_seconds(_read(folder)[2])) for folder in folders}

    def now(self) -> list[dict[str, float | None]]:
        """Steps per second by the clock of the job's own status (None: nothing written since), and its share of a core."""
        result: list[dict[str, float | None]] = []
        for folder, (step, at, pid, used) in self._start.items():
            new, later, _ = _read(folder)
            speed = round((new - step) / (later - at), 1) if later > at else None
            cores = round((cpu_seconds(pid) - used) / (time.monotonic() - self._began), 2)
            result.append({"steps_per_second": speed, "cores": cores})
        return result
