"""`boundlab bench`: throughput of the parts people wait for, on this machine. Timings are noisy: compare within one run."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from boundlab.cli.arguments import Commands, command


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    sub = command(commands, "bench", "measure throughput on this machine", _run)
    sub.add_argument("what", choices=["bounds", "train", "store"])
    sub.add_argument("--json", action="store_true")


def _run(a: argparse.Namespace) -> int:
    result = {"bounds": _bounds, "train": _train, "store": _store}[a.what]()
    print(json.dumps(result) if a.json else "\n".join(f"{k}: {v}" for k, v in result.items()))
    return 0


def _median_ms(work: Callable[[], Any], times: int = 7) -> float:
    """Milliseconds, after one time to warm up."""
    work()
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        spent.append(1000 * (time.perf_counter() - started))
    return round(sorted(spent)[times // 2], 2)


def _bounds() -> dict[str, Any]:
    """Median milliseconds to evaluate every bound of every shipped run, as a slider does."""
    from boundlab.analysis.tables import final_table, history_table
    from boundlab.runs.pack import read_pack
    from boundlab.specs.settings import CONVENTIONS, Settings

    runs = read_pack()
    result: dict[str, Any] = {"runs": len(runs), "records": sum(len(run.records) for run in runs)}
    for convention in CONVENTIONS:
        settings = Settings(convention=convention)
        result[f"final_{convention}_ms"] = _median_ms(partial(final_table, runs, settings))
        result[f"history_{convention}_ms"] = _median_ms(partial(history_table, runs, settings))
    return result


def _store() -> dict[str, Any]:
    """Median milliseconds to read the shipped pack."""
    from boundlab.runs.pack import read_pack

    return {"runs": len(read_pack()), "read_pack_ms": _median_ms(read_pack)}


def _train() -> dict[str, Any]:
    """Images per second of one training epoch on digits, one thread, norms left out."""
    import torch

    from boundlab.data.splits import seen
    from boundlab.specs.run import RunSpec
    from boundlab.training.loop import Training

    torch.set_num_threads(1)
    result: dict[str, Any] = {"torch": torch.__version__, "threads": 1}
    for channels in (8, 16, 32, 64):
        spec = RunSpec.from_dict({"dataset": "digits", "epochs": 1000, "arch": {"channels": channels}})
        training = Training(spec, seen(spec))
        training.record = lambda step, losses: {}  # type: ignore[method-assign]  # time the steps alone
        list(training.epoch())
        started = time.perf_counter()
        for _ in range(3):
            list(training.epoch())
        seconds = time.perf_counter() - started
        result[f"CONV-3-{channels}_images_per_second"] = round(3 * len(training.train.labels) / seconds)
    return result
