"""`boundlab train`: one run, or several of one architecture together."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boundlab.cli.arguments import Commands, command, with_data_root, with_device
from boundlab.runs.places import runs_folder
from boundlab.text import decimals

if TYPE_CHECKING:
    from boundlab.specs.run import RunSpec


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    text = (
        "train a run spec, or a list of specs of one architecture and recipe together (resumes, skips what is sealed)"
    )
    sub = command(commands, "train", text, _run, with_data_root(), with_device())
    sub.add_argument("spec", type=Path, help="JSON file with a spec, or a list of specs")
    sub.add_argument("--out", type=Path, default=runs_folder())
    sub.add_argument("--quiet", action="store_true")
    sub.add_argument("--with-parent", action="store_true", help="stop when standard input closes (a sweep's runs do)")


def _run(a: argparse.Namespace) -> int:
    from tqdm import tqdm

    from boundlab.runs.folder import sealed
    from boundlab.specs.run import RunSpec
    from boundlab.specs.stacking import DIFFERENT, kind
    from boundlab.system.files import read_json
    from boundlab.system.processes import end_with_parent
    from boundlab.training.worker import train_runs

    if a.with_parent:
        end_with_parent()
    given = read_json(a.spec)
    specs = _specs(given) if isinstance(given, list) and given else [RunSpec.from_dict(given)]
    if len({kind(spec) for spec in specs}) != 1:
        raise ValueError(
            f"{a.spec} must hold a run spec, or specs that differ in {DIFFERENT} alone; use `boundlab sweep`"
        )
    title = specs[0].id if len(specs) == 1 else f"{len(specs)} runs like {specs[0].id}"
    with tqdm(desc=title, unit="step", disable=a.quiet) as bar:

        def progress(step: int, total: int, record: dict[str, Any] | None) -> None:
            bar.total = total
            bar.set_postfix_str(f"loss {decimals(record['loss'], 4)}" if record and record["loss"] is not None else "")
            bar.update(step - bar.n)

        folders = train_runs(specs, a.out, a.device, a.data_root, progress)
    for folder in folders:
        if sealed(folder):
            print(folder)
        else:
            print(
                f"boundlab: stopped from the dashboard; the same command goes on from there ({folder})", file=sys.stderr
            )
    return 0 if all(map(sealed, folders)) else 1


def _specs(given: list[Any]) -> list[RunSpec]:
    """Each run once; raises ValueError that says which entry is wrong."""
    from boundlab.specs.run import RunSpec

    found = {}
    for number, one in enumerate(given, start=1):
        try:
            spec = RunSpec.from_dict(one)
        except ValueError as error:
            raise ValueError(f"entry {number} of the list: {error}") from error
        found[spec.id] = spec
    return list(found.values())
