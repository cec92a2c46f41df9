"""Which number orders networks as their generalisation does, in sentences computed from the ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

TARGET = {"gap": "generalization gap", "test_error": "test error"}
MEANS = {
    "tau": "1: in the same order, 0: in none, −1: in the opposite one; bars: 95 % of the bootstrap",
    "psi": "the same, only between networks that differ in one variable",
    "worst": "0: every pair in order, ½: a coin, 1: every pair the wrong way round",
}
LIMITS = (
    "**What this cannot show.** A bound that orders these networks need not hold, and one that holds need not order them: a correlation is "
    "about this population, and another choice of networks gives another one. A number may follow the gap only because both follow λ, which "
    "is what ψ and the worst environment ask. And no number computed from the training sample and the network alone can be close to the gap "
    "for all algorithms and all data at once (Gastpar, Nachum, Shafer, Weinberger, *Fantastic generalization measures are nowhere to be "
    "found*, ICLR 2024; Nagarajan and Kolter, NeurIPS 2019)."
)
DEFINITIONS = (
    r"**Over all networks**: Kendall's $\tau_b = (C - D)/\sqrt{(P - T_\mu)(P - T_g)}$ with $C$ pairs of networks in the same order by the number "
    r"$\mu$ and by the target $g$, $D$ in the opposite one, $P$ in all, $T$ tied (Kendall, Biometrika 1945). Intervals: 400 times as many "
    "settings are drawn with replacement, each with all of its seeds.",
    r"**One variable at a time**: $\psi_i$ is the mean, over groups of networks that agree in everything but variable $i$, seed included, of "
    r"$(C - D)/P$; $\Psi$ is the mean of $\psi_i$ over the variables (Jiang et al., *Fantastic generalization measures and where to find them*, "
    "ICLR 2020).",
    "**Worst environment**: all pairs in which one variable goes from one value to another and nothing else moves; the share of them ordered "
    "otherwise than the target orders them, ties of the number counted half (sign-error, Dziugaite et al., *In search of robust measures of "
    "generalization*, NeurIPS 2020). Pairs with equal targets are left out, and environments of fewer than 5 pairs.",
)


def ranking_headline(rows: pd.DataFrame, names: dict[str, str], target: str, networks: int, data: str) -> str:
    """What orders the target best, how surely, which bound does, and what chance gives; `rows`: of `ranking.ranked`, `names`: of its
    measures."""
    ordered = rows[rows["measure"] != "random"].sort_values("tau", ascending=False)
    best, bounds = ordered.iloc[0], ordered[ordered["measure"].str.contains(":")]
    about = f"the {TARGET[target]} of {networks} {data} networks"
    if best["low"] <= 0:
        return (
            f"No number here orders {about} for sure: the best one, {names[best['measure']]}, has τ = {_tau(best['tau'])} over "
            f"{best['pairs']:,} pairs, and its interval reaches 0."
        )
    interval = f"{_tau(best['low'])} to {_tau(best['high'])}"
    found = f"{names[best['measure']]} orders {about} best: τ = {_tau(best['tau'])} ({interval}) over {best['pairs']:,} pairs"
    others = (
        []
        if ":" in best["measure"] or bounds.empty
        else [_named(bounds.iloc[0], f"the best bound, {names[bounds.iloc[0]['measure']]},")]
    )
    others += [_named(row, "random numbers") for _, row in rows[rows["measure"] == "random"].iterrows()]
    return "; ".join([found, *others]) + "."


def chance_sentence(table: pd.DataFrame, images: Sequence[int]) -> str:
    """How many gaps are no larger than what the choice of the test images may do, where they are a quarter or more; "" else.
    `table`: of `measures.measures_table`; `images`: in each network's test set."""
    error = table["test_error"].to_numpy(float)
    spread = np.sqrt(error * (1 - error) / np.asarray(images, float))
    within = int((table["gap"].to_numpy(float) <= 2 * spread).sum())
    if 4 * within < len(table):
        return ""
    return f"**{within} of {len(table)} gaps are within two standard errors**: chance orders these."


def _named(row: pd.Series, called: str) -> str:
    return f"{called} {_tau(row['tau'])}"


def selected_sentence(rows: pd.DataFrame, chosen: str, names: dict[str, str], selected: int) -> str:
    """How the chosen measure orders the selected networks alone, and which one does best; `rows`: of `ranking.ranked`, of these."""
    if rows.empty:
        return f"**{_networks(selected)} selected**: too few, or too much alike, to be ordered."
    ordered = rows[rows["measure"] != "random"].sort_values("tau", ascending=False)
    best, here = ordered.iloc[0], rows[rows["measure"] == chosen]
    about = f"Among the **{_networks(selected)} selected**"
    said = [f"{names[chosen]} {_with_interval(here.iloc[0])}" if len(here) else f"{names[chosen]} orders nothing"]
    said += [] if best["measure"] == chosen else [f"best there: {names[best['measure']]}, {_with_interval(best)}"]
    return f"{about}, {best['pairs']:,} pairs: {'; '.join(said)}."


def _networks(number: int) -> str:
    return "one network" if number == 1 else f"{number:,} networks"


def _with_interval(row: pd.Series) -> str:
    return f"τ = {_tau(row['tau'])} ({_tau(row['low'])} to {_tau(row['high'])})"


def worst_sentence(row: pd.Series) -> str:
    """Where the measure of a row of `ranked` orders worst, and how it does one variable at a time."""
    moved = {str(k).removeprefix("psi_"): v for k, v in row.items() if str(k).startswith("psi_") and np.isfinite(v)}
    parts = ", ".join(f"{_TITLES.get(name, name)} {_tau(float(psi))}" for name, psi in moved.items())
    if row["environments"] == 0:
        pairs = f", over {row['moved_pairs']:,} pairs" if moved else ""
        return f"{row['name']}. One variable at a time: {parts or 'no two networks differ in one alone'}{pairs}."
    variable, low, high = row["where"]
    return (
        f"{row['name']}. One variable at a time: {parts}, over {row['moved_pairs']:,} pairs. Worst of {row['environments']} environments: "
        f"{_TITLES.get(variable, variable)} from {low:g} to {high:g}, where {100 * row['worst']:.0f} of 100 pairs ({row['worst_pairs']:,} in "
        f"all) are ordered wrongly; half of the environments are at {100 * row['middle']:.0f} or less."
    )


_TITLES = {"weight_decay": "λ", "channels": "channels", "conv_layers": "layers", "n_train": "training images"}


def _tau(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
