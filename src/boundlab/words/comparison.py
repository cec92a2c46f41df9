"""What to notice between networks, computed from the numbers on screen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from boundlab.analysis.comparison import Facts
from boundlab.analysis.subject import Subject
from boundlab.charts.networks import named
from boundlab.charts.theme import STYLES, lead, styles
from boundlab.charts.waterfall import factor_text
from boundlab.text import readable, times

MOVED = 0.005  # log2
_FITS = 2.5  # training errors further apart than that are no like with like


def summary(names: Sequence[str], subjects: Sequence[Subject], facts: Sequence[Facts], bounds: pd.DataFrame) -> str:
    """By how much the bounds differ, beside what else differs."""
    spans = _spans(bounds)
    words = []
    first = lead(spans)
    looks = styles("strict" if "doubled" in set(bounds.dropna(subset=["value"])["series"]) else "")
    if first is not None:
        low, high = _ends(bounds, first)
        words.append(
            f"{looks[first].name if first == 'doubled' or looks is not STYLES else 'The sparse bound'} {_by(spans[first])}"
            + (
                f": smallest for {named(names[low], low)}, largest for {named(names[high], high)}."
                if low != high
                else "."
            )
        )
    others = {name: ratio for name, ratio in spans.items() if name != first}
    if len(others) > 1:
        least, most = min(others, key=others.__getitem__), max(others, key=others.__getitem__)
        words.append(
            f"Of the other bounds {looks[most].name} differs most ({_factor(others[most])}) and {looks[least].name} least "
            f"({_factor(others[least])})."
        )
    words.append(_sizes(facts))
    words.append(_errors(names, subjects))
    return " ".join(filter(None, words))


def _spans(bounds: pd.DataFrame) -> dict[str, float]:
    """Series that at least two networks have -> largest value over smallest."""
    known = bounds[(bounds["value"] > 0) & np.isfinite(bounds["value"])]
    groups = known.groupby("series", sort=False)["value"]
    return {str(name): float(part.max() / part.min()) for name, part in groups if len(part) > 1}


def _ends(bounds: pd.DataFrame, series: str) -> tuple[int, int]:
    """The networks with the smallest and the largest value."""
    rows = bounds[(bounds["series"] == series) & np.isfinite(bounds["value"])].set_index("network")["value"]
    return int(rows.idxmin()), int(rows.idxmax())


def _factor(ratio: float) -> str:
    return "not at all" if ratio == 1 else "by less than 1 %" if ratio < 1.01 else f"by a factor of {times(ratio)}"


def _by(ratio: float) -> str:
    return f"differs **{_factor(ratio)}** between the networks"


def _sizes(facts: Sequence[Facts]) -> str:
    """What the networks themselves differ in."""
    parts: dict[str, list[float]] = {
        "parameters": [f.parameters for f in facts],
        "inputs of a hidden neuron (the most in each network)": [
            max(f.fan_in[:-1], default=f.fan_in[-1]) for f in facts
        ],
        "path energy √P": [f.path_root for f in facts],
        "the product of norms (output layer centred)": [f.rho_p for f in facts],
    }
    words = []
    for name, values in parts.items():
        if all(np.isfinite(v) and v > 0 for v in values):
            words.append(f"{name} {_factor(max(values) / min(values))}")
    return f"What else differs: {'; '.join(words)}." if words else ""


def _errors(names: Sequence[str], subjects: Sequence[Subject]) -> str:
    errors = {i: s.test_error for i, s in enumerate(subjects) if s.test_error is not None}
    if len(errors) < 2:
        return ""
    low, high = min(errors, key=errors.__getitem__), max(errors, key=errors.__getitem__)
    words = f"Test errors lie between {readable(errors[low], 'test_error')} ({named(names[low], low)}) and "
    words += f"{readable(errors[high], 'test_error')} ({named(names[high], high)})."
    return words


def unlike(subjects: Sequence[Subject]) -> dict[str, str]:
    """What besides the architecture differs, in a word, and why nobody should credit the architecture with it."""
    words = {}
    if len({(s.dataset, s.labels, s.arch.in_shape) for s in subjects}) > 1:
        words["data"] = "The networks look at **different data**: bounds and errors then differ for that reason too."
    elif len({s.sample.n for s in subjects}) > 1:
        words["images"] = (
            "The networks were trained on **different numbers of images**: the bounds differ for that reason too."
        )
    trained = [s.run.spec.train for s in subjects if s.run is not None]
    if len(decays := {train.weight_decay for train in trained if "weight_decay" not in train.unknown}) > 1:
        values = ", ".join(f"{d:g}" for d in sorted(decays))
        words["λ"] = f"They were trained with different weight decay (λ = {values})."
    if len(epochs := {train.epochs for train in trained}) > 1:
        values = ", ".join(map(str, sorted(epochs)))
        words["epochs"] = f"They were trained for different numbers of epochs ({values})."
    if len({train.seed for train in trained}) > 1:
        values = ", ".join(str(train.seed) for train in trained)
        words["seeds"] = f"They were trained from different seeds ({values})."
    errors = [s.train_error for s in subjects if s.train_error]
    if errors and max(errors) > _FITS * min(errors):
        words["training error"] = (
            f"Their training errors differ by a factor of {times(max(errors) / min(errors))}: a network that fits less well has "
            "smaller norms, and a smaller bound for that reason alone."
        )
    return words


def in_short(names: Sequence[str], bounds: pd.DataFrame) -> str:
    """One sentence: how far apart the bound that the page is about is; "" where fewer than two networks have it."""
    spans = _spans(bounds)
    first = lead(spans)
    if first is None:
        return ""
    title = "Theorem S2's bound" if first == "doubled" else "The sparse bound"
    low, high = _ends(bounds, first)
    if spans[first] < 1.01:
        return f"{title} hardly differs."
    return f"{title} of {named(names[high], high)} is **{times(spans[first])} times** that of {named(names[low], low)}."


def untrusted(names: Sequence[str], subjects: Sequence[Subject]) -> list[str]:
    """Runs whose small bounds may mean nothing."""
    bad = [named(n, i) for i, (n, s) in enumerate(zip(names, subjects, strict=True)) if s.run and not _good(s)]
    return (
        [f"{', '.join(bad)} did not train or did not reach the plateau: ρ → 0 flatters such a network."] if bad else []
    )


def _good(subject: Subject) -> bool:
    return subject.run is None or (subject.run.trained and subject.run.at_plateau)


def refusals(names: Sequence[str], bounds: pd.DataFrame, convention: str) -> list[str]:
    """Which bounds have no value, for which networks, and why."""
    looks = styles(convention)
    missing = bounds.dropna(subset=["reason"])
    lines: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for series, rows in missing.groupby("series", sort=False):
        for reason, part in rows.groupby("reason", sort=False):
            lines.setdefault((str(reason), tuple(part["network"])), []).append(looks[str(series)].name)
    words = []
    for (reason, networks), series in lines.items():
        whom = "" if len(networks) == len(names) else " for " + ", ".join(named(names[i], i) for i in networks)
        words.append(f"No value of {', '.join(series)}{whom}: {reason}.")
    return words


def moved(names: Sequence[str], table: pd.DataFrame) -> list[str]:
    """Per network which factors of the bound differ most from the first network's; `table`: `comparison.factors_table`."""
    first, *others = table["network"].unique()
    lines = []
    for number in others:
        rows = table[table["network"] == number].set_index("row")
        value = rows.loc["value", "difference"]
        factors = rows[(rows["kind"] == "factor") & (rows["difference"].abs() >= MOVED)]
        factors = factors.reindex(factors["difference"].abs().sort_values(ascending=False).index)
        differing = ", ".join(f"{r.label} ({factor_text(r.difference)})" for r in factors.head(4).itertuples())
        size = (
            f"larger by a factor of {times(2.0 ** min(value, 1000.0))} than"
            if value > 0
            else f"smaller by a factor of {times(2.0 ** min(-value, 1000.0))} than"
        )
        size = "as large as" if abs(value) < MOVED else size
        lines.append(
            f"**{named(names[number], number)}**: {size} {named(names[first], first)}; "
            + (f"factors that differ: {differing}." if differing else "no factor differs.")
        )
    return lines
