"""The runs that a reader selected: in a table or a chart of one page, lit up on the others, and in every link."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import streamlit as st

from boundlab.analysis.run_codes import join_codes, run_code, split_codes
from boundlab.ui import address
from boundlab.ui.links import Links
from boundlab.ui.privacy import plain
from boundlab.ui.shelf import VisibleRuns, visible_runs

SELECTED = "selected"  # in the link
MOST_SELECTED = 600  # what a link can carry: 3,000 letters
_TOO_MANY = "selected_too_many"  # in the session: how many were asked for


@st.cache_resource(show_spinner=False, max_entries=16)
def _codes(version: str, _seen: VisibleRuns) -> dict[str, str]:
    return {run_code(run.id): run.id for run in _seen.all}


def known_codes(seen: VisibleRuns | None = None) -> Mapping[str, str]:
    """Code -> id of all runs that the reader may see."""
    now = seen or visible_runs()
    return _codes(now.version, now)


def selected_runs(controls: Links) -> tuple[str, ...]:
    """The ids of the selected runs, whatever the page is about; a note where the link names one that is not there."""
    text, known = controls.hold(SELECTED) or "", known_codes()
    try:
        codes = split_codes(text)
    except ValueError as error:
        codes = []
        controls.own(SELECTED, f"In the link, `{SELECTED}`: {plain(str(error))}.")
    if missing := [code for code in codes if code not in known]:
        runs = "one of the selected runs is" if len(missing) == 1 else f"{len(missing)} of the selected runs are"
        controls.own(SELECTED, f"In the link, `{SELECTED}`: {runs} not here.")
    if many := st.session_state.pop(_TOO_MANY, 0):
        controls.notes.warning(
            f"{many:,} runs are too many to select: a link carries {MOST_SELECTED}. Filter them first."
        )
    return tuple(known[code] for code in codes if code in known)


def select_runs(names: Iterable[str]) -> None:
    """In a callback: these and no others; nothing where they are too many."""
    chosen = set(names)
    if len(chosen) > MOST_SELECTED:
        st.session_state[_TOO_MANY] = len(chosen)
        return
    address.here().notes.pop(SELECTED, None)
    address.put(SELECTED, [join_codes(chosen)] if chosen else [])


def clear_selection(key: str, names: Collection[str]) -> None:
    """A button that gives up what is selected. `key`: no other of the page has it."""
    st.button(
        f"Clear {len(names)} selected",
        key=key,
        icon=":material/close:",
        type="tertiary",
        on_click=select_runs,
        args=((),),
    )
