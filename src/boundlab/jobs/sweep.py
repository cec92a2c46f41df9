"""Grids of runs: processes of their own, each with one run or with several that are faster together.

Not the scheduler's work: a sweep runs `workers` at a time on one GPU too, limits no memory, starts nothing but its own runs,
and says what their processes said, also where no status could be written.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from boundlab.errors import RunError
from boundlab.runs import stacks
from boundlab.runs.folder import sealed
from boundlab.runs.status import Status, read_status
from boundlab.specs.run import RunSpec
from boundlab.specs.stacking import together
from boundlab.system.files import make_folder, write_atomic
from boundlab.system.locks import BUSY, held
from boundlab.system.processes import ONE_THREAD


def start_runs(specs: list[RunSpec], out: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    """A process that trains runs together below `out`, and ends when its standard input is closed."""
    queue = out / ".queue"
    make_folder(queue)
    file = queue / f"{specs[0].id}.json"
    write_atomic(file, json.dumps([spec.to_dict() for spec in specs]))
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
    with log_of(out, specs[0].id).open("wb") as log:
        return subprocess.Popen(
            command, env=os.environ | ONE_THREAD, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log
        )


def log_of(out: Path, run: str) -> Path:
    """What a process launched here for `run` writes when it fails."""
    return out / ".queue" / f"{run}.{os.getpid()}.log"  # another sweep may wait for the same run


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()
    process.wait()


def sweep(
    specs: list[RunSpec],
    out: Path,
    workers: int,
    arguments: list[str],
    progress: Callable[[float], None],
    device: str = "cpu",
) -> dict[str, str]:
    """Train every spec that is not sealed, `workers` processes at a time, each with runs that are best trained together on
    `device`; returns {id: error} of those that failed.

    What another process trains is waited for, and taken over should that process end without finishing it. `progress` is
    called about three times a second with the number of finished runs, running ones counted in part.
    """
    waiting = {spec.id: spec for spec in specs if not finished(out / spec.id)}
    running: list[tuple[list[str], subprocess.Popen[bytes]]] = []
    failed: dict[str, str] = {}
    try:
        while waiting or running:
            busy = {name for names, _ in running for name in names}
            free = [spec for name, spec in waiting.items() if name not in busy and not held(out, name)]
            for group in stacks_of(free, out, device, workers - len(running))[: workers - len(running)]:
                running.append(([spec.id for spec in group], start_runs(group, out, arguments)))
            time.sleep(0.3)
            for names, process in [entry for entry in running if entry[1].poll() is not None]:
                running.remove((names, process))
                failed |= failures(names, ended(process, log_of(out, names[0])), out)
            failed = {name: why for name, why in failed.items() if not finished(out / name)}
            waiting = {n: spec for n, spec in waiting.items() if n not in failed and not finished(out / n)}
            progress(len(specs) - len(waiting) + sum(fraction(out / name) for name in waiting))
    finally:
        for _, process in running:  # only after Ctrl-C: a run resumes from its last epoch
            process.terminate()
            _close(process)
    return failed


def stacks_of(free: list[RunSpec], out: Path, device: str, places: int) -> list[list[RunSpec]]:
    """What is trained together: first what was begun so."""
    named = {out / spec.id: spec for spec in free}
    begun, alone = stacks.with_mates(list(named))
    fresh = together([named[folder] for folder in alone], lambda spec: spec, device, max(1, places - len(begun)))
    return [[named[folder] for folder in stack] for stack in begun] + fresh


def failures(names: list[str], error: str | None, out: Path) -> dict[str, str]:
    """Of the runs that a process was to train, those that will not be finished, and why; `error`: its last line."""
    found = {}
    for name in names:
        status = _status(out / name)
        if status is not None and status.state == "failed" and not finished(out / name):
            found[name] = status.error or error or "failed"
        elif error and BUSY not in error and not finished(out / name):
            found[name] = error
    return found


def ended(process: subprocess.Popen[bytes], log: Path) -> str | None:
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


def fraction(folder: Path) -> float:
    """How much of a run is trained, 0 to 1."""
    now = _status(folder)
    return min(1.0, now.step / now.steps) if now and now.steps else 0.0


def _status(folder: Path) -> Status | None:
    try:
        return read_status(folder)
    except RunError:
        return None
