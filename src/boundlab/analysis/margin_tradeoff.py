"""Margins of the training sample, and what a theorem makes of them at every margin asked for. No torch, no charts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from boundlab.analysis.guarantees import THEOREMS
from boundlab.bounds import BY_KEY
from boundlab.bounds.base import evaluate, only
from boundlab.quantities.norms import NetworkNorms
from boundlab.quantities.sample import SampleStats
from boundlab.runs.run import Run
from boundlab.specs.settings import Settings

LEVELS = (0, 5, 25, 50, 75, 95, 100)  # per cent


def over_epochs(run: Run) -> pd.DataFrame:
    """epoch and one column per level of `LEVELS` ("q0" ... "q100"): quantiles of the training margins at epoch ends."""
    quantiles = np.stack(run.epochs["margin_quantiles"].to_list())  # (epochs, 101)
    return pd.DataFrame({"epoch": run.epochs["epoch"].to_numpy(), **{f"q{q}": quantiles[:, q] for q in LEVELS}})


def trade_off(net: NetworkNorms, sample: SampleStats, delta: float, theorem: str) -> pd.DataFrame:
    """Of one record, at every margin that is searched: margin, ramp, indicator (fractions), and complexity, confidence and total by
    `theorem`, of `guarantees.THEOREMS`. Raises ValueError where it does not apply or no margins are stored."""
    if net.searched is None:
        raise ValueError("no margins were measured for this record")
    rows = []
    for index, margin in enumerate(np.ravel(net.searched.grid)):
        value = evaluate(BY_KEY[THEOREMS[theorem]], net, sample, Settings("strict", delta, margin=float(margin)))
        if value.value is None:
            raise ValueError(f"Theorem {theorem} does not apply: {value.reason}")
        parts = {"ramp": value.empirical, "complexity": value.complexity, "confidence": value.confidence}
        numbers = {name: only(part) for name, part in parts.items()}
        indicator = only(net.searched.indicator[..., index])
        rows.append({"margin": margin, **numbers, "indicator": indicator, "total": sum(numbers.values())})
    return pd.DataFrame(rows)
