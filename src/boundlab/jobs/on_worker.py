"""What a worker of a Dask cluster does: trains one stack per task in a process of its own, and says how far it is."""

from __future__ import annotations

import io
import json
import shutil
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import distributed

from boundlab.jobs.sweep import ended, failures, finished, fraction, log_of, start_runs
from boundlab.specs.own_data import data_root
from boundlab.specs.run import RunSpec
from boundlab.system.locks import held

PROGRESS = "boundlab-progress"  # the topic of the events
_EVERY = 0.5  # seconds between two looks at what is trained
_TOLD_EVERY = 1.0


def train_stack(
    specs: list[dict[str, Any]], out: str, shared: bool, device: str, files: Mapping[str, int]
) -> dict[str, Any]:
    """The task. `specs`: of runs that are trained together; `out`: their folder, this worker's own where `shared` is false; `files`:
    as of `lacking`.

    {"failed": id -> why, "folders": id -> a zip of its folder unless `shared`, "stopped": whether nobody wants it any more}.
    """
    runs, worker = [RunSpec.from_dict(one) for one in specs], distributed.get_worker()
    folder = Path(out) if shared else Path(worker.local_directory) / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    root = placed_root(worker)
    sent = not _has(data_root(), files) and _has(root, files)
    arguments = ["--device", device, *(["--data-root", str(root)] if sent else [])]
    failed = _train(runs, folder, arguments, _wanted(worker), _teller(worker, runs, folder))
    if failed is None:
        return {"failed": {}, "folders": {}, "stopped": True}
    there = {} if shared else {run.id: packed(folder / run.id) for run in runs if finished(folder / run.id)}
    return {"failed": failed, "folders": there, "stopped": False}


def _wanted(worker: Any) -> Callable[[], bool]:
    """Whether the one who asked still waits for this task: not after Ctrl-C, nor when client or scheduler are gone."""
    key = worker.get_current_task()

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        return worker.status.name == "running" and task is not None and task.state in ("executing", "long-running")

    return wanted


def _teller(worker: Any, runs: list[RunSpec], folder: Path) -> Callable[[], None]:
    last = [-_TOLD_EVERY]

    def tell() -> None:
        if time.monotonic() - last[0] >= _TOLD_EVERY:
            last[0] = time.monotonic()
            done = {run.id: 1.0 if finished(folder / run.id) else fraction(folder / run.id) for run in runs}
            worker.log_event(PROGRESS, {"worker": worker.name, "done": done})

    return tell


def _train(
    runs: list[RunSpec], out: Path, arguments: list[str], wanted: Callable[[], bool], tell: Callable[[], None]
) -> dict[str, str] | None:
    """{id: why} of those that failed; None when it is no longer wanted. What another process trains is waited for."""
    while True:
        left = [run for run in runs if not finished(out / run.id)]
        free = [run for run in left if not held(out, run.id)]
        if not left:
            return {}
        if not wanted():
            return None
        if len(free) < len(left):  # of a worker that lost its scheduler, say: it ends its process soon
            time.sleep(_EVERY)
            continue
        process = start_runs(free, out, arguments)
        try:
            while process.poll() is None and wanted():
                tell()
                time.sleep(_EVERY)
        finally:
            stopped = process.poll() is None
            if stopped:
                process.terminate()
            why = ended(process, log_of(out, free[0].id))
        if stopped:
            return None
        if found := failures([run.id for run in free], why, out):
            return found


def packed(folder: Path) -> bytes:
    """A run's folder as a zip."""
    held_in = io.BytesIO()
    with zipfile.ZipFile(held_in, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.iterdir()):
            file.write(path, path.name)
    return held_in.getvalue()


def placed_root(worker: Any) -> Path:
    """Where data that were sent to this worker lie."""
    return Path(worker.local_directory) / "data"


def lacking(files: Mapping[str, int], dask_worker: Any = None) -> list[str]:
    """Of files below a data root, by name and size, all where neither this worker's own root nor what was sent to it (Dask puts the
    worker in) has them together; none else."""
    return [] if _has(data_root(), files) or _has(placed_root(dask_worker), files) else list(files)


def _has(root: Path, files: Mapping[str, int]) -> bool:
    return all(_size(root / name) == size for name, size in files.items())


def place(files: Mapping[str, bytes], dask_worker: Any = None) -> None:
    """Write what was sent."""
    root = placed_root(dask_worker)
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / f"{name}.part").write_bytes(content)
        (root / f"{name}.part").rename(root / name)


def reads_here(path: str, token: str) -> bool:
    """Whether this worker reads what the client wrote there: their storage is one."""
    try:
        return json.loads(Path(path).read_text()) == token
    except (OSError, ValueError):
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def unpack(content: bytes, folder: Path) -> None:
    """A run's folder as `packed` sent it: whole, or not there. Only plain names: it came from outside."""
    beside = folder.with_name(f".{folder.name}.incoming")
    beside.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        for name in _plain(file.namelist()):
            (beside / name).write_bytes(file.read(name))
    if folder.exists():  # begun here once, not finished
        shutil.rmtree(folder)
    beside.rename(folder)


def _plain(names: Iterable[str]) -> list[str]:
    return [name for name in names if name and "/" not in name and "\\" not in name and not name.startswith(".")]
