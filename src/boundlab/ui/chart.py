"""Every chart on a page: one toolbar, a key, words for who cannot see it, and a bar that saves it: PNG, SVG, CSV, link."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from boundlab.charts.frame import remote
from boundlab.charts.points import points_of
from boundlab.ui.player import save_bar

# Plotly's toolbar with what these charts need, so that it is short beside words
_CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
    "toImageButtonOptions": {"format": "png", "scale": 2},
}

# the same where points can be selected
_SELECTING = _CONFIG | {"modeBarButtonsToRemove": ["autoScale2d", "zoomIn2d", "zoomOut2d"]}

_BUTTON = 40  # pixels that the button of `remote` takes

TableOrCsv: TypeAlias = pd.DataFrame | Callable[[], str]  # what is drawn: a table, or a function that writes it as CSV


class KeptFigure(go.Figure):  # type: ignore[misc]
    """A figure that many reruns show and nobody changes: what Streamlit asks it for is made once."""

    def __init__(self, figure: go.Figure) -> None:  # not the parent's, which would make the figure a second time
        self._content: dict[str, object] = figure.to_dict()

    def to_dict(self) -> dict[str, object]:
        """As of any figure."""
        return self._content


def show(
    figure: go.Figure,
    key: str,
    alt: str,
    points: TableOrCsv | None = None,
    file: str = "",
    caption: str = "",
    pick: Callable[[], None] | None = None,
    areas: bool = False,
) -> None:
    """Draw it where the page is, and under it what saves it. `key`: no other chart of the page has it; `alt`: what a screen
    reader says; `points`: what its CSV has, the figure's own numbers where nothing is said; `file`: what saved files are called,
    without an ending; `caption`: what is written on a saved picture, `alt` where nothing is said; `pick`: the callback of a reader who
    selects points (`picked` says which), by a click, or with `areas` also by a frame or a line around them."""
    with st.container(key=f"stage_{key}", gap="xxsmall"):
        if pick is None:
            draw(with_remote(figure, key), key, alt)
        else:
            modes: tuple[Literal["points", "box", "lasso"], ...] = ("points", "box", "lasso") if areas else ("points",)
            config, drawn = _SELECTING if areas else _CONFIG, with_remote(figure, key)
            st.plotly_chart(drawn, key=key, config=config, alt=alt, on_select=pick, selection_mode=modes)
        name = file or f"boundlab-{key.removeprefix('chart_').replace('_', '-')}"
        save_bar(f"save_{key}", key, name, (caption or alt).replace("*", ""), writer(figure, points))


def with_remote(figure: go.Figure, stamp: str) -> go.Figure:
    """The figure as a bar can find and save it."""
    button = remote()
    if (figure.layout.margin.b or 0) < _BUTTON:  # else it hangs below the axes, and would push them up
        button |= {"yanchor": "bottom"}
    return figure.update_layout(updatemenus=[button], meta={"stamp": stamp, "base": 0, "canvas": stamp})


def writer(figure: go.Figure, points: TableOrCsv | None) -> Callable[[], str]:
    """What writes the CSV, when it is asked for."""
    if callable(points):
        return points
    return lambda: (points_of(figure) if points is None else points).to_csv(index=False, float_format="%.10g")


def draw(figure: go.Figure, key: str, alt: str) -> None:
    """The chart alone, where a player saves it."""
    st.plotly_chart(figure, key=key, config=_CONFIG, alt=alt)


def picked(key: str) -> list[object]:
    """In the callback of `show`: the customdata of the points that the reader selected; any browser can send anything."""
    event = st.session_state.get(key) or {}
    points = event.get("selection", {}).get("points", [])
    return [point.get("customdata") for point in points if isinstance(point, Mapping)]


def draw_pickable(figure: go.Figure, key: str, alt: str) -> tuple[int, int] | None:
    """The same; x and y of the point that the reader clicked, None where none is."""
    event = st.plotly_chart(figure, key=key, config=_CONFIG, alt=alt, on_select="rerun", selection_mode="points")
    points = event.get("selection", {}).get("points", [])
    return (int(points[-1]["x"]), int(points[-1]["y"])) if points else None
