"""What the reader's browser reports through a component: anybody can send anything, so only plain short text is taken."""

from __future__ import annotations

import streamlit as st

_LONGEST = 64


def reported(key: str, name: str) -> str | None:
    """The text that the component `key` reports under `name`; None where there is none, or it is not such a text."""
    value = (st.session_state.get(key) or {}).get(name)
    good = isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable()
    return value if good else None
