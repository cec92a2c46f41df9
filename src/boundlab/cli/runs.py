"""`boundlab runs`: which runs there are, and what came of them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from boundlab.cli.arguments import Commands, command
from boundlab.cli.left_out import say_left_out
from boundlab.text import decimals


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    text = "list runs with errors and published bounds (default: the shipped pack)"
    sub = command(commands, "runs", text, _run)
    sub.add_argument("--out", type=Path)
    sub.add_argument("--json", action="store_true")


def _run(a: argparse.Namespace) -> int:
    from boundlab.analysis.tables import run_summaries
    from boundlab.runs.folder import list_runs
    from boundlab.runs.pack import open_pack

    found = list_runs(a.out) if a.out else open_pack()
    say_left_out(found)
    if found.left_out and not found.runs:
        return 2
    rows = run_summaries(found.runs)
    if a.json:
        print(json.dumps(rows))
        return 0
    if not rows:
        print(f"no runs in {a.out} yet; train some with `boundlab train` or `boundlab sweep`")
    for row in rows:
        print(_line(row))
    return 0


def _line(row: dict[str, Any]) -> str:
    flags = ("" if row["trained"] else "  did not train") + ("" if row["at_plateau"] else "  not at plateau")
    test, sparse = row["test_error"], row["bounds"].get("sparse")
    came_of_it = "no errors yet" if test is None else f"test error {decimals(test, 4)}  sparse {sparse:.4g}"
    return f"{row['id']:55} {came_of_it}{flags}"
