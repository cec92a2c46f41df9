"""Measure one upload: `python -m boundlab.evaluation.upload_worker FOLDER`, a process with limits that ends when its standard input closes.

FOLDER holds `network.safetensors` and `request.json`, {"dataset", "labels", "title", "seconds"}. Written there: `status.json`
({"state": "running" | "done" | "failed", "part", "arch" once the file is found sound, "error"}) and `subject.json`. Torch is
imported only after the file has been checked.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import resource
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from boundlab.checkpoints.header import check_fit, check_values, read_header
from boundlab.errors import BoundlabError, DataError
from boundlab.specs.own_data import DATASETS
from boundlab.system.files import write_atomic
from boundlab.system.processes import end_with_parent
from boundlab.text import one_line
from boundlab.uploads.protocol import NETWORK, REQUEST, STATUS, SUBJECT, memory_limit

_WRITES = 16 * 2**20  # bytes of any file it writes
Tell = Callable[[str], None]


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
) -> dict[str, Any]:
    """The subject as JSON. Raises BoundlabError or ValueError in one sentence."""
    dataset, path = asked["dataset"], folder / NETWORK
    labels = None if asked["labels"] is None else tuple(tuple(group) for group in asked["labels"])
    tell("checking the file")
    header = read_header(path, dataset)
    check_values(header)
    sound(header.arch.to_dict())
    check_fit(header, dataset, None if labels is None else len(labels))
    tell("reading the images")
    from boundlab.data.locate import missing

    if missing(dataset):  # `splits.load_splits` would fetch them
        raise DataError(f"{DATASETS[dataset].title} is not on this machine; download it first")
    import torch

    from boundlab.data.splits import apply_task
    from boundlab.evaluation.report import measure_checkpoint
    from boundlab.networks.checkpoint import loaded
    from boundlab.specs.run import TrainSpec

    torch.set_num_threads(1)
    data = apply_task(TrainSpec(dataset=dataset, labels=labels))
    tell("measuring norms, margins and errors")
    subject, _ = measure_checkpoint(loaded(header), data, dataset, asked["title"])
    return dataclasses.replace(subject, labels=labels).to_dict()


def measure_upload(folder: Path) -> int:
    """Do what the request asks, put the end into `status.json`; returns the exit code."""
    asked = json.loads((folder / REQUEST).read_text())
    _limit_itself(asked["dataset"], asked["seconds"])
    status: dict[str, Any] = {"state": "running", "part": "", "arch": None, "error": None}

    def put(**new: Any) -> None:
        status.update(new)
        write_atomic(folder / STATUS, json.dumps(status))

    try:
        result = _measure(folder, asked, lambda part: put(part=part), lambda arch: put(arch=arch))
        write_atomic(folder / SUBJECT, json.dumps(result))
    except (BoundlabError, ValueError) as error:
        said = str(error).replace(str(folder / NETWORK), asked["title"])
        put(state="failed", error=one_line(said))
        return 2
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
            raise
        most = memory_limit(asked["dataset"]) / 2**30
        words = f"the network needs more than the {most:.1f} GiB of memory an upload may use"
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
