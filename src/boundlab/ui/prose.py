"""Sentences computed from what is on screen; nothing here could contradict the data."""

from __future__ import annotations

import pandas as pd

from boundlab.bounds import BY_KEY
from boundlab.catalog import DATASETS, Dataset
from boundlab.charts.theme import STYLES, readable, times
from boundlab.specs import Settings
from boundlab.tables import Axis, epochs, reasons

_STILL = 0.03  # a change of less than this fraction is none
CONVENTIONS = {
    "published": "**Published curves, not guarantees.** This is what the paper's figures plot. The sparse formula leaves "
    "out the output layer's fan-in and the empirical margin error, so it is not a valid bound for these networks by "
    "itself; choose **strict** for one that is.",
    "theorem": "**The cited theorems**, with constants, class factors and the empirical error at margin 1 as far as known. "
    "Statements marked “written from memory” under the formulas have not been re-checked against the papers.",
    "strict": "**Strict: Theorem S** (drawn as “Sparse”), the sparse bound with every constant and every fan-in counted, **and Theorem "
    "S2**, the same promise with sharper steps in its proof (the one to quote), each at the margin (0.01 to 10) that makes it smallest. Each holds with probability 1 − δ for the network on screen, if examples are independent "
    "and architecture, n and input scaling were fixed in advance: choosing among N architectures after looking at their "
    "values costs δ / N.",
}


def subject(table: pd.DataFrame, settings: Settings, drawn: str = "mean and range") -> str:
    """What the chart shows: networks, data, λ, epochs, seeds and what is `drawn` of them, sample size, delta, convention."""
    data = DATASETS[table["dataset"].iloc[0]]
    names = table.sort_values(["conv_layers", "channels"])["architecture"].unique()
    decays, when = sorted(table["weight_decay"].unique()), table["epoch"].unique()
    span = f"{decays[0]:g}" if len(decays) == 1 else f"{decays[0]:g} to {decays[-1]:g}"
    parts = [
        names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}",
        data.title,
        f"λ = {span}",
        f"{epochs(when.max())} epochs" if len(when) > 1 else f"after {epochs(when[0])} epochs",
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
    return [(title, _journey(_lines(curves[curves["panel"] == key]), axis, where)) for key, title in panels.items()]


def notice(curves: pd.DataFrame, axis: Axis, settings: Settings, where: str = "") -> str:
    """What to notice between the first and the last point of one panel."""
    lines = _lines(curves)
    if "sparse" not in lines or "test_error" not in lines:
        return "The sparse bound does not apply to these runs; the reasons are under the chart."
    end = lines["sparse"].iloc[-1]
    others = {name: rows.iloc[-1]["mean"] for name, rows in lines.items() if name in BY_KEY and name != "sparse"}
    at = axis.at(end[axis.column])
    return " ".join([_journey(lines, axis, where), _rivals(lines, axis), _last_point(at, end, others, settings)])


def _lines(curves: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Per series, in order of x (`by_axis` has sorted them)."""
    return {str(name): rows for name, rows in curves.groupby("series")}


def _journey(lines: dict[str, pd.DataFrame], axis: Axis, where: str) -> str:
    """How the sparse bound and the test error go from the first point to the last."""
    if "sparse" not in lines or "test_error" not in lines:
        return "the sparse bound does not apply here."
    sparse, test = lines["sparse"], lines["test_error"]
    start, end = sparse.iloc[0], sparse.iloc[-1]
    if len(sparse) == 1:
        return f"Only {axis.at(end[axis.column])} has a run for this network."
    at = f", at {where}," if where else ""
    return (
        f"From {axis.at(start[axis.column])} to {end[axis.column]:.3g}{at} the sparse bound "
        f"{_move(start['mean'], end['mean'], 'sparse')}, while the test error{_when(test)} goes from "
        f"{readable(test.iloc[0]['mean'], 'test_error')} to {readable(test.iloc[-1]['mean'], 'test_error')}."
    )


def _when(measured: pd.DataFrame) -> str:
    """At which epoch a value that stands still between epoch ends was measured."""
    as_of = measured["as_of"].min()
    return "" if pd.isna(as_of) else f" (last measured at epoch {epochs(as_of)})"


def _rivals(lines: dict[str, pd.DataFrame], axis: Axis) -> str:
    """How the other bounds move over the same stretch: the one that grows most, the one that grows least."""
    ratios = {
        name: rows["mean"].iloc[-1] / rows["mean"].iloc[0]
        for name, rows in lines.items()
        if name in BY_KEY and name != "sparse" and len(rows) > 1 and rows["mean"].iloc[0] > 0
    }
    if len(ratios) < 2:
        return ""
    if all(abs(ratio - 1) < _STILL for ratio in ratios.values()):
        return "The other bounds stay put too."
    most, least = max(ratios, key=ratios.__getitem__), min(ratios, key=ratios.__getitem__)
    words = [f"{STYLES[name].name} ({_change(ratios[name])})" for name in (least, most)]
    sentence = f"The other bounds range from {words[0]} to {words[1]}"
    steps = lines["sparse"][axis.column].iloc[-1] - lines["sparse"][axis.column].iloc[0]
    if axis.key == "depth":
        own = lines["sparse"]["mean"].iloc[-1] / lines["sparse"]["mean"].iloc[0]
        per = [
            f"{times(r ** (1 / steps))} ({name})" for r, name in ((own, "sparse"), (ratios[most], STYLES[most].short))
        ]
        sentence += f"; per layer that is a factor {per[0]} against {per[1]}"
    return sentence + "."


def _change(ratio: float) -> str:
    if abs(ratio - 1) < _STILL:
        return "stays put"
    return f"falls by a factor {times(1 / ratio)}" if ratio < 1 else f"grows by a factor {times(ratio)}"


def _last_point(where: str, end: pd.Series, others: dict[str, float], settings: Settings) -> str:
    value = end["mean"]
    words = f"At {where} the sparse bound is {readable(value)}"
    if settings.convention == "strict":
        words += f" at margin {end['margin']:.3g}, ramp error {readable(end['empirical'])} included"
        if value >= 1:
            return words + ": vacuous at every margin that was tried."
    if value >= 1:
        words += ": vacuous, as is anything of 1 or more."
    elif settings.convention == "published":
        words += ": below 1, but the published formula is not a valid bound by itself."
    else:
        words += ": below 1, so it says something about the test error."
    if others:
        near, far = min(others, key=others.__getitem__), max(others, key=others.__getitem__)
        if near == far:
            return words + f" {STYLES[near].short} there is {readable(others[near])}."
        words += (
            f" The other bounds there lie between {readable(others[near])} ({STYLES[near].name}) "
            f"and {readable(others[far])} ({STYLES[far].name})."
        )
    return words


def not_drawn(table: pd.DataFrame, scale: str = "log2") -> list[str]:
    """Lines on what a chart of these rows leaves out, and why."""
    missing = reasons(table)
    lines = []
    for why in dict.fromkeys(missing.values()):
        names = ", ".join(STYLES[name].name for name, reason in missing.items() if reason == why)
        lines.append(f"Not drawn: {names}: {why}.")
    gaps = table[(table["series"] == "gap") & table["value"].notna()]
    if scale != "linear" and (low := int((gaps["value"] <= 0).sum())):
        lines.append(
            f"The gap is zero or negative in {low} of {len(gaps)} of its values here (the test error is not above the train "
            "error): no place on a log axis; the linear scale and the table have it."
        )
    if "as_of" in table and table["as_of"].notna().any():
        when = epochs(table["as_of"].min())
        lines.append(
            f"\\* Errors and margins are measured at the ends of some epochs only: these were measured at epoch {when}."
        )
    if flagged := table[~(table["trained"] & table["at_plateau"])]["run"].nunique():
        lines.append(f"Ringed in red: {flagged} of the runs, which did not train or did not reach the plateau.")
    return lines
