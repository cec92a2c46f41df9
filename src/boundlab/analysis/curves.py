"""Tidy rows -> the curves of a picture: one value per panel, frame, x and series, over seeds. No plotly, no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from boundlab.analysis.tables import Axis

SCALES = ("log2", "linear", "relative")


def last_known(table: pd.DataFrame) -> pd.DataFrame:
    """Between epoch ends errors, and bounds that need margins, stand still at the value last measured, at epoch `as_of`
    (NaN where it is measured at the row's own)."""
    columns = ["value", "log2_value", "complexity", "confidence", "empirical", "margin"]
    line = np.ravel_multi_index(*_codes(table, ["run", "series"]))
    order = np.lexsort([table["step"], line])
    begins = np.flatnonzero(np.diff(line[order], prepend=-1))
    first = np.repeat(begins, np.diff(begins, append=len(order)))  # of each row's line, in that order
    measured = table["epoch"].where(table["value"].notna())
    known = {
        name: _filled(column.to_numpy(float), order, first)
        for name, column in {**table[columns], "epoch": measured}.items()
    }
    carried = table["value"].isna() & ~np.isnan(known["value"])
    return table.assign(**{name: known[name] for name in columns}, as_of=np.where(carried, known["epoch"], np.nan))


def _codes(table: pd.DataFrame, names: Sequence[str]) -> tuple[list[np.ndarray], list[int]]:
    """Each column as numbers from 0 on, and how many different ones it has."""
    found = [pd.factorize(table[name]) for name in names]
    return [codes for codes, _ in found], [max(1, len(values)) for _, values in found]


def _filled(values: np.ndarray, order: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The last value that is there, in this order; `first`: (rows in this order) where a row's line begins."""
    sorted_values, place = values[order], np.arange(len(order))
    known = np.maximum.accumulate(np.where(np.isnan(sorted_values), 0, place))
    filled = np.empty_like(values)
    filled[order] = np.where(known >= first, sorted_values[known], np.nan)
    return filled


def by_axis(table: pd.DataFrame, axis: Axis, frame: str | None = None, panel: str | None = None) -> pd.DataFrame:
    """Over seeds: panel, frame, `axis.column`, series, mean, low, high (of value), seeds, margin, empirical, flagged, selected (where the
    table has such a column: whether one of the runs is), as_of.

    `frame`, `panel`: the columns that tell apart the steps of an animation and the panels; None: there is only one.
    """
    table = table.dropna(subset=["value"])
    table = table.assign(
        as_of=table.get("as_of", np.nan),
        selected=table.get("selected", False),
        frame=table[frame] if frame else 0.0,
        panel=table[panel] if panel else 0.0,
        flagged=~table[list(axis.sound)].astype(bool).all(axis="columns"),
    )
    groups = table.groupby(["panel", "frame", axis.column, "series"], sort=True)
    return groups.agg(
        mean=("value", "mean"),
        low=("value", "min"),
        high=("value", "max"),
        seeds=("seed", "nunique"),
        margin=("margin", "mean"),
        empirical=("empirical", "mean"),
        flagged=("flagged", "any"),
        selected=("selected", "any"),
        as_of=("as_of", "min"),
    ).reset_index()


def of_one_run(table: pd.DataFrame, axis: Axis) -> pd.DataFrame:
    """`by_axis` of rows of a single run, one per x and series, without its price; nothing is flagged."""
    table = table.dropna(subset=["value"])
    kept = table[[axis.column, "series", "margin", "empirical"]].assign(
        panel=0.0,
        frame=0.0,
        mean=table["value"],
        low=table["value"],
        high=table["value"],
        seeds=1,
        flagged=False,
        selected=False,
    )
    kept["as_of"] = table.get("as_of", np.nan)
    return kept.sort_values([axis.column, "series"], kind="stable", ignore_index=True)


def by_slot(records: pd.DataFrame, span: float, max_records: int) -> pd.DataFrame:
    """At most about `max_records` records, for a curve that grows: the first, the last, and of each of that many equal parts of
    `span` epochs the last record with errors, else the last. What was kept of a part that is over stays."""
    place = np.floor(records["epoch"].to_numpy(float) / span * max_records)
    errors = records["train_error"].notna().to_numpy() if "train_error" in records else np.zeros(len(records), bool)
    order = np.lexsort((np.arange(len(records)), errors, place))
    last_of_its_part = np.diff(place[order], append=np.inf) > 0
    return records.iloc[np.union1d(order[last_of_its_part], [0, len(records) - 1])]


def relative(curves: pd.DataFrame, axis: Axis) -> pd.DataFrame:
    """Every curve divided by its own first point; a curve whose first point is not positive is left out."""
    curves = curves.sort_values(axis.column, kind="stable")
    first = curves.groupby(["panel", "frame", "series"])["mean"].transform("first")
    scaled = curves[["mean", "low", "high"]].div(first.where(first > 0), axis=0)
    return curves.assign(**scaled).dropna(subset=["mean"])


def drawn(
    curves: pd.DataFrame,
    paper: pd.DataFrame | None,
    axis: Axis,
    shared: dict[str, object],
    paper_shared: dict[str, object],
    own: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per point on screen, ours, the reader's `own` over them, and the paper's: what a reader gets as CSV. `shared`,
    `paper_shared`: what is the same for all of them."""
    columns_of = ["panel", "x", "series", "mean", "low", "high", "seeds", "flagged", "as_of"]
    rows = [
        part.rename(columns={axis.column: "x"})[columns_of].assign(source=source, x_name=axis.column, **shared)
        for part, source in ((curves, "our runs"), (own, "trained here"))
        if part is not None and (len(part) or source == "our runs")
    ]
    if paper is not None:
        columns = {"x": paper["paper_x"], "series": paper["series"], "mean": 2 ** paper["log2_value"]}
        rows.append(pd.DataFrame(columns).assign(x_name=axis.column, **paper_shared))
    first = ["source", "panel", "x_name", "x", "series"]
    table = pd.concat(rows, ignore_index=True)
    return table[[*first, *(name for name in table if name not in first)]]
