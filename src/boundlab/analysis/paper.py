"""The paper's own curves, read off its figures: as they are, relative to their first points, and ours minus theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from boundlab.analysis.tables import Axis
from boundlab.specs.beside import BESIDE

_PAPER = BESIDE / "data" / "paper" / "figures_digitized.csv"


def read_paper(axis: Axis, path: Path = _PAPER) -> pd.DataFrame:
    """The paper's curves over `axis`, read off its figures: panel, x, series, log2_value, approx_error_log2.

    The paper counts depth with the output layer; here it is the number of convolutional layers.
    """
    table = pd.read_csv(path)
    table = table[table["figure"] == axis.paper_figure].copy()
    if axis.key == "depth":
        table["x"] -= 1
    return table


def relative_paper(paper: pd.DataFrame) -> pd.DataFrame:
    """The paper's curves, each relative to its own first point (in log2: minus it)."""
    paper = paper.sort_values("x", kind="stable")
    return paper.assign(log2_value=paper["log2_value"] - paper.groupby("series")["log2_value"].transform("first"))


def minus_paper(curves: pd.DataFrame, paper: pd.DataFrame, axis: Axis) -> pd.DataFrame:
    """Where a curve has a point at the paper's own x: x, series, ours and paper (log2), difference, reading error."""
    ours = curves[curves["mean"] > 0].assign(x=lambda t: t[axis.column].astype(float).round(9))
    theirs = paper.assign(x=paper["x"].astype(float).round(9))
    both = ours.merge(theirs, on=["x", "series"], suffixes=("", "_paper"))
    ours_log2 = np.log2(both["mean"])
    return pd.DataFrame(
        {
            "x": both["x"],
            "series": both["series"],
            "ours": ours_log2,
            "paper": both["log2_value"],
            "difference": ours_log2 - both["log2_value"],
            "reading_error": both["approx_error_log2"],
        }
    )
