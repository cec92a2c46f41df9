"""A long text as a list of what is in it, each part folded under its own heading."""

from __future__ import annotations

import re

import streamlit as st

# a heading, or a paragraph that begins with its own name in bold
_BEGINS = re.compile(r"^(?:#### (?P<heading>.+)$|(?=\*\*(?P<name>[^*\n]+)\*\*))", re.MULTILINE)
_OPEN = ("Statement", "Theorem")  # how the headings of what is read first begin


def parts(text: str) -> list[tuple[str, str]]:
    """(heading, what follows it), in order; the heading is "" before the first one, and empty parts are left out."""
    found, begun, heading = [], 0, ""
    for match in _BEGINS.finditer(text):
        found.append((heading, text[begun : match.start()]))
        heading, begun = (match["heading"] or match["name"]).rstrip("."), match.end()
    found.append((heading, text[begun:]))
    return [(name, body.strip()) for name, body in found if body.strip()]


def folded(text: str) -> None:
    """The text, its parts folded but for the statement of a theorem."""
    for heading, body in parts(text):
        if not heading:
            st.markdown(body)
            continue
        with st.expander(heading, expanded=heading.startswith(_OPEN)):
            st.markdown(body)
