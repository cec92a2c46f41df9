"""The handle of a chart on the server's side: where it stands, and where its figure was last drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import streamlit as st

from boundlab.charts.trend import Film, Picture
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


class Standing:
    """The figure that stands on this reader's page. The browser makes the picture of another film of its kin out of it, where
    another figure would be another chart, drawn from nothing. Make it at the beginning of every run: a chart that one of them
    did not draw begins anew."""

    def __init__(self, key: str) -> None:
        self._key = f"{key}_standing"
        self._place, self._picture, self._shifted = st.session_state.pop(self._key, (None, None, False))

    def picture(self, film: Film, draw: Callable[[], Picture]) -> Picture:
        """The one that stands, with what the film has instead; else what `draw` makes, which stands from now on."""
        place, picture = (here().visit, film.kin), self._picture
        if picture is None or self._place != place or len(film.frames) < 2:
            picture, self._shifted = dataclasses.replace(draw(), frames=(), written=""), False
        self._shifted = self._shifted or picture.ground != film.ground
        st.session_state[self._key] = (place, picture, self._shifted)
        return dataclasses.replace(
            picture,
            frames=film.frames if len(film.frames) > 1 else (),
            written=film.written,
            moving=film.moving,
            ground=film.ground,
            shift=film.shift if self._shifted else "",
        )
