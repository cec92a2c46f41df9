"""`boundlab bench`: how long the parts take that people wait for, on this machine, beside what they would use instead.

One file per subject, `bench_*.py`. Timings are noisy: compare within one run.
"""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from typing import Any

from boundlab.cli.arguments import Commands, command, positive, with_device

_ROUNDS = {"bounds": 9, "store": 7, "app": 7, "runs": 7}


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    sub = command(commands, "bench", "measure throughput on this machine", _run, with_device())
    sub.add_argument("what", choices=["bounds", "train", "store", "app", "runs"])
    sub.add_argument(
        "--rounds", type=positive, help="how often each way is timed, in turn with the others (not of train)"
    )
    sub.add_argument("--json", action="store_true")


def _run(a: argparse.Namespace) -> int:
    if a.what == "train":
        result = _train(a.device)
        text = [f"{k}: {v}" for k, v in result.items()]
    else:
        from boundlab.cli.bench_timing import lines

        result = import_module(f"boundlab.cli.bench_{a.what}").measure(a.rounds or _ROUNDS[a.what])
        text = lines(result)
    print(json.dumps(result) if a.json else "\n".join(text))
    return 0


def _train(device: str) -> dict[str, Any]:
    from boundlab.system.devices import best_kind
    from boundlab.training.bench import measure

    return measure(best_kind() if device == "auto" else device)
