"""The network of one weight decay, beside the chart: filters, margins, what makes the sparse bound large."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from boundlab.analysis.anatomy import anatomy
from boundlab.analysis.sweep import SWEEP_DELTA
from boundlab.bounds import BY_KEY
from boundlab.bounds.base import evaluate
from boundlab.charts.miniatures import factor_lengths, filters, margin_bars
from boundlab.charts.svg import as_image
from boundlab.checkpoints.header import read_header
from boundlab.errors import CheckpointError
from boundlab.quantities.records import from_columns
from boundlab.runs.growing import Latest, latest_of
from boundlab.runs.run import Run
from boundlab.specs.settings import Settings
from boundlab.text import format_epoch
from boundlab.ui.page import is_dark
from boundlab.words.glossary import explained

_GROUPS = {"weights": "weights' norms", "geometry": "geometry", "proof": "the proof", "data": "data and 1/√n"}
_MARGINS_HELP = f"{explained('margin')} Larger margins make a bound smaller."
_FACTORS_HELP = (
    "The sparse bound's complexity is a product; each bar is the logarithm of one group of its factors. To the right: makes it "
    "larger, to the left: smaller. Page Anatomy has all of them."
)


def beside(run: Run | None, latest: Latest | None, folder: Path | None) -> None:
    """`run`: once it is finished, `folder`: with its weights; `latest`: while it trains."""
    now = latest_of(run) if run is not None else latest
    if now is None:
        st.caption("Its filters, margins and bound appear here once it trains.")
        return
    dark = is_dark()
    first = None if folder is None or run is None else _first_layer(str(folder / "network.safetensors"), run.id)
    if first is not None:
        st.html(as_image(filters(first, dark)))
        st.caption(f"{min(8, len(first))} of {len(first)} filters of layer 1", help="Blue: negative, orange: positive.")
    if now.whole is not None:
        quantiles, wrong = np.asarray(now.whole["margin_quantiles"], float), float(now.whole["train_error"])
        st.html(as_image(margin_bars(quantiles, wrong, dark)))
        when = format_epoch(float(now.whole["epoch"]))
        st.caption(f"margins of the training images at epoch {when}: {wrong:.1%} wrong", help=_MARGINS_HELP)
    if rows := _factors(now):
        st.html(as_image(factor_lengths(rows, dark)))
        st.caption("what makes the bound large", help=_FACTORS_HELP)


def _factors(now: Latest) -> list[tuple[str, float]]:
    """Groups of factors of the sparse bound, in log2."""
    norms = from_columns({name: [value] for name, value in now.last.items()}, now.spec.arch.shapes())
    value = evaluate(BY_KEY["sparse"], norms, now.sample, Settings("published", SWEEP_DELTA))
    if value.value is None:
        return []
    rows = anatomy(value, per_layer=False)
    sums = rows[rows["kind"] == "factor"].groupby("group")["log2"].sum()
    return [(words, float(sums[group])) for group, words in _GROUPS.items() if group in sums]


@st.cache_data(show_spinner=False, max_entries=64)
def _first_layer(path: str, run: str) -> np.ndarray | None:
    """(filters, height, width) of what looks at the image's first channel; None for a network without such filters.

    `run`: its id, so that other settings are another entry.
    """
    try:
        header = read_header(path, None)
    except CheckpointError:
        return None
    name = "layers.0.weight"
    if name not in header.tensors or header.tensors[name].dtype != "F32":
        return None
    stored = header.tensors[name]
    weights = np.frombuffer(stored.data, "<f4").reshape(stored.shape)
    if header.arch.kind == "conv":
        return weights[:, 0]
    size = header.arch.in_shape[1:]
    if header.arch.kind == "mlp" and weights.shape[1] == size[0] * size[1]:
        return weights.reshape(-1, *size)
    return None
