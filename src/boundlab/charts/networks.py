"""Networks side by side: one marker, dash and colour per place, the same in every chart of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from boundlab.charts.theme import FONT, INK


class Look(NamedTuple):
    """`glyph`: the marker in running text."""

    glyph: str
    symbol: str
    dash: str
    light: str
    dark: str

    def colour(self, dark: bool) -> str:
        """On a dark or a light background."""
        return self.dark if dark else self.light


NETWORKS = (
    Look("●", "circle", "solid", "#0B62A8", "#6CB8F5"),
    Look("■", "square", "dash", "#A8336F", "#F08BBB"),
    Look("◆", "diamond", "dashdot", "#0A7A55", "#4CCB9A"),
    Look("▲", "triangle-up", "dot", "#86650A", "#E8C547"),
)


def named(name: str, number: int) -> str:
    """A network's name behind its marker."""
    return f"{NETWORKS[number].glyph} {name}"


def legend(names: Sequence[str], dark: bool) -> list[dict[str, Any]]:
    """Traces without points that name the markers, in ink: for charts whose colours say something else."""
    return [
        {"type": "scatter", "mode": "markers", "x": [None], "y": [None], "name": name, "showlegend": True}
        | {"marker": {"symbol": NETWORKS[i].symbol, "size": 15, "color": INK[dark]}}
        for i, name in enumerate(names)
    ]


def place_networks(height: int, dark: bool, margin: dict[str, int]) -> dict[str, Any]:
    """What all charts of a comparison share: the legend above, ink and type."""
    return {
        "height": height,
        "margin": margin,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "itemclick": False}
        | {"font": {"size": FONT, "color": INK[dark]}, "itemdoubleclick": False},
        "font": {"size": FONT - 1, "color": INK[dark]},
        "hoverlabel": {"font": {"size": FONT - 2}, "align": "left"},
    }
