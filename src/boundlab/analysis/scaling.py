"""How a mean over seeds moves along an axis: its first and last value, and the power of n that it follows. No plotly, no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from boundlab.analysis.gathering import last_records
from boundlab.analysis.measures import inverse_margins, norm_products
from boundlab.runs.run import Run


@dataclass(frozen=True)
class Move:
    """Of one series from its first x to its last."""

    first: float
    last: float

    @property
    def factor(self) -> float:
        """Last over first; NaN where there is no such ratio."""
        return self.last / self.first if self.first > 0 else math.nan


def moves(curves: pd.DataFrame, column: str) -> dict[str, Move]:
    """Of every series of `curves.by_axis` rows (one panel, one frame) that has a value at both ends of the axis' `column`."""
    low, high = curves[column].min(), curves[column].max()
    found = {}
    for name, rows in curves.groupby("series", observed=True):
        at = rows.set_index(column)["mean"]
        if low in at.index and high in at.index:
            found[str(name)] = Move(float(at[low]), float(at[high]))
    return found


def exponents(curves: pd.DataFrame, column: str) -> dict[str, float]:
    """The slope of log mean over log x of every series, by least squares: p where the mean goes like x to the power p. Left out: a
    series with fewer than two points, or with one that is not positive."""
    found = {}
    for name, rows in curves.groupby("series", observed=True):
        x, y = rows[column].to_numpy(float), rows["mean"].to_numpy(float)
        if len(x) > 1 and (x > 0).all() and (y > 0).all() and np.isfinite(y).all():
            found[str(name)] = float(np.polyfit(np.log(x), np.log(y), 1)[0])
    return found


def margins_of(runs: Sequence[Run]) -> pd.DataFrame:
    """Per run that has margins: run, `margin` (the largest of the recorded ones that at most a tenth of the training images miss, NaN
    where there is none), `normalised` (it over the product of the layers' Frobenius norms)."""
    found = last_records(tuple(runs))
    parts = [pd.DataFrame(columns=["run", "margin", "normalised"])]
    for part in found.parts:
        if part.norms.margins is not None:
            margin = 1 / inverse_margins(part)
            names = found.labels["run"].iloc[part.records].astype(str).to_numpy()
            parts.append(pd.DataFrame({"run": names, "margin": margin, "normalised": margin / norm_products(part)}))
    return pd.concat(parts[1:] or parts, ignore_index=True)
