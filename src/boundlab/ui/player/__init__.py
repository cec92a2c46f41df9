"""The bar at a chart: a handle to drag, play, pause, step without a server round trip; save the picture, copy the link.

The server learns the position when the handle rests, so that words, table and link follow.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import plotly.graph_objects as go
import streamlit as st

from boundlab.charts.standalone import standalone
from boundlab.charts.trend import Picture
from boundlab.specs.pages import LINK_VERSION, VERSION
from boundlab.ui.browser import reported


def _source(*files: str) -> str:
    return "\n".join((Path(__file__).parent / file).read_text() for file in files)


_HTML = "Save the picture with its handle as one file that moves without a network, about 5 MB"
_CSV = "Save the numbers that are drawn"
_player = st.components.v2.component(
    "boundlab_player", html=_source("player.html"), css=_source("player.css"), js=_source("panels.js", "player.js")
)


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
    points: Callable[[], str] | None = None,
    serial: object = None,
    words: list[str] | None = None,
    hint: str = "",
    speeds: bool = False,
    alt: str = "",
) -> None:
    """Draw it inside the container `stage...` of its chart. `labels`: one per position; `at`: where it stands; `caption`:
    what the picture shows, written on it when it is saved as `file`; `news`: `charts.progress.update_of` what the chart should
    be by now; `points`: writes what is drawn as CSV, when asked; `serial`: another one where the frames are newer ones of the
    same picture; its stamp where the figure was drawn from these frames; `words`: per position what is said above the handle, which is large then, **so** in bold; `hint`: under its
    name; `speeds`: with a button for how fast it plays; `alt`: what a screen reader says of the chart, where it changes with what is
    drawn: Streamlit draws a chart anew whose own text changes."""
    frames = picture.written or json.dumps(
        picture.frames, ensure_ascii=False
    )  # Streamlit writes a text faster than what it says
    data: dict[str, Any] = {
        "frames": frames,
        "traces": picture.moving,
        "stamp": picture.stamp,
        "ground": picture.ground,
        "shift": picture.shift,
    }
    data |= {
        "name": name,
        "labels": labels if picture.frames else [],
        "at": at,
        "file": file,
        "caption": caption,
        "news": news,
        "serial": serial,
        "words": words,
        "hint": hint,
        "speeds": speeds,
        "alt": alt,
        "version": {VERSION: LINK_VERSION},
    }
    below: Literal["bottom", "center"] = "bottom" if words else "center"  # what is said stands above the buttons
    with st.container(horizontal=True, vertical_alignment=below, gap="xxsmall", key=f"bar_{key}"):
        _player(key=key, data=data, on_at_change=lambda: None)
        if points is not None:
            name = f"{file}{labels[at] if picture.frames else ''}.csv"
            st.download_button(
                "CSV", points, name, "text/csv", type="tertiary", on_click="ignore", key=f"csv_{key}", help=_CSV
            )
        if data["labels"]:
            _offer_html(key, picture, str(data["name"]), labels, at, file, caption, words or [])


def _offer_html(
    key: str, picture: Picture, name: str, labels: list[str], at: int, file: str, caption: str, words: list[str]
) -> None:
    """The picture with its handle as a file; made when it is asked for."""
    dark = st.context.theme.type == "dark"
    page = partial(standalone, picture, name, labels, at, caption.replace("*", ""), words, dark)
    st.download_button(
        "HTML",
        page,
        f"{file.rstrip('-')}-moves.html",
        "text/html",
        type="tertiary",
        on_click="ignore",
        key=f"html_{key}",
        help=_HTML,
    )


def save_bar(key: str, stamp: str, file: str, caption: str, points: Callable[[], str]) -> None:
    """What saves a chart that no handle moves: PNG, SVG, link and CSV. `stamp`: in the figure's `meta`; the rest as in `player`."""
    player(key, Picture(go.Figure(), (), [], stamp), "", [], 0, file, caption, points=points)
