"""Measure one upload: `python -m boundlab.evaluation.upload_worker FOLDER`, a process with limits that ends when its standard input closes.

FOLDER holds `network.safetensors` and `request.json`, {"dataset", "labels", "title", "seconds", "spec"}; a spec (else null) is
that of a network which does not say it, and is written into it. Written there: `status.json`
({"state": "running" | "done" | "failed", "part", "arch" once the file is found sound, "measured": whether there is a subject,
"error", "open": the chain that a file without spec holds, and a first spec}) and `subject.json`, first without Theorem D, which takes longest, then with it. Torch is imported only after the file
has been checked.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boundlab.checkpoints.completed import completed
from boundlab.checkpoints.header import Unspecified, check_fit, check_values, read_header
from boundlab.errors import BoundlabError, DataError
from boundlab.specs.own_data import DATASETS
from boundlab.system.files import write_atomic
from boundlab.system.memory import exceeded
from boundlab.system.processes import end_with_parent
from boundlab.text import one_line
from boundlab.uploads.protocol import NETWORK, REQUEST, STATUS, SUBJECT, memory_limit

if TYPE_CHECKING:
    from boundlab.analysis.subject import Subject  # pandas takes half a second, and the file is checked first

_WRITES = 64 * 2**20  # bytes of any file it writes: the network again, with its spec
_SPARE = 20.0  # seconds that Theorem D leaves of the limit
_TIMES_FIRST = 25  # it takes about so many times as long as until the first rounding is tried
_SAY_EVERY = 0.5  # seconds
_BROKE_OFF = "computing it broke off"
Tell = Callable[[str], None]
_Progress = Callable[[str, int, int], None]


def _limit_itself(dataset: str, seconds: float) -> None:
    most, whole_seconds = memory_limit(dataset), math.ceil(seconds)
    for what, soft, hard in (
        (resource.RLIMIT_AS, most, most),
        # SIGXCPU, which says why it ended, then SIGKILL
        (resource.RLIMIT_CPU, whole_seconds, whole_seconds + 5),
        (resource.RLIMIT_FSIZE, _WRITES, _WRITES),
        (resource.RLIMIT_CORE, 0, 0),  # a core file would keep the upload
    ):
        resource.setrlimit(what, (soft, hard))


def _measure(
    folder: Path, asked: dict[str, Any], tell: Tell, sound: Callable[[dict[str, Any]], None]
) -> tuple[Subject, Callable[[_Progress], Subject]]:
    """What was measured, and what adds Theorem D to it. Raises BoundlabError or ValueError in one sentence."""
    dataset, path = asked["dataset"], folder / NETWORK
    labels = None if asked["labels"] is None else tuple(tuple(group) for group in asked["labels"])
    tell("checking the file")
    if spec := asked.get("spec"):
        write_atomic(path, completed(path, spec))
    header = read_header(path, dataset)
    check_values(header)
    sound(header.arch.to_dict())
    check_fit(header, dataset, None if labels is None else len(labels))
    tell("reading the images")
    from boundlab.data.locate import missing

    if missing(dataset):  # `splits.load_splits` would fetch them
        raise DataError(f"{DATASETS[dataset].title} is not on this machine; download it first")
    import torch

    from boundlab.data.splits import apply_task, cut_window
    from boundlab.evaluation.report import measure_checkpoint
    from boundlab.evaluation.theorem_d import certify_coded
    from boundlab.networks.checkpoint import loaded
    from boundlab.specs.run import TrainSpec

    torch.set_num_threads(1)
    data = apply_task(TrainSpec(dataset=dataset, labels=labels))
    tell("measuring norms, margins and errors")
    checkpoint = loaded(header)
    subject, _ = measure_checkpoint(checkpoint, data, dataset, asked["title"])
    subject = dataclasses.replace(subject, labels=labels)

    def with_theorem_d(progress: _Progress) -> Subject:
        seen = [None if part is None else cut_window(part, checkpoint.arch.in_shape) for part in data]
        assert seen[0] is not None
        try:
            found = certify_coded(checkpoint, seen[0], seen[1], progress).certificates
        except ValueError as error:
            return dataclasses.replace(subject, not_coded=one_line(str(error)))
        except (MemoryError, RuntimeError) as error:
            if not exceeded(error):
                raise
            return dataclasses.replace(
                subject, not_coded=f"it {_too_large(dataset)}; compute it with `boundlab evaluate FILE`"
            )
        return dataclasses.replace(subject, coded=found)

    return dataclasses.replace(subject, not_coded=_BROKE_OFF), with_theorem_d


def _too_large(dataset: str) -> str:
    """What to say of it, after what it is about."""
    return f"needs more than the {memory_limit(dataset) / 2**30:.1f} GiB of memory an upload may use"


class _Watch:
    """Says how far Theorem D is, and gives up where it would not be done in time: raises ValueError."""

    def __init__(self, tell: Tell, left: float) -> None:
        """`left`: seconds, of the clock and of the processor."""
        self.tell, self.left, self.said = tell, left, 0.0
        self.begun = (time.monotonic(), time.process_time())

    def __call__(self, what: str, done: int, whole: int) -> None:
        now = time.monotonic()
        spent = max(now - self.begun[0], time.process_time() - self.begun[1])
        about = _TIMES_FIRST * spent if (what, done) == ("roundings", 1) else spent
        if about > self.left:
            long = f" (about {about / 60:.0f} minutes)" if about > 2 * self.left else ""
            raise ValueError(
                f"it would take longer{long} than an upload may; compute it with `boundlab evaluate FILE --convention strict`"
            )
        if now - self.said > _SAY_EVERY:
            self.said = now
            self.tell(f"Theorem D: {what}, {done:,}" + (f" of {whole:,}" if whole else " tried"))


def measure_upload(folder: Path) -> int:
    """Do what the request asks, put the end into `status.json`; returns the exit code."""
    asked = json.loads((folder / REQUEST).read_text())
    _limit_itself(asked["dataset"], asked["seconds"])
    begun = time.monotonic()
    status: dict[str, Any] = {"state": "running", "part": "", "arch": None, "measured": False, "error": None}

    def put(**new: Any) -> None:
        status.update(new)
        write_atomic(folder / STATUS, json.dumps(status))

    def keep(subject: Subject) -> None:
        write_atomic(folder / SUBJECT, json.dumps(subject.to_dict()))

    def tell(part: str) -> None:
        put(part=part)

    try:
        subject, with_theorem_d = _measure(folder, asked, tell, lambda arch: put(arch=arch))
        keep(subject)
        put(measured=True, part="Theorem D")
        left = asked["seconds"] - max(time.monotonic() - begun, time.process_time()) - _SPARE
        keep(with_theorem_d(_Watch(tell, left)))
    except (BoundlabError, ValueError) as error:
        if isinstance(error, Unspecified):
            put(open={"chain": dataclasses.asdict(error.chain), "spec": error.spec})
        said = str(error).replace(str(folder / NETWORK), asked["title"])
        put(state="failed", error=one_line(said))
        return 2
    except (MemoryError, RuntimeError) as error:
        if not exceeded(error):
            raise
        words = f"the network {_too_large(asked['dataset'])}"
        put(state="failed", error=f"{words}; measure it with `boundlab evaluate FILE`")
        return 2
    put(state="done")
    return 0


def main() -> int:
    """The exit code: 0, 2 for a bad file, 1 and a traceback for anything else."""
    end_with_parent()
    try:
        return measure_upload(Path(sys.argv[1]))
    except Exception:
        traceback.print_exc()
        return 1


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # tearing torch down takes a second
