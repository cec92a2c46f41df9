"""Sentences computed from what is on screen; nothing here could contradict the data."""

from __future__ import annotations

import pandas as pd

from boundlab.bounds import BY_KEY
from boundlab.catalog import DATASETS
from boundlab.charts.theme import STYLES, readable, times
from boundlab.specs import Settings
from boundlab.tables import Axis, reasons

CONVENTIONS = {
    "published": "**Published curves, not guarantees.** This is what the paper's figures plot. The sparse formula leaves "
    "out the output layer's fan-in and the empirical margin error, so it is not a valid bound for these networks by "
    "itself; choose **strict** for one that is.",
    "theorem": "**The cited theorems**, with constants, class factors and the empirical error at margin 1 as far as known. "
    "Statements marked “written from memory” under the formulas have not been re-checked against the papers.",
    "strict": "**Strict: Theorem S**, the sparse bound with every constant and every fan-in counted, at the margin (0.01 "
    "to 10) that makes it smallest. It holds with probability 1 − δ for the network on screen, if examples are independent "
    "and architecture, n and input scaling were fixed in advance: choosing among N architectures after looking at their "
    "values costs δ / N.",
}


def subject(table: pd.DataFrame, settings: Settings) -> str:
    """What the chart shows: network, data, sample sizes, seeds, delta, convention."""
    data = DATASETS[table["dataset"].iloc[0]]
    bounds = table[table["n"].notna()]
    n = f"n = {bounds['n'].iloc[0]:,.0f} in the bounds" if len(bounds) else ""
    if len(bounds) and bounds["n"].iloc[0] != data.train_size:
        n += f" (the authors' setting; {data.train_size:,} images in the sums)"
    names = sorted(table["architecture"].unique())
    seeds = table["seed"].nunique()
    return " · ".join(
        [
            names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}",
            data.title,
            f"{table['epoch'].max():g} epochs",
            "one seed" if seeds == 1 else f"{seeds} seeds",
            n,
            f"δ = {settings.delta:g}",
            f"{settings.convention} convention",
        ]
    )


def _move(first: float, last: float, series: str) -> str:
    span = f"{readable(first, series)} → {readable(last, series)}"
    ratio = last / first if first else float("inf")
    if abs(ratio - 1) < 0.03:
        return f"stays put ({span})"
    verb, factor = ("falls", 1 / ratio) if ratio < 1 else ("grows", ratio)
    return f"{verb} by a factor {times(factor)} ({span})"


def notice(curves: pd.DataFrame, axis: Axis, settings: Settings) -> str:
    """What to notice between the first and last point of `tables.by_axis` rows."""
    by = {str(name): rows.sort_values(axis.column) for name, rows in curves.groupby("series")}
    if "sparse" not in by or "test_error" not in by:
        return "The sparse bound does not apply to these runs; the reasons are under the chart."
    sparse, test = by["sparse"], by["test_error"]
    start, end = sparse.iloc[0], sparse.iloc[-1]
    words = []
    if len(sparse) > 1:
        words.append(
            f"From {axis.title} {start[axis.column]:g} to {end[axis.column]:g} the sparse bound "
            f"{_move(start['mean'], end['mean'], 'sparse')}, while the test error goes from "
            f"{readable(test.iloc[0]['mean'], 'test_error')} to {readable(test.iloc[-1]['mean'], 'test_error')}."
        )
    else:
        words.append(f"Only {axis.title} {end[axis.column]:g} is shipped for this network.")
    others = {name: rows.iloc[-1]["mean"] for name, rows in by.items() if name in BY_KEY and name != "sparse"}
    words.append(_last_point(f"{axis.title} {end[axis.column]:g}", end, others, settings))
    return " ".join(words)


def _last_point(where: str, end: pd.Series, others: dict[str, float], settings: Settings) -> str:
    value = end["mean"]
    words = f"At {where} the sparse bound is {readable(value)}"
    if settings.convention == "strict":
        words += f" at margin {end['margin']:.3g}, ramp error {readable(end['empirical'])} included"
        if value >= 1 and end["margin"] > 9.99:
            return words + ": vacuous at every margin (a larger one only brings it closer to 1, from above)."
    if value >= 1:
        words += ": vacuous, as is anything of 1 or more."
    elif settings.convention == "published":
        words += ": below 1, but the published formula is not a valid bound by itself."
    else:
        words += ": below 1, so it says something about the test error."
    if others:
        near, far = min(others, key=others.__getitem__), max(others, key=others.__getitem__)
        words += (
            f" The other bounds there lie between {readable(others[near])} ({STYLES[near].name}) "
            f"and {readable(others[far])} ({STYLES[far].name})."
        )
    return words


def not_drawn(table: pd.DataFrame) -> list[str]:
    """Lines on what a chart of these rows leaves out, and why."""
    missing = reasons(table)
    lines = []
    for why in dict.fromkeys(missing.values()):
        names = ", ".join(STYLES[name].name for name, reason in missing.items() if reason == why)
        lines.append(f"Not drawn: {names}: {why}.")
    gaps = table[(table["series"] == "gap") & table["value"].notna()]
    if low := int((gaps["value"] <= 0).sum()):
        lines.append(
            f"The gap is zero or negative at {low} of {len(gaps)} points (the test error is not above the train error): "
            "no place on a log axis; the table has it."
        )
    return lines
