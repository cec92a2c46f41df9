"""Notes that one run of a page leaves for the next."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from boundlab.errors import BoundlabError
from boundlab.ui.privacy import plain
from boundlab.ui.server import scheduler

NOTES = "train_notes"


def notes() -> list[tuple[str, str]]:
    """(kind, words) of what the last click led to; they stay until the next one."""
    return st.session_state.get(NOTES, [])


def act(*what: Callable[[], None]) -> None:
    """Do what a button is for, as its callback; what goes wrong is said on the page."""
    st.session_state[NOTES] = []
    try:
        for each in what:
            each()
    except BoundlabError as error:
        st.session_state[NOTES] = [("error", f"{plain(str(error))}.")]
    scheduler().wake()
