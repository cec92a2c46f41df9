"""Who is at the page: a random name that the browser keeps, so that a reload or a second tab does not lose one's jobs."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

import streamlit as st

from boundlab.ui.reports import report

_KEY = "visitor"
_HOME = ("127.0.0.1", "localhost", "::1")
_component = st.components.v2.component("boundlab_visitor", js=(Path(__file__).parent / "visitor.js").read_text())


def visitor() -> str:
    """The owner's name of this browser's jobs, 16 hex digits. What the browser keeps is not told to anybody else."""
    token = report(_KEY, "token")
    _component(key=_KEY, data={"token": token}, on_token_change=lambda: None)
    own = st.session_state.setdefault("visitor_without_browser", secrets.token_hex(16))
    return hashlib.sha256((token or own).encode()).hexdigest()[:16]


def at_home() -> bool:
    """Whether the server listens to its own machine only: then everybody who comes is its owner, and may do everything.

    Behind a proxy it is not so: BOUNDLAB_SHARED=1 says that others come.
    """
    return st.get_option("server.address") in _HOME and os.environ.get("BOUNDLAB_SHARED", "") in ("", "0")
