"""One colour, marker and name per series on every page; colour-blind-safe, told apart by marker as well."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from plotly.colors import hex_to_rgb, sample_colorscale

from boundlab.text import power, tick

FONT = 17  # readable from the last row
HEIGHT = 432
NAME = 22  # pixels from one name at a line's end to the next
VACUOUS = "above 1: says nothing"


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
        """On a dark or a light background."""
        return self.dark if dark else self.light


INK = ("#14171C", "#F4F5F7")
STYLES = {
    "bartlett": Style("Bartlett 2017", "Bartlett", "#523D26", "#E7FB77", "bowtie"),
    "ledent": Style("Ledent 2021", "Ledent", "#476AC3", "#59B7FC", "diamond"),
    "neyshabur": Style("Neyshabur 2015", "Neyshabur", "#8C0DEF", "#B35DF4", "star"),
    "graf": Style("Graf 2022", "Graf", "#850F4A", "#B07CC1", "square"),
    "golowich": Style("Golowich 2018", "Golowich", "#DC2B43", "#FF4D5E", "triangle-up"),
    "gonon": Style("Gonon 2024", "Gonon", "#1E1A51", "#DAFCB7", "cross"),
    "graf_params": Style("Graf 2022 (by parameters)", "Graf, params", "#573C93", "#C085AC", "pentagon"),
    "long_sedghi": Style("Long–Sedghi 2020", "Long–Sedghi", "#68767A", "#BEBEBE", "x"),
    "doubled": Style("Theorem S2", "Theorem S2", "#683C0D", "#FFD938", "hexagon", width=5),
    "theorem_d2": Style("Theorem D2", "Theorem D2", "#B3446C", "#E58AAE", "hexagon2", width=5),
    "sparse": Style("Sparse (Galanti 2023)", "Sparse", "#BD5004", "#F6982E", "circle", width=5),
    "holdout": Style("Hold-out limit", "Hold-out limit", *INK, "triangle-down-open", "dot", 1.5),
    "test_error": Style("Test error", "Test error", *INK, "circle-open", "dash"),
    "train_error": Style("Train error", "Train error", "#1D6E8E", "#65D5EC", "square-open", "dashdot", 2),
    "gap": Style("Generalization gap", "Gap", "#008044", "#4ADF96", "diamond-open"),
}
_STRICT = STYLES | {
    "sparse": replace(STYLES["sparse"], name="Theorem S", short="Theorem S", width=3),
    # the smaller one of D and D2, of a network with rounded weights
    "theorem_d": replace(STYLES["theorem_d2"], name="Theorem D", short="Theorem D", width=2.5),
}
# what a picture and its words are about: Theorem S2 where there is one, it is the one to quote
LEADS = ("doubled", "sparse")
ALERT = ("#A8321F", "#FF8E7A")
SELECTED_COLOUR = ("#C2185B", "#FF8AD8")  # of runs that a reader selected
_SHADE = ("rgba(200, 60, 30, 0.06)", "rgba(255, 120, 90, 0.08)")
VEIL = ("rgba(255, 255, 255, 0.75)", "rgba(17, 19, 24, 0.75)")  # behind words on a picture
LEADER = ("#8A8F98", "#7C828C")  # thin lines from words to what they name
GRID_COLOUR = ("rgba(0,0,0,0.10)", "rgba(255,255,255,0.14)")


def styles(convention: str) -> Mapping[str, Style]:
    """The looks of all series in one convention: in `strict` the sparse bound is Theorem S, and called so."""
    return _STRICT if convention == "strict" else STYLES


def lead(series: Iterable[str]) -> str | None:
    """The one of these that a picture and its words are about; None where none of them is of this kind."""
    here = set(series)
    return next((name for name in LEADS if name in here), None)


def log2_ticks(low: float, high: float, most: int = 10) -> tuple[list[int], list[str]]:
    """Whole powers of two over a log2 range, about `most` of them or a little fewer."""
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 1000) if (high - low) / s <= most or s == 1000)
    ticks = list(range(math.ceil(low / step) * step, math.floor(high) + 1, step))
    return ticks, [power(t) for t in ticks]


def tick_texts(values: Sequence[float]) -> list[str]:
    """The labels of one axis, all in one notation."""
    return [tick(value, 0 < min(filter(None, values), default=0) < 1e-4) for value in values]


def axis_look(title: str, dark: bool, grid: bool = True) -> dict[str, Any]:
    """An axis in the ink of the theme, large enough for the last row."""
    return {
        "title": {"text": title, "standoff": 8, "font": {"size": FONT + 1, "color": INK[dark]}},
        "tickfont": {"size": FONT - 1, "color": INK[dark]},
        "gridcolor": GRID_COLOUR[dark],
        "showgrid": grid,
        "zeroline": False,
    }


def log2_axis(low: float, high: float, dark: bool, title: str = "value (log₂ scale)", most: int = 10) -> dict[str, Any]:
    """The axis of values, in log2, with powers of two as ticks, about `most`; its range is the caller's and stays."""
    ticks, texts = log2_ticks(low, high, most)
    look = axis_look(title, dark) | {"range": [low, high], "tickvals": ticks, "ticktext": texts}
    look["title"]["standoff"] = 12  # raised and lowered digits of both come close
    return look


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
        "fillcolor": _SHADE[dark],
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
    ends: Sequence[float],
    words: Sequence[str],
    colours: Sequence[str],
    reach: tuple[float, float],
    pixels: float,
    dark: bool,
) -> list[dict[str, Any]]:
    """Annotations that name lines at their right ends, with leaders; `ends`: their last heights; `reach`: the range of the
    axis, `pixels` high."""
    low, high = reach
    unit = pixels / (high - low)
    inside = [min(max(end, low), high) for end in ends]
    heights = spread(inside, NAME / unit, low, high)
    look = {
        "x": 1,
        "xref": "paper",
        "xanchor": "left",
        "yanchor": "middle",
        "borderpad": 2,
        "arrowhead": 0,
        "arrowwidth": 1.5,
    }
    look |= {"ax": 22, "arrowcolor": LEADER[dark], "standoff": 3}
    return [
        look | {"text": text, "y": end, "ay": (end - height) * unit, "font": {"size": FONT - 1, "color": colour}}
        for text, colour, end, height in zip(words, colours, inside, heights, strict=True)
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


def viridis(count: int, dark: bool) -> list[str]:
    """So many colours, from dark to bright: Viridis without the end that the background swallows."""
    ends = (0.35, 1.0) if dark else (0.0, 0.75)
    colours = sample_colorscale("Viridis", np.linspace(*ends, count).tolist(), colortype="tuple")
    return ["#" + "".join(f"{round(255 * part):02X}" for part in colour) for colour in colours]
