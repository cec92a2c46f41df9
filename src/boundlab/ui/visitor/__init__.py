"""Who is at the page: a random name that the browser keeps, so that a reload or a second tab does not lose one's jobs."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import streamlit as st

from boundlab.ui import address as link
from boundlab.ui.browser import reported

_KEY, _TOLD = "visitor", "visitor_told"
_HOME = ("127.0.0.1", "localhost", "::1")
_component = st.components.v2.component("boundlab_visitor", js=(Path(__file__).parent / "visitor.js").read_text())


def visitor() -> str:
    """The owner's name of this browser's jobs, 16 hex digits. What the browser keeps is not told to anybody else.

    At home only the pages that need it ask the browser, once per run; in a class `open_page` has done so on every page."""
    mine = visitor_name()
    if at_home():
        _ask()
    return mine


def meet() -> None:
    """On every page of a class: which runs there are depends on who is reading."""
    if not at_home():
        with st.container() if st.context.is_embedded else st.sidebar:
            _ask()


def _ask() -> None:
    _component(key=_KEY, data={"token": _token()}, on_token_change=_known)


def _known() -> None:
    """The browser has said who it is: in a class the link is read again, which may name a run that only they see."""
    if not at_home():
        link.arrive_again()


def visitor_name() -> str:
    """The same without asking the browser."""
    own = st.session_state.setdefault("visitor_without_browser", secrets.token_hex(16))
    return _hashed(_token() or own)


def _token() -> str | None:
    """What the browser said; kept, as Streamlit forgets it on the way to another page."""
    if told := reported(_KEY, "token"):
        st.session_state[_TOLD] = told
    kept: str | None = st.session_state.get(_TOLD)
    return kept


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def address() -> str | None:
    """Where a reader of a class is, 16 hex digits: their network address (of IPv6 the network of 64 bits), which limits count
    beside the name that the browser chooses. None at home, and where no address is known: behind a proxy on this computer
    that does not send X-Forwarded-For."""
    found = None if at_home() else st.context.ip_address
    if not isinstance(found, str):
        return None
    with suppress(ValueError):  # what a proxy sends instead of an address counts as it is
        found = str(ip_network(f"{found}/{64 if ':' in found else 32}", strict=False))
    return _hashed(found)


def at_home() -> bool:
    """Whether the server listens to its own machine only: then everybody who comes is its owner, and may do everything.

    Behind a proxy it is not so: BOUNDLAB_SHARED=1 says that others come.
    """
    return st.get_option("server.address") in _HOME and os.environ.get("BOUNDLAB_SHARED", "") in ("", "0")
