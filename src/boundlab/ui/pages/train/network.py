"""The network in the form: what is typed, one value for all layers or one per layer, and its counterparts at a click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.specs.arch import HEADS, PER_LAYER, ArchSpec
from boundlab.specs.counterparts import locally_connected, mlp, tree
from boundlab.ui.controls import Controls
from boundlab.ui.pages.train.starts import FIRST, KIND_TITLES
from boundlab.ui.train_link import arch_values

_UP_TO_8 = tuple(map(str, range(1, 9)))
_WIDTHS = ("2", "4", "8", "12", "16", "24", "32", "48", "64", "96", "128", "200", "400", "600")
_LIST = " One value for all layers, or type one per layer: 8, 16, 16."
_FIELDS = {  # field: label, choices, help
    "channels": ("Channels H", _WIDTHS, "Per layer."),
    "kernel_size": ("Kernel", _UP_TO_8, "Pixels on a side."),
    "stride": ("Stride", _UP_TO_8, "As large as the kernel: patches that do not overlap."),
    "padding": ("Padding", ("0", *_UP_TO_8[:-1]), "Zeros around every layer's input; less than the kernel size."),
}
_MORE = {
    "dilation": ("Dilation", _UP_TO_8[:4], "Pixels from one tap of the kernel to the next."),
    "groups": (
        "Groups",
        ("1", "2", "4", "8", "16"),
        "Channels in groups that do not see each other; divides both sides.",
    ),
    "pool": ("Pool", ("none", "max2", "avg2", "max3", "avg3"), "After every ReLU, over windows that do not overlap."),
}
_LABELS = {name: label for name, (label, *_) in (_FIELDS | _MORE).items()}
_LONGEST = 600
_KIND_HELP = (
    "conv: convolutions, then one dense layer · lc: locally connected, the same without weight sharing · mlp: dense layers · "
    "linear: no hidden layer"
)
_HIDDEN_HELP = "Widths of the hidden layers, for example `64` or `128, 64`."
_DENSE_HELP = "Widths of dense layers before the last one, for example `64`; empty: none."
_HEAD_HELP = "flatten: the last map goes to the dense layer · gap: only the average of every channel"
_BIAS_HELP = "Theorems S, S2 and D count them; not every bound of the literature does."
_COUNTERPARTS: tuple[tuple[str, str, Callable[[ArchSpec], ArchSpec]], ...] = (
    ("Locally connected counterpart", "The same neurons, each with weights of its own.", locally_connected),
    (
        "Locally connected of as many parameters",
        "No weight sharing, and so fewer channels.",
        lambda arch: locally_connected(arch, matched=True),
    ),
    ("Tree of as many parameters", "Patches that do not overlap (stride = kernel), and so more channels.", tree),
    ("MLP of as many parameters", "Dense layers of one width, as many as there are layers.", mlp),
)


def network(controls: Controls) -> dict[str, Any]:
    """Draw the fields; what is in them, lists still as text (`read_network` reads them)."""
    with st.container(horizontal=True):
        kind = controls.pick("Network", KIND_TITLES, "kind", _KIND_HELP)
        arch: dict[str, Any] = {"kind": "mlp" if kind == "linear" else kind}
        if arch["kind"] == "mlp":
            arch["hidden"] = [] if kind == "linear" else _text(controls, "Hidden layers", "hidden", _HIDDEN_HELP)
        else:
            help = "Convolutions; a dense layer follows."
            layers = controls.choose("Layers L", _UP_TO_8, "conv_layers", help, FIRST["conv_layers"], 106)
            arch["conv_layers"] = int(layers)
            arch |= {name: _list(controls, name, *field) for name, field in _FIELDS.items()}
        with st.container(
            height="stretch", vertical_alignment="bottom", width="content"
        ):  # beside the boxes, not their labels
            arch["bias"] = controls.switch("Biases", "bias", FIRST["bias"], _BIAS_HELP)
    if arch["kind"] != "mlp":
        with st.expander("More: dilation, groups, pooling, head, dense layers"), st.container(horizontal=True):
            arch |= {name: _list(controls, name, *f) for name, f in _MORE.items() if name != "groups" or kind == "conv"}
            arch["head"] = controls.pick("Head", HEADS, "head", _HEAD_HELP)
            arch["hidden"] = _text(controls, "Dense layers", "dense", _DENSE_HELP)
    return arch


def _list(controls: Controls, name: str, label: str, options: tuple[str, ...], help: str) -> str:
    return controls.choose_or_type(label, options, name, FIRST[name], help=help + _LIST, width=116)


def _text(controls: Controls, label: str, name: str, help: str) -> str:
    return controls.text(label, name, FIRST[name], 60, help=help, width=240)


def read_network(arch: dict[str, Any]) -> dict[str, Any]:
    """What `network` gave, as ArchSpec's JSON; raises ValueError naming the field."""
    found = dict(arch)
    for name in PER_LAYER:
        if name in arch:
            words = _parts(_LABELS[name], arch[name])
            # what a browser cut off while pasting must not train another network
            if len(words) <= arch[name].count(","):
                raise ValueError(
                    f"{_LABELS[name]} must have a value after every comma, got {arch[name]!r}; type it again"
                )
            values = ["" if w == "none" else w for w in words] if name == "pool" else _whole(_LABELS[name], words)
            found[name] = values[0] if len(values) == 1 else values
    if isinstance(text := arch.get("hidden"), str):
        needed = arch["kind"] == "mlp"
        label = "Hidden layers" if needed else "Dense layers"
        found["hidden"] = whole_numbers(label, text) if needed or text.strip() else []
    return found


def whole_numbers(label: str, text: str) -> list[int]:
    """ "8, 16" -> [8, 16]; raises ValueError naming the field."""
    return _whole(label, _parts(label, text))


def _parts(label: str, text: str) -> list[str]:
    if len(text) > _LONGEST:
        raise ValueError(f"{label} must have at most {_LONGEST} letters, got {len(text):,}; type less")
    return [part.strip() for part in text.split(",") if part.strip()] or [""]


def _whole(label: str, parts: list[str]) -> list[int]:
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        got = ", ".join(parts)[:60] or "nothing"
        raise ValueError(f"{label} must be whole numbers such as 64 or 128, 64, got {got!r}")
    return [int(part) for part in parts]


def _become(arch: ArchSpec) -> None:
    for name, value in arch_values(arch).items():
        st.session_state[name] = value


def counterparts(row: DeltaGenerator, arch: ArchSpec | None) -> None:
    """Buttons that make the form's network (None: it is not one) into another; one that there is not says why."""
    with row:
        for title, help, make in _COUNTERPARTS:
            other, why = (
                None,
                "the form does not describe a network yet" if arch is None else "the form's network is one",
            )
            try:
                other = make(arch) if arch else None
            except ValueError as error:
                why = str(error)
            possible = other is not None and other != arch
            words = (
                f"{help} {other.title}, {other.parameters:,} parameters." if possible and other else f"{help} ({why})"
            )
            st.button(title, help=words, disabled=not possible, on_click=_become, args=(other,))
