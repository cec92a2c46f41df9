"""`boundlab bench`: throughput of the parts people wait for, on this machine. Timings are noisy: compare within one run."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from boundlab.cli.arguments import Commands, command, with_device


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    sub = command(commands, "bench", "measure throughput on this machine", _run, with_device())
    sub.add_argument("what", choices=["bounds", "train", "store"])
    sub.add_argument("--json", action="store_true")


def _run(a: argparse.Namespace) -> int:
    result = {"bounds": _bounds, "train": lambda: _train(a.device), "store": _store}[a.what]()
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


def _train(device: str) -> dict[str, Any]:
    from boundlab.cli.bench_train import measure
    from boundlab.system.devices import best_kind

    return measure(best_kind() if device == "auto" else device)
