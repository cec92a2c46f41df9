"""`boundlab train`: one run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from boundlab.cli.arguments import Commands, command, with_data_root, with_device
from boundlab.runs.places import runs_folder
from boundlab.text import decimals


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    sub = command(
        commands, "train", "train one run spec (resumes, skips when sealed)", _run, with_data_root(), with_device()
    )
    sub.add_argument("spec", type=Path)
    sub.add_argument("--out", type=Path, default=runs_folder())
    sub.add_argument("--quiet", action="store_true")
    sub.add_argument("--with-parent", action="store_true", help="stop when standard input closes (a sweep's runs do)")


def _run(a: argparse.Namespace) -> int:
    from tqdm import tqdm

    from boundlab.runs.folder import sealed
    from boundlab.specs.run import RunSpec
    from boundlab.system.files import read_json
    from boundlab.system.processes import end_with_parent
    from boundlab.training.worker import train_run

    if a.with_parent:
        end_with_parent()
    spec = RunSpec.from_dict(read_json(a.spec))
    with tqdm(desc=spec.id, unit="step", disable=a.quiet) as bar:

        def progress(step: int, total: int, record: dict[str, Any] | None) -> None:
            bar.total = total
            bar.set_postfix_str(f"loss {decimals(record['loss'], 4)}" if record and record["loss"] is not None else "")
            bar.update(step - bar.n)

        folder = train_run(spec, a.out, a.device, a.data_root, progress)
    if not sealed(folder):
        print(f"boundlab: stopped from the dashboard; the same command goes on from there ({folder})", file=sys.stderr)
        return 1
    print(folder)
    return 0
