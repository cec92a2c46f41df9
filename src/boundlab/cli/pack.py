"""`boundlab pack`: finished runs into the shipped pack."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from boundlab.cli.arguments import Commands, command, with_data_root, with_device, with_workers
from boundlab.cli.left_out import say_left_out
from boundlab.cli.sweep import train_all
from boundlab.runs.places import PACK, runs_folder

if TYPE_CHECKING:
    from boundlab.specs.run import RunSpec


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    text = "add finished runs to the shipped pack; with --grid it holds the grid's alone, and what is missing is trained first"
    sub = command(commands, "pack", text, _run, with_data_root(), with_device(), with_workers())
    sub.add_argument("--grid", type=Path)
    sub.add_argument("--runs", type=Path, default=runs_folder())
    sub.add_argument("--out", type=Path, default=PACK)
    sub.add_argument("--checkpoints", nargs="*", default=["*"], metavar="GLOB", help="ids whose networks are kept")


def _run(a: argparse.Namespace) -> int:
    from boundlab.runs.packing import pack
    from boundlab.specs.grid import load_grid

    def train(missing: list[RunSpec]) -> bool:
        return train_all(missing, a.runs, a)

    grid = load_grid(a.grid) if a.grid else None
    runs = pack(a.out, a.runs, a.checkpoints, grid, train, say_left_out)
    if not runs:
        print(f"boundlab: not every run of the grid could be trained; {a.out} was not changed", file=sys.stderr)
        return 1
    print(f"{runs} runs and {len(list((a.out / 'checkpoints').glob('*.safetensors')))} checkpoints in {a.out}")
    return 0
