"""Around a figure: its caption, what its numbers say of one network, what is not drawn, what a convention means.

Computed from what is on screen; nothing here could contradict the data.
"""

from __future__ import annotations

import pandas as pd

from boundlab.analysis.tables import Axis, reasons
from boundlab.bounds import BY_KEY
from boundlab.charts.theme import lead, styles
from boundlab.specs.own_data import DATASETS
from boundlab.specs.settings import Settings
from boundlab.text import format_epoch, readable
from boundlab.words.notices import called, readable_with_note, standing

NOT_DRAWN = "Not drawn: "
MEANINGS = {
    "published": "**Published curves, not guarantees.** This is what the paper's figures plot. The sparse formula leaves "
    "out the output layer's fan-in and the empirical margin error, so it is not a valid bound for these networks by "
    "itself; biases, where a network has them, are ignored, as the released code does. Choose **strict** for one that is.",
    "theorem": "**The cited theorems**, with constants, class factors and the empirical error at margin 1 as far as known. "
    "Statements marked “written from memory” under the formulas have not been re-checked against the papers.",
    "strict": "**Strict: Theorem S2**, the one to quote, **and Theorem S**, which promises the same with a coarser proof: the "
    "sparse bound with every constant and every fan-in counted, each at the margin that makes it smallest. Each holds with "
    "probability 1 − δ for the network on screen, if examples are independent and architecture, n and input scaling were "
    "fixed in advance: choosing among N architectures after looking at their values costs δ / N.",
}


def caption(table: pd.DataFrame, settings: Settings, drawn: str = "mean and range", own_over: bool = False) -> str:
    """What the chart shows: networks, data, λ, epochs, seeds and what is `drawn` of them, sample size, delta, convention.
    `own_over`: runs trained here are drawn over the shipped ones, not averaged with them."""
    data = DATASETS[table["dataset"].iloc[0]]
    names = table.sort_values(["conv_layers", "channels"])["architecture"].unique()
    decays = sorted(table["weight_decay"].unique())
    span = f"{decays[0]:g}" if len(decays) == 1 else f"{decays[0]:g} to {decays[-1]:g}"
    parts = [
        names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}",
        data.title,
        f"λ = {span}",
        _length(table),
        _noise(table),
        _seeds(_shipped(table) if own_over else table, drawn),
        _recipe(table),
        _trained_here(table),
        _sample_size(table),
        f"δ = {settings.delta:g}",
        settings.convention,
    ]
    return " · ".join(filter(None, parts))


def _length(table: pd.DataFrame) -> str:
    """How long training was; of networks that saw different numbers of images in steps."""
    when = table["epoch"].unique()
    if table["n_train"].nunique() > 1:
        return f"after {table['step'].min():,.0f} steps"
    return f"{format_epoch(when.max())} epochs" if len(when) > 1 else f"after {format_epoch(when[0])} epochs"


def _noise(table: pd.DataFrame) -> str:
    """Where some labels are drawn at random, and equally many for all."""
    noise = table["label_noise"].unique()
    return f"label noise {noise[0]:g}" if len(noise) == 1 and noise[0] else ""


def _recipe(table: pd.DataFrame) -> str:
    """Named where it is not the usual one."""
    name = table["recipe"].iloc[0]
    return "" if name == "short" else f"recipe {name}"


def _trained_here(table: pd.DataFrame) -> str:
    count = table[table["trained_here"]]["run"].nunique()
    return f"with {count} {'run' if count == 1 else 'runs'} trained here" if count else ""


def _shipped(table: pd.DataFrame) -> pd.DataFrame:
    """The shipped runs, or all where none is."""
    here = table["trained_here"].astype(bool)
    return table if here.all() else table[~here]


def _seeds(table: pd.DataFrame, drawn: str) -> str:
    per_point = table.groupby(["architecture", "weight_decay"])["seed"].nunique()
    few, many = per_point.min(), per_point.max()
    if many == 1:
        return "one seed"
    return f"{many if few == many else f'{few} to {many}'} seeds: {drawn}"


def _sample_size(table: pd.DataFrame) -> str:
    sizes, images = table["n"].dropna(), sorted(table["n_train"].unique())
    if sizes.empty:
        return ""
    if len(images) > 1:
        return f"n = {images[0]:,.0f} to {images[-1]:,.0f}"
    n = f"n = {sizes.iloc[0]:,.0f}"
    return n if sizes.iloc[0] == images[0] else n + f" in the bounds, {images[0]:,.0f} in their sums"


def sentence(values: pd.Series, seeds: int, convention: str = "") -> str:
    """The comparison of one network's bounds and errors; `values`: series -> value."""
    convention = convention or ("strict" if "doubled" in values else "")
    test, limit = (readable(values[name], name) for name in ("test_error", "holdout"))
    who = "The network errs" if seeds == 1 else f"On average over {seeds} seeds, the network errs"
    words = f"{who} on **{test}** of the test images (hold-out limit {limit})."
    bounds = {str(name): float(value) for name, value in values.items() if name in BY_KEY}
    if (first := lead(bounds)) is None:
        named = [f"{styles(convention)[name].name} {readable_with_note(name, value)}" for name, value in bounds.items()]
        return words + (f" The sparse bound does not apply. The others say: {', '.join(named)}." if named else "")
    value = bounds.pop(first)
    words += f" {_capital(called([first], convention))} says **{readable(value)}**"
    words += "; a value of 1 or more says nothing." if value >= 1 else "."
    # of the network with rounded weights, which is no bound of the list
    coded = {"theorem_d": float(values["theorem_d"])} if "theorem_d" in values else {}
    return " ".join(filter(None, [words, standing(value, bounds | coded, convention)]))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


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
