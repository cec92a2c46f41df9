"""Train one run into its folder: resumable after any kill, sealed when finished.

`python -m boundlab.training.worker RUN_DIR [--lock-fd N] [--with-parent]` trains a job; `--warm` waits ready for one (warm_worker.py).
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from boundlab.data.splits import seen
from boundlab.errors import BoundlabError, RunError
from boundlab.runs.folder import sealed
from boundlab.runs.heartbeat import Heartbeat, Interrupted, Watch
from boundlab.runs.status import STATUS_FILE, read_request, write_request
from boundlab.specs.run import DEVICES, RunSpec
from boundlab.specs.work import memory
from boundlab.system import memory as room
from boundlab.system.files import make_folder, read_json
from boundlab.system.locks import holding
from boundlab.system.processes import end_with_parent
from boundlab.text import one_line
from boundlab.training import warm_worker
from boundlab.training.failure import explain
from boundlab.training.session import Progress, train_folder
from boundlab.validation import one_of


def pick_device(name: str) -> str:
    """ "auto" -> "cuda" where there is one; raises ValueError when "cuda" is asked for and missing."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda was asked for, but this torch sees no CUDA device; use --device cpu or auto")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


@dataclass(frozen=True)
class Task:
    """What a worker is to do. `device`: as asked for; `root`: of the images; `limited`: it may take no more memory than a
    run of its size needs."""

    folder: Path
    spec: RunSpec
    device: str
    root: Path | None = None
    limited: bool = False


def read_task(folder: Path) -> Task:
    """The job that `folder` describes (spec.json, job.json); raises RunError where they cannot be read, ValueError where they
    ask for what cannot be or the folder is not named after its spec."""
    spec, device = RunSpec.from_dict(read_json(folder / "spec.json")), read_request(folder).device
    if spec.id != folder.name:
        raise ValueError(f"the folder of this spec must be named {spec.id}, got {folder.name}; rename it")
    one_of("device", device, DEVICES)
    return Task(folder, spec, device, limited=True)


def train_run(
    spec: RunSpec, out: Path, device: str = "cpu", root: Path | None = None, progress: Progress = lambda *_: None
) -> Path:
    """Train `spec` below `out`, or resume it, or return at once when it is sealed; returns the run folder.

    Raises DataError when the data set is missing, Diverged when the loss is no longer finite (status "failed"), RunError
    when another process is training it.
    """
    started, folder = time.monotonic(), out / spec.id
    with holding(folder):
        _ask_to_run(folder)
        with _reported(folder) as beat:
            _train(Task(folder, spec, device, root), beat, progress, started)
    return folder


def train_job(folder: Path, lock: int | None = None) -> None:
    """Train the job that `folder` describes until its end or until it is asked to pause or stop.

    `lock`: descriptor that holds the run's lock; without one it is taken here. Raises what `train_run` and `read_task`
    raise; whatever is raised once the lock is held is in status.json.
    """
    started = time.monotonic()
    if not (folder / "spec.json").is_file():
        raise RunError(f"{folder} is not the folder of a run: it has no spec.json; give one that has")
    with holding(folder, lock), _reported(folder) as beat:
        _train(read_task(folder), beat, lambda *_: None, started)


def _ask_to_run(folder: Path) -> None:
    """Whoever starts a run by hand asks it to run, whatever a page asked before."""
    if (request := read_request(folder)).action != "run":
        write_request(folder, replace(request, action="run"))


def _train(task: Task, beat: Heartbeat, progress: Progress, started: float) -> None:
    """Train unless it is sealed; the lock is held. `started`: when this attempt began (time.monotonic)."""
    folder, spec = task.folder, task.spec
    if sealed(folder):
        return
    beat.beat()
    torch.set_num_threads(1)
    device = pick_device(task.device)
    if task.limited and device == "cpu":
        room.limit_itself(memory(spec))
    data = seen(spec, task.root)
    make_folder(folder)
    train_folder(folder, spec, data, device, beat, Watch(folder), progress, started)


@contextmanager
def _reported(folder: Path) -> Iterator[Heartbeat]:
    """Keep status.json up to date, and put how training ends into it. An interruption is an end like others, an error goes
    on to the caller."""
    with Heartbeat(folder) as beat:
        try:
            yield beat
        except Interrupted as end:
            beat.end(end.state)
        except Exception as error:
            try:
                beat.end("failed", _too_large(error) or explain(error, folder, beat.saved))
            except OSError as another:
                print(f"boundlab: {folder / STATUS_FILE} cannot be written ({another})", file=sys.stderr)
            raise


def _too_large(error: Exception) -> str | None:
    """The sentence about a run that wanted more memory than there is for it; None for any other error."""
    if not room.exceeded(error) or isinstance(error, torch.OutOfMemoryError):
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = "the system gives it" if soft == resource.RLIM_INFINITY else f"the {soft / room.GIB:.1f} GiB it may have"
    return f"the run needs more memory than {allowed}; train a smaller network, or smaller batches"


def main(argv: list[str] | None = None) -> int:
    """Train one job; returns the exit code: 2 and one sentence for bad input, 1 and a traceback for anything else."""
    parser = argparse.ArgumentParser(prog="boundlab.training.worker", description="Train one job.")
    parser.add_argument("folder", nargs="?", type=Path, metavar="RUN_DIR")
    parser.add_argument("--lock-fd", type=int, metavar="N", help="descriptor that holds the run's lock")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    parser.add_argument("--warm", action="store_true", help="wait for a job on standard input, a Unix socket")
    a = parser.parse_args(argv)
    if a.warm == (a.folder is not None):
        parser.error("give the folder of a run, or --warm")
    try:
        if a.warm:
            train_job(*warm_worker.wait())
        else:
            if a.with_parent:
                end_with_parent()
            train_job(a.folder, a.lock_fd)
    except (ValueError, OSError, BoundlabError) as error:
        print(f"boundlab: {one_line(str(error))}", file=sys.stderr)
        return 2
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # tearing torch down takes a second, in which the run's lock would be held for nothing
