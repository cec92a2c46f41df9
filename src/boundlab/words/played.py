"""What the Playground says about a sweep: one sentence, computed from what is drawn."""

from __future__ import annotations

import math

import pandas as pd

from boundlab.analysis.sweep import ROUNDED
from boundlab.specs.played import Played
from boundlab.text import at_most_of_hundred, format_epoch, readable, times

_HARDLY = 1.5  # a factor below which a bound hardly moved
_COMPARED = {"sparse": "the sparse bound", "golowich": "Golowich 2018", "ledent": "Ledent 2021", ROUNDED: "Theorem D2"}
_DIFFERENCES = {"conv_layers": "layers", "channels": "channels", "kernel_size": "kernel", "stride": "stride"}


def _value(curves: pd.DataFrame, name: str, decay: float) -> float:
    row = curves[(curves["series"] == name) & (curves["weight_decay"] == decay)]
    return float(row["mean"].iloc[0]) if len(row) else math.nan


def _when(curves: pd.DataFrame, name: str, decay: float) -> str:
    """Of which epoch a number is, where that is not the one that is shown."""
    row = curves[(curves["series"] == name) & (curves["weight_decay"] == decay)]
    as_of = row["as_of"].iloc[0] if len(row) and "as_of" in row else math.nan
    return "" if pd.isna(as_of) else f" (measured at epoch {format_epoch(as_of)})"


def sweep_verdict(
    curves: pd.DataFrame, decay: float, trained: bool = True, noise: float = 0.0, coming: bool = False
) -> str:
    """At one weight decay: how often the network errs, and what the bounds say of it. `trained`: whether it beats guessing;
    `noise`: the share of its training labels that were drawn anew; `coming`: whether Theorem D2 is being computed."""
    error, sparse, golowich, doubled = (
        _value(curves, n, decay) for n in ("test_error", "sparse", "golowich", "doubled")
    )
    if math.isnan(error) or math.isnan(sparse):
        return ""
    said = "" if sparse < 1 else ", above 1: it says nothing"
    when = _when(curves, "test_error", decay)
    words = (
        f"At λ = {decay:g} the network errs on **{100 * error:.3g} of 100** new images{when}. "
        f"The sparse bound: **{readable(sparse)}**{said}"
    )
    if golowich > 0 and sparse > 0:
        words += f", {times(golowich / sparse)} times smaller than Golowich 2018" if golowich > sparse else ""
    if not trained:
        return (
            f"At λ = {decay:g} the network **learnt nothing** (it errs on {100 * error:.3g} of 100 new images{when}): its small bounds "
            "mean nothing."
        )
    alike, none = " about labels as noisy as in training" if noise else "", "" if doubled < 1 else ", so none"
    promise = (
        ""
        if math.isnan(doubled)
        else f" A guarantee (Theorem S2){alike}: {readable(doubled)}{none}{_when(curves, 'doubled', decay)}."
    )
    return f"{words}.{promise}{_rounded(_value(curves, ROUNDED, decay), coming)}"


def _rounded(value: float, coming: bool) -> str:
    """What Theorem D2 promises, about the network with its hidden weights rounded."""
    if math.isnan(value):
        return " Theorem D2 is being computed." if coming else ""
    said = f"at most **{at_most_of_hundred(value)} of 100**" if value < 1 else f"{value:.2f}, so none"
    more = " Those of the other networks are being computed." if coming else ""
    return f" With its hidden weights rounded (Theorem D2): {said}.{more}"


def dashed(here: Played, there: Played) -> str:
    """What the dashed lines are."""
    return f"Dashed: the last one you played, {difference(there, here)}."


def compared_with_last(now: pd.DataFrame, before: pd.DataFrame, here: Played, there: Played, decay: float) -> str:
    """What changed since the sweep behind, and how far the sparse bound and the earlier ones moved."""
    moved = []
    for name, words in _COMPARED.items():
        a, b = _value(before, name, decay), _value(now, name, decay)
        if a > 0 and b > 0:
            moved.append(f"{words} {_moved(b / a)}")
    text = dashed(here, there)
    return f"{text} From there, {', '.join(moved)}." if moved else text


def _moved(ratio: float) -> str:
    if 1 / _HARDLY < ratio < _HARDLY:
        return "hardly moved"
    return f"is {times(ratio)} times as large" if ratio > 1 else f"is {times(1 / ratio)} times smaller"


def difference(one: Played, other: Played) -> str:
    """What of `one` is not as in `other`, in words."""
    parts = [
        f"{words} {getattr(one, name)}"
        for name, words in _DIFFERENCES.items()
        if getattr(one, name) != getattr(other, name)
    ]
    parts += [one.kind] if one.kind != other.kind else []
    parts += [f"{one.label_noise:.0%} wrong labels"] if one.label_noise != other.label_noise else []
    parts += [f"{one.n_train or 'all'} images"] if one.n_train != other.n_train else []
    parts += [f"data {one.dataset}"] if one.dataset != other.dataset else []
    parts += [f"seed {one.seed}"] if one.seed != other.seed else []
    return ", ".join(parts) or "the same"
