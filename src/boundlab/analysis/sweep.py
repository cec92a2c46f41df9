"""A lambda sweep, while it trains and after: every bound of the published figure, the guarantee, the errors. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from boundlab.analysis.curves import by_axis, last_known
from boundlab.analysis.tables import AXES, growing_tables
from boundlab.runs.part_errors import PartErrors
from boundlab.runs.run import Run
from boundlab.specs.settings import Settings

PUBLISHED = ("ledent", "graf", "golowich", "long_sedghi", "sparse", "holdout", "test_error", "train_error")
GUARANTEED = ("doubled",)  # Theorem S2, in the convention `strict`
DELTA = 0.001
CONVENTIONS = {"published": PUBLISHED, "strict": GUARANTEED}


def of_conventions(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One table of those of `CONVENTIONS`, each with its own series."""
    return pd.concat([tables[name][tables[name]["series"].isin(series)] for name, series in CONVENTIONS.items()])


def standing(runs: Sequence[Run], parts: Mapping[str, PartErrors]) -> pd.DataFrame:
    """`curves.by_axis` rows over weight decay: every run at its last record, errors as last measured.

    `runs`: each with its last record, and the last one with errors; `parts`: of a run's id its errors on a part of
    the images, shown where they are newer than those of all images. Nothing is flagged: nobody has finished.
    """
    if not runs:
        return pd.DataFrame()
    tables = growing_tables([(run, run.records) for run in runs], *(Settings(name, DELTA) for name in CONVENTIONS))
    rows = _with_parts(_now(of_conventions(dict(zip(CONVENTIONS, tables, strict=True)))), parts)
    curves = by_axis(rows, AXES["weight_decay"])
    return curves.assign(flagged=False)


def _now(table: pd.DataFrame) -> pd.DataFrame:
    rows = last_known(table)
    last = rows.groupby("run", observed=True)["step"].transform("max")
    return rows[rows["step"] == last]


def _with_parts(rows: pd.DataFrame, parts: Mapping[str, PartErrors]) -> pd.DataFrame:
    """Newer errors of a part of the images in the place of older ones of all."""
    runs, series = rows["run"].astype(str).to_numpy(), rows["series"].astype(str).to_numpy()
    value, as_of = rows["value"].to_numpy(float).copy(), rows["as_of"].to_numpy(float).copy()
    epoch = rows["epoch"].to_numpy(float)
    for run, part in parts.items():
        known = np.where(np.isnan(as_of), np.where(np.isnan(value), -1.0, epoch), as_of)
        newer = (runs == run) & (known < part.epoch)
        for name, error in (("test_error", part.test_error), ("train_error", part.train_error)):
            here = newer & (series == name)
            value[here], as_of[here] = error, np.where(epoch[here] > part.epoch, part.epoch, np.nan)
    return rows.assign(value=value, as_of=as_of)


def height(runs: Sequence[Run]) -> float:
    """The largest log2 of a published bound before training: the axis holds still while the curves come down."""
    rows = growing_tables([(run, run.records.iloc[:1]) for run in runs], Settings("published", DELTA))[0]
    return float(rows["log2_value"][rows["series"].isin(PUBLISHED)].max())


def epoch_of(runs: Sequence[Run]) -> float:
    """The epoch that all of them have reached."""
    return min(float(run.records["epoch"].iloc[-1]) for run in runs)
