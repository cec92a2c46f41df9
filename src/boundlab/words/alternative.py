"""What a chart shows, for who cannot see it."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from boundlab.analysis.tables import Axis
from boundlab.charts.theme import styles
from boundlab.text import format_epoch, readable


def figure_words(curves: pd.DataFrame, axis: Axis, shown: Collection[str], convention: str, handle: str = "") -> str:
    """The axis with its ends, and of every line its smallest and largest value over all positions of the `handle`. `curves`:
    of `curves.by_axis`."""
    looks, lines = styles(convention), []
    for series in shown:
        values = curves.loc[curves["series"] == series, "mean"].dropna()
        if len(values):
            low, high = (readable(float(value), series) for value in (values.min(), values.max()))
            lines.append(f"{looks[series].name} {low}" + (f" to {high}" if low != high else ""))
    where = curves.loc[curves["series"].isin([*shown]), axis.column]
    ends = "" if where.empty else f" from {_place(where.min(), axis)} to {_place(where.max(), axis)}"
    moved = f", over all positions of the handle, {handle}" if handle else ""
    return (
        f"Lines over {axis.title}{ends}{moved}: {'; '.join(lines) or 'none'}. The sentence above says what they show."
    )


def _place(value: float, axis: Axis) -> str:
    return format_epoch(float(value)) if axis.key == "epoch" else f"{value:,g}"
