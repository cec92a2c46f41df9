"""Every network drawn over an image: what its features see, and over how many computation paths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from boundlab.analysis.subject import Subject
from boundlab.charts.connectivity import connectivity
from boundlab.charts.networks import named
from boundlab.quantities.receptive_fields import path_counts, receptive_fields
from boundlab.ui import chart
from boundlab.ui.page import is_dark
from boundlab.ui.pages.compare.pictures import columns, example
from boundlab.ui.privacy import plain

_HEIGHTS = {2: 140, 3: 120, 4: 98}  # of a drawing, pixels, by the number of columns
_DRAWING = (
    "Brighter: from more computation paths a pixel reaches the features that enter the dense layers (π of Theorem S; log₂ "
    "scale, the same for all; point at a pixel for the number; grey: none). Boxes: what one feature sees, layer by layer; red: a "
    "middle one of the last convolution; a dense layer sees all. White strokes: {}."
)
_MAX_POOLED = " Under max-pooling Theorems S and S2 charge more than these paths: V of a window is (Σ√V)², or p ΣV for p positions."


def drawings(subjects: Sequence[Subject], names: Sequence[str]) -> None:
    """Connectivity of every network in its column, on one colour scale."""
    counts = [path_counts(s.arch.shapes(), s.arch.in_shape[1:]) for s in subjects]
    top = float(np.log2(max(1.0, *(part.max() for part in counts))))
    pictures = [example(subject) for subject in subjects]
    pooled = any(pool.kind == "max" for s in subjects for shape in s.arch.shapes() for pool in shape.pools)
    legend = _DRAWING.format(", ".join(dict.fromkeys(what for _, what in pictures))) + (_MAX_POOLED if pooled else "")
    for i, column in enumerate(columns(len(subjects))):
        subject = subjects[i]
        fields = receptive_fields(subject.arch.shapes(), subject.arch.in_shape[1:])
        with column:
            with st.container(key=f"compare_name_{i}"):
                whole = f"{plain(subject.title)}.\n\n{sees(subject)}\n\n{legend}"
                st.markdown(f"##### {plain(named(names[i], i))}\n{_rest(subject.title, names[i])}", help=whole)
            chart.show(
                connectivity(counts[i], pictures[i][0], fields, top, _HEIGHTS[len(subjects)], is_dark()),
                f"chart_connectivity_{i}",
                f"Computation paths from each pixel of {names[i]}: {sees(subject)}",
            )


_BRIEF = (
    "λ = ",
    "weight ",
    "seed ",
)  # parts of a title that stand below a network's name, where the name has not got them


def _rest(title: str, name: str) -> str:
    """Of a title what tells runs of one network apart, in small letters."""
    parts = [part for part in title.split(" · ") if part.startswith(_BRIEF) and part not in name.split(" · ")]
    return f":small[:gray[{plain(' · '.join(parts))}]]" if parts else ""


def sees(subject: Subject) -> str:
    """Pixels that a feature of every layer sees, and paths per pixel."""
    shapes, size = subject.arch.shapes(), subject.arch.in_shape[1:]
    fields, counts = receptive_fields(shapes, size), path_counts(shapes, size)
    low, high = int(counts.min()), int(counts.max())
    paths = f"{low:,} path{'s' * (low != 1)}" if low == high else f"{low:,} to {high:,} paths"
    if not any(shape.spatial for shape in shapes):
        return f"Every neuron of layer 1 sees all **{fields[0].pixels}** pixels. From a pixel: **{paths}**."
    seen = " → ".join(f"**{field.pixels:,}**" for field in fields)
    return f"Pixels seen, by layer: {seen}. From a pixel: **{paths}**."
