"""The table of all networks that can be compared: one row each, narrowed by words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from boundlab.analysis.subject import Subject
from boundlab.bounds import BY_KEY
from boundlab.bounds.base import evaluate
from boundlab.quantities.records import from_columns
from boundlab.runs.run import Run
from boundlab.specs.own_data import DATASETS
from boundlab.specs.recipes import data_of, recipe
from boundlab.specs.settings import Settings
from boundlab.ui.pages.compare.offers import Offer
from boundlab.ui.shelf import find_run
from boundlab.ui.shipped import shipped_by_id
from boundlab.words.glossary import explained

_SHIPPED, _OWN, _CHECKPOINT = "shipped", "trained here", "checkpoint"
_PERCENT = {"Train error", "Test error"}
SHOWN_COLUMNS = {
    "Network": st.column_config.TextColumn(pinned=True, width=155),
    "Data": st.column_config.TextColumn(width=110),
    "λ": st.column_config.NumberColumn(
        help=f"Weight decay. {explained('weight decay')} Empty where training weighed something else.",
        format="%g",
        width=70,
    ),
    "Recipe": st.column_config.TextColumn(width=150),
    "Seed": st.column_config.TextColumn(width=60),
    **{name: st.column_config.NumberColumn(format="%.2f %%", width=100) for name in sorted(_PERCENT, reverse=True)},
    "Sparse bound": st.column_config.NumberColumn(
        help="As the paper's figures plot it (published), δ = 0.001, after the last epoch.", format="%.3g", width=110
    ),
    "Parameters": st.column_config.NumberColumn(format="localized", width=100),
    "Layers": st.column_config.NumberColumn(help="Hidden layers: convolutional and dense ones.", width=70),
    "Channels": st.column_config.NumberColumn(help="Of the widest hidden layer; of a dense one its neurons.", width=90),
    "Epochs": st.column_config.NumberColumn(width=75),
    "Origin": st.column_config.TextColumn(width=105),
}


def networks_table(known: Offer) -> pd.DataFrame:
    """One row per network, indexed by its name: the columns of `SHOWN_COLUMNS`; errors in per cent."""
    table = _of_runs(known.runs, known.version)
    loaded = {label: _of_checkpoint(subject) for label, subject in known.loaded.items()}
    if not loaded:
        return table
    return pd.concat([table, pd.DataFrame.from_dict(loaded, "index", columns=list(SHOWN_COLUMNS)).astype(table.dtypes)])


def narrowed(table: pd.DataFrame, words: str) -> pd.DataFrame:
    """The rows that have every one of the words in their name, recipe or origin."""
    text = table.index + " · " + table["Network"] + " · " + table["Recipe"] + " · " + table["Origin"]
    keep = pd.Series(True, index=table.index)
    for word in words.casefold().split():
        keep &= text.str.casefold().str.contains(word, regex=False)
    return table[keep]


@st.cache_data(show_spinner=False, max_entries=32)
def _of_runs(_known: Mapping[str, Any], version: str) -> pd.DataFrame:
    rows = {}
    for label, entry in _known.items():
        runs = [find_run(name) for name in entry.seeds.values()]
        for seed, run, sparse in zip(entry.seeds, runs, _sparse(runs), strict=True):
            rows[f"{label} · seed {seed}"] = _of_run(run, seed, sparse)
    return pd.DataFrame.from_dict(rows, "index", columns=list(SHOWN_COLUMNS)).astype(
        {"Layers": "Int64", "Channels": "Int64", "Epochs": "Int64", "λ": "float64", "Sparse bound": "float64"}
    )


def _sparse(runs: Sequence[Run]) -> list[float]:
    """The published sparse bound of runs of one architecture, after the last epoch."""
    values: dict[str, float] = {}
    for sample in {id(run.sample): run.sample for run in runs}.values():
        alike = [run for run in runs if run.sample is sample]
        records = pd.concat([run.epochs.iloc[-1:] for run in alike], ignore_index=True)
        norms = from_columns(records, alike[0].spec.arch.shapes())
        value = evaluate(BY_KEY["sparse"], norms, sample, Settings()).value
        numbers = [float("nan")] * len(alike) if value is None else value.tolist()
        values |= dict(zip([run.id for run in alike], numbers, strict=True))
    return [values[run.id] for run in runs]


def _of_run(run: Run, seed: str, sparse: float) -> dict[str, Any]:
    train = run.spec.train
    plain = train.loss == "mse"
    decay = train.weight_decay if plain and "weight_decay" not in train.unknown else None
    made = recipe(run.spec) if plain else f"weight {train.certificate_weight:g}, {recipe(run.spec)}"
    more = {"λ": decay, "Seed": seed, "Epochs": train.epochs, "Recipe": made, "Sparse bound": sparse}
    return _of(Subject.of_run(run)) | more | {"Origin": _SHIPPED if run.id in shipped_by_id() else _OWN}


def _of_checkpoint(subject: Subject) -> dict[str, Any]:
    value = evaluate(BY_KEY["sparse"], subject.norms, subject.sample, Settings()).value
    unknown = {"λ": None, "Seed": "", "Epochs": None, "Recipe": ""}
    sparse = float("nan") if value is None else float(value)
    return _of(subject) | unknown | {"Sparse bound": sparse, "Origin": _CHECKPOINT}


def _of(subject: Subject) -> dict[str, Any]:
    """What is known of any network."""
    arch, known = subject.arch, subject.dataset in DATASETS
    hidden = arch.shapes()[:-1]
    return {
        "Network": arch.title,
        "Data": data_of(subject.dataset, subject.labels, arch.in_shape) if known else subject.dataset,
        "Train error": _percent(subject.train_error),
        "Test error": _percent(subject.test_error),
        "Parameters": arch.parameters,
        "Layers": len(hidden),
        "Channels": max((shape.out_channels for shape in hidden), default=None),
    }


def _percent(error: float | None) -> float:
    return float("nan") if error is None else 100 * error
