"""Sentences of page Anatomy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from boundlab.charts.waterfall import factor_text
from boundlab.text import readable, times

_MOVED = 0.005  # log2: a third of a per cent

READING = (
    "Read from the top: the running value starts at 1, each bar multiplies it by its factor, red bars add a term, and the bars "
    "with bold names are the values reached."
)

BRIDGE = (
    "Read from the top: every bar corrects the published value by its factor, up to Theorem S; red bars add a term."
)

HELD = (
    "**What if** changes n, δ, margin or geometry and holds fixed what training gave: every layer's Frobenius norm, its "
    "spectral norm as a kernel, the margins, and the energy per image. A further layer gets the norms of the last hidden "
    "one. It is arithmetic on the formula, not a trained network and not a certificate."
)


def largest_terms(rows: pd.DataFrame) -> str:
    """What makes the bound large, and what brings it down; `rows`: layers multiplied together, or no layer would lead."""
    factors = rows[rows["kind"] == "factor"].sort_values("log2")
    value = rows[rows["row"] == "value"].iloc[0]
    up = factors[factors["log2"] > _MOVED].iloc[::-1].head(3)
    down = factors[factors["log2"] < -_MOVED].head(2)
    words = f"The bound is **{readable(2 ** value['end'])}**"
    words += ": vacuous, as is anything of 1 or more." if value["end"] >= 0 else ": below 1."
    if len(up):
        words += (
            " What makes it large: " + ", ".join(f"{r.label} ({factor_text(r.log2)})" for r in up.itertuples()) + "."
        )
    if len(down):
        words += (
            " What brings it down: " + ", ".join(f"{r.label} ({factor_text(r.log2)})" for r in down.itertuples()) + "."
        )
    return words


def six_sentence(name: str, rows: pd.DataFrame) -> str:
    """What makes the bound `name` large, and what brings it down; `rows`: of `six.six_bars`."""
    factors, value = rows[rows["kind"] == "factor"], rows[rows["kind"] == "total"].iloc[0]
    most, least = factors.loc[factors["log2"].idxmax()], factors.loc[factors["log2"].idxmin()]
    extremes = [
        f"{word} factor: **{row['label'].lower()}** ({factor_text(row['log2'])})"
        for word, row, there in (("largest", most, most["log2"] > _MOVED), ("smallest", least, least["log2"] < -_MOVED))
        if there
    ]
    words = f"{name} is **{readable(2 ** value['end'])}**{' (vacuous)' if value['end'] >= 0 else ''}"
    return "; ".join([words, *extremes]) + "."


def six_moved(name: str, first: pd.DataFrame, second: pd.DataFrame) -> str:
    """From the first network's value to the second's, and the factor that moves most."""
    ends = [rows.loc[rows["kind"] == "total", "end"].iloc[0] for rows in (first, second)]
    words = f"{name}: **{readable(2 ** ends[0])}** and **{readable(2 ** ends[1])}** (hatched)"
    sides = [rows[rows["kind"] == "factor"].set_index("label")["log2"] for rows in (first, second)]
    apart = sides[1].sub(sides[0], fill_value=0.0)
    label = str(apart.abs().idxmax())
    if abs(apart[label]) < _MOVED:
        return words + "; no factor moves."
    return words + f"; what moves most: **{label.lower()}** ({factor_text(float(apart[label]))})."


def moved_terms(table: pd.DataFrame) -> str:
    """From the first value to the second, and by which factors."""
    value = table[table["row"] == "value"].iloc[0]
    first, second = 2 ** value["first"], 2 ** value["second"]
    factors = table[table["kind"] == "factor"]
    moved = factors[factors["difference"].abs() >= _MOVED]
    moved = moved.reindex(moved["difference"].abs().sort_values(ascending=False).index)
    if abs(value["difference"]) < _MOVED:
        words = f"The value stays at **{readable(second)}**"
    else:
        way = (
            f"up by a factor of {times(second / first)}"
            if second > first
            else f"down by a factor of {times(first / second)}"
        )
        words = f"The value goes from **{readable(first)}** to **{readable(second)}**, {way}"
    listed = ", ".join(f"{r.label} ({factor_text(r.difference)})" for r in moved.head(5).itertuples())
    rest = f" and {len(moved) - 5} more" if len(moved) > 5 else ""
    words += f". Factors that move: {listed}{rest}; {len(factors) - len(moved)} of {len(factors)} stay."
    words = words if len(moved) else words.partition(". Factors that move")[0] + "; no factor moves."
    terms = table[(table["kind"] == "term") & ~(table["difference"].abs() < _MOVED)]
    if len(terms):
        words += " Terms that move: " + ", ".join(_term(row) for row in terms.itertuples()) + "."
    return words


def _term(row: Any) -> str:
    before, after = ("none" if np.isnan(x) else f"{2**x:.3g}" for x in (row.first, row.second))
    return f"{row.label.removeprefix('+ ')} ({before} → {after})"


def bridge_sentence(rows: pd.DataFrame) -> str:
    """From the published curve to Theorem S: both ends, and the steps that move it most and least."""
    ends = rows.set_index("row")["end"]
    steps = rows[rows["kind"] == "factor"].sort_values("log2")
    most, least = steps.iloc[-1], steps.iloc[0]
    return (
        f"The plotted curve's complexity is **{readable(2 ** ends['published'])}**, the proved one's "
        f"**{readable(2 ** ends['complexity'])}**; with confidence and ramp error the certificate is "
        f"**{readable(2 ** ends['value'])}**. The largest correction upwards is “{most['label']}” "
        f"({factor_text(most['log2'])}): {most['meaning']}. The largest downwards is “{least['label']}” "
        f"({factor_text(least['log2'])}): {least['meaning']}."
    )
