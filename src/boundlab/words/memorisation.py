"""What page Memorisation says: whether the gap opens with label noise, or closes with n, and which bounds notice."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from boundlab.analysis.scaling import Move, exponents, moves
from boundlab.analysis.tables import Axis
from boundlab.bounds import BY_KEY
from boundlab.charts.theme import lead, styles
from boundlab.runs.run import FITTED
from boundlab.specs.settings import Settings
from boundlab.text import percent, times
from boundlab.words.notices import STILL, called

NOISE = (
    "**Label noise**: of every training label it is decided by lot, with this probability, whether it is drawn anew, each class as likely as "
    "any other; about a tenth of those come out right again. The training error counts the labels that were trained on, the test error true "
    "ones. The gap, like a bound, is about labels of one kind: the error expected on equally noisy test labels, less the training error."
)
SUBSETS = "**Fewer training images** are a part of more: the first n of one order. All networks of one picture trained for the same number of steps."


def memorisation_headline(
    curves: pd.DataFrame, runs: pd.DataFrame, axis: Axis, settings: Settings, panels: dict[float, str]
) -> str:
    """`curves`: rows of `curves.by_axis` at one position of the handle; `runs`: single runs' rows there; `panels`: their titles by
    value, a sentence each where there are several."""
    sentences = []
    for key, title in panels.items():
        words = _sentence(curves[curves["panel"] == key], axis, settings)
        sentences.append(f"{title}: {words}" if title else words)
    return " ".join([*sentences, *filter(None, [missed(runs)])])


def missed(runs: pd.DataFrame) -> str:
    """How many networks did not fit the labels that they were given; "" where all did. `runs`: rows of `tables.final_table`."""
    each = runs.drop_duplicates("run")
    count = int((~each["fitted"].astype(bool)).sum())
    return f"{count} of {len(each)} networks (ringed) end above {100 * FITTED:g} % training error." if count else ""


def _sentence(curves: pd.DataFrame, axis: Axis, settings: Settings) -> str:
    found, (low, high) = moves(curves, axis.column), (curves[axis.column].min(), curves[axis.column].max())
    first = lead(found)
    if first is None or "gap" not in found:
        return "The sparse bound does not apply to these runs."
    if low == high:
        return f"Only {axis.at(low)} has a run for this network."
    name, gap = called(found, settings.convention), found["gap"]
    if axis.log:
        powers = exponents(curves, axis.column)
        moved = _like(found[first], powers.get(first))
        words = f"{_gap(gap, powers.get('gap'))}; {name} {moved}, its formula like $n^{{-1/2}}$."
        return f"From {axis.at(low)} to {high:,g} the gap {words}"
    return f"From {axis.at(low)} to {high:g} the gap {_gap(gap)}; {name} {_both(found, first)}."


def _gap(move: Move, power: float | None = None) -> str:
    if move.first <= 0:
        return f"goes from {percent(move.first)} to **{percent(move.last)}**"
    return f"{_like(move, power)}, to **{percent(move.last)}**"


def _fold(move: Move) -> str:
    factor = move.factor
    if math.isnan(factor) or abs(factor - 1) < STILL:
        return "stays"
    return f"grows {times(factor)}-fold" if factor > 1 else f"falls {times(1 / factor)}-fold"


def _like(move: Move, power: float | None) -> str:
    """The power of n that a series follows; how it moves where there is none."""
    if power is None:
        return _fold(move)
    return f"{'grows' if power > 0 else 'falls'} like $n^{{{power:.2f}}}$"


def _both(found: Mapping[str, Move], first: str) -> str:
    """By which factor the leading bound moves, and by which the others do, least and most."""
    lead = _fold(found[first])
    factors = [move.factor for name, move in found.items() if name in BY_KEY and name != first and move.factor > 0]
    if len(factors) < 2:
        return lead
    least, most = min(factors), max(factors)
    if least < 1 < most:
        return f"{lead}, the others fall up to {times(1 / least)}-fold or grow up to {times(most)}-fold"
    low, high = (least, most) if least >= 1 else (1 / most, 1 / least)
    verb = "grow" if least >= 1 else "fall"
    alike = "others" if lead.startswith(verb) else f"the others {verb}"
    return f"{lead}, {alike} {times(low)}- to {times(high)}-fold"


def _factor(ratio: float) -> str:
    """A factor for people, also one below 1."""
    return times(ratio) if ratio >= 1 else f"{ratio:.2g}"


def memorisation_notes(
    curves: pd.DataFrame, runs: pd.DataFrame, margins: pd.DataFrame, axis: Axis, settings: Settings
) -> list[str]:
    """What to notice, in sentences: fit, margins, every bound. `margins`: rows of `scaling.margins_of` for `runs`."""
    lines = [_fit(runs, axis), _margins(runs, margins, axis), _every(curves, axis, settings)]
    return [line for line in lines if line]


def _fit(runs: pd.DataFrame, axis: Axis) -> str:
    """How many networks reached a training error near 0 where."""
    each = runs.drop_duplicates("run")
    counts = each.groupby(axis.column)["fitted"].agg(["sum", "size"])
    if (counts["sum"] == counts["size"]).all():
        return (
            f"**All {len(each)} networks fit their labels**: training error at most {100 * FITTED:g} %, noise included."
        )
    parts = [f"{int(row['sum'])} of {int(row['size'])} at {axis.at(float(at))}" for at, row in counts.iterrows()]
    return f"**Training error at most {100 * FITTED:g} %** (noisy labels as they are), networks: {', '.join(parts)}; the others are ringed."


def _margins(runs: pd.DataFrame, margins: pd.DataFrame, axis: Axis) -> str:
    """How margins move from one end to the other: themselves, and over the product of norms, which a bound sees."""
    each = runs.drop_duplicates("run")[["run", axis.column]].merge(margins, on="run").dropna(subset=["margin"])
    means = each.groupby(axis.column)[["margin", "normalised"]].mean()
    if len(means) < 2:
        return ""
    start, end = means.index[0], means.index[-1]
    raw, scaled = (Move(*means[name].iloc[[0, -1]]) for name in ("margin", "normalised"))
    return (
        f"**Margins** that nine of ten training images reach, from {axis.at(float(start))} to {end:,g}: {_times(raw)} "
        f"({raw.first:.3g} → {raw.last:.3g}); over the product of the layers' norms, which the bounds see: {_times(scaled)}."
    )


def _times(move: Move) -> str:
    factor = move.factor
    if math.isnan(factor) or abs(factor - 1) < STILL:
        return "they stay"
    return f"they grow {times(factor)}-fold" if factor > 1 else f"they shrink {times(1 / factor)}-fold"


def _every(curves: pd.DataFrame, axis: Axis, settings: Settings) -> str:
    """Every bound, the one that notices most first; along n, the power of n that each follows."""
    looks = styles(settings.convention)
    if axis.log:
        powers = {name: p for name, p in exponents(curves, axis.column).items() if name in BY_KEY or name == "gap"}
        parts = [
            f"{looks[name].name} {power:+.2f}".replace("-", "−")
            for name, power in sorted(powers.items(), key=lambda one: one[1])
        ]
        return (
            f"**Powers of n**, by least squares: {', '.join(parts)}. Every formula divides by √n (−0.50), up to logarithms: what is more comes from norms that grow with n."
            if parts
            else ""
        )
    factors = {name: m.factor for name, m in moves(curves, axis.column).items() if name in BY_KEY and m.factor > 0}
    parts = [
        f"{looks[name].name} × {_factor(factors[name])}"
        for name in sorted(factors, key=factors.__getitem__, reverse=True)
    ]
    return f"**Which bounds notice**: {', '.join(parts)}." if parts else ""
