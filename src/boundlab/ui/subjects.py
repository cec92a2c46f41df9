"""The checkpoints that a reader may choose from."""

from __future__ import annotations

import streamlit as st

from boundlab.analysis.subject import Subject
from boundlab.text import quoted
from boundlab.ui.controls import plain
from boundlab.ui.visitor import at_home, visitor_name
from boundlab.uploads.kept import kept_by, name_of

UNSAVED = "checkpoint_subject"  # in the session: the subject of its upload


def kept_subjects(me: str | None = None) -> dict[str, Subject]:
    """Name -> subject of what this reader may choose from: the session's upload that is not kept, then the kept ones, newest
    first. `me`: `visitor()` where the page has called it already."""
    unsaved = st.session_state.get(UNSAVED)
    mine = [] if unsaved is None else [(f"{unsaved.title} (not kept)", unsaved)]
    owner = me or ("" if at_home() else visitor_name())
    return dict(mine + [(name_of(one), one.subject) for one in kept_by(owner, at_home())])


def said_of(wrong: dict[str, str]) -> str:
    """The sentence about what is left out, and why the first of them is."""
    count = f"{len(wrong)} kept checkpoint{'s' * (len(wrong) > 1)}"
    return f"Left out, {count} not readable: {quoted(list(wrong))}. {plain(next(iter(wrong.values())))}."
