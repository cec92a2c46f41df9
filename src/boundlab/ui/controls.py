"""Controls over values that exist, each bound to the link. A value the link got wrong is named, then the default used."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from boundlab.bounds import ALL
from boundlab.charts.theme import STYLES
from boundlab.specs import CONVENTIONS, Settings
from boundlab.tables import MEASURED, SERIES

DELTAS = ("0.1", "0.05", "0.01", "0.001", "0.0001", "0.000001")


def _keep_possible(key: str, options: Sequence[str], label: str) -> None:
    """Before a widget is made: say so if the link's value is not an option, forget a state that no longer is."""
    linked = st.query_params.get_all(key)
    if bad := [value for value in linked if value not in options]:
        shown = ", ".join(f"`{value[:40].replace('`', '')}`" for value in bad[:3])
        choices = ", ".join(f"`{option}`" for option in options)
        st.warning(f"{label}: the link asks for {shown}, which is not among {choices}; the default is shown.")
    state = st.session_state.get(key)
    if state is not None and any(value not in options for value in (state if isinstance(state, list) else [state])):
        del st.session_state[key]


def slide(label: str, options: Sequence[str], key: str, default: str | None = None, help: str | None = None) -> str:
    """A slider over text values; with a single value it stays in place, disabled."""
    _keep_possible(key, options, label)
    if len(options) == 1:  # a slider needs two stops; keep its place so that nothing jumps
        st.select_slider(label, [options[0], " "], disabled=True, help=help or "only one value is shipped", key=f"{key}_only")
        return options[0]
    start = default if default in options else options[0]
    return str(st.select_slider(label, options, start, key=key, bind="query-params", help=help))


def pick(label: str, options: Sequence[str], key: str, default: str | None = None, help: str | None = None) -> str:
    """A few options side by side, one of them chosen."""
    _keep_possible(key, options, label)
    start = default if default in options else options[0]
    chosen = st.segmented_control(
        label, options, default=start, key=key, bind="query-params", help=help, required=True
    )
    return str(chosen)


def settings_controls() -> Settings:
    """Convention and delta; the same two on every page."""
    convention = pick(
        "Convention", CONVENTIONS, "convention",
        help="published: what the paper's figures plot · theorem: the cited theorem, constants and empirical error "
        "included · strict: Theorem S, every constant and fan-in counted",
    )  # fmt: skip
    delta = slide("δ, the probability that a bound fails", DELTAS, "delta", "0.001")
    return Settings(convention=convention, delta=float(delta))


def series_control(convention: str) -> list[str]:
    """Which series are drawn, in display order; the names are the link's values."""
    possible = [b.key for b in ALL if convention in b.formulas] + list(MEASURED)
    names = {STYLES[key].name: key for key in SERIES}
    options = [STYLES[key].name for key in possible]
    _keep_possible("show", list(names), "Show")
    chosen = st.pills(
        "Show", list(names), selection_mode="multi", default=list(names), key="show", bind="query-params",
        help="Hide or show lines; the axes stay put.",
    )  # fmt: skip
    return [names[name] for name in options if name in (chosen or [])]
