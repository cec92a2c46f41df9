"""How to write such a file: the spec's template, and code for any `torch.nn.Sequential` of supported layers."""

from __future__ import annotations

import streamlit as st

from boundlab.checkpoints.snippet import EXPORT_SNIPPET, SPEC_TEMPLATE


def how_to() -> None:
    """Folded away: who has a file does not need it."""
    with st.expander("How to write such a file", icon=":material/code:"):
        st.markdown(
            "One `.safetensors` file with the weights `layers.0.weight`, `layers.1.weight`, … and `output.weight` (each with an "
            "optional `.bias`; optional `init.layers.0.weight`, … for the initial weights), weight and batch normalization "
            "folded in, features flattened in the order channel, row, column; and in its metadata the entry `spec`, JSON like "
            "this. A list has one value per convolution; what is left out is 1, none, or the data set's constants. `kind`: "
            "`conv`, `lc` (no weight sharing: weights `(positions, out, in·kh·kw)`) or `mlp` (only `hidden`)."
        )
        st.code(SPEC_TEMPLATE, "json")
        st.download_button("Download the template", SPEC_TEMPLATE, "spec.json", "application/json", on_click="ignore")
        st.markdown(
            "For a `torch.nn.Sequential` this writes weights and spec, or says why not; in Boundlab, `boundlab export` does, "
            "for any `nn.Module` whose layers follow each other, and folds BatchNorm in too. Folding leaves biases, which Theorems S, S2 and D count and not every bound of the literature does:"
        )
        st.code(EXPORT_SNIPPET, "python")
