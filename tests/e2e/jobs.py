"""Two training jobs beside a server under load, and how fast they train."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from boundlab.files import read_json
from boundlab.specs import RunSpec

_PATIENCE = 180  # seconds until a job trains; torch alone takes 3
Priority = Callable[[int], None]  # what is done to a job's process id right after its start


def niced(pid: int) -> None:
    """The lowest priority. With autogroups (see /proc/PID/autogroup) it counts within one session of processes only."""
    os.setpriority(os.PRIO_PROCESS, pid, 19)


def specs(jobs: int) -> list[RunSpec]:
    """Runs too long to finish: MNIST where BOUNDLAB_DATA has it, else digits."""
    root = os.environ.get("BOUNDLAB_DATA")
    mnist = root and list(Path(root, "MNIST", "raw").glob("train-images-idx3-ubyte*"))
    arch = {"kind": "conv", "in_shape": [1, 28, 28] if mnist else [1, 8, 8], "channels": 16, "conv_layers": 3}
    run = {"arch": arch, "dataset": "mnist" if mnist else "digits", "weight_decay": 1e-3, "epochs": 10_000}
    return [RunSpec.from_dict(run | {"seed": seed}) for seed in range(jobs)]


@contextmanager
def start_jobs(out: Path, jobs: int, priority: Priority = niced) -> Iterator[list[Path]]:
    """That many training processes below `out`; gives their run folders, and stops them in the end."""
    started, folders = [], []
    try:
        for spec in specs(jobs):
            file = out / f"{spec.id}.json"
            file.write_text(json.dumps(spec.to_dict()))
            command = [
                sys.executable,
                "-m",
                "boundlab",
                "train",
                str(file),
                "--out",
                str(out),
                "--quiet",
                "--with-parent",
            ]
            started.append(
                subprocess.Popen(
                    command,
                    env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                    stdin=subprocess.PIPE,  # --with-parent: they end with this process, however that ends
                    stdout=subprocess.DEVNULL,
                    process_group=0,
                )
            )
            priority(started[-1].pid)
            folders.append(out / spec.id)
        yield folders
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.communicate()


def _read(folder: Path) -> tuple[int, float]:
    """Step and the time it was written at; (0, 0.0) before the first."""
    path = folder / "status.json"
    now = read_json(path) if path.exists() else {"step": 0, "heartbeat": 0.0}
    if now.get("state") == "failed":
        raise SystemExit(f"the job {folder.name} failed: {now.get('error')}")
    return int(now["step"]), float(now["heartbeat"])


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
    """Steps per second of each job between two moments, by the clock of their own status files."""

    def __init__(self, folders: list[Path]) -> None:
        self._start = {folder: _read(folder) for folder in folders}

    def now(self) -> list[float]:
        """Since this was made, in the order of the folders; 0 for a job that has written nothing since."""
        rates = []
        for folder, (step, at) in self._start.items():
            new, later = _read(folder)
            rates.append(round((new - step) / (later - at), 1) if later > at else 0.0)
        return rates
