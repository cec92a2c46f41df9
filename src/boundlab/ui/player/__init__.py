"""The handle above a chart: drag, play, pause, step without a server round trip; save the picture, copy the link.

The server learns the position when the handle rests, so that words, table and link follow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from boundlab.charts.trend import Picture
from boundlab.ui.browser import reported


def _source(kind: str) -> str:
    return (Path(__file__).parent / f"player.{kind}").read_text()


_player = st.components.v2.component("boundlab_player", html=_source("html"), css=_source("css"), js=_source("js"))


def reported_position(key: str) -> str | None:
    """The position the reader's browser last reported, before the player is drawn."""
    return reported(key, "at")


def player(
    key: str,
    picture: Picture,
    name: str,
    labels: list[str],
    at: int,
    file: str,
    caption: str,
    news: dict[str, Any] | None = None,
    words: list[str] | None = None,
    hint: str = "",
) -> None:
    """Draw it inside the container `stage...` of its chart. `labels`: one per position; `at`: where it stands; `caption`:
    what the picture shows, written on it when it is saved as `file`; `news`: `charts.progress.update_of` what the chart should
    be by now; `words`: per position what is said above the handle, which is large then, **so** in bold; `hint`: under its name."""
    data: dict[str, Any] = {"frames": picture.frames, "traces": picture.moving, "stamp": picture.stamp}
    data |= {
        "name": name,
        "labels": labels if picture.frames else [],
        "at": at,
        "file": file,
        "caption": caption,
        "news": news,
        "words": words,
        "hint": hint,
    }
    _player(key=key, data=data, on_at_change=lambda: None)
