"""Which records of a run a part keeps: margins are most of its size, and pages draw a few of them; and how runs of which
different ones were kept are drawn together."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from functools import lru_cache, reduce

import numpy as np
import pandas as pd

from boundlab.runs.run import Run

# What pages draw of a run beside others: positions of the handle, points of a line.
MOST_RECORDS = 43


def thinned(records: pd.DataFrame, most: int = MOST_RECORDS) -> pd.DataFrame:
    """At most `most` records of a finished run, as they are: the last; from 2 on the first, too; from 3 on some between them, evenly.

    At most half of them (rounded up) have errors: every k-th that has, with the smallest k that is enough, and the last. The
    others are taken evenly from the records without. Raises ValueError for none.
    """
    if most < 1:
        raise ValueError(f"at least one record of a run must be kept, got {most}")
    if len(records) <= most:
        return records
    if most < 3:
        return records.iloc[[0, -1][-most:]]
    with_errors = records["train_error"].notna().to_numpy()
    ends = np.flatnonzero(with_errors)
    stride = max(1, -(-(len(ends) - 1) // ((most + 1) // 2 - 1)))
    kept = np.union1d(ends[::stride], [0, len(records) - 1])
    return records.iloc[np.union1d(kept, _between(np.flatnonzero(~with_errors), most - len(kept), len(records)))]


def _between(places: np.ndarray, number: int, length: int) -> np.ndarray:
    """Of `places` the nearest to the middles of `number` equal parts of `length` records."""
    if number >= len(places):
        return places
    middles = (2 * np.arange(number) + 1) * (length - 1)  # in units of 1 / (2 number), so that ties are ties
    return places[np.abs(2 * number * places[:, None] - middles).argmin(axis=0)]


@lru_cache(maxsize=16)
def on_common_records(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """The runs, those of one schedule (sample, batch size, epochs, preset) each with the records at whose steps all of them have
    one: an average over seeds, or a picture of one epoch, is then of all of them. The same runs give the same objects again, of
    which `analysis/gathering.py` keeps the norms."""
    steps: dict[tuple[object, ...], list[np.ndarray]] = defaultdict(list)
    for run in runs:
        steps[_schedule(run)].append(run.records["step"].to_numpy())
    common = {schedule: reduce(np.intersect1d, several) for schedule, several in steps.items()}
    return tuple(_at(run, common[_schedule(run)]) for run in runs)


def _schedule(run: Run) -> tuple[object, ...]:
    train = run.spec.train
    return train.dataset, train.labels, run.sample.n, train.batch_size, train.epochs, train.preset


def _at(run: Run, steps: np.ndarray) -> Run:
    if len(steps) == len(run.records):
        return run
    return dataclasses.replace(run, records=run.records[np.isin(run.records["step"], steps)])
