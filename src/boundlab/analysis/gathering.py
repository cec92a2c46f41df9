"""Runs -> their records, gathered by architecture and sample; kept for the next settings, which nothing here depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from boundlab.quantities.norms import Array, NetworkNorms
from boundlab.quantities.records import from_columns
from boundlab.quantities.sample import SampleStats
from boundlab.runs.run import Run
from boundlab.specs.own_data import DATASETS
from boundlab.specs.recipes import recipe


@dataclass(frozen=True)
class Alike:
    """Records of runs of one architecture on one sample: each bound is evaluated once for all of them.

    `records`: their places among those of `Gathered`; `test_images`: of their task; `train_error`, `test_error`: (records,), NaN
    between epoch ends; `label_noise`: (records,) the share of training labels that were drawn anew.
    """

    records: slice
    norms: NetworkNorms
    sample: SampleStats
    test_images: int
    train_error: Array
    test_error: Array
    label_noise: Array

    @property
    def gap(self) -> Array:
        """(records,) `gap_of` of each."""
        return gap_of(self.train_error, self.test_error, self.label_noise, self.sample.classes)


@dataclass(frozen=True)
class Gathered:
    """Records of several runs, those of alike ones together. `labels`: of each `identity` of its run (text as categories), step, epoch."""

    parts: tuple[Alike, ...]
    labels: pd.DataFrame

    def lines(self, number: int) -> Lines:
        """The rows of so many lines; kept."""
        if self._lines.get(number) is None:
            sizes = [part.records.stop - part.records.start for part in self.parts]
            line = [np.repeat(np.arange(number, dtype=np.int8), size) for size in sizes]
            record = [np.tile(np.arange(part.records.start, part.records.stop), number) for part in self.parts]
            self._lines[number] = Lines(
                np.concatenate(line), self.labels.take(np.concatenate(record)).reset_index(drop=True)
            )
        return self._lines[number]

    @cached_property
    def _lines(self) -> dict[int, Lines]:
        return {}


@dataclass(frozen=True)
class Lines:
    """The rows of a table with several lines: of the first alike runs all records of the first line, then of the next; then
    of the others. `line`: which one; `labels`: those of the record."""

    line: Array
    labels: pd.DataFrame


def gap_of(train_error: Array, test_error: Array, label_noise: Array | float, classes: int) -> Array:
    """Test error less training error, both on labels of the same distribution, the one that a bound is about: of equally noisy test
    labels the expected error, (1 - noise) x that on true ones + noise x that of guessing."""
    return (1 - label_noise) * test_error + label_noise * (1 - 1 / classes) - train_error


def identity(run: Run) -> dict[str, Any]:
    """What a run is, and whether it may be trusted."""
    arch, train = run.spec.arch, run.spec.train
    return {
        "run": run.id,
        "dataset": train.dataset,
        "architecture": arch.title,
        "conv_layers": arch.conv_layers,
        "channels": arch.channels,
        "weight_decay": train.weight_decay,
        "preset": train.preset,
        "recipe": recipe(run.spec),
        "seed": train.seed,
        "n_train": train.images,
        "label_noise": train.label_noise,
        "trained": run.trained,
        "at_plateau": run.at_plateau,
        "fitted": run.fitted,
        "plateau_number": run.plateau_number,
    }


@lru_cache(maxsize=16)
def last_records(runs: tuple[Run, ...]) -> Gathered:
    """The last record with errors of every run that has one."""
    last = [(run, run.ends[-1]) for run in runs if len(run.ends)]
    return gathered([(run, run.records.iloc[end : end + 1]) for run, end in last])


@lru_cache(maxsize=8)
def histories(runs: tuple[Run, ...], max_records: int | None) -> Gathered:
    """All records of every run that has errors; `max_records` of each: those with errors (at most so many, evenly spaced) and,
    evenly, some between them."""
    kept = [run for run in runs if len(run.ends)]
    return gathered([(run, run.records if max_records is None else _thinned(run, max_records)) for run in kept])


def gathered(parts: Sequence[tuple[Run, pd.DataFrame]]) -> Gathered:
    """The records given of each run, those of one architecture and sample together."""
    groups: dict[Any, list[tuple[Run, pd.DataFrame]]] = {}
    for run, records in parts:
        groups.setdefault((run.spec.arch, run.sample, run.spec.train.labels), []).append((run, records))
    alike, frames, start = [], [], 0
    for group in groups.values():
        frames.append(pd.concat([records for _, records in group], ignore_index=True))
        alike.append(_alike([(run, len(records)) for run, records in group], frames[-1], start))
        start = alike[-1].records.stop
    ordered = [part for group in groups.values() for part in group]
    whose = np.repeat(np.arange(len(ordered)), [len(records) for _, records in ordered])
    labels = _identities([run for run, _ in ordered]).take(whose).reset_index(drop=True)
    for name in ("step", "epoch") if frames else ():
        labels[name] = np.concatenate([frame[name] for frame in frames])
    return Gathered(tuple(alike), labels)


def _alike(runs: Sequence[tuple[Run, int]], records: pd.DataFrame, start: int) -> Alike:
    """`runs`: those whose records they are, in order, with how many are of each; `start`: the place of the first."""
    run, size = runs[0][0], len(records)
    train, test = (
        records[name].to_numpy(float) if name in records else np.full(size, np.nan)
        for name in ("train_error", "test_error")
    )
    noise = np.repeat([one.spec.train.label_noise for one, _ in runs], [count for _, count in runs])
    images = DATASETS[run.spec.train.dataset].test_images(run.spec.train.labels)
    norms = from_columns(records, run.spec.arch.shapes())
    return Alike(slice(start, start + size), norms, run.sample, images, train, test, noise)


def _identities(runs: Sequence[Run]) -> pd.DataFrame:
    """A row per run; text as categories, and what one of them has not left out stays None."""
    rows = [identity(run) for run in runs]
    columns = {name: pd.Series([row[name] for row in rows], dtype=object) for name in (rows[0] if rows else ())}
    columns = {name: values if values.isna().any() else values.infer_objects() for name, values in columns.items()}
    text = {name: "category" for name, values in columns.items() if isinstance(values.dtype, pd.StringDtype)}
    return pd.DataFrame(columns).astype(text)


def _thinned(run: Run, max_records: int) -> pd.DataFrame:
    between = np.setdiff1d(np.arange(len(run.records)), run.ends, assume_unique=True)
    ends = _evenly(run.ends, max_records)
    return run.records.iloc[np.union1d(ends, _evenly(between, max_records - len(ends)))]


def _evenly(items: Array, most: int) -> Array:
    """At most that many of them, evenly spaced, first and last included."""
    return items[np.linspace(0, len(items) - 1, min(max(0, most), len(items))).round().astype(int)]
