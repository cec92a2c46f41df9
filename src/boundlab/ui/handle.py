"""The handle of a chart on the server's side: where it stands, and where its figure was last drawn."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from boundlab.ui.address import here
from boundlab.ui.controls import Controls
from boundlab.ui.player import reported_position


def handle_at(
    controls: Controls, player: str, name: str, label: str, every: Sequence[str], there: Sequence[str], few: bool
) -> str | None:
    """Where the reader's browser reports that the handle of `player` was moved to, else as the address says under `name`; None
    where it says nothing.

    `every`: the labels that a link may have; `there`: those of the positions there are; `few`: as in `Links.check`.
    """
    arriving, reported = controls.arriving(name), reported_position(player)
    at = controls.hold(name, every, label, few=few)
    if not arriving and reported in there and reported != st.session_state.get(f"{player}_reported"):
        at = reported
    st.session_state[f"{player}_reported"] = reported
    return at


def anchored(key: str, signature: object, at: int) -> int:
    """The position the figure is drawn at: that of the last change other than the handle's own, so that a handle at rest
    does not make a new chart."""
    name, signature = f"{key}_anchor", (signature, here().visit)
    if name not in st.session_state or st.session_state[name][0] != signature:
        st.session_state[name] = (signature, at)
    return int(st.session_state[name][1])
