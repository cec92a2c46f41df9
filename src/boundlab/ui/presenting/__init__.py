"""In front of a lecture hall: no menu, the first chart as large as the window, arrow keys for its handle, a pointer. The link says so."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from boundlab.specs.pages import PRESENT
from boundlab.text import quoted
from boundlab.ui import address

_FOLDER = Path(__file__).parent
_LOOK = f"<style>{(_FOLDER / 'present.css').read_text()}</style>"
_component = st.components.v2.component("boundlab_present", js=(_FOLDER / "present.js").read_text())
_HELP = "Present: no menu, large. ← → move the handle, P shows a pointer, Esc leaves."


def presenting() -> bool:
    """Whether the page is shown to a lecture hall."""
    return address.get(PRESENT) == "1"


def offer_presenting() -> None:
    """The button in the menu."""
    st.button(
        "Present", icon=":material/slideshow:", help=_HELP, key="present", type="tertiary", on_click=_put, args=(["1"],)
    )


def present() -> None:
    """At the beginning of a page's run: large, and the way out. A link that asks for anything but 1 is told so."""
    asked = address.arrived_with(PRESENT)
    if asked and asked != ["1"]:
        st.warning(f"Present: the link asks for {quoted(asked)}, possible: `1`.")
        address.put(PRESENT, [])
    if presenting():
        st.html(_LOOK)
        with st.sidebar:
            _component(key="presenting")
        st.button(
            "Leave",
            icon=":material/close:",
            help=_HELP,
            key="present_leave",
            type="tertiary",
            on_click=_put,
            args=([],),
        )


def _put(values: list[str]) -> None:
    """As a callback."""
    address.put(PRESENT, values)
