"""What is known of runs, column by column: fields of their specs, errors, norms, bounds; made only of what is asked for. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from boundlab.analysis.gathering import gap_of, last_records
from boundlab.analysis.measures import CONTROLS, measure_names, measured
from boundlab.quantities.norms import Array
from boundlab.runs.run import Run
from boundlab.specs.arch import listed
from boundlab.specs.recipes import data_of, recipe


@dataclass(frozen=True)
class RunColumn:
    """`title`: in words; `kind`: "word", "whole" (a whole number), "number" or "share" (of images, of 1)."""

    key: str
    title: str
    kind: str


_WORDS = {
    "run": "Id",
    "dataset": "Data",
    "task": "Task",
    "architecture": "Network",
    "kind": "Kind",
    "hidden": "Dense layers",
    "pool": "Pooling",
    "head": "Head",
    "bias": "Biases",
    "weight_norm": "Weight norm",
    "preset": "Preset",
    "recipe": "Recipe",
    "loss": "Loss",
    "trained": "Trained",
    "at_plateau": "At plateau",
}
_WHOLE = {
    "conv_layers": "Layers L",
    "channels": "Channels H",
    "kernel_size": "Kernel",
    "stride": "Stride",
    "padding": "Padding",
    "dilation": "Dilation",
    "groups": "Groups",
    "classes": "Classes",
    "parameters": "Parameters",
    "n": "Images n",
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "seed": "Seed",
}
_NUMBERS = {
    "weight_decay": "λ",
    "label_noise": "Label noise",
    "lr": "Learning rate",
    "momentum": "Momentum",
    "negative_slope": "Negative slope",
    "certificate_weight": "Certificate weight",
    "plateau_number": "Plateau number",
}
_ERRORS = {"train_error": "Train error", "test_error": "Test error", "gap": "Gap"}
_FIELDS = {
    key: RunColumn(key, title, kind)
    for kind, names in (("word", _WORDS), ("whole", _WHOLE), ("number", _NUMBERS), ("share", _ERRORS))
    for key, title in names.items()
}
# of `CONTROLS`, those that are norms or margins: the others are fields, records, or no numbers of a network
_MEASURES = {
    key: title
    for key, title in measure_names().items()
    if key not in CONTROLS
    or key in ("product_frobenius", "product_spectral", "path_norm", "inverse_margin", "distance")
}


def run_columns(runs: Sequence[Run]) -> dict[str, RunColumn]:
    """All that can be asked for of these runs, by key: fields of the spec, errors, bounds, norms, then what the last records hold."""
    found = dict(_FIELDS)
    found |= {key: RunColumn(key, title[:1].upper() + title[1:], "number") for key, title in _MEASURES.items()}
    for name in _recorded(tuple(runs)):
        found.setdefault(name, RunColumn(name, name, "number"))
    return found


@lru_cache(maxsize=8)
def _recorded(runs: tuple[Run, ...]) -> tuple[str, ...]:
    """Names of the columns of single numbers that any run's records have, in their order."""
    names: dict[str, None] = {}
    last: pd.Index = pd.Index([])
    for run in runs:
        if not run.records.columns.is_(last):  # the runs of a part share theirs
            last, kinds = run.records.columns, run.records.dtypes
            names |= dict.fromkeys(name for name in last if pd.api.types.is_numeric_dtype(kinds[name]))
    return tuple(names)


def fields_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run that has errors: every field of its spec and its errors, by the keys of `run_columns`. Words are categories,
    everything else float64, NaN where there is none, or one per layer."""
    rows = [_fields(run) for run in runs if len(run.ends)]
    columns = {}
    for key, column in _FIELDS.items():
        values = [row[key] for row in rows]
        words = column.kind == "word"
        columns[key] = (
            pd.Series(values, dtype="category") if words else pd.Series([_number(v) for v in values], dtype=float)
        )
    return pd.DataFrame(columns)


def _fields(run: Run) -> dict[str, Any]:
    arch, train = run.spec.arch, run.spec.train
    values = {**vars(arch), **vars(train), **dict.fromkeys(train.unknown)}
    train_error, test_error = (_of_record(run, name) for name in ("train_error", "test_error"))
    values |= {"run": run.id, "task": data_of(train.dataset, train.labels, arch.in_shape), "architecture": arch.title}
    values |= {"parameters": arch.parameters, "n": run.sample.n, "recipe": recipe(run.spec)}
    values |= {"plateau_number": run.plateau_number} | (
        {} if train.loss == "certificate" else {"certificate_weight": None}
    )
    values |= {"trained": run.beats_chance(train_error), "at_plateau": run.at_plateau}
    values |= {"train_error": train_error, "test_error": test_error, "gap": _gap(run, train_error, test_error)}
    return values | {name: _word(values.get(name)) for name in _WORDS}


def _gap(run: Run, train_error: float, test_error: float) -> float:
    return float(
        gap_of(np.asarray(train_error), np.asarray(test_error), run.spec.train.label_noise, run.spec.arch.classes)
    )


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(listed(value))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else np.nan


def column_values(runs: Sequence[Run], key: str, delta: float = 0.001) -> Array:
    """(runs that have errors,) float64 of one number of `run_columns` that is no field: NaN where a bound does not apply."""
    kept = [run for run in runs if len(run.ends)]
    if key not in _MEASURES:
        return np.array([_of_record(run, key) for run in kept], dtype=float)
    found = last_records(tuple(runs))
    values = dict(zip(found.labels["run"], measured(found, (key,), delta)[key], strict=True))
    return np.array([values[run.id] for run in kept], dtype=float)


def _of_record(run: Run, name: str) -> float:
    return float(run.records[name].to_numpy()[run.ends[-1]]) if name in run.records else np.nan


def with_columns(table: pd.DataFrame, keys: Sequence[str], values: Callable[[str], Array]) -> pd.DataFrame:
    """The columns `run` and `keys` of rows of a `fields_table`, which keep their index; `values`: makes those that are no fields, of
    all rows of that table."""
    places = table.index.to_numpy()
    return pd.DataFrame(
        {key: table[key] if key in table else values(key)[places] for key in dict.fromkeys(["run", *keys])},
        index=table.index,
    )
