"""`boundlab bench runs`: the table of all runs with ten thousand of them, beside an otherwise empty Streamlit page."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

from boundlab.runs.part import write_part
from boundlab.runs.run import Run

MANY = 10_000
_KEPT = 2  # records of each: the first and the last


def write_many(runs: Sequence[Run], count: int, folder: Path) -> None:
    """So many runs as a pack: these, again and again with other seeds, each with its first and last record."""
    seeds = max(run.spec.train.seed for run in runs) + 1
    turns = itertools.product(range(-(-count // len(runs))), runs)
    write_part(
        [_with_seed(run, run.spec.train.seed + turn * seeds) for turn, run in itertools.islice(turns, count)], folder
    )


def _with_seed(run: Run, seed: int) -> Run:
    """The same numbers under another seed."""
    spec = dataclasses.replace(run.spec, train=dataclasses.replace(run.spec.train, seed=seed))
    kept = run.records.iloc[[0, run.ends[-1]][-_KEPT:]]
    return Run(spec, kept, run.sample, run.state)
