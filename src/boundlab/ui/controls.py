"""Controls over values that exist, each bound to the link. A value the link got wrong is named, then the default used."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import pandas as pd
import streamlit as st

from boundlab.bounds import ALL
from boundlab.charts.theme import STYLES
from boundlab.faults import cut
from boundlab.specs import CONVENTIONS, Settings
from boundlab.tables import MEASURED, SERIES
from boundlab.ui.privacy import without_paths

DELTAS = ("0.1", "0.05", "0.01", "0.001", "0.0001")
_NARROW = 150  # pixels
VARIABLES = {  # column -> (label, name in the link, preferred value)
    "conv_layers": ("Convolutional layers L", "layers", "3"),
    "channels": ("Channels H", "channels", "16"),
    "weight_decay": ("Weight decay λ", "wd", "0.004"),
}
SHOW_HELP = (
    "Hide or show lines; the axes stay put. Hold-out limit: with probability 1 − δ the error is below it, judging by the "
    "test images alone (Clopper–Pearson). Generalization gap: test error minus train error. An arrow at a name: its "
    "line is off the picture."
)
RECIPE_HELP = (
    "short: a few epochs, no biases, from He initialisation · paper: the authors' own recipe, with biases. What else "
    "differs is named; runs of different recipes are never averaged."
)
RUNS = ("all", "shipped")
RUNS_HELP = "all: the shipped runs and the finished ones trained here · shipped: without the ones trained here"
_SIDE_BY_SIDE = 4  # recipes; more of them go into a list
CONVENTION_HELP = (
    "published: what the paper's figures plot · theorem: the cited theorem, constants and empirical error included · "
    "strict: Theorems S and S2, every constant and fan-in counted"
)


class Controls:
    """Widgets of one page. Make it first: notes about the link appear where it was made."""

    def __init__(self) -> None:
        self.notes = st.container()
        self._seen: set[str] = st.session_state.setdefault("link_values_seen", set())

    def check(self, key: str, options: Sequence[str], label: str, several: bool = False, few: bool = True) -> None:
        """On the session's first run, when the address is the link's and not yet our own, name what it got wrong."""
        if key in self._seen:
            return
        self._seen.add(key)
        linked = [value for value in st.query_params.get_all(key) if value]
        if bad := [value for value in linked if value not in options]:
            choices = ", ".join(f"`{o}`" for o in options) if few else f"values from `{options[0]}` to `{options[-1]}`"
            self.notes.warning(f"{label}: the link asks for {quoted(bad)}, possible: {choices}.")
        elif len(linked) > 1 and not several:
            self.notes.warning(f"{label}: the link gives {quoted(linked)}; only one of them can be shown.")

    def number_bind(self, key: str, low: float, high: float, label: str) -> Literal["query-params"] | None:
        """The `bind` of a number's widget. A number that the link got wrong is named; Streamlit, which would choke on an
        infinite one, is then not told of the link."""
        bad: set[str] = st.session_state.setdefault("link_numbers_wrong", set())
        linked = st.query_params.get(key)
        if linked is not None and key not in self._seen:
            try:
                good = low <= float(linked) <= high
            except ValueError:
                good = False
            if not good:
                bad.add(key)
                self.notes.warning(
                    f"{label}: the link asks for {quoted([linked])}, possible: numbers from {low:g} to {high:g}."
                )
        self._seen.add(key)
        return None if key in bad else "query-params"

    def _keep_possible(self, key: str, options: Sequence[str], label: str, several: bool = False) -> None:
        """Before a widget is made: name a value the link got wrong, and drop a choice that is no longer one."""
        self.check(key, options, label, several)
        state = st.session_state.get(key)
        if state is not None and any(value not in options for value in (state if isinstance(state, list) else [state])):
            del st.session_state[key]

    def renew(self, key: str, options: Sequence[str], default: str) -> None:
        """Before a widget is made: back to its default when its options are other ones than before, so that a number which
        meant the end of one scale does not stay in the middle of another."""
        seen: dict[str, list[str]] = st.session_state.setdefault("options_seen", {})
        if seen.get(key, list(options)) != list(options):
            st.session_state[key] = default  # set, not dropped: the browser keeps a dropped value
        seen[key] = list(options)

    def slide(self, label: str, options: Sequence[str], key: str, default: str, help: str | None = None) -> str:
        """A slider over text values; with a single value it keeps its place, disabled, so that nothing jumps."""
        self._keep_possible(key, options, label)
        if len(options) == 1:
            only = "there is a run for only one value, with these choices"
            st.select_slider(label, [options[0], " "], disabled=True, help=only, key=f"{key}_only")
            return options[0]
        start = default if default in options else options[0]
        return str(st.select_slider(label, options, start, key=key, bind="query-params", help=help))

    def pick(
        self,
        label: str,
        options: Sequence[str],
        key: str,
        help: str | None = None,
        default: str | None = None,
        on_change: Callable[[], None] | None = None,
    ) -> str:
        """A few options side by side, the first one chosen to begin with."""
        self._keep_possible(key, options, label)
        start = default or options[0]
        chosen = st.segmented_control(
            label, options, default=start, key=key, bind="query-params", help=help, required=True, on_change=on_change
        )
        return start if chosen is None else str(chosen)  # None: the link left the value empty

    def choose(
        self,
        label: str,
        options: Sequence[str],
        key: str,
        help: str | None = None,
        default: str | None = None,
        width: int | Literal["stretch"] = _NARROW,
        on_change: Callable[[], None] | None = None,
    ) -> str:
        """Like `pick`, in less room."""
        self._keep_possible(key, options, label)
        start = options.index(default) if default else 0
        chosen = st.selectbox(
            label, options, start, key=key, bind="query-params", help=help, width=width, on_change=on_change
        )
        return options[start] if chosen is None else str(chosen)

    def trusted(self, table: pd.DataFrame) -> pd.DataFrame:
        """Runs that trained and reached the plateau; the others on request: rho → 0 flatters a dead network."""
        self.check("flagged", ("true", "false"), "Include runs that did not train or are not at plateau")
        good = (table["trained"] & table["at_plateau"]).astype(bool)
        flagged = table.loc[~good, "run"].nunique()
        runs = "one run" if flagged == 1 else f"{flagged} runs"
        label = f"Include {runs} that did not train or did not reach the plateau"
        if flagged and st.toggle(label, key="flagged", bind="query-params"):
            return table
        return table[good]

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
            self.check("runs", RUNS, "Runs")
            return table
        return table if self.pick("Runs", RUNS, "runs", RUNS_HELP) == "all" else table[~table["trained_here"]]

    def narrow(self, table: pd.DataFrame, columns: Iterable[str], second: bool = False) -> pd.DataFrame:
        """One slider per column over the values that exist in it, each narrowing the rows for the next.

        `second`: of a second network on the same page, with names of its own in the link.
        """
        for column in columns:
            label, key, default = VARIABLES[column]
            default = "0.001" if second and column == "weight_decay" else default  # not the first one again
            label, key = (f"Second: {label}", f"{key}2") if second else (label, key)
            options = {f"{value:g}": value for value in sorted(table[column].unique())}
            table = table[table[column] == options[self.slide(label, list(options), key, default)]]
        return table

    def network(self, table: pd.DataFrame, second: bool = False) -> str:
        """The id of one run: a slider per variable, then the seed."""
        rows = self.narrow(table, VARIABLES, second)
        label, key = ("Second: seed", "seed2") if second else ("Seed", "seed")
        seeds = by_seed(rows)
        return seeds[self.choose(label, list(seeds), key)]

    def settings(self) -> Settings:
        """Convention and delta; the same two on every page."""
        convention = self.pick("Convention", CONVENTIONS, "convention", CONVENTION_HELP)
        delta = self.choose("δ", DELTAS, "delta", "The probability that a bound fails.", "0.001")
        return Settings(convention=convention, delta=float(delta))

    def series(self, convention: str) -> list[str]:
        """Which series are drawn, in display order, out of those the convention has; the link carries their names."""
        names = {STYLES[key].name: key for key in SERIES}
        self.check("show", list(names), "Show", several=True)
        linked = st.query_params.get_all("show")
        known = [name for name in names if name in linked]
        wanted = known if known or linked == [""] else list(names)
        possible = {bound.key for bound in ALL if convention in bound.formulas} | set(MEASURED)
        options = [name for name, key in names.items() if key in possible]
        key = f"show_{convention}"
        if key not in st.session_state:
            st.session_state[key] = [name for name in options if name in wanted]
        chosen = st.pills("Show", options, selection_mode="multi", key=key, help=SHOW_HELP)
        # the link is written here: a widget bound to it would forget the bounds that this convention lacks
        wanted = [name for name in names if name in (chosen if name in options else wanted)]
        if wanted == list(names):
            st.query_params.pop("show", None)
        elif (wanted or [""]) != linked:
            st.query_params["show"] = wanted or [""]
        return [names[name] for name in options if name in chosen]


def by_seed(rows: pd.DataFrame) -> dict[str, str]:
    """Label -> id of runs that no slider tells apart: the seed, and the end of the id where that is not enough."""
    rows = rows.sort_values("seed")
    alike = rows["seed"].duplicated(keep=False)
    names = [f"{s:g} ({r[-6:]})" if a else f"{s:g}" for s, r, a in zip(rows["seed"], rows["run"], alike, strict=True)]
    return dict(zip(names, rows["run"], strict=True))


def plain(text: str) -> str:
    """Text that may hold what somebody typed, shown as it is: no links, pictures or colours; in a class no paths either."""
    return re.sub(r"([\\`*_\[\]!:$<>#|~])", r"\\\1", without_paths(cut(text)))


def quoted(values: Sequence[str], most: int = 40) -> str:
    """Text from a link, safe to show: each cut to `most` letters, in code marks."""
    plain = ["".join(c if c.isprintable() and c != "`" else " " for c in value) for value in values[:5]]
    shown = ", ".join(f"`{' '.join(value.split())[:most]}`" for value in plain)
    return shown + (" …" if len(values) > 5 else "")
