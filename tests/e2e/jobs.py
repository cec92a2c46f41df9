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


def _nice(pid: int) -> None:
    os.setpriority(os.PRIO_PROCESS, pid, 19)


def _idle(pid: int) -> None:
    os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


# With autogroups (/proc/PID/autogroup) both count within one session of processes only, so the jobs stay in the server's.
PRIORITIES: dict[str, Priority] = {"nice": _nice, "idle": _idle, "none": lambda pid: None}


def specs(jobs: int) -> list[RunSpec]:
    """Runs too long to finish: MNIST where BOUNDLAB_DATA has it, else digits."""
    root = os.environ.get("BOUNDLAB_DATA")
    mnist = root and list(Path(root, "MNIST", "raw").glob("train-images-idx3-ubyte*"))
    arch = {"kind": "conv", "in_shape": [1, 28, 28] if mnist else [1, 8, 8], "channels": 16, "conv_layers": 3}
    run = {"arch": arch, "dataset": "mnist" if mnist else "digits", "weight_decay": 1e-3, "epochs": 10_000}
    return [RunSpec.from_dict(run | {"seed": seed}) for seed in range(jobs)]


@contextmanager
def start_jobs(out: Path, jobs: int, priority: str) -> Iterator[list[Path]]:
    """That many training processes below `out`, started with one of `PRIORITIES`; gives their run folders, and stops them in the end."""
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
            PRIORITIES[priority](started[-1].pid)
            folders.append(out / spec.id)
        yield folders
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.communicate()


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, user and system; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read(folder: Path) -> tuple[int, float, int]:
    """Step, the time it was written at, process id; zeros before the first."""
    path = folder / "status.json"
    now = read_json(path) if path.exists() else {"step": 0, "heartbeat": 0.0, "pid": 0}
    if now.get("state") == "failed":
        raise SystemExit(f"the job {folder.name} failed: {now.get('error')}")
    return int(now["step"]), float(now["heartbeat"]), int(now["pid"])


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
