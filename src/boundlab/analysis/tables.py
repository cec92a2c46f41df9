"""runs x bounds -> tidy DataFrames. Every column name used by charts and pages is defined here; no plotly, no torch.

A tidy row is one value of one series of one record: columns `COLUMNS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from boundlab.bounds import ALL
from boundlab.bounds.base import effective_n, evaluate
from boundlab.bounds.concentration import clopper_pearson
from boundlab.quantities.records import from_columns
from boundlab.runs.run import Run
from boundlab.specs.own_data import DATASETS
from boundlab.specs.recipes import recipe
from boundlab.specs.settings import Settings
from boundlab.text import format_epoch

COLUMNS = (
    "run",
    "dataset",
    "architecture",
    "conv_layers",
    "channels",
    "weight_decay",
    "preset",
    "recipe",
    "seed",
    "trained",
    "at_plateau",
    "plateau_number",
    "step",
    "epoch",
    "n",
    "delta",
    "convention",
    "series",
    "value",
    "log2_value",
    "complexity",
    "confidence",
    "empirical",
    "margin",
    "reason",
)
MEASURED = ("holdout", "test_error", "train_error", "gap")
SERIES = (*(bound.key for bound in ALL), *MEASURED)


@dataclass(frozen=True)
class Axis:
    """A variable the figures run over: its column here, its words, and the paper's figure of it."""

    key: str
    column: str
    title: str
    symbol: str
    paper_figure: int
    log: bool = False

    def at(self, value: float) -> str:
        """One of its values in words."""
        return f"{self.symbol} {format_epoch(value)}" if self.key == "epoch" else f"{self.symbol} = {value:g}"


AXES = {
    "epoch": Axis("epoch", "epoch", "epoch", "epoch", 1),
    "weight_decay": Axis("weight_decay", "weight_decay", "weight decay λ", "λ", 4, log=True),
    "channels": Axis("channels", "channels", "channels H per layer", "H", 2, log=True),
    "depth": Axis("depth", "conv_layers", "convolutional layers L", "L", 3),
}


def _measured(group: Sequence[Run], records: pd.DataFrame, delta: float) -> dict[str, np.ndarray]:
    train, test = (records[name].to_numpy(float) for name in ("train_error", "test_error"))
    spec = group[0].spec.train
    limit = clopper_pearson(test, DATASETS[spec.dataset].test_images(spec.labels), delta)
    return {"holdout": limit, "test_error": test, "train_error": train, "gap": test - train}


def _identity(run: Run) -> dict[str, Any]:
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
        "trained": run.trained,
        "at_plateau": run.at_plateau,
        "plateau_number": run.plateau_number,
    }


def _alike(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs of one architecture on one sample: their norms stack, so each bound is evaluated once for all of them."""
    groups: dict[Any, list[Run]] = {}
    for run in runs:
        groups.setdefault((run.spec.arch, id(run.sample), run.spec.train.labels), []).append(run)
    return list(groups.values())


def _group_values(group: list[Run], parts: list[pd.DataFrame], settings: Settings) -> pd.DataFrame:
    """Tidy rows of alike runs; `parts`: the records wanted of each."""
    sizes = [len(part) for part in parts]
    records = pd.concat(parts, ignore_index=True)
    sample, norms = group[0].sample, from_columns(records, group[0].spec.arch.shapes())
    blank = np.full(len(records), np.nan)
    blocks: list[dict[str, Any]] = []
    for bound in ALL:
        result = evaluate(bound, norms, sample, settings)
        fields = {name: getattr(result, name) for name in ("value", "complexity", "confidence", "empirical", "margin")}
        shared: dict[str, Any] = {"series": bound.key, "reason": result.reason, "convention": settings.convention}
        shared |= {"n": float(effective_n(sample, settings)), "delta": settings.delta}
        blocks.append(shared | {name: blank if part is None else part for name, part in fields.items()})
    for name, value in _measured(group, records, settings.delta).items():
        shared = {"series": name, "reason": None, "convention": "measured", "n": np.nan}
        blocks.append(shared | {"delta": settings.delta if name == "holdout" else np.nan, "value": value})
    identity = pd.DataFrame([_identity(run) for run in group]).loc[np.repeat(np.arange(len(group)), sizes)]
    where = {**identity, "step": records["step"], "epoch": records["epoch"]}
    columns = {name: np.tile(np.asarray(values), len(blocks)) for name, values in where.items()}
    for name in COLUMNS:
        if name not in columns and name != "log2_value":
            columns[name] = np.concatenate([np.broadcast_to(block.get(name, np.nan), blank.shape) for block in blocks])
    table = pd.DataFrame(columns)
    table["log2_value"] = np.log2(table["value"].where(table["value"] > 0))
    return table[list(COLUMNS)]


def _values(runs: Sequence[Run], records: Callable[[Run], pd.DataFrame], settings: Settings) -> pd.DataFrame:
    runs = [run for run in runs if not run.epochs.empty]
    frames = [_group_values(group, [records(run) for run in group], settings) for group in _alike(runs)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))


def final_table(runs: Sequence[Run], settings: Settings) -> pd.DataFrame:
    """Every series of the last record with errors of every run; a bound that does not apply has a `reason` instead."""
    return _values(runs, lambda run: run.epochs.iloc[-1:], settings)


def history_table(runs: Sequence[Run], settings: Settings, max_records: int | None = None) -> pd.DataFrame:
    """Every series of the records of every run; errors, margins and what needs them are NaN between epoch ends.

    `max_records`, of each run: keep the records with errors (at most so many, evenly spaced) and, evenly, some between them.
    """
    return _values(
        runs, lambda run: run.records if max_records is None else _thinned(run.records, max_records), settings
    )


def growing_table(run: Run, records: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Every series of some records of a run that may still be training; what nothing was measured for yet is NaN."""
    missing = [name for name in ("train_error", "test_error") if name not in records]
    return _group_values([run], [records.assign(**dict.fromkeys(missing, np.nan))], settings)


def layers_table(run: Run, records: pd.DataFrame) -> pd.DataFrame:
    """epoch, the Frobenius norm of every layer under the layer's name, and their product rho; one row per record."""
    norms = run.norms(records)
    layers = {layer.shape.name: layer.frobenius for layer in norms.layers}
    return pd.DataFrame({"epoch": records["epoch"].to_numpy(float), **layers, "rho": norms.rho})


def _thinned(records: pd.DataFrame, max_records: int) -> pd.DataFrame:
    with_errors = records["train_error"].notna().to_numpy()
    ends = _evenly(np.flatnonzero(with_errors), max_records)
    return records.iloc[np.union1d(ends, _evenly(np.flatnonzero(~with_errors), max_records - len(ends)))]


def _evenly(items: np.ndarray, most: int) -> np.ndarray:
    """At most that many of them, evenly spaced, first and last included."""
    return items[np.linspace(0, len(items) - 1, min(max(0, most), len(items))).round().astype(int)]


def runs_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run: what it is and whether it may be trusted (the identity columns of `COLUMNS`); no bounds."""
    rows = [_identity(run) for run in runs if not run.epochs.empty]
    return pd.DataFrame(rows, columns=None if rows else list(COLUMNS[: COLUMNS.index("step")]))


def reasons(table: pd.DataFrame) -> dict[str, str]:
    """Series that do not apply here, and why."""
    missing = table.dropna(subset=["reason"]).drop_duplicates("series")
    return dict(zip(missing["series"], missing["reason"], strict=True))


def run_summaries(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One JSON object per run: id, every spec field, errors, rho, flags, final published bounds."""
    table = final_table(runs, Settings()).set_index(["run", "series"])["value"]
    return [_summary(run, {} if run.epochs.empty else table[run.id].dropna().to_dict()) for run in runs]


def _summary(run: Run, values: dict[str, float]) -> dict[str, Any]:
    spec = run.spec.to_dict()
    rho = None if run.epochs.empty else float(run.norms(run.epochs.iloc[-1:]).rho[0])
    return {
        "id": run.id,
        **spec["arch"],
        **{name: value for name, value in spec.items() if name != "arch"},
        "n": run.sample.n,
        "state": run.state,
        "trained": run.trained,
        "at_plateau": run.at_plateau,
        "plateau_number": run.plateau_number,
        "train_error": values.get("train_error"),
        "test_error": values.get("test_error"),
        "rho": rho,
        "bounds": {bound.key: values[bound.key] for bound in ALL if bound.key in values},
    }
