"""Every chart on a page, with one toolbar, a key and words for who cannot see it."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

# Plotly's toolbar with what these charts need, so that it is short beside words
_CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
    "toImageButtonOptions": {"format": "png", "scale": 2},
}


def show(figure: go.Figure, key: str, alt: str) -> None:
    """Draw it where the page is. `key`: no other chart of the page has it; `alt`: what a screen reader says."""
    st.plotly_chart(figure, key=key, config=_CONFIG, alt=alt)


def show_pickable(figure: go.Figure, key: str, alt: str) -> tuple[int, int] | None:
    """The same; x and y of the point that the reader clicked, None where none is."""
    event = st.plotly_chart(figure, key=key, config=_CONFIG, alt=alt, on_select="rerun", selection_mode="points")
    points = event.get("selection", {}).get("points", [])
    return (int(points[-1]["x"]), int(points[-1]["y"])) if points else None
