"""Controls over values that exist, each bound to the link. A value the link got wrong is named, then the default used."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from boundlab.bounds import ALL
from boundlab.charts.theme import STYLES
from boundlab.specs import CONVENTIONS, Settings
from boundlab.tables import MEASURED, SERIES

DELTAS = ("0.1", "0.05", "0.01", "0.001", "0.0001", "0.000001")
CONVENTION_HELP = (
    "published: what the paper's figures plot · theorem: the cited theorem, constants and empirical error included · "
    "strict: Theorem S, every constant and fan-in counted"
)


class Controls:
    """Widgets of one page. Make it first: notes about the link appear where it was made."""

    def __init__(self) -> None:
        self.notes = st.container()

    def _keep_possible(self, key: str, options: Sequence[str], label: str) -> None:
        """Before a widget is made: say so if the link's value is no option, and forget a state that no longer is one."""
        if bad := [value for value in st.query_params.get_all(key) if value not in options]:
            choices = ", ".join(f"`{option}`" for option in options)
            self.notes.warning(f"{label}: the link asks for {quoted(bad)}, but there is only {choices}.")
        state = st.session_state.get(key)
        if state is not None and any(value not in options for value in (state if isinstance(state, list) else [state])):
            del st.session_state[key]

    def slide(self, label: str, options: Sequence[str], key: str, default: str, help: str | None = None) -> str:
        """A slider over text values; with a single value it keeps its place, disabled, so that nothing jumps."""
        self._keep_possible(key, options, label)
        if len(options) == 1:
            only = "only one value is shipped for these choices"
            st.select_slider(label, [options[0], " "], disabled=True, help=only, key=f"{key}_only")
            return options[0]
        start = default if default in options else options[0]
        return str(st.select_slider(label, options, start, key=key, bind="query-params", help=help))

    def pick(self, label: str, options: Sequence[str], key: str, help: str | None = None) -> str:
        """A few options side by side, the first one chosen to begin with."""
        self._keep_possible(key, options, label)
        return str(
            st.segmented_control(
                label, options, default=options[0], key=key, bind="query-params", help=help, required=True
            )
        )

    def settings(self) -> Settings:
        """Convention and delta; the same two on every page."""
        convention = self.pick("Convention", CONVENTIONS, "convention", CONVENTION_HELP)
        delta = self.slide("δ, the probability that a bound fails", DELTAS, "delta", "0.001")
        return Settings(convention=convention, delta=float(delta))

    def series(self, convention: str) -> list[str]:
        """Which series are drawn, in display order, out of those the convention has; the link carries their names."""
        names = {STYLES[key].name: key for key in SERIES}
        self._keep_possible("show", list(names), "Show")
        chosen = st.pills(
            "Show",
            list(names),
            selection_mode="multi",
            default=list(names),
            key="show",
            bind="query-params",
            help="Hide or show lines; the axes stay put.",
        )
        possible = {bound.key for bound in ALL if convention in bound.formulas} | set(MEASURED)
        return [key for name, key in names.items() if name in (chosen or []) and key in possible]


def quoted(values: Sequence[str]) -> str:
    """Text from a link, safe to show: cut short, in code marks."""
    shown = ", ".join(f"`{' '.join(value.replace('`', '').split())[:40]}`" for value in values[:5])
    return shown + (" …" if len(values) > 5 else "")
