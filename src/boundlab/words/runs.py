"""What the table of all runs holds, in a sentence computed from it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from boundlab.text import percent


def runs_headline(rows: pd.DataFrame, known: int, selected: int) -> str:
    """`rows`: of `run_columns.fields_table`, those shown; `known`: how many runs there are; `selected`: of all of them."""
    if rows.empty:
        return f"None of {_counted(known)} is left: loosen the filter under *More*."
    errors = rows["test_error"].to_numpy(float)
    errors = errors[np.isfinite(errors)]
    many = _counted(known) if len(rows) == known else f"{len(rows):,} of {_counted(known)}"
    span = (
        f"Test errors of {many} reach from {percent(errors.min())} to {percent(errors.max())}" if len(errors) else many
    )
    untrained = int((rows["trained"] == "no").sum())
    failed = f"; {untrained:,} did not train" if untrained else ""
    chosen = f" **{selected:,} selected**: they are marked on Ranking and the figures." if selected else ""
    return f"{span}{failed}.{chosen}"


def _counted(runs: int) -> str:
    return "one run" if runs == 1 else f"{runs:,} runs"
