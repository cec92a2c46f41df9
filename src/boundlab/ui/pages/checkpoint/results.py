"""What was measured of one network: bounds, errors, certificate, margins, norms."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from boundlab.analysis.conditions import conditions
from boundlab.analysis.guarantees import THEOREMS, Guarantee, coded_guarantee, guarantees_about, refusal
from boundlab.analysis.margin_tradeoff import trade_off
from boundlab.analysis.subject import Subject
from boundlab.bounds.base import BIASES_IGNORED, effective_n, only
from boundlab.bounds.coded import best
from boundlab.charts.guarantees import guarantee_chart
from boundlab.charts.margins_of_run import trade_off_chart
from boundlab.quantities.doubts import doubts
from boundlab.specs.own_data import DATASETS
from boundlab.specs.settings import Settings
from boundlab.text import decimals
from boundlab.ui import chart
from boundlab.ui.bound_choice import choose_settings
from boundlab.ui.controls import Controls
from boundlab.ui.page import is_dark
from boundlab.ui.pages.checkpoint.bounds import every_bound, ladder_section, most_numbers, table_section
from boundlab.ui.privacy import plain
from boundlab.ui.rounded_network import offer_rounded
from boundlab.ui.shipped import shipped_runs
from boundlab.ui.tables import formatted
from boundlab.words.guarantees import BEST, CHOICE, spelled_out, verdict

_NORMS = ("frobenius", "spectral_map", "spectral_kernel", "norm_21", "bias_norm", "patch_norm")


def results(controls: Controls, subject: Subject, network: Path | None) -> None:
    """Everything, with the reader's settings; `network`: its file, if it is at hand."""
    with st.container(horizontal=True):
        settings = choose_settings(controls, most_numbers(subject))
    st.markdown(f"#### {plain(subject.title)}")
    st.caption(_about(subject, settings))
    images = {"image_shape": DATASETS[subject.dataset].in_shape}  # those kept before it was recorded
    for words in doubts(images | dict(subject.record), subject.arch.in_shape):
        st.warning(words)
    if settings.convention == "published" and subject.arch.bias:
        st.caption(f":material/info: {BIASES_IGNORED}")
    table = every_bound(subject, settings)
    ladder_section(table, subject, settings)
    if settings.convention == "strict":
        _rounded(subject, settings.delta, network)
    made = guarantees_about(subject, settings.delta)
    share = settings.delta / sum(p.limit is not None for p in made)
    with st.expander("What may be promised", icon=":material/verified:"):
        _certificate(subject, made, settings.delta, share)
    with st.expander("Every bound as a number", icon=":material/table:"):
        table_section(table, subject, settings)
    with st.expander("Margins of the training images", icon=":material/stacked_line_chart:"):
        _margins(controls, subject, share)
    with st.expander("Norms per layer", icon=":material/layers:"):
        _norms(subject)


def _rounded(subject: Subject, delta: float, network: Path | None) -> None:
    """What Theorem D is about, and that network to take away."""
    found = best(subject.coded, delta)
    if found is None:
        st.caption(f"Theorem D: no number, {plain(subject.not_coded)}.")
        return
    made = coded_guarantee(subject.coded, delta, None)
    st.markdown(f"**{made.title}**: {decimals(made.limit or 0.0, 4)}. It is about {made.about}.")
    if network is not None and found.roundings:
        offer_rounded(network, found, re.sub(r"[^\w-]+", "-", subject.title))


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


def _certificate(subject: Subject, made: list[Guarantee], delta: float, share: float) -> None:
    guessing = 1 - 1 / subject.arch.classes
    error = float(subject.test_error or 0.0)
    words = verdict(made, error, guessing)
    figure = guarantee_chart(made, error, guessing, is_dark())
    chart.show(figure, "chart_checkpoint_promises", words)
    st.markdown(words)
    for guarantee in made:
        st.markdown(spelled_out(guarantee, guessing, shipped_runs()))
    for words in conditions(subject.dataset, subject.arch, subject.labels):
        st.markdown(f"- {words}")
    st.caption(
        f"δ = {delta:g} for all of them together, {share:.3g} each; the ladder above has all of δ for every number. PAC-Bayes is not "
        f"computed for uploads. {CHOICE}"
    )


def _margins(controls: Controls, subject: Subject, delta: float) -> None:
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
    figure = trade_off_chart(table, float(here["margin"]), top, theorem, is_dark())
    chart.show(figure, "chart_checkpoint_margins", words)
    st.caption(words)


def _norms(subject: Subject) -> None:
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
    st.dataframe(formatted(table), hide_index=True, alt="Norms of every layer's weights")
    st.caption(f"ρ, the product of the Frobenius norms: {only(subject.norms.rho):.4g}. Without weight sharing, `frobenius` is "
               "the largest over output positions.")  # fmt: skip
    st.json(subject.arch.to_dict(), expanded=False)
