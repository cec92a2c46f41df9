"""`boundlab pack`: finished runs as a new part of the shipped pack."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from boundlab.cli.arguments import Commands, command, positive, with_data_root, with_device, with_workers
from boundlab.cli.left_out import say_left_out
from boundlab.cli.sweep import train_all
from boundlab.runs.places import PACK, runs_folder


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    text = "write finished runs as a new part of the shipped pack; with --grid its runs alone, and what is missing is trained first"
    sub = command(commands, "pack", text, _run, with_data_root(), with_device(), with_workers())
    sub.add_argument("--grid", type=Path)
    sub.add_argument("--finished", action="store_true", help="train nothing: the rest of the grid is for a later part")
    sub.add_argument("--runs", type=Path, default=runs_folder(), help="run folders")
    sub.add_argument("--out", type=Path, default=PACK, help="where the pack is")
    sub.add_argument(
        "--part", metavar="NAME", help="folder of the new part in the pack; left out, the pack's own (its first)"
    )
    sub.add_argument(
        "--records",
        type=positive,
        help="most records of a run that are kept (default 43, what a page draws; 1: the last alone)",
    )
    sub.add_argument("--checkpoints", nargs="*", default=["*"], metavar="GLOB", help="ids whose networks are kept")


def _run(a: argparse.Namespace) -> int:
    from boundlab.runs.packing import new_part, pack, unpacked
    from boundlab.runs.thinning import MOST_RECORDS
    from boundlab.specs.grid import load_grid

    part, grid = new_part(a.out, a.part), load_grid(a.grid) if a.grid else None
    missing = unpacked(a.out, grid) if grid else []
    if grid and not missing:
        print(f"all {len(grid)} runs of {a.grid} are packed in {a.out}; nothing was written")
        return 0
    if not a.finished and missing and not train_all(missing, a.runs, a):
        print(f"boundlab: not every run of the grid could be trained; {a.out} was not changed", file=sys.stderr)
        return 1
    runs = pack(a.out, a.runs, a.checkpoints, a.part, grid, a.records or MOST_RECORDS, say_left_out)
    rest = f"; {len(missing) - runs} of the grid are not finished, for a later part" if len(missing) > runs else ""
    print(f"{runs} runs and {len(list((part / 'checkpoints').glob('*.safetensors')))} checkpoints in {part}{rest}")
    return 0
