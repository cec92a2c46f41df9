"""A lambda sweep, while it trains and after: the published figure's bounds, the guarantee, the errors. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from boundlab.bounds import BY_KEY
from boundlab.bounds.base import evaluate
from boundlab.quantities.norms import Array
from boundlab.quantities.records import from_columns
from boundlab.runs.growing import Columns, Latest
from boundlab.runs.run import Run
from boundlab.specs.settings import Settings

PUBLISHED = ("ledent", "graf", "golowich", "long_sedghi", "sparse")
GUARANTEED = ("doubled",)  # Theorem S2, in the convention `strict`
ROUNDED = "theorem_d2"  # of finished networks, about them with their hidden weights rounded
ERRORS = ("test_error", "train_error")
SWEEP_DELTA = 0.001
SERIES_OF = {"published": (*PUBLISHED, *ERRORS), "strict": GUARANTEED}


def of_conventions(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One table of those of `CONVENTIONS`, each with its own series."""
    return pd.concat([tables[name][tables[name]["series"].isin(series)] for name, series in SERIES_OF.items()])


def sweep_now(runs: Sequence[Latest]) -> pd.DataFrame:
    """`curves.by_axis` rows over weight decay of runs of one network on one sample: each at its last record, what needs margins
    and errors as last measured. Nothing is flagged: nobody has finished.

    Straight from the records, several times a second; `tables.growing_table` says the same the slow way.
    """
    rows: list[dict[str, Any]] = []
    if not runs:
        return pd.DataFrame(rows)
    for key in PUBLISHED:
        rows += _rows(key, runs, [run.last for run in runs], "published")
    measured = [run for run in runs if run.whole is not None]
    for key in GUARANTEED:
        rows += _rows(key, measured, [run.whole for run in measured if run.whole is not None], "strict")
    for run in runs:
        for name in ERRORS:
            error, epoch = _error(run, name)
            rows += [] if math.isnan(error) else [_row(name, run, error, epoch)]
    return of_training(pd.DataFrame(rows))


def of_training(curves: pd.DataFrame) -> pd.DataFrame:
    """Without what was last measured before training began, once it has begun: all networks were one then."""
    return curves[curves["as_of"] != 0] if len(curves) else curves


def _rows(key: str, runs: Sequence[Latest], records: Sequence[Columns], convention: str) -> list[dict[str, Any]]:
    """Of one bound; none where it does not apply."""
    if not runs:
        return []
    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: [record.get(name) for record in records] for name in names}
    norms = from_columns(columns, runs[0].spec.arch.shapes())
    values: Array | None = evaluate(BY_KEY[key], norms, runs[0].sample, Settings(convention, SWEEP_DELTA)).value
    if values is None:
        return []
    found = zip(runs, records, values.tolist(), strict=True)
    return [_row(key, run, value, record["epoch"]) for run, record, value in found if not math.isnan(value)]


def _error(run: Latest, name: str) -> tuple[float, float]:
    """(error, epoch it was measured at); NaN where there is none."""
    whole, part = run.whole, run.part
    if part is not None and (whole is None or part.epoch > whole["epoch"]):
        return getattr(part, name), part.epoch
    return (math.nan, math.nan) if whole is None else (float(whole[name]), whole["epoch"])


def _row(series: str, run: Latest, value: float, epoch: float) -> dict[str, Any]:
    """`epoch`: that it was measured at; told where it is not the run's own."""
    as_of = epoch if epoch < run.last["epoch"] else math.nan
    place = {"panel": 0.0, "frame": 0.0, "weight_decay": run.spec.train.weight_decay, "series": series}
    value_of = {"mean": value, "low": value, "high": value, "seeds": 1, "margin": math.nan, "empirical": math.nan}
    return place | value_of | {"flagged": False, "as_of": as_of}


def blank(decays: Sequence[float]) -> pd.DataFrame:
    """`standing` before anything is known."""
    place = {"panel": 0.0, "frame": 0.0, "seeds": 1, "flagged": False}
    unknown = dict.fromkeys(("mean", "low", "high", "margin", "empirical", "as_of"), math.nan)
    series = [name for names in SERIES_OF.values() for name in names]
    return pd.DataFrame(
        [place | {"weight_decay": decay, "series": name} | unknown for name in series for decay in decays]
    )


def rounded_value(run: Run) -> float | None:
    """What Theorem D2 promises about the run's network with its hidden weights rounded; None where that was not computed."""
    found = (one for one in run.coded if one.theorem == "D2" and not one.trained)
    return next((one.value(SWEEP_DELTA) for one in found), None)


def with_rounded_values(curves: pd.DataFrame, values: Mapping[float, float]) -> pd.DataFrame:
    """`curves`, and at their last frame `ROUNDED` by weight decay."""
    place = {"panel": 0.0, "frame": curves["frame"].max(), "series": ROUNDED, "seeds": 1, "flagged": False}
    unknown = dict.fromkeys(("margin", "empirical", "as_of"), math.nan)
    rows = [
        place | unknown | {"weight_decay": decay} | dict.fromkeys(("mean", "low", "high"), value)
        for decay, value in values.items()
    ]
    return pd.concat([curves, pd.DataFrame(rows)], ignore_index=True) if rows else curves


def epoch_reached(runs: Sequence[Latest]) -> float:
    """The epoch that all of them have reached."""
    return min(float(run.last["epoch"]) for run in runs)
