"""Every bound of one network: its ladder, its table, and which convention has most of them."""

from __future__ import annotations

import json
import re
import textwrap
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from boundlab.analysis.subject import Subject
from boundlab.bounds import ALL
from boundlab.bounds.base import evaluate, only
from boundlab.bounds.coded import best
from boundlab.bounds.concentration import clopper_pearson
from boundlab.charts.ladder import ladder
from boundlab.charts.theme import FONT, INK, VEIL, styles
from boundlab.specs.own_data import DATASETS
from boundlab.specs.settings import CONVENTIONS, Settings
from boundlab.text import percent
from boundlab.ui import chart
from boundlab.ui.formulas import formulas
from boundlab.ui.page import is_dark
from boundlab.ui.tables import formatted
from boundlab.words.figures import sentence

_MEASURED = ("holdout", "test_error")


def every_bound(subject: Subject, settings: Settings) -> pd.DataFrame:
    """One row per bound: series, value, complexity, confidence, empirical, margin (NaN where there is none), reason. In `strict`
    Theorem D too, or D2, whichever is smaller."""
    rows = []
    for bound in ALL:
        made = evaluate(bound, subject.norms, subject.sample, settings)
        parts = {name: getattr(made, name) for name in ("value", "complexity", "confidence", "empirical", "margin")}
        numbers = {name: np.nan if part is None else only(part) for name, part in parts.items()}
        rows.append({"series": bound.key, **numbers, "reason": made.reason or ""})
    if settings.convention == "strict":
        rows.append(_theorem_d(subject, settings.delta))
    return pd.DataFrame(rows)


def _theorem_d(subject: Subject, delta: float) -> dict[str, Any]:
    found = best(subject.coded, delta)
    row = dict.fromkeys(("value", "complexity", "confidence", "empirical", "margin"), np.nan) | {"series": "theorem_d"}
    if found is None:
        return row | {"reason": subject.not_coded}
    return row | {"value": found.value(delta), "reason": ""}


def most_numbers(subject: Subject) -> str:
    """The convention that has a number for most bounds."""
    tables = {name: every_bound(subject, Settings(name)) for name in CONVENTIONS}
    return max(CONVENTIONS, key=lambda name: int(np.isfinite(tables[name]["value"]).sum()))


def ladder_section(table: pd.DataFrame, subject: Subject, settings: Settings) -> None:
    """One row per bound, the test error and its hold-out limit below; where a bound has no number, why."""
    values = table.set_index("series")["value"].dropna()
    values = values[np.isfinite(values)]
    values["test_error"] = subject.test_error
    size = DATASETS[subject.dataset].test_images(subject.labels)
    values["holdout"] = float(clopper_pearson(values["test_error"], size, settings.delta))
    order = formulas_of = [bound.key for bound in ALL if settings.convention in bound.formulas]
    if settings.convention == "strict":
        order = [*order, "theorem_d"]
    logs = np.log2(values[values > 0])
    low, high = float(np.floor(logs.min())), float(np.ceil(max(logs.max(), 1.0)))
    reach = (low - 0.06 * (high - low), high + 0.06 * (high - low))
    words = sentence(values, 1, settings.convention)
    figure = ladder(values, [*order, *_MEASURED], reach, is_dark())
    _say_why(figure, table.set_index("series")["reason"], [*order, *_MEASURED])
    chart.show(figure, "chart_checkpoint", words)
    st.markdown(words)
    formulas(settings.convention, formulas_of)


def _say_why(figure: go.Figure, reasons: pd.Series, shown: list[str]) -> None:
    """In every row without a number the reason; `shown`: top to bottom."""
    figure.update_traces(cliponaxis=False, selector={"mode": "text"})
    look = {"showarrow": False, "xref": "paper", "x": 0, "xanchor": "left", "align": "left", "bgcolor": VEIL[is_dark()]}
    for place, name in enumerate(reversed(shown)):
        if reason := reasons.get(name):
            text = "<br>".join(textwrap.wrap(reason, 36, max_lines=3, placeholder=" …"))
            figure.add_annotation(text=text, y=place, font={"size": FONT - 4, "color": INK[is_dark()]}, **look)


def table_section(table: pd.DataFrame, subject: Subject, settings: Settings) -> None:
    """The same as numbers, to take away too."""
    named = table.assign(series=[styles(settings.convention)[key].name for key in table["series"]]).rename(
        columns={"series": "bound", "reason": "why there is no number"}
    )
    st.dataframe(
        formatted(named),
        hide_index=True,
        alt="Value and parts of every bound, or why it has none",
    )
    train, test = (percent(error or 0.0) for error in (subject.train_error, subject.test_error))
    st.markdown(f"Errors: **{train}** of the training images, **{test}** of the test images.")
    name = re.sub(r"[^\w-]+", "-", subject.title)
    with st.container(horizontal=True):
        st.download_button("CSV of this table", named.to_csv(index=False), f"{name}-bounds.csv", on_click="ignore")
        st.download_button(
            "All that was measured (JSON)", json.dumps(subject.to_dict()), f"{name}-measured.json", on_click="ignore"
        )
