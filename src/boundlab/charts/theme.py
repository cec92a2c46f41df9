"""One colour, marker and name per series on every page; colour-blind-safe, told apart by marker as well."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plotly.colors import hex_to_rgb

FONT = 17  # readable from the last row
HEIGHT = 440
VACUOUS = "above 1: vacuous, says nothing"


@dataclass(frozen=True)
class Style:
    """`short` labels a line's end; `light` and `dark`: the colour on each background."""

    name: str
    short: str
    light: str
    dark: str
    symbol: str
    dash: str = "solid"
    width: float = 2.5

    def colour(self, dark: bool) -> str:
        return self.dark if dark else self.light


INK = ("#1F2328", "#F4F5F7")
STYLES = {
    "bartlett": Style("Bartlett 2017", "Bartlett", "#7A4700", "#FFDF80", "bowtie"),
    "ledent": Style("Ledent 2021", "Ledent", "#3B6EA8", "#7FB2E8", "diamond"),
    "neyshabur": Style("Neyshabur 2015", "Neyshabur", "#9900E6", "#B54DFF", "star"),
    "graf": Style("Graf 2022", "Graf", "#9A2A6B", "#DD7FB8", "square"),
    "golowich": Style("Golowich 2018", "Golowich", "#B8485A", "#F09AA5", "triangle-up"),
    "gonon": Style("Gonon 2024", "Gonon", "#0F4819", "#AAFF99", "cross"),
    "graf_params": Style("Graf 2022 (by parameters)", "Graf, params", "#6A51A3", "#B3A2E8", "pentagon"),
    "long_sedghi": Style("Long–Sedghi 2020", "Long–Sedghi", "#767676", "#A9ADB5", "x"),
    "doubled": Style("Sparse, doubled sample (S2)", "Theorem S2", "#7D6B00", "#D7D34A", "hexagon", width=4),
    "sparse": Style("Sparse (Galanti 2023)", "Sparse", "#C65A00", "#FF9A3C", "circle", width=5),
    "holdout": Style("Hold-out limit", "Hold-out limit", *INK, "triangle-down-open", "dot", 1.5),
    "test_error": Style("Test error", "Test error", *INK, "circle-open", "dash"),
    "train_error": Style("Train error", "Train error", "#0B7A8C", "#4FC3D6", "square-open", "dashdot", 2),
    "gap": Style("Generalization gap", "Gap", "#1B7F3B", "#5CC97E", "diamond-open"),
}
ALERT = ("#A8321F", "#FF8E7A")
SHADE = ("rgba(200, 60, 30, 0.06)", "rgba(255, 120, 90, 0.08)")
VEIL = ("rgba(255, 255, 255, 0.75)", "rgba(17, 19, 24, 0.75)")  # behind words on a picture
GRID = ("rgba(0,0,0,0.10)", "rgba(255,255,255,0.14)")

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power(exponent: int) -> str:
    """2 to a whole power as text, 1 for 0."""
    return "1" if exponent == 0 else "2" + str(exponent).translate(_SUPERSCRIPT)


def readable(value: float, series: str = "") -> str:
    """A value for people: per cent for errors below 1, three digits, powers of ten above a million."""
    if not math.isfinite(value):
        return "infinite"
    if series in ("test_error", "train_error", "gap", "holdout"):
        return f"{100 * value:.2f} %"
    if abs(value) >= 1e6:
        exponent = math.floor(math.log10(abs(value)))
        return f"{value / 10**exponent:.1f}×10{str(exponent).translate(_SUPERSCRIPT)}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def times(ratio: float) -> str:
    """A factor for people."""
    if ratio >= 10:
        return readable(ratio) if ratio >= 1e6 else f"{ratio:,.0f}"
    return f"{ratio:.1f}" if ratio >= 1.2 else f"{ratio:.2f}"


def log2_ticks(low: float, high: float) -> tuple[list[int], list[str]]:
    """Whole powers of two over a log2 range, about eight of them."""
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 1000) if (high - low) / s <= 10 or s == 1000)
    ticks = list(range(math.ceil(low / step) * step, math.floor(high) + 1, step))
    return ticks, [power(t) for t in ticks]


def tick(value: float) -> str:
    """A short axis label: 8e-4 rather than 0.0008."""
    return f"{value:.0e}".replace("e-0", "e-") if 0 < value < 0.01 else f"{value:g}"


def axis_look(title: str, dark: bool, grid: bool = True) -> dict[str, Any]:
    """An axis in the ink of the theme, large enough for the last row."""
    return {
        "title": {"text": title, "font": {"size": FONT + 1, "color": INK[dark]}},
        "tickfont": {"size": FONT - 1, "color": INK[dark]},
        "gridcolor": GRID[dark],
        "showgrid": grid,
        "zeroline": False,
    }


def log2_axis(low: float, high: float, dark: bool, title: str = "value (log₂ scale)") -> dict[str, Any]:
    """The axis of values, in log2, with powers of two as ticks; its range is the caller's and stays."""
    ticks, texts = log2_ticks(low, high)
    return axis_look(title, dark) | {"range": [low, high], "tickvals": ticks, "ticktext": texts}


def linear_axis(low: float, high: float, dark: bool) -> dict[str, Any]:
    """The axis of values themselves; its range is the caller's and stays."""
    return axis_look("value", dark) | {"range": [low, high]}


def faded(colour: str, opacity: float) -> str:
    """A #RRGGBB colour, translucent."""
    red, green, blue = hex_to_rgb(colour)
    return f"rgba({red}, {green}, {blue}, {opacity:g})"


def vacuous_zone(along: str, high: float, dark: bool, one: float = 0.0) -> list[dict[str, Any]]:
    """Shapes for the line at 1 and the shaded zone above it; `along`: the axis of values, "x" or "y"; `one`: where the
    value 1 is on it."""
    across = "y" if along == "x" else "x"
    span = {f"{across}ref": "paper", f"{across}0": 0, f"{across}1": 1, f"{along}0": one}
    zone = {
        "type": "rect",
        f"{along}1": max(high, one),
        "fillcolor": SHADE[dark],
        "line": {"width": 0},
        "layer": "below",
    }
    return [
        span | zone,
        span | {"type": "line", f"{along}1": one, "line": {"color": ALERT[dark], "width": 2, "dash": "dot"}},
    ]


def vacuous_note(dark: bool, **place: Any) -> dict[str, Any]:
    """The annotation that names the zone."""
    look = {"showarrow": False, "font": {"size": FONT - 3, "color": ALERT[dark]}, "bgcolor": VEIL[dark]}
    return {"text": VACUOUS} | look | place


def names_at_end(
    last: Mapping[str, float], lines: Mapping[str, Sequence[Any]], top: float, dark: bool
) -> list[dict[str, Any]]:
    """Annotations that name lines at their right end; `last`: their last values; `lines`: (words, light, dark, ...) each;
    `top`: upper end of an axis that begins at 0."""
    heights = spread([min(float(last[name]), top) for name in lines], 0.075 * top, 0.0, top)
    place = {"x": 1, "xref": "paper", "xanchor": "left", "xshift": 6, "showarrow": False}
    return [
        place | {"text": look[0], "y": height, "font": {"size": FONT - 1, "color": look[1 + dark]}}
        for look, height in zip(lines.values(), heights, strict=True)
    ]


def spread(positions: list[float], gap: float, low: float = -math.inf, high: float = math.inf) -> list[float]:
    """Move label positions (any order) apart to at least `gap`, each as little as it takes, within low to high."""

    def inside(centre: float, size: float) -> float:
        return max(low + gap * size / 2, min(high - gap * size / 2, centre))

    order = sorted(range(len(positions)), key=positions.__getitem__)
    blocks: list[list[float]] = []  # [centre, size]
    for index in order:
        blocks.append([positions[index], 1])
        while len(blocks) > 1 and blocks[-1][0] - blocks[-2][0] < gap * (blocks[-1][1] + blocks[-2][1]) / 2:
            (c2, n2), (c1, n1) = blocks.pop(), blocks.pop()
            blocks.append([inside((c1 * n1 + c2 * n2) / (n1 + n2), n1 + n2), n1 + n2])
    placed = [c + gap * (k - (n - 1) / 2) for c, n in blocks for k in range(int(n))]
    out = [0.0] * len(positions)
    for index, place in zip(order, placed, strict=True):
        out[index] = place
    return out
