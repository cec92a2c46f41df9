"""What records must hold to be shown, checked once when they are read, for many runs at a time.

The rules are those of `Training.record`, which writes them: norms are finite and not negative, a record lies at a whole step
later than the one before it, errors are fractions and come all together, lists have their length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from boundlab.quantities.norms import BIAS_FIELDS, MARGIN_GRID, NORM_FIELDS, SCALED_GRID, Array
from boundlab.quantities.records import norm_column
from boundlab.quantities.sample import SampleStats
from boundlab.specs.arch import ArchSpec
from boundlab.specs.run import RunSpec, TrainSpec
from boundlab.specs.shapes import LayerShape
from boundlab.validation import number

_LARGEST = 1e100  # norms and losses of float32 weights lie far below; a product over layers may not
_QUANTILES = 101
# Unknown for a checkpoint without initial weights.
_OF_INIT = tuple(name for name in NORM_FIELDS if name.endswith("init"))


@dataclass(frozen=True)
class Origin:
    """The run that some rows of a table belong to; `done`: it is finished."""

    spec: RunSpec
    sample: SampleStats
    done: bool


@dataclass(frozen=True)
class Rule:
    """What a column holds where it holds something: a number, or (`length` given, per row) a list of so many."""

    name: str
    words: str
    low: float = 0.0
    high: float = _LARGEST
    length: Array | None = None
    rising: bool = False


@dataclass(frozen=True)
class _Rows:
    """A table's rows; `whose`: which run each belongs to, -1 for none; `faults`: run -> the first thing wrong with it; `one`:
    there is one record, so that a sentence need not number it."""

    table: pa.Table
    whose: Array
    problems: dict[int, str] = field(default_factory=dict)
    one: bool = False

    def column(self, name: str) -> pa.ChunkedArray:
        """One column; where there is none, nothing in every row."""
        if name in self.table.column_names:
            return self.table[name]
        return pa.chunked_array([pa.nulls(self.table.num_rows)])

    def wrong(self, rows: Array, name: str, words: str) -> None:
        """Note of the runs of these rows (a mask) what they should have in column `name`."""
        for row in np.flatnonzero(rows & (self.whose >= 0)) if rows.any() else ():
            if (run := int(self.whose[row])) not in self.problems:
                number = int((self.whose[: row + 1] == run).sum())
                got = "nothing" if (value := self.column(name)[row].as_py()) is None else str(value)[:40]
                which = "" if self.one else f" of its record {number}"
                self.problems[run] = f"{name}{which} should be {words}, got {got}"

    def check(self, rule: Rule, mine: Array, needed: Array) -> None:
        """Note of the rows `mine` what does not follow the rule; where it is not `needed`, nothing is right too."""
        column = self.column(rule.name)
        empty, right = _numbers(column, rule) if rule.length is None else _lists(column, rule, rule.length)
        self.wrong(mine & ~right & (needed | ~empty), rule.name, rule.words)


def _floats(values: pa.ChunkedArray) -> Array | None:
    """As float64, NaN where there is nothing; None for what is no number."""
    kind = values.type
    if pa.types.is_null(kind):
        return np.full(len(values), np.nan)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    return np.asarray(values.to_numpy(), dtype=np.float64)


def _numbers(column: pa.ChunkedArray, rule: Rule) -> tuple[Array, Array]:
    """(rows,) whether there is nothing, and whether what is there follows the rule."""
    values = _floats(column)
    if values is None:
        return np.zeros(len(column), bool), np.zeros(len(column), bool)
    return np.isnan(values), (values >= rule.low) & (values <= rule.high)


def _lists(column: pa.ChunkedArray, rule: Rule, length: Array) -> tuple[Array, Array]:
    """The same of a column of lists."""
    if pa.types.is_null(column.type):
        return np.ones(len(column), bool), np.zeros(len(column), bool)
    is_list = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    values = _floats(pc.list_flatten(column)) if is_list else None
    if values is None:
        return np.zeros(len(column), bool), np.zeros(len(column), bool)
    lengths = pc.list_value_length(column).fill_null(-1).to_numpy()
    row = np.repeat(np.arange(len(column)), np.clip(lengths, 0, None))
    right = lengths == length
    right[row[~((values >= rule.low) & (values <= rule.high))]] = False
    if rule.rising:
        falls = np.diff(values) < -1e-9 * np.maximum(1.0, np.abs(values[1:]))
        right[row[1:][(np.diff(row) == 0) & falls]] = False
    return lengths < 0, right


def problems(table: pa.Table, whose: Array, origins: Sequence[Origin]) -> dict[int, str]:
    """Position in `origins` -> the first thing that is wrong with its records, for those where something is.

    `table`: the records of all of them; `whose`: (rows,) the position of each row's run, -1 for a row of none.
    """
    rows = _Rows(table, whose)
    for run in set(range(len(origins))) - set(np.unique(whose).tolist()):
        rows.problems[run] = "it has no records"
    if not origins or not len(whose):
        return rows.problems
    shapes, of = [origin.spec.arch.shapes() for origin in origins], np.clip(whose, 0, None)
    ended = _check_errors(rows)
    _check_steps(rows, origins, of)
    last = np.zeros(len(whose), bool)
    last[len(whose) - 1 - np.unique(whose[::-1], return_index=True)[1]] = True
    unfinished = last & ~ended & np.array([origin.done for origin in origins])[of]
    rows.wrong(unfinished, "train_error", "there, as the run is finished")
    depths = np.array([len(layers) for layers in shapes])[of]
    for layer in range(int(depths.max())):
        areas = np.array([layers[layer].area if layer < len(layers) else 0 for layers in shapes])
        _check_layer(rows, layer, depths, areas[of], ended)
    return rows.problems


def check_record(record: Mapping[str, Any], shapes: Sequence[LayerShape]) -> None:
    """Raises ValueError unless the one record of a checkpoint is whole; it may lack what is of the initial weights."""
    try:
        rows = _Rows(pa.Table.from_pylist([dict(record)]), np.zeros(1, int), one=True)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"its record should be a JSON object of numbers and lists of numbers ({error})") from error
    every = np.ones(1, bool)
    _check_errors(rows, every)
    rows.check(Rule("path_l1", "a number from 0 on", high=np.finfo(float).max), every, every)
    for i, shape in enumerate(shapes):
        _check_layer(rows, i, np.array([len(shapes)]), np.array([shape.area]), every, _OF_INIT)
    if rows.problems:
        raise ValueError(rows.problems[0])


def check_sample(sample: SampleStats, train: TrainSpec, arch: ArchSpec) -> None:
    """Raises ValueError unless a stored sample is one of this task and network, and its sums are sums of squares."""
    n = train.images
    if (sample.dataset, sample.n, sample.classes) != (train.dataset, n, arch.classes):
        raise ValueError(
            f"its sample should be of {train.dataset}, n {n}, {arch.classes} classes, got {str(sample.dataset)[:40]}, "
            f"{str(sample.n)[:40]}, {str(sample.classes)[:40]}"
        )
    check_sums(sample, arch.in_shape[1:], arch.shapes()[0].out_size)


def check_sums(sample: SampleStats, size: tuple[int, int], patches: tuple[int, int]) -> None:
    """Raises ValueError unless a sample's sums are finite, not negative, and of images of `size` and so many patches."""
    energies = [("raw", sample.raw.pixel_energy, size), ("fed", sample.fed.pixel_energy, size)]
    energies += [] if sample.patch_energy is None else [("patch_energy", sample.patch_energy, patches)]
    for name, energy, shape in energies:
        if energy.shape != shape or not ((energy >= 0) & (energy <= _LARGEST)).all():
            raise ValueError(f"its sample should have {shape[0]} x {shape[1]} sums of squares in {name}, it has others")
    for name, stats in (("raw", sample.raw), ("fed", sample.fed)):
        number(f"max_norm of {name}", stats.max_norm, 0.0, _LARGEST)
        number(f"max_abs of {name}", stats.max_abs, 0.0, _LARGEST)


def _check_steps(rows: _Rows, origins: Sequence[Origin], of: Array) -> None:
    """Steps are whole and grow; an epoch is a step over the steps of an epoch."""
    per_epoch = np.array([-(-origin.sample.n // origin.spec.train.batch_size) for origin in origins])[of]
    last = np.array([origin.spec.train.epochs for origin in origins])[of] * per_epoch
    every, nowhere = np.ones(len(of), bool), np.zeros(len(of), bool)
    for name in ("step", "epoch", "path_l1"):
        rows.check(Rule(name, "a number from 0 on", high=np.finfo(float).max), every, every)
    step, epoch = _floats(rows.column("step")), _floats(rows.column("epoch"))
    if step is None or epoch is None:
        return
    rows.check(Rule("loss", "a number from 0 on"), every, step != 0)  # there is no minibatch before the first record
    rows.wrong(~((step <= last) & (step == np.floor(step))), "step", "a whole number, at most the run's last")
    order = np.argsort(rows.whose, kind="stable")
    back = nowhere.copy()
    back[order[1:]] = (np.diff(rows.whose[order]) == 0) & ~(np.diff(step[order]) > 0)
    rows.wrong(back, "step", "above that of the record before")
    rows.wrong(~(np.abs(epoch - step / per_epoch) <= 1e-9 * (1 + np.abs(epoch))), "epoch", "its step in epochs")


def _check_errors(rows: _Rows, needed: Array | None = None) -> Array:
    """Errors, losses and margins; `needed`: where they must be, None: where there is a train error. Returns where there is one."""
    every = np.ones(len(rows.whose), bool)
    ended = ~_numbers(rows.column("train_error"), Rule("", ""))[0]
    needed = ended if needed is None else needed
    rules = [Rule(name, "a fraction", high=1.0) for name in ("train_error", "test_error")]
    rules += [Rule(name, "a number from 0 on") for name in ("train_loss", "test_loss")]
    lists = {"ramp": len(MARGIN_GRID), "indicator": len(MARGIN_GRID)}
    rules += [
        Rule(name, f"{size} fractions that rise", 0.0, 1.0, np.full(len(every), size), True)
        for name, size in lists.items()
    ]
    quantiles = np.full(len(every), _QUANTILES)
    rules.append(
        Rule("margin_quantiles", f"{_QUANTILES} numbers that rise", -_LARGEST, _LARGEST, quantiles, rising=True)
    )
    for rule in rules:
        rows.check(rule, every, needed)
    _check_scaled(rows)
    return ended


def _check_scaled(rows: _Rows) -> None:
    """Margin errors relative to a scale, which records have had since they are searched so: all of it or nothing."""
    every, size = np.ones(len(rows.whose), bool), len(SCALED_GRID)
    scaled = ~_numbers(rows.column("margin_scale"), Rule("", ""))[0]
    rows.check(Rule("margin_scale", "a number above 0", low=np.finfo(float).tiny), every, ~every)
    for name in ("scaled_ramp", "scaled_indicator"):
        words = f"{size} fractions that rise"
        rows.check(Rule(name, words, 0.0, 1.0, np.full(len(every), size), True), every, scaled)


def _check_layer(
    rows: _Rows, layer: int, depths: Array, areas: Array, ended: Array, unknown: Sequence[str] = ()
) -> None:
    """The norms of one layer, where there is one: `depths`, `areas`: layers and this one's taps, per row; `unknown`: fields
    that may be missing."""
    mine, nowhere = depths > layer, np.zeros(len(depths), bool)
    for name in NORM_FIELDS:
        needed = {"patch_norm": ended, "centered_frobenius": depths == layer + 1}.get(name, mine)
        taps = name == "tap_frobenius"
        words = "a list of one number from 0 on per tap" if taps else "a number from 0 on"
        rule = Rule(norm_column(layer, name), words, length=areas if taps else None)
        rows.check(rule, mine, nowhere if name in (*unknown, *BIAS_FIELDS) else needed)
