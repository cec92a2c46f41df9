"""The handles: data, network, label noise, number of images."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.charts.sketch import network_sketch
from boundlab.charts.svg import as_image
from boundlab.data.example import example_of
from boundlab.specs.own_data import DATASETS
from boundlab.specs.played import KINDS, Played
from boundlab.ui.controls import Controls
from boundlab.ui.page import is_dark
from boundlab.ui.pages.playground.engine import SEEDS
from boundlab.words.glossary import explained

_IMAGES = {"digits": ("all", "700", "300", "100")}
_LARGE = ("6000", "2000", "500", "all")
_NOISE = ("0", "0.1", "0.25", "0.5", "1")
_KIND_HELP = (
    "convolution: the same small filter everywhere · not shared: the same neurons, each with weights of its own (locally connected) · tree: patches "
    "that do not overlap · MLP: every neuron sees everything. Tree and MLP have as many parameters as the convolution."
)
_NOISE_HELP = f"{explained('label noise')} What can still be learnt, and what do the bounds say?"
_LEAST = 2  # training images
_SEEDS = [str(seed) for seed in range(SEEDS)]
_IMAGES_HELP = "digits: 1,437 real ones of 8×8 pixels, trained in seconds. mnist: larger ones, minutes."
_HANDLES = (
    ("layers", "layers", 1, 8, 3, 1, "Convolutions, one after the other: the depth."),
    ("channels", "channels", 2, 64, 8, 2, "Different filters per layer: the width."),
    ("kernel", "kernel", 1, 8, 2, 1, "A neuron sees a square of so many pixels on a side."),
    ("stride", "stride", 1, 8, 1, 1, "Pixels from one neuron's patch to the next."),
)


def choose_played(controls: Controls) -> Played | None:
    """All handles; None, and why, where they make no network."""
    dataset = controls.pick("Images", _datasets(), "dataset", _IMAGES_HELP)
    drawing = st.container()
    layers, channels, kernel, stride = (_stepper(controls, *handle) for handle in _HANDLES)
    with _row("neurons", _KIND_HELP):
        kind = controls.choose("Neurons", KINDS, "kind", width="stretch", bare=True)
    with _row("noise", _NOISE_HELP):
        noise = controls.slide("Wrong labels", _NOISE, "label_noise", "0", bare=True)
    with _row("images", "How many training images: with fewer every bound is larger."):
        images = controls.slide("Training images", _images(dataset), "n_train", _images(dataset)[-1], bare=True)
    seed = int(controls.hold("seed", _SEEDS, "Seed", few=False) or 0)
    n = None if images == "all" else int(images)
    played = Played(dataset, kind, layers, channels, kernel, stride, float(noise), n, seed)
    try:
        _ = played.specs
    except ValueError as error:
        drawing.error(f"{error}.", icon=":material/error:")
        return None
    drawing.html(as_image(network_sketch(played.arch, _image(dataset), None, is_dark())))
    return played


def _stepper(controls: Controls, label: str, key: str, low: int, high: int, start: int, step: int, help: str) -> int:
    """A number with buttons for less and more, its name at its left."""
    with _row(label, help):
        value: int = controls.number(
            label, key, low, high, start, step=step, label_visibility="collapsed", width="stretch"
        )
    return value


def _row(label: str, help: str) -> DeltaGenerator:
    """A handle's name at its left."""
    name, handle = st.columns([41, 59], vertical_alignment="center", gap="xsmall")
    name.markdown(label, help=help)
    return handle


def _datasets() -> list[str]:
    first = [name for name in ("digits", "mnist") if name in DATASETS]
    return [*first, *(name for name in DATASETS if name.startswith("own"))]


def _images(dataset: str) -> tuple[str, ...]:
    """How many training images may be asked for, the standard last."""
    size = DATASETS[dataset].train_size
    if size <= 3000:
        return tuple(reversed([n for n in _IMAGES["digits"] if n == "all" or _LEAST <= int(n) < size]))
    return tuple(reversed([n for n in _LARGE[:-1] if int(n) < size]))


def _image(dataset: str):  # type: ignore[no-untyped-def]
    found = example_of(dataset)
    return None if found is None else found.pixels
