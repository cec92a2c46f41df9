"""The networks that an anatomy takes apart: which run at which epoch, in which convention, or changed how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from boundlab.analysis.what_if import Change, World, apply_change
from boundlab.bounds.base import Bound, Value, effective_n
from boundlab.runs.run import Run
from boundlab.specs.settings import CONVENTIONS, Settings
from boundlab.text import format_epoch
from boundlab.ui.bound_choice import CONVENTION_HELP, DELTAS
from boundlab.ui.controls import Controls
from boundlab.ui.network_choice import epoch_of, run_caption

SIX = "six bars"
MODES = (
    SIX,
    "one network",
    "two networks",
    "two epochs",
    "two conventions",
    "two theorems",
    "published to strict",
    "what if",
)
MODES_HELP = (
    "six bars: the factors by what they are about · one network: every factor of one bound · two …: the second beside the first, and which factor moved (two theorems: S and "
    "S2) · published to "
    "strict: from the plotted sparse curve to the proved one · what if: other n, margin or geometry, norms held fixed"
)
_TIMES = ("0.01", "0.1", "0.25", "0.5", "1", "2", "4", "10", "100", "1000", "10000")
_MARGINS = ("0.1", "0.2", "0.5", "1", "2", "5", "10")
_AS_IS = "as it is"
_HEADS = ("flattened", "pooled")


@dataclass(frozen=True)
class Side:
    """One network as it is, or as it would be."""

    name: str
    world: World
    settings: Settings

    def value(self, bound: Bound) -> Value:
        return self.world.value(bound, self.settings)


def side(run: Run, label: str, settings: Settings) -> Side:
    """A run at the epoch called `label`."""
    record = run.epochs[[format_epoch(e) == label for e in run.epochs["epoch"]]]
    name = f"{run_caption(run, label)} · n = {effective_n(run.sample, settings):,}"
    return Side(name, World(run.spec.arch, run.norms(record), run.sample), settings)


def second_side(
    mode: str, controls: Controls, run: Run, label: str, settings: Settings, choose: Callable[[], Run | None]
) -> Side | None:
    """What stands beside the first network in this mode (`choose`: the second of two); None where nothing does."""
    if mode == "two networks":
        if (other := choose()) is None:
            return None
        here = (
            label if label in [format_epoch(e) for e in other.epochs["epoch"]] else format_epoch(other.final["epoch"])
        )
        return side(other, here, settings)
    if mode == "two epochs":
        return side(run, epoch_of(controls, run, second=True), settings)
    if mode == "two conventions":
        others = [c for c in CONVENTIONS if c != settings.convention]
        convention = controls.pick("Second: convention", others, "convention2", CONVENTION_HELP)
        first = side(run, label, Settings(convention, settings.delta))
        return Side(f"{convention}, n = {effective_n(run.sample, first.settings):,}", first.world, first.settings)
    if mode == "two theorems":
        return side(run, label, settings)
    return None


def changed(first: Side, controls: Controls) -> Side:
    """The what-if sliders; raises ValueError when the geometry is not possible."""
    with st.container(horizontal=True):
        times = controls.slide(
            "n ×", _TIMES, "times", "1", "So many times the examples, with the same energy per image."
        )
        delta = controls.slide("δ →", (_AS_IS, *DELTAS), "new_delta", _AS_IS)
        margin = controls.slide("Margin γ →", (_AS_IS, *_MARGINS), "margin", _AS_IS, _MARGIN_HELP)
        head = controls.pick("Head", _HEADS, "head", "pooled: global average pooling before the dense layers")
    with st.container(horizontal=True):
        asked = {
            name: controls.slide(title, (_AS_IS, *map(str, values)), key, _AS_IS)
            for name, title, key, values in _geometry(first.world.arch.in_shape[1])
        }
    new = {name: int(value) for name, value in asked.items() if value != _AS_IS}
    change = Change(n_times=float(times), pooled=head == "pooled", **new)
    settings = Settings(
        first.settings.convention,
        first.settings.delta if delta == _AS_IS else float(delta),
        margin=None if margin == _AS_IS else float(margin),
    )
    world, settings = apply_change(change, first.world, settings)
    shown = {"n ×": _AS_IS if times == "1" else times, "δ =": delta, "γ =": margin}
    shown |= {f"{_SHORT[name]} =": value for name, value in asked.items()} | {"head": head if change.pooled else _AS_IS}
    made = ", ".join(f"{name} {value}" for name, value in shown.items() if value != _AS_IS)
    return Side(f"what if {made}" if made else "what if (nothing is changed yet: move a slider)", world, settings)


_SHORT = {"conv_layers": "L", "kernel_size": "kernel", "stride": "stride", "padding": "padding"}
_MARGIN_HELP = (
    "as it is: 1 in theorem, the best one in strict. The published formulas have no margin and do not change."
)


def _geometry(side_length: int) -> Sequence[tuple[str, str, str, range]]:
    """Field of ArchSpec, words, name in the link, values."""
    return (
        ("conv_layers", "Layers L →", "new_layers", range(1, 9)),
        ("kernel_size", "Kernel →", "kernel", range(1, min(8, side_length) + 1)),
        ("stride", "Stride →", "stride", range(1, 5)),
        ("padding", "Padding →", "padding", range(4)),
    )
