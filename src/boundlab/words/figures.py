"""Sentences computed from what is on screen; nothing here could contradict the data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import pandas as pd

from boundlab.analysis.tables import Axis, reasons
from boundlab.bounds import BY_KEY
from boundlab.charts.theme import lead, styles
from boundlab.specs.catalog import Dataset
from boundlab.specs.own_data import DATASETS
from boundlab.specs.settings import Settings
from boundlab.text import format_epoch, readable, times

_STILL = 0.03  # a change of less than this fraction is none
_TINY = 1e-300
NOT_DRAWN = "Not drawn: "
MEANINGS = {
    "published": "**Published curves, not guarantees.** This is what the paper's figures plot. The sparse formula leaves "
    "out the output layer's fan-in and the empirical margin error, so it is not a valid bound for these networks by "
    "itself; choose **strict** for one that is.",
    "theorem": "**The cited theorems**, with constants, class factors and the empirical error at margin 1 as far as known. "
    "Statements marked “written from memory” under the formulas have not been re-checked against the papers.",
    "strict": "**Strict: Theorem S2**, the one to quote, **and Theorem S**, which promises the same with a coarser proof: the "
    "sparse bound with every constant and every fan-in counted, each at the margin that makes it smallest. Each holds with "
    "probability 1 − δ for the network on screen, if examples are independent and architecture, n and input scaling were "
    "fixed in advance: choosing among N architectures after looking at their values costs δ / N.",
}


def caption(table: pd.DataFrame, settings: Settings, drawn: str = "mean and range") -> str:
    """What the chart shows: networks, data, λ, epochs, seeds and what is `drawn` of them, sample size, delta, convention."""
    data = DATASETS[table["dataset"].iloc[0]]
    names = table.sort_values(["conv_layers", "channels"])["architecture"].unique()
    decays, when = sorted(table["weight_decay"].unique()), table["epoch"].unique()
    span = f"{decays[0]:g}" if len(decays) == 1 else f"{decays[0]:g} to {decays[-1]:g}"
    parts = [
        names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}",
        data.title,
        f"λ = {span}",
        f"{format_epoch(when.max())} epochs" if len(when) > 1 else f"after {format_epoch(when[0])} epochs",
        _seeds(table, drawn),
        _recipe(table),
        _trained_here(table),
        _sample_size(table, data),
        f"δ = {settings.delta:g}",
        settings.convention,
    ]
    return " · ".join(filter(None, parts))


def _recipe(table: pd.DataFrame) -> str:
    """Named where it is not the usual one."""
    name = table["recipe"].iloc[0]
    return "" if name == "short" else f"recipe {name}"


def _trained_here(table: pd.DataFrame) -> str:
    count = table[table["trained_here"]]["run"].nunique()
    return f"with {count} {'run' if count == 1 else 'runs'} trained here" if count else ""


def _seeds(table: pd.DataFrame, drawn: str) -> str:
    per_point = table.groupby(["architecture", "weight_decay"])["seed"].nunique()
    few, many = per_point.min(), per_point.max()
    if many == 1:
        return "one seed"
    return f"{many if few == many else f'{few} to {many}'} seeds: {drawn}"


def _sample_size(table: pd.DataFrame, data: Dataset) -> str:
    sizes = table["n"].dropna()
    if sizes.empty:
        return ""
    n = f"n = {sizes.iloc[0]:,.0f}"
    return n if sizes.iloc[0] == data.train_size else n + f" in the bounds, {data.train_size:,} in their sums"


def _move(first: float, last: float, series: str) -> str:
    return f"{_change(last / first if first else float('inf'))} ({readable(first, series)} → {readable(last, series)})"


def notices(
    curves: pd.DataFrame, axis: Axis, settings: Settings, panels: dict[float, str], where: str
) -> list[tuple[str, str]]:
    """(panel's title, what to notice in it) at one position of the handle, `where`; `curves`: `curves.by_axis` rows."""
    if len(panels) == 1:
        return [("", notice(curves, axis, settings, where))]
    return [
        (title, _journey(_lines(curves[curves["panel"] == key]), axis, settings, where))
        for key, title in panels.items()
    ]


def notice(curves: pd.DataFrame, axis: Axis, settings: Settings, where: str = "") -> str:
    """What to notice between the first and the last point of one panel."""
    lines = _lines(curves)
    if (first := lead(lines)) is None or "test_error" not in lines:
        return "The sparse bound does not apply to these runs; the reasons are under the chart."
    end = lines[first].iloc[-1]
    others = {name: rows for name, rows in lines.items() if name in BY_KEY and name != first}
    there = {name: rows.iloc[-1]["mean"] for name, rows in others.items() if _same(rows.iloc[-1], end, axis)}
    words = [_journey(lines, axis, settings, where), _rivals(lines[first], others, axis, settings)]
    words += [_last_point(axis.at(end[axis.column]), end, settings), standing(end["mean"], there, settings.convention)]
    return " ".join(filter(None, words))


def called(series: Iterable[str], convention: str) -> str:
    """What sentences call the bound that they are about."""
    return styles(convention)[lead(series) or "sparse"].name if convention == "strict" else "the sparse bound"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _same(one: pd.Series, other: pd.Series, axis: Axis) -> bool:
    return bool(one[axis.column] == other[axis.column])


def _lines(curves: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Per series, in order of x (`by_axis` has sorted them)."""
    return {str(name): rows for name, rows in curves.groupby("series")}


def _journey(lines: dict[str, pd.DataFrame], axis: Axis, settings: Settings, where: str) -> str:
    """How the leading bound and the test error go from the first point to the last."""
    if (first := lead(lines)) is None or "test_error" not in lines:
        return "the sparse bound does not apply here."
    bound, test = lines[first], lines["test_error"]
    start, end = bound.iloc[0], bound.iloc[-1]
    if len(bound) == 1:
        return f"Only {axis.at(end[axis.column])} has a run for this network."
    at = f", at {where}," if where else ""
    return (
        f"From {axis.at(start[axis.column])} to {end[axis.column]:.3g}{at} {called(lines, settings.convention)} "
        f"{_move(start['mean'], end['mean'], first)}{_between(bound, axis)}, while the test error{_errors(test, axis)}."
    )


def _errors(test: pd.DataFrame, axis: Axis) -> str:
    """Where the test error goes; while there is one measurement, that."""
    first, last = (readable(test.iloc[i]["mean"], "test_error") for i in (0, -1))
    if axis.key == "epoch" and test["as_of"].min() <= test["epoch"].iloc[0]:
        return f" of all test images was measured at epoch {format_epoch(test['as_of'].min())} alone so far: {first}"
    return f"{_when(test)} goes from {first} to {last}"


def _between(bound: pd.DataFrame, axis: Axis) -> str:
    """Where a line is not between its ends on the way: farthest above them, or farthest below."""
    ends = bound["mean"].iloc[[0, -1]]
    high, low = bound.loc[bound["mean"].idxmax()], bound.loc[bound["mean"].idxmin()]
    over, under = high["mean"] / max(ends.max(), _TINY), min(ends) / max(low["mean"], _TINY)
    if max(over, under) < 1 + _STILL:
        return ""
    word, row = ("largest", high) if over >= under else ("smallest", low)
    return f" ({word} at {axis.at(row[axis.column])}: {readable(row['mean'])})"


def _when(measured: pd.DataFrame) -> str:
    """At which epoch a value that stands still between epoch ends was measured."""
    as_of = measured["as_of"].min()
    return "" if pd.isna(as_of) else f" (last measured at epoch {format_epoch(as_of)})"


def _ratio(rows: pd.DataFrame) -> float:
    """Last value over first; NaN where there is no such ratio."""
    first, last = rows["mean"].iloc[0], rows["mean"].iloc[-1]
    return last / first if len(rows) > 1 and first > 0 else math.nan


def _rivals(first: pd.DataFrame, others: dict[str, pd.DataFrame], axis: Axis, settings: Settings) -> str:
    """How the other bounds move over the same stretch: the one that grows most, the one that grows least."""
    span = first[axis.column].iloc[[0, -1]].tolist()
    known = {name: rows for name, rows in others.items() if rows[axis.column].iloc[[0, -1]].tolist() == span}
    ratios = {name: ratio for name, rows in known.items() if math.isfinite(ratio := _ratio(rows))}
    if len(ratios) < 2:
        return ""
    looks, own = styles(settings.convention), _ratio(first)
    if all(abs(ratio - 1) < _STILL for ratio in ratios.values()):
        return "The other bounds stay put" + (" too." if abs(own - 1) < _STILL else ".")
    most, least = max(ratios, key=ratios.__getitem__), min(ratios, key=ratios.__getitem__)
    words = [f"{looks[name].name} ({_change(ratios[name])})" for name in (least, most)]
    sentence = f"The other bounds range from {words[0]} to {words[1]}"
    steps = first[axis.column].iloc[-1] - first[axis.column].iloc[0]
    if axis.key == "depth" and math.isfinite(own):
        mine = called([*others, str(first["series"].iloc[0])], settings.convention).removeprefix("the ")
        per = [f"{times(r ** (1 / steps))} ({name})" for r, name in ((own, mine), (ratios[most], looks[most].name))]
        sentence += f"; per layer that is a factor of {per[0]} against {per[1]}"
    return sentence + "."


def _change(ratio: float) -> str:
    if abs(ratio - 1) < _STILL:
        return "stays put"
    return f"falls by a factor of {times(1 / ratio)}" if ratio < 1 else f"grows by a factor of {times(ratio)}"


def _last_point(where: str, end: pd.Series, settings: Settings) -> str:
    value = end["mean"]
    words = f"At {where} {called([end['series']], settings.convention)} is {readable(value)}"
    if settings.convention == "strict":
        words += f" at margin {end['margin']:.3g}, ramp error {readable(end['empirical'])} included"
        if value >= 1:
            return words + ": vacuous at every margin that was tried."
    if value >= 1:
        return words + ": vacuous, as is anything of 1 or more."
    if settings.convention == "published":
        return words + ": below 1, but the published formula is not a valid bound by itself."
    return words + ": below 1, so it says something about the test error."


def standing(value: float, others: Mapping[str, float], convention: str) -> str:
    """Where a value stands among the `others` beside it (series -> value): below all of them, or which are smaller."""
    others = {name: float(other) for name, other in others.items() if not math.isnan(other)}
    if not others:
        return ""
    said = {name: f"{styles(convention)[name].name} ({_told(name, other)})" for name, other in others.items()}
    order = sorted(others, key=others.__getitem__)
    smaller = [name for name in order if others[name] < value]
    larger = [name for name in order if name not in smaller]
    if not smaller:
        span = said[order[0]] if len(order) == 1 else f"{said[order[0]]} to {said[order[-1]]}"
        return f"It is the smallest here; {'the other is' if len(order) == 1 else 'the others go from'} {span}."
    words = f"Smaller here: {', '.join(said[name] for name in smaller)}"
    return words + (f"; the largest: {said[larger[-1]]}." if larger else "; no other is larger.")


def _told(name: str, value: float) -> str:
    return readable(value) + (", its unknown constant set to 1" if name == "long_sedghi" else "")


def sentence(values: pd.Series, seeds: int, convention: str = "") -> str:
    """The comparison of one network's bounds and errors; `values`: series -> value."""
    convention = convention or ("strict" if "doubled" in values else "")
    test, limit = (readable(values[name], name) for name in ("test_error", "holdout"))
    who = "The network errs" if seeds == 1 else f"On average over {seeds} seeds, the network errs"
    words = f"{who} on **{test}** of the test images (hold-out limit {limit})."
    bounds = {str(name): float(value) for name, value in values.items() if name in BY_KEY}
    if (first := lead(bounds)) is None:
        named = [f"{styles(convention)[name].name} {_told(name, value)}" for name, value in bounds.items()]
        return words + (f" The sparse bound does not apply. The others say: {', '.join(named)}." if named else "")
    value = bounds.pop(first)
    words += f" {_capital(called([first], convention))} says **{readable(value)}**"
    words += "; a value of 1 or more says nothing." if value >= 1 else "."
    return " ".join(filter(None, [words, standing(value, bounds, convention)]))


def lone(rows: pd.DataFrame, axis: Axis) -> str:
    """What to know of a picture whose lines are single points, since no other run was trained in the same way; `rows`: single
    runs at one position of the handle. Empty where there are lines."""
    if axis.key == "epoch" or rows[axis.column].nunique() != 1:
        return ""
    one, usual = rows.iloc[0], rows["recipe"].iloc[0] == "short"
    whose = "trained here" if rows["trained_here"].all() else "shipped"
    how = "" if usual else f" by the recipe “{one['recipe']}”; runs of other recipes are not on its line"
    return (
        f"**Points, not lines**: {one['architecture']} at λ = {one['weight_decay']:g}, {whose}{how}. Train it in the same way at "
        f"another {axis.symbol}, and there is a line; *During training* shows this run over its epochs."
    )


def not_drawn(table: pd.DataFrame, scale: str = "log2") -> list[str]:
    """Lines on what a chart of these rows leaves out, and why."""
    missing = reasons(table)
    looks = styles("strict" if "strict" in set(table["convention"]) else "")
    lines = []
    for why in dict.fromkeys(missing.values()):
        names = ", ".join(looks[name].name for name, reason in missing.items() if reason == why)
        lines.append(f"{NOT_DRAWN}{names}: {why}.")
    gaps = table[(table["series"] == "gap") & table["value"].notna()]
    if scale != "linear" and (low := int((gaps["value"] <= 0).sum())):
        lines.append(
            f"The gap is zero or negative in {low} of {len(gaps)} of its values here (the test error is not above the train "
            "error): no place on a log axis; the linear scale and the table have it."
        )
    if "as_of" in table and table["as_of"].notna().any():
        when = format_epoch(table["as_of"].min())
        lines.append(
            f"\\* Errors and margins are measured at the ends of some epochs only: these were measured at epoch {when}."
        )
    if flagged := table[~(table["trained"] & table["at_plateau"])]["run"].nunique():
        lines.append(f"Ringed in red: {flagged} of the runs, which did not train or did not reach the plateau.")
    return lines
