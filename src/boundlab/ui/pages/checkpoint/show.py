"""What was measured of one network: bounds, errors, certificate, margins, norms."""

from __future__ import annotations

import json
import re
import textwrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from boundlab.analysis.conditions import conditions
from boundlab.analysis.guarantees import THEOREMS, Guarantee, guarantees_about, refusal
from boundlab.analysis.margin_tradeoff import trade_off
from boundlab.analysis.subject import Subject
from boundlab.bounds import ALL
from boundlab.bounds.base import effective_n, evaluate, only
from boundlab.bounds.concentration import clopper_pearson
from boundlab.charts.guarantees import guarantee_chart
from boundlab.charts.ladder import ladder
from boundlab.charts.margins_of_run import trade_off_chart
from boundlab.charts.theme import CONFIG, FONT, INK, VEIL, styles
from boundlab.quantities.doubts import doubts
from boundlab.specs.own_data import DATASETS
from boundlab.specs.settings import CONVENTIONS, Settings
from boundlab.text import decimals, percent
from boundlab.ui.controls import Controls, plain
from boundlab.ui.formulas import formulas
from boundlab.ui.page import is_dark
from boundlab.ui.shelf import shipped_runs
from boundlab.ui.tables import told
from boundlab.words.figures import sentence
from boundlab.words.guarantees import BEST, CHOICE, spelled_out, verdict

_MEASURED = ("holdout", "test_error")
_NORMS = ("frobenius", "spectral_map", "spectral_kernel", "norm_21", "bias_norm", "patch_norm")


def show(controls: Controls, subject: Subject) -> None:
    """Everything, with the reader's settings."""
    with st.container(horizontal=True):
        settings = controls.settings(_most_numbers(subject))
    st.markdown(f"#### {plain(subject.title)}")
    st.caption(_about(subject, settings))
    images = {"image_shape": DATASETS[subject.dataset].in_shape}  # those kept before it was recorded
    for words in doubts(images | dict(subject.record), subject.arch.in_shape):
        st.warning(words)
    table = _bounds_table(subject, settings)
    _ladder(table, subject, settings)
    _table(table, subject, settings)
    made = guarantees_about(subject, settings.delta)
    share = settings.delta / sum(p.limit is not None for p in made)
    _certificate(subject, made, settings.delta, share)
    _margins(controls, subject, share)
    _norms(subject)


def _bounds_table(subject: Subject, settings: Settings) -> pd.DataFrame:
    """One row per bound: series, value, complexity, confidence, empirical, margin (NaN where there is none), reason."""
    rows = []
    for bound in ALL:
        made = evaluate(bound, subject.norms, subject.sample, settings)
        parts = {name: getattr(made, name) for name in ("value", "complexity", "confidence", "empirical", "margin")}
        numbers = {name: np.nan if part is None else only(part) for name, part in parts.items()}
        rows.append({"series": bound.key, **numbers, "reason": made.reason or ""})
    return pd.DataFrame(rows)


def _most_numbers(subject: Subject) -> str:
    """The convention that has a number for most bounds."""
    tables = {name: _bounds_table(subject, Settings(name)) for name in CONVENTIONS}
    return max(CONVENTIONS, key=lambda name: int(np.isfinite(tables[name]["value"]).sum()))


def _about(subject: Subject, settings: Settings) -> str:
    """The network, the data, and the settings of the numbers below."""
    arch, classes = subject.arch, subject.labels
    task = "" if classes is None else " " + " or ".join("".join(map(str, group)) for group in classes)
    fed = (
        "pixels in [0, 1]"
        if arch.normalize is None
        else f"pixels less {arch.normalize[0]:g}, over {arch.normalize[1]:g}"
    )
    _, height, width = arch.in_shape
    middle = (
        ""
        if arch.in_shape == DATASETS[subject.dataset].in_shape
        else f", only the middle {height}×{width} of its images"
    )
    parts = (
        arch.title,
        f"{arch.parameters:,} parameters",
        f"{DATASETS[subject.dataset].title}{task}{middle}",
        fed,
        f"n = {effective_n(subject.sample, settings):,}",
        f"δ = {settings.delta:g}",
        settings.convention,
    )
    return " · ".join(parts)


def _ladder(table: pd.DataFrame, subject: Subject, settings: Settings) -> None:
    values = table.set_index("series")["value"].dropna()
    values = values[np.isfinite(values)]
    values["test_error"] = subject.test_error
    size = DATASETS[subject.dataset].test_images(subject.labels)
    values["holdout"] = float(clopper_pearson(values["test_error"], size, settings.delta))
    order = [bound.key for bound in ALL if settings.convention in bound.formulas]
    logs = np.log2(values[values > 0])
    low, high = float(np.floor(logs.min())), float(np.ceil(max(logs.max(), 1.0)))
    reach = (low - 0.25 * (high - low), high + 0.3 * (high - low))  # room for the numbers, on a narrow screen too
    words = sentence(values, 1, settings.convention)
    chart = ladder(values, [*order, *_MEASURED], reach, is_dark())
    _say_why(chart, table.set_index("series")["reason"], [*order, *_MEASURED])
    st.plotly_chart(chart, key="chart_checkpoint", config=CONFIG, alt=words)
    st.markdown(words)
    formulas(settings.convention, order)


def _say_why(chart: go.Figure, reasons: pd.Series, shown: list[str]) -> None:
    """In every row without a number the reason; `shown`: top to bottom."""
    chart.update_traces(cliponaxis=False, selector={"mode": "text"})
    look = {"showarrow": False, "xref": "paper", "x": 0, "xanchor": "left", "align": "left", "bgcolor": VEIL[is_dark()]}
    for place, name in enumerate(reversed(shown)):
        if reason := reasons.get(name):
            text = "<br>".join(textwrap.wrap(reason, 36, max_lines=3, placeholder=" …"))
            chart.add_annotation(text=text, y=place, font={"size": FONT - 4, "color": INK[is_dark()]}, **look)


def _table(table: pd.DataFrame, subject: Subject, settings: Settings) -> None:
    st.markdown("##### Every bound")
    named = table.assign(series=[styles(settings.convention)[key].name for key in table["series"]]).rename(
        columns={"series": "bound", "reason": "why there is no number"}
    )
    st.dataframe(
        told(named),
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


def _certificate(subject: Subject, made: list[Guarantee], delta: float, share: float) -> None:
    st.markdown("##### What may be promised")
    guessing = 1 - 1 / subject.arch.classes
    error = float(subject.test_error or 0.0)
    words = verdict(made, error, guessing)
    chart = guarantee_chart(made, error, guessing, is_dark())
    st.plotly_chart(chart, key="chart_checkpoint_promises", config=CONFIG, alt=words)
    st.markdown(words)
    for promise in made:
        st.markdown(spelled_out(promise, guessing, shipped_runs()))
    for words in conditions(subject.dataset, subject.arch, subject.labels):
        st.markdown(f"- {words}")
    st.caption(
        f"δ = {delta:g} for all of them together, {share:.3g} each; the ladder above has all of δ for every number. PAC-Bayes is not "
        f"computed for uploads. {CHOICE}"
    )


def _margins(controls: Controls, subject: Subject, delta: float) -> None:
    st.markdown("##### Margins of the training images")
    quantiles = np.asarray(subject.record["margin_quantiles"], dtype=float)  # (101,)
    st.markdown(
        f"Half of the images have a margin above {quantiles[50]:.3g}, 90 % above {quantiles[10]:.3g}, 10 % above "
        f"{quantiles[90]:.3g}; the smallest is {quantiles[0]:.3g} (below 0: wrong)."
    )
    reasons = {name: refusal(name, subject.norms, subject.sample) for name in THEOREMS}
    theorem = next((name for name, reason in reasons.items() if reason is None), None)
    if theorem is None:
        st.caption(f"Theorems S2 and S at other margins: no numbers, {reasons['S']}.")
        return
    table = trade_off(subject.norms, subject.sample, delta, theorem)
    margins = [f"{margin:.3g}" for margin in table["margin"]]
    chosen = controls.slide("Margin γ", (BEST, *margins), "margin", BEST)
    best = table.loc[table["total"].idxmin()]
    here = best if chosen == BEST else table.loc[margins.index(chosen)]
    words = (
        f"Theorem {theorem} at margin γ = {here['margin']:.3g}: ramp error {decimals(here['ramp'], 3)}, complexity {here['complexity']:.3g}, confidence "
        f"{decimals(here['confidence'], 3)}; together {here['total']:.3g}. Smallest at γ = {best['margin']:.3g}: {best['total']:.3g}."
    )
    top = float(np.clip(1.3 * best["total"], 1.5, 4.0))
    chart = trade_off_chart(table, float(here["margin"]), top, theorem, is_dark())
    st.plotly_chart(chart, key="chart_checkpoint_margins", config=CONFIG, alt=words)
    st.caption(words)


def _norms(subject: Subject) -> None:
    st.markdown("##### Norms per layer")
    rows = [
        {
            "layer": layer.shape.name,
            "weights": " × ".join(map(str, layer.shape.weight_shape)),
            "fan-in": layer.shape.fan_in,
        }
        | {"parameters": layer.shape.parameters}
        | {name: only(getattr(layer, name)) for name in _NORMS}
        for layer in subject.norms.layers
    ]
    table = pd.DataFrame(rows).rename(columns={name: name.replace("_", " ") for name in _NORMS})
    st.dataframe(told(table), hide_index=True, alt="Norms of every layer's weights")
    st.caption(f"ρ, the product of the Frobenius norms: {only(subject.norms.rho):.4g}. Without weight sharing, `frobenius` is "
               "the largest over output positions.")  # fmt: skip
    with st.expander("Spec"):
        st.json(subject.arch.to_dict())
