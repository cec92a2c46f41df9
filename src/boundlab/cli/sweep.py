"""`boundlab sweep`: a grid of runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from boundlab.cli.arguments import Commands, command, with_data_root, with_device, with_workers
from boundlab.runs.places import runs_folder

if TYPE_CHECKING:
    from boundlab.specs.run import RunSpec


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    text = "train a grid of runs in local processes (resumes, skips sealed runs)"
    sub = command(commands, "sweep", text, _run, with_data_root(), with_device(), with_workers())
    sub.add_argument("grid", type=Path)
    sub.add_argument("--out", type=Path, default=runs_folder())


def _run(a: argparse.Namespace) -> int:
    from boundlab.specs.grid import load_grid

    return 0 if train_all(load_grid(a.grid), a.out, a) else 1


def train_all(specs: list[RunSpec], out: Path, a: argparse.Namespace) -> bool:
    """Train what is not finished below `out`, with the workers, the device and the data root of `a`; whether none failed."""
    from tqdm import tqdm

    from boundlab.jobs.sweep import finished, sweep
    from boundlab.system.devices import best_kind

    done = sum(finished(out / spec.id) for spec in specs)
    arguments = ["--device", a.device] + (["--data-root", str(a.data_root)] if a.data_root else [])
    with tqdm(
        total=len(specs),
        initial=done,
        unit="run",
        bar_format="{l_bar}{bar}| {n:.1f}/{total} runs [{elapsed}<{remaining}]",
    ) as bar:
        kind = "cpu" if a.device == "cpu" else best_kind()
        failed = sweep(specs, out, a.workers, arguments, lambda now: bar.update(now - bar.n), kind)
    for name, error in failed.items():
        print(f"{name}: {error}", file=sys.stderr)
    return not failed
