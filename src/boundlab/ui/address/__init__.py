"""What a reader chose, kept in the address, so that a link, a reload, the menu, Back and Forward all restore the same page.

Controls read their value from the address when somebody arrives at a page, and write it back when it changes. Streamlit's own
`bind="query-params"` does not do for this: going from page to page it drops what both pages bind, Back included, and writes
the shortened address over the history entry of the page that is left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_KEY = "address"
_steady = st.components.v2.component("boundlab_address", js=(Path(__file__).parent / "address.js").read_text())


@dataclass
class Note:
    """What is said about a link's value, and the value the control then had: said until that changes."""

    text: str
    value: str | None = None


@dataclass
class Address:
    """The address of one reader's page. `first`: they came by a link, not from another page of ours; `anew`: no widget of the page
    has a value yet; `visit`: counts arrivals."""

    page: str
    params: dict[str, list[str]]
    known: frozenset[str]
    first: bool
    anew: bool
    visit: int
    came: dict[str, list[str]]  # `params` on arrival
    read: set[str] = field(default_factory=set)  # by a control, since the arrival
    values: dict[str, Any] = field(default_factory=dict)  # of controls, also of those that are not drawn just now
    drawn: dict[str, set[str]] = field(default_factory=dict)  # part of the page -> its controls at its last run
    notes: dict[str, Note] = field(default_factory=dict)  # by control
    moves: dict[str, Note] = field(default_factory=dict)  # by group of sliders: what had to follow another choice
    locked: frozenset[str] = frozenset()  # controls that a lesson keeps as they are


def arrive(page: str, known: Collection[str], shared: Collection[str]) -> None:
    """At the start of every run of a page. Whoever comes through the menu brings the `shared` choices that this page knows."""
    before: Address | None = st.session_state.get(_KEY)
    ctx = get_script_run_ctx()
    history = ctx is not None and ctx.is_history_navigation
    with st.container() if st.context.is_embedded else st.sidebar:
        _steady(key="steady_address")
    if before and before.page == page and not history:
        return
    came = {name: st.query_params.get_all(name) for name in st.query_params}
    if before and not came and not history:
        came = {name: values for name, values in before.params.items() if name in shared and name in known}
    anew, visit = before is None or before.page != page, before.visit + 1 if before else 0
    _begin(Address(page, came, frozenset(known), before is None, anew, visit, dict(came)))


def _begin(address: Address) -> None:
    for name in address.known if address.anew else ():
        st.session_state.pop(name, None)
    st.session_state[_KEY] = address
    _send(address.params)


def arrive_again() -> None:
    """In a callback: as if the reader came just now by what brought them here; nothing where nobody has arrived yet."""
    if now := st.session_state.get(_KEY):
        _begin(Address(now.page, dict(now.came), now.known, now.first, True, now.visit + 1, now.came))


def go(params: Mapping[str, str]) -> None:
    """In a callback: as if the reader came to this page by a link with these parts."""
    if now := st.session_state.get(_KEY):
        came = {name: [value] for name, value in params.items()}
        _begin(Address(now.page, dict(came), now.known, now.first, True, now.visit + 1, came))


def here() -> Address:
    """The reader's address."""
    if _KEY not in st.session_state:
        came = {name: st.query_params.get_all(name) for name in st.query_params}
        st.session_state[_KEY] = Address("", came, frozenset(), True, True, 0, dict(came))
    return st.session_state[_KEY]


def get(name: str) -> str | None:
    """A single value that no control has: None where the address has none."""
    return next(iter(here().params.get(name, [])), None)


def arrived_with(name: str) -> list[str] | None:
    """What the reader arrived with, for the control of this name to begin with; None when it has begun already."""
    address = here()
    if name in address.read:
        return None
    address.read.add(name)
    return address.params.get(name, [])


def put(name: str, values: Sequence[str]) -> None:
    """What the address says of `name` from now on; nothing: its default."""
    params = here().params
    params.pop(name, None) if not values else params.update({name: list(values)})
    _send(params)


def _send(params: dict[str, list[str]]) -> None:
    if {name: st.query_params.get_all(name) for name in st.query_params} != params:
        st.query_params.from_dict(params)
