"""Train a run into its folder, or several together: resumable after any kill, sealed when finished.

`python -m boundlab.training.worker RUN_DIR... [--lock-fd N...] [--with-parent]` trains jobs; `--warm` waits ready for them (warm_worker.py).
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from boundlab.data.splits import seen_together
from boundlab.errors import BoundlabError, RunError
from boundlab.runs import stacks
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
from boundlab.training.attempts import Team, train_team
from boundlab.training.failure import explain
from boundlab.training.session import Attempt, Progress
from boundlab.training.warm_worker import WarmWorker
from boundlab.validation import one_of


def pick_device(name: str) -> str:
    """ "auto" -> "cuda" where there is one; raises ValueError when "cuda" is asked for and missing."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda was asked for, but this torch sees no CUDA device; use --device cpu or auto")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


def train_run(
    spec: RunSpec, out: Path, device: str = "cpu", root: Path | None = None, progress: Progress = lambda *_: None
) -> Path:
    """Train `spec` below `out`, or resume it, or return at once when it is sealed; returns the run folder.

    Raises DataError when the data set is missing, Diverged when the loss is no longer finite (status "failed"), RunError
    when another process is training it.
    """
    return train_runs([spec], out, device, root, progress)[0]


def train_runs(
    specs: Sequence[RunSpec],
    out: Path,
    device: str = "cpu",
    root: Path | None = None,
    progress: Progress = lambda *_: None,
) -> list[Path]:
    """Train several runs of one architecture and recipe together, as `train_run` does one; raises what it raises, Diverged
    when no run is left that goes on."""
    folders = [out / spec.id for spec in specs]
    with _attempts(folders, [None] * len(folders), progress, by_hand=True) as attempts:
        if attempts:
            named = {spec.id: spec for spec in specs}
            _train(attempts, [named[attempt.folder.name] for attempt in attempts], pick_device(device), root)
    return folders


def train_jobs(folders: Sequence[Path], locks: Sequence[int | None]) -> None:
    """Train the jobs that these folders describe, together, until their ends or until they are asked to pause or stop.

    `locks`: of each a descriptor that holds its lock; None: it is taken here. Raises what `train_runs` raises, RunError for a
    folder that cannot be read, ValueError for one that asks for what cannot be or is not named after its spec; whatever is
    raised once the locks are held is in their status.json.
    """
    for folder in folders:
        if not (folder / "spec.json").is_file():
            raise RunError(f"{folder} is not the folder of a run: it has no spec.json; give one that has")
    with _attempts(folders, locks) as attempts:
        if attempts:
            specs = [_spec(attempt.folder) for attempt in attempts]
            device = read_request(attempts[0].folder).device
            one_of("device", device, DEVICES)
            device = pick_device(device)
            if device == "cpu":
                room.limit_itself(memory(specs[0], len(specs)))
            _train(attempts, specs, device, None)


def _spec(folder: Path) -> RunSpec:
    spec = RunSpec.from_dict(read_json(folder / "spec.json"))
    if spec.id != folder.name:
        raise ValueError(f"the folder of this spec must be named {spec.id}, got {folder.name}; rename it")
    return spec


def _train(attempts: Sequence[Attempt], specs: Sequence[RunSpec], device: str, root: Path | None) -> None:
    """Train these, with the others of the stack that they were begun in."""
    started, out = time.monotonic(), attempts[0].folder.parent
    for spec in specs:
        spec.check_trains()
    for attempt in attempts:
        attempt.beat.beat()
    torch.set_num_threads(1)
    specs = _team(out, specs)
    data = seen_together(specs, root)
    for attempt in attempts:
        make_folder(attempt.folder)
    ids = [spec.id for spec in specs]
    folder = stacks.join(out, ids) if len(ids) > 1 else out / ids[0]
    by_place = {ids.index(attempt.folder.name): attempt for attempt in attempts}
    train_team(Team(specs, by_place, folder), data, device, started)
    if len(ids) > 1:
        stacks.dissolve(folder)


def _team(out: Path, specs: Sequence[RunSpec]) -> Sequence[RunSpec]:
    """All that are computed together: the whole stack that was begun, where these belong to one, else these alone."""
    known = {spec.id: spec for spec in specs}
    mates = stacks.mates(out / specs[0].id)
    if mates is None or not set(known) <= set(mates):
        return specs
    try:
        return [known[name] if name in known else _spec(out / name) for name in mates]
    except (RunError, ValueError):  # one was deleted: its numbers are gone, and with them those of the stack
        stacks.dissolve(stacks.stack_folder(out, stacks.stack_id(mates)))
        return specs


@contextmanager
def _attempts(
    folders: Sequence[Path],
    locks: Sequence[int | None],
    progress: Progress = lambda *_: None,
    by_hand: bool = False,
) -> Iterator[list[Attempt]]:
    """Attempts at what is not sealed, with locks and heartbeats; an error that ends them is put into their statuses.

    An interruption is an end like others, an error goes on to the caller. `by_hand`: they are asked to run, whatever a page
    asked before.
    """
    with ExitStack() as held:
        kept = [held.enter_context(_kept(folder, lock)) for folder, lock in zip(folders, locks, strict=True)]
        attempts = []
        for folder, own in zip(folders, kept, strict=True):
            if by_hand:
                _ask_to_run(folder)
            if not sealed(folder):
                beat = own.enter_context(Heartbeat(folder))
                attempts.append(Attempt(folder, beat, Watch(folder), progress, own.close))
        try:
            yield attempts
        except Interrupted:
            pass  # `train_team` has said so
        except Exception as error:
            for attempt in attempts:
                _report(attempt, error)
            raise


@contextmanager
def _kept(folder: Path, lock: int | None) -> Iterator[ExitStack]:
    """The run's lock, in a stack of its own that may be closed before the others."""
    with ExitStack() as own:
        own.enter_context(holding(folder, lock))
        yield own


def _ask_to_run(folder: Path) -> None:
    if (request := read_request(folder)).action != "run":
        write_request(folder, replace(request, action="run"))


def _report(attempt: Attempt, error: Exception) -> None:
    """Put what ended it into its status, unless it has ended before."""
    if attempt.beat.ended:
        return
    try:
        attempt.beat.end("failed", _too_large(error) or explain(error, attempt.folder, attempt.beat.saved))
    except OSError as another:
        print(f"boundlab: {attempt.folder / STATUS_FILE} cannot be written ({another})", file=sys.stderr)


def _too_large(error: Exception) -> str | None:
    """The sentence about a run that wanted more memory than there is for it; None for any other error."""
    if not room.exceeded(error) or isinstance(error, torch.OutOfMemoryError):
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = "the system gives it" if soft == resource.RLIM_INFINITY else f"the {soft / room.GIB:.1f} GiB it may have"
    return f"the run needs more memory than {allowed}; train a smaller network, or smaller batches"


def main(argv: list[str] | None = None) -> int:
    """Train jobs; returns the exit code: 2 and one sentence for bad input, 1 and a traceback for anything else."""
    parser = argparse.ArgumentParser(prog="boundlab.training.worker", description="Train jobs.")
    parser.add_argument("folders", nargs="*", type=Path, metavar="RUN_DIR", help="several are trained together")
    parser.add_argument(
        "--lock-fd", type=int, action="append", metavar="N", help="descriptor that holds the run's lock, one for each"
    )
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    parser.add_argument("--warm", action="store_true", help="wait for jobs on standard input, a Unix socket")
    a = parser.parse_args(argv)
    if a.warm == bool(a.folders):
        parser.error("give the folder of a run, or --warm")
    locks = a.lock_fd or [None] * len(a.folders)
    if len(locks) != len(a.folders):
        parser.error(f"give a --lock-fd for each of the {len(a.folders)} folders, got {len(locks)}")
    try:
        if a.warm:
            worker = WarmWorker()
            train_jobs(*worker.wait())
            while worker.ready():
                train_jobs(*worker.wait())
        else:
            if a.with_parent:
                end_with_parent()
            train_jobs(a.folders, locks)
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
