"""The choices that pages share: runs, variables, conventions, lines."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import Concatenate, ParamSpec

import pandas as pd
import streamlit as st

from boundlab.analysis.tables import MEASURED, SERIES
from boundlab.bounds import ALL
from boundlab.bounds.base import Bound
from boundlab.charts.theme import STYLES, styles
from boundlab.specs.settings import CONVENTIONS, Settings
from boundlab.text import cut
from boundlab.ui.privacy import without_paths
from boundlab.ui.variables import VARIABLES, narrow
from boundlab.ui.widgets import Widgets

DELTAS = ("0.1", "0.05", "0.01", "0.001", "0.0001")
_P = ParamSpec("_P")
_SHOW_HELP = (
    "Hide or show lines; the axes stay put. Hold-out limit: with probability 1 − δ the error is below it, judging by the "
    "test images alone (Clopper–Pearson). Generalization gap: test error minus train error. An arrow at a name: its "
    "line is off the picture."
)
RECIPE_HELP = (
    "short: a few epochs, no biases, from He initialisation · paper: the authors' own recipe, with biases. What else "
    "differs is named; runs of different recipes are never averaged."
)
_RUNS = ("all", "shipped")
_RUNS_HELP = "all: the shipped runs and the finished ones trained here · shipped: without the ones trained here"
_SIDE_BY_SIDE = 4  # recipes; more of them go into a list
CONVENTION_HELP = (
    "published: what the paper's figures plot · theorem: the cited theorem, constants and empirical error included · "
    "strict: Theorems S and S2, every constant and fan-in counted"
)


def with_controls(part: Callable[Concatenate[Controls, _P], None]) -> Callable[_P, None]:
    """A part of a page, given its controls; what it does not draw any more leaves the address."""

    @functools.wraps(part)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> None:
        with Controls(part.__name__) as controls:
            part(controls, *args, **kwargs)

    return run


class Controls(Widgets):
    """Widgets of one part of a page."""

    def trusted(self, table: pd.DataFrame) -> pd.DataFrame:
        """Runs that trained and reached the plateau; the others on request: rho → 0 flatters a dead network."""
        good = (table["trained"] & table["at_plateau"]).astype(bool)
        flagged = table.loc[~good, "run"].nunique()
        runs = "one run" if flagged == 1 else f"{flagged} runs"
        label = f"Include {runs} that did not train or did not reach the plateau"
        if not flagged:
            self.check("flagged", ("true", "false"), "Include runs that did not train or are not at plateau")
        return table if flagged and self.switch(label, "flagged") else table[good]

    def recipe(self, table: pd.DataFrame) -> pd.DataFrame:
        """Runs of one training recipe; a choice only where there are several (recipes are not drawn on one line)."""
        shipped = set(table[~table["trained_here"]]["recipe"])
        recipes = sorted(table["recipe"].unique(), key=lambda r: (r not in shipped, r != "short", r))
        if len(recipes) < 2:
            self.check("recipe", recipes or ["short"], "Recipe")
            return table
        many = len(recipes) > _SIDE_BY_SIDE
        was = st.session_state.get("recipe_was", (many, ""))
        if was[0] != many and was[1] in recipes and "recipe" in st.session_state:
            st.session_state["recipe"] = was[1]  # a widget of another kind would begin at its default
        if many:
            chosen = self.choose("Recipe", recipes, "recipe", RECIPE_HELP, width=280)
        else:
            chosen = self.pick("Recipe", recipes, "recipe", RECIPE_HELP)
        st.session_state["recipe_was"] = (many, chosen)
        return table[table["recipe"] == chosen]

    def origin(self, table: pd.DataFrame) -> pd.DataFrame:
        """With or without the runs trained here; a choice only where there are some."""
        if not table["trained_here"].any():
            self.check("runs", _RUNS, "Runs")
            return table
        return table if self.pick("Runs", _RUNS, "runs", _RUNS_HELP) == "all" else table[~table["trained_here"]]

    def narrow(
        self, table: pd.DataFrame, columns: Iterable[str], second: bool = False, whole: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """`variables.narrow`; the sliders run over the values of `whole`, of `table` where there is no more."""
        return narrow(self, table, columns, second, table if whole is None else whole)

    def network(self, table: pd.DataFrame, second: bool = False) -> str:
        """The id of one run: a slider per variable, then the seed."""
        rows = self.narrow(table, VARIABLES, second)
        label, key = ("Second: seed", "seed2") if second else ("Seed", "seed")
        seeds = by_seed(rows)
        return seeds[self.choose(label, list(seeds), key)]

    def settings(self, default: str | None = None) -> Settings:
        """Convention (`default` where the link does not say) and delta; the same two on every page."""
        return Settings(convention=self.convention(default), delta=self.delta())

    def convention(self, default: str | None = None) -> str:
        """Which formulas."""
        return self.pick("Convention", CONVENTIONS, "convention", CONVENTION_HELP, default)

    def delta(self) -> float:
        """The probability that a bound may fail with."""
        return float(self.choose("δ", DELTAS, "delta", "The probability that a bound fails.", "0.001"))

    def bound(self, convention: str) -> Bound:
        """One of the bounds that the convention has; the link carries their names in `published`."""
        possible = {STYLES[bound.key].name: bound for bound in reversed(ALL) if convention in bound.formulas}
        looks = styles(convention)
        called = lambda name: looks[possible[name].key].name  # noqa: E731
        return possible[self.choose("Bound", list(possible), "bound", width=280, called=called)]

    def series(self, convention: str) -> list[str]:
        """Which series are drawn, in display order, out of those the convention has; the link carries their names."""
        names = {STYLES[key].name: key for key in SERIES}
        possible = {bound.key for bound in ALL if convention in bound.formulas} | set(MEASURED)
        looks, offered = styles(convention), [name for name, key in names.items() if key in possible]
        called = lambda name: looks[names[name]].name  # noqa: E731
        return [
            names[name]
            for name in self.choose_some("Show", list(names), "show", _SHOW_HELP, offered, convention, called)
        ]


def by_seed(rows: pd.DataFrame) -> dict[str, str]:
    """Label -> id of runs that no slider tells apart: the seed, and the end of the id where that is not enough."""
    rows = rows.sort_values("seed")
    alike = rows["seed"].duplicated(keep=False)
    names = [f"{s:g} ({r[-6:]})" if a else f"{s:g}" for s, r, a in zip(rows["seed"], rows["run"], alike, strict=True)]
    return dict(zip(names, rows["run"], strict=True))


def plain(text: str) -> str:
    """Text that may hold what somebody typed, shown as it is: no links, pictures or colours; in a class no paths either."""
    apart = re.sub(
        r"(?i)(://|\.(?<=www\.)|@)", "\u2060\\1", without_paths(cut(text))
    )  # addresses become links by themselves
    return re.sub(r"([\\`*_\[\]!:$<>#|~])", r"\\\1", apart)
