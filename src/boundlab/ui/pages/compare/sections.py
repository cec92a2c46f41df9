"""The sections of the Compare page, top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from boundlab.analysis.comparison import NORMS, bounds_table, factors_table, facts, layers_beside, places
from boundlab.analysis.subject import Subject
from boundlab.bounds import ALL
from boundlab.charts.factor_bars import factor_bars
from boundlab.charts.networks import named
from boundlab.charts.norms_by_layer import norms_by_layer
from boundlab.charts.one_bound import one_bound
from boundlab.charts.theme import lead, styles
from boundlab.charts.versus import versus
from boundlab.specs.own_data import DATASETS
from boundlab.specs.recipes import asked, data_of, recipe, task
from boundlab.specs.settings import Settings
from boundlab.text import readable
from boundlab.ui import chart
from boundlab.ui.bound_choice import choose_bound
from boundlab.ui.controls import Controls
from boundlab.ui.formulas import convention_note, formulas
from boundlab.ui.page import is_dark
from boundlab.ui.pages.compare.drawings import sees
from boundlab.ui.privacy import plain
from boundlab.ui.shipped import shipped_by_id
from boundlab.words import comparison

_COUNTED = (
    "Parameters: all trainable numbers, the weight-norm scalar of every hidden layer included. Inputs per neuron: the output "
    "layer last."
)


def one_ladder(groups: Sequence[Sequence[Subject]], names: Sequence[str], settings: Settings) -> None:
    """The sentence, and the bound it is about beside the test errors."""
    table = bounds_table(groups, settings)
    known = table[(table["value"] > 0) & np.isfinite(table["value"])]
    series = lead(known["series"])
    words = comparison.in_short([plain(name) for name in names], table)
    st.markdown(words or "No two of these networks have the bound that this page is about; the others: under bounds.")
    if series is None:
        return
    values = table[table["series"] == series].sort_values("network")["value"].tolist()
    errors = [np.nan if group[0].test_error is None else group[0].test_error for group in groups]
    chart.show(one_bound(values, errors, names, styles(settings.convention)[series], is_dark()), "chart_ladder", words)
    brief, meaning = convention_note(settings)
    data = " / ".join(dict.fromkeys(_data(group[0]) for group in groups))
    st.caption(f"{plain(data)} · {brief}", help=meaning)


def glance(groups: Sequence[Sequence[Subject]], names: Sequence[str]) -> None:
    """What the networks are, one row per quantity."""
    rows = [_about(group) for group in groups]
    side_by_side(names, {key: [row[key] for row in rows] for key in rows[0]}, "glance")
    st.caption(_COUNTED)


def _data(subject: Subject) -> str:
    """What the network looks at."""
    if subject.run is not None:
        return task(subject.run.spec)
    known = subject.dataset in DATASETS
    return data_of(subject.dataset, subject.labels, subject.arch.in_shape) if known else subject.dataset


def _about(group: Sequence[Subject]) -> dict[str, str]:
    subject, known = group[0], facts(group[0])
    run = subject.run
    trained, data, source = "not known", _data(subject), "checkpoint"
    if run is not None:
        train = run.spec.train
        weighed = asked(run.spec) if train.loss == "mse" else f"certificate × {train.certificate_weight:g}"
        trained = f"{weighed}, {recipe(run.spec)}, seed {train.seed}"
        source = "shipped" if run.id in shipped_by_id() else "trained here"
        source += f", with {len(group) - 1} other seed{'s' * (len(group) > 2)}" if len(group) > 1 else ""
    return {
        "Data": plain(f"{data}, n = {subject.sample.n:,}"),
        "Training": plain(trained),
        "From": source,
        "Parameters": f"{known.parameters:,}",
        "Inputs per neuron, by layer": " · ".join(f"{fan:,}" for fan in known.fan_in),
        "Sees": sees(subject),
    }


def side_by_side(names: Sequence[str], rows: dict[str, list[str]], key: str) -> None:
    """Quantities down, networks across."""
    table = pd.DataFrame(rows, index=[plain(named(name, i)) for i, name in enumerate(names)]).T
    with st.container(key=f"compare_table_{key}"):
        st.table(table, border="horizontal")


def bounds_section(groups: Sequence[Sequence[Subject]], names: Sequence[str], settings: Settings) -> None:
    """Every bound that has a value, what to notice, and which have none and why."""
    subjects, safe = [group[0] for group in groups], [plain(name) for name in names]
    table = bounds_table(groups, settings)
    order = [bound.key for bound in ALL if table["value"][table["series"] == bound.key].notna().any()]
    words = comparison.summary(safe, subjects, [facts(s) for s in subjects], table)
    if order:
        chart.show(versus(table, names, order, _reach(table["value"]), is_dark()), "chart_versus", words)
        seeds = " · broad ends: smallest to largest over seeds" if any(len(g) > 1 for g in groups) else ""
        st.caption(f"{settings.convention} · δ = {settings.delta:g} for every value by itself{seeds}")
        with st.expander("The values, and their range over seeds"):
            _values(table, names, order)
    st.markdown(words)
    for line in comparison.refusals(safe, table, settings.convention):
        st.caption(line)
    formulas(settings.convention, [bound.key for bound in ALL if settings.convention in bound.formulas])


def _values(table: pd.DataFrame, names: Sequence[str], order: Sequence[str]) -> None:
    """Bounds down, networks across."""
    rows, looks = {}, styles("strict" if "doubled" in order else "")
    for series in order:
        part = table[table["series"] == series].sort_values("network")
        rows[looks[series].name] = [_value(row.value, row.low, row.high) for row in part.itertuples()]
    side_by_side(names, rows, "values")


def _value(value: float, low: float, high: float) -> str:
    if np.isnan(value):
        return "–"
    ends = readable(low), readable(high)
    return f"**{readable(value)}**" + ("" if ends[0] == ends[1] else f" ({ends[0]} to {ends[1]})")


def _reach(values: pd.Series) -> tuple[float, float]:
    """A range in log2 with room for the numbers."""
    logs = np.log2(values[(values > 0) & np.isfinite(values)])
    low, high = min(0.0, float(np.floor(logs.min()))), max(1.0, float(np.ceil(logs.max())))
    return low - (0.22 if low < 0 else 0.03) * (high - low), high + 0.25 * (high - low)


def norms_section(subjects: Sequence[Subject], names: Sequence[str]) -> None:
    """Norms layer by layer, and what they multiply to."""
    known = [facts(subject) for subject in subjects]
    rows: dict[str, Callable[[int], float]] = {
        "ρ, product of ‖W‖ (F)": lambda i: known[i].rho,
        "ρ, output layer centred": lambda i: known[i].rho_p,
        "√P / ‖X‖, path energy": lambda i: known[i].path_root,
        "Product of the last two": lambda i: known[i].rho_p * known[i].path_root,
    }
    side_by_side(names, {key: [readable(of(i)) for i in range(len(names))] for key, of in rows.items()}, "norms")
    chart.show(
        norms_by_layer(layers_beside(subjects), names, NORMS, places(subjects), is_dark()),
        "chart_norms",
        "Frobenius norm, spectral norm and Frobenius norm of the layer as a matrix, of every layer",
    )
    st.caption(
        "Layers matched by position, the output layer last. F: Frobenius norm, 2: spectral norm. W: the kernel or matrix "
        "(without weight sharing the largest over the positions). op(W): the layer written out as one matrix. ‖X‖: root of the "
        "summed squared inputs. The last row above is what Theorems S and S2 pay for weights and geometry."
    )


def factors_section(controls: Controls, subjects: Sequence[Subject], names: Sequence[str], settings: Settings) -> None:
    """Which factor of one bound differs."""
    bound = choose_bound(controls, settings.convention)
    table = factors_table(subjects, bound, settings)
    if table["network"].nunique() < 2:
        st.info(
            f"{styles(settings.convention)[bound.key].name} has a value for fewer than two of these networks: nothing to compare."
        )
        return
    lines = comparison.moved([plain(name) for name in names], table)
    differs = table[table["difference"].abs() >= comparison.MOVED]["row"]
    still = table[(table["kind"] == "factor") & ~table["row"].isin(differs)].drop_duplicates("row")["label"]
    drawn = table[(table["kind"] == "total") | ((table["kind"] == "factor") & table["row"].isin(differs))]
    chart.show(factor_bars(drawn, names, is_dark()), "chart_factors", " ".join(lines))
    st.markdown("\n".join(f"- {line}" for line in lines))
    rest = f" The same for all: {', '.join(still)}." if len(still) else ""
    st.caption(f"Factors of one kind are multiplied over the layers; what is added to them is in the value only.{rest}")
