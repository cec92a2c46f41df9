"""Grids of runs: each run is its own process, so a killed one takes nothing down with it.

Not the scheduler's work: a sweep runs `workers` at a time on one GPU too, limits no memory, starts nothing but its own runs,
and says what their processes said, also where no status could be written.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from boundlab.errors import RunError
from boundlab.runs.folder import sealed
from boundlab.runs.status import read_status
from boundlab.specs.run import RunSpec
from boundlab.system.files import make_folder, write_atomic
from boundlab.system.locks import BUSY, held
from boundlab.system.processes import ONE_THREAD


def _launch(spec: RunSpec, out: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    queue = out / ".queue"
    make_folder(queue)
    file = queue / f"{spec.id}.json"
    write_atomic(file, json.dumps(spec.to_dict()))
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
        *arguments,
    ]
    with _log(out, spec.id).open("wb") as log:
        return subprocess.Popen(
            command, env=os.environ | ONE_THREAD, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log
        )


def _log(out: Path, run: str) -> Path:
    return out / ".queue" / f"{run}.{os.getpid()}.log"  # another sweep may wait for the same run


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()
    process.wait()


def sweep(
    specs: list[RunSpec], out: Path, workers: int, arguments: list[str], progress: Callable[[float], None]
) -> dict[str, str]:
    """Train every spec that is not sealed, `workers` at a time; returns {id: error} of those that failed.

    What another process trains is waited for, and taken over should that process end without finishing it. `progress` is
    called about twice a second with the number of finished runs, running ones counted in part.
    """
    waiting = {spec.id: spec for spec in specs if not finished(out / spec.id)}
    running: dict[str, subprocess.Popen[bytes]] = {}
    failed: dict[str, str] = {}
    try:
        while waiting or running:
            free = (name for name in waiting if name not in running and not held(out, name))
            for name in itertools.islice(list(free), workers - len(running)):
                running[name] = _launch(waiting[name], out, arguments)
            time.sleep(0.5)
            for name in [name for name, process in running.items() if process.poll() is not None]:
                if (error := _ended(running.pop(name), _log(out, name))) and BUSY not in error:
                    failed[name] = error
            failed = {name: why for name, why in failed.items() if not finished(out / name)}
            waiting = {n: spec for n, spec in waiting.items() if n not in failed and not finished(out / n)}
            progress(len(specs) - len(waiting) + sum(_fraction(out / name) for name in waiting))
    finally:
        for process in running.values():  # only after Ctrl-C: a run resumes from its last epoch
            process.terminate()
            _close(process)
    return failed


def _ended(process: subprocess.Popen[bytes], log: Path) -> str | None:
    """The last line that a process wrote before it failed, None where it did not."""
    _close(process)
    lines = log.read_text(errors="replace").strip().splitlines()
    log.unlink(missing_ok=True)
    return (lines or ["killed"])[-1] if process.returncode else None


def finished(folder: Path) -> bool:
    """Whether a run is sealed; one whose status cannot be read is not: training it says what is wrong."""
    try:
        return sealed(folder)
    except RunError:
        return False


def _fraction(folder: Path) -> float:
    try:
        now = read_status(folder)
    except RunError:
        return 0.0
    return min(1.0, now.step / now.steps) if now.steps else 0.0
