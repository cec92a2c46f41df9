"""Errors of networks side by side, what is guaranteed about them, and their margins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from boundlab.analysis.comparison import GUARANTEES, guarantees_table, margin_quantiles
from boundlab.analysis.subject import Subject
from boundlab.charts.margins_of_networks import margin_curves
from boundlab.charts.networks import named
from boundlab.text import readable
from boundlab.ui import chart
from boundlab.ui.page import is_dark
from boundlab.ui.pages.compare.sections import side_by_side
from boundlab.ui.privacy import plain
from boundlab.words.guarantees import CHOICE

_TOGETHER = (
    "With probability 1 − δ, δ = {delta:g}, all limits of this table hold together: each is made with δ / {count} = {share:.3g}. "
    "Theorem S2: from the training images and the norms. Hold-out limit: from the test images alone (Clopper–Pearson)."
)


def outcomes(subjects: Sequence[Subject], names: Sequence[str], delta: float) -> None:
    """Errors, what is guaranteed about them, margins."""
    made = guarantees_table(subjects, delta)
    quantiles = {i: q for i, s in enumerate(subjects) if (q := margin_quantiles(s)) is not None}
    rows = {
        "Train error": [_error(s.train_error) for s in subjects],
        "Test error": [_error(s.test_error) for s in subjects],
        "Median margin": [f"{quantiles[i][50]:.3g}" if i in quantiles else "–" for i in range(len(subjects))],
    }
    for kind, title in reversed(GUARANTEES.items()):
        part = made[made["kind"] == kind].set_index("network")
        rows[title] = [_limit(part.loc[i, "limit"], kind) for i in range(len(subjects))]
    side_by_side(names, rows, "errors")
    if count := int(made["limit"].notna().sum()):
        st.caption(f"{_TOGETHER.format(delta=delta, count=count, share=delta / count)} {CHOICE}")
    for kind, reason in made.dropna(subset=["reason"]).groupby(["kind", "reason"], sort=False).groups:
        whom = made[(made["kind"] == kind) & (made["reason"] == reason)]["network"]
        st.caption(f"{GUARANTEES[kind]}: none for {', '.join(plain(named(names[i], i)) for i in whom)}: {reason}.")
    if quantiles:
        chart.show(
            margin_curves(quantiles, names, is_dark()),
            "chart_margins",
            "Share of the training images whose margin is at most so much, a curve per network",
        )


def _error(value: float | None) -> str:
    return "–" if value is None else readable(value, "test_error")


def _limit(value: float, kind: str) -> str:
    if np.isnan(value):
        return "–"
    if value >= 1:
        return f"{readable(value)}, vacuous"
    return f"at most {readable(value, 'holdout')}" if kind == "holdout" else f"**at most {readable(value, 'holdout')}**"
