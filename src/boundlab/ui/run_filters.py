"""Which runs a page is about: without the failed ones, of one recipe, with or without those trained here; or one of them."""

from __future__ import annotations

from contextlib import nullcontext

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.ui.controls import Controls
from boundlab.ui.once import once_per_table
from boundlab.ui.variables import VARIABLES, Choice, narrow

RECIPE_HELP = (
    "short: a few epochs, no biases, from He initialisation · paper: the authors' own recipe, with biases. What else "
    "differs is named; runs of different recipes are never averaged. Trained for a page of their own: long (Memorisation), population "
    "(Ranking: as different as they come)."
)
_RUNS = ("all", "shipped")
_RUNS_HELP = "all: the shipped runs and the finished ones trained here · shipped: without the ones trained here"
_SIDE_BY_SIDE = 4  # recipes; more of them go into a list


def filter_runs(controls: Controls, table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Those of one origin and recipe; and of these the ones to trust."""
    peers = filter_recipe(controls, filter_origin(controls, table))
    return peers, filter_trusted(controls, peers)


def filter_trusted(controls: Controls, table: pd.DataFrame) -> pd.DataFrame:
    """Runs that trained and reached the plateau; the others on request: rho → 0 flatters a dead network."""
    good, flagged = _trusted(table)
    runs = "one run" if flagged == 1 else f"{flagged} runs"
    label = f"Include {runs} that did not train or did not reach the plateau"
    if not flagged:
        controls.check("flagged", ("true", "false"), "Include runs that did not train or are not at plateau")
    return table if flagged and controls.switch(label, "flagged") else good


@once_per_table
def _trusted(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The rows of runs to trust, and how many runs the others are of."""
    good = (table["trained"] & table["at_plateau"]).astype(bool)
    return table[good], table.loc[~good, "run"].nunique()


def filter_recipe(controls: Controls, table: pd.DataFrame) -> pd.DataFrame:
    """Runs of one training recipe; a choice only where there are several (recipes are not drawn on one line)."""
    recipes = list(_recipes(table))
    if len(recipes) < 2:
        controls.check("recipe", recipes or ["short"], "Recipe")
        return table
    many = len(recipes) > _SIDE_BY_SIDE
    was = st.session_state.get("recipe_was", (many, ""))
    if was[0] != many and was[1] in recipes and "recipe" in st.session_state:
        st.session_state["recipe"] = was[1]  # a widget of another kind would begin at its default
    if many:
        chosen = controls.choose("Recipe", recipes, "recipe", RECIPE_HELP, width=280)
    else:
        chosen = controls.pick("Recipe", recipes, "recipe", RECIPE_HELP)
    st.session_state["recipe_was"] = (many, chosen)
    return _of_recipe(table, chosen)


@once_per_table
def _recipes(table: pd.DataFrame) -> tuple[str, ...]:
    """Those of shipped runs first."""
    shipped = set(table[~table["trained_here"]]["recipe"])
    return tuple(sorted(table["recipe"].unique(), key=lambda r: (r not in shipped, r != "short", r)))


@once_per_table
def _of_recipe(table: pd.DataFrame, recipe: str) -> pd.DataFrame:
    return table[table["recipe"] == recipe]


def filter_origin(controls: Controls, table: pd.DataFrame) -> pd.DataFrame:
    """With or without the runs trained here; a choice only where there are some."""
    shipped = _shipped(table)
    if len(shipped) == len(table):
        controls.check("runs", _RUNS, "Runs")
        return table
    return table if controls.pick("Runs", _RUNS, "runs", _RUNS_HELP) == "all" else shipped


@once_per_table
def _shipped(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of runs that were not trained here."""
    return table[~table["trained_here"].astype(bool)]


def choose_network(
    controls: Controls, table: pd.DataFrame, second: bool = False, drawer: DeltaGenerator | None = None
) -> tuple[str | None, Choice]:
    """The id of one run, None where there is none: a slider per variable, then the seed, in the `drawer` where there is one."""
    choice = narrow(controls, table, VARIABLES, second)
    if choice.rows.empty:
        controls.spare()
        return None, choice
    label, key = ("Second: seed", "seed2") if second else ("Seed", "seed")
    seeds = by_seed(choice.rows)
    with nullcontext() if drawer is None else drawer:
        return seeds[controls.choose(label, list(seeds), key)], choice


def by_seed(rows: pd.DataFrame) -> dict[str, str]:
    """Label -> id of runs that no slider tells apart: the seed, and the end of the id where that is not enough."""
    rows = rows.sort_values("seed")
    alike = rows["seed"].duplicated(keep=False)
    names = [f"{s:g} ({r[-6:]})" if a else f"{s:g}" for s, r, a in zip(rows["seed"], rows["run"], alike, strict=True)]
    return dict(zip(names, rows["run"], strict=True))
