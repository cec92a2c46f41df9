"""What a file without spec leaves open, asked; the answers as a spec."""

from __future__ import annotations

from typing import Any

import streamlit as st

from boundlab.checkpoints.inferred import Chain, mismatch
from boundlab.specs.arch import ArchSpec
from boundlab.ui.privacy import plain

_HEADS = {"flatten": "flattened", "gap": "averaged"}
_POOLS = "`none`, `max2` or `avg2`: windows of 2×2"


def questions(left_open: dict[str, Any], answered: bool, file: str) -> dict[str, Any] | None:
    """The spec that the reader's answers make, None while they do not fit the file; folded once they were `answered`; `file`: what the
    answers of this one are kept under."""
    given = left_open["chain"]
    chain = Chain(tuple(given["names"]), tuple(map(tuple, given["shapes"])), given["biased"], tuple(given["groups"]))
    with st.expander("What the file does not say", icon=":material/help:", expanded=not answered):
        layers = ", ".join(f"{name} {'×'.join(map(str, s))}" for name, s in zip(chain.names, chain.shapes, strict=True))
        st.markdown(
            f"The tensors are a plain chain ({plain(layers)}), read with a ReLU after every layer but the last. The file has no spec, so "
            "the rest is yours to say. Several answers may fit its sizes: wrong ones show as a training error near guessing."
        )
        spec, wrong = _asked(chain, left_open["spec"], file)
        if wrong:
            st.warning(f"{plain(wrong)}.", icon=":material/warning:")
        else:
            st.caption(f":material/check: These answers fit the file: {plain(ArchSpec.from_dict(spec).title)}.")
    return None if wrong else spec


def _asked(chain: Chain, first: dict[str, Any], file: str) -> tuple[dict[str, Any], str]:
    """The spec, and what is wrong with it, "" if nothing."""
    arch = ArchSpec.from_dict(first)
    spec = dict(first)
    with st.container(horizontal=True):
        texts = {"in_shape": _text(file, "Images", arch.in_shape, "Channels, height, width that the network takes.")}
        if chain.convolutions:
            each = "One value for all convolutions, or one for each."
            for name, label in (("stride", "Stride"), ("padding", "Padding")):
                texts[name] = _text(file, label, arch.per_layer(name), each)
            texts["pool"] = _text(file, "Pooling", [p or "none" for p in arch.per_layer("pool")], f"{_POOLS}. {each}")
        fed = _text(
            file,
            "Scaling",
            arch.normalize or ("none",),
            "Mean and deviation of its inputs, such as 0.1307, 0.3081; none: pixels in [0, 1].",
        )
    if chain.convolutions:
        help_words = "How the last maps go into the first dense layer: every value, or the average of every channel."
        spec["head"] = st.segmented_control("Last maps", list(_HEADS), format_func=lambda head: _HEADS[head], default=arch.head, help=help_words, required=True, key=f"open_{file}_head")  # fmt: skip
    try:
        spec |= {name: _values(text) for name, text in texts.items()}
        spec["normalize"] = None if fed.strip().lower() in ("", "none") else [float(part) for part in fed.split(",")]
    except ValueError:
        return spec, "an answer should be whole numbers with commas between them, such as 1, 28, 28"
    return spec, mismatch(chain, spec)


def _text(file: str, label: str, values: Any, about: str) -> str:
    return st.text_input(
        label, ", ".join(map(str, values)), key=f"open_{file}_{label}", help=about, max_chars=200, width=150
    )


def _values(text: str) -> Any:
    """One value, or a list of them: whole numbers, and kinds of pooling. Raises ValueError."""
    kinds = {"none": "", "max2": "max2", "avg2": "avg2"}
    parts = [part.strip().lower() for part in text.split(",")]
    values = [kinds[part] if part in kinds else int(part) for part in parts]
    return values[0] if len(values) == 1 else values
