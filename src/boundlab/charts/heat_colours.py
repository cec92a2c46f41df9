"""The colours of a heat map: a bound's on a log scale with 1 as a border, an error's in per cent; and their bar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from plotly.colors import hex_to_rgb

from boundlab.charts.theme import FONT, INK
from boundlab.text import SUPERSCRIPT

_BLUES = ["#D0E1F2", "#94C4DF", "#4A98C9", "#1764AB", "#08306B"]  # below 1, from 1 down
_ORANGES = ["#FDD9B4", "#FDAE6B", "#F16913", "#C54102", "#7F2704"]  # from 1 up
_ERRORS = ["#00224E", "#35456C", "#666970", "#948E77", "#C8B866", "#FEE838"]  # Cividis
_STEPS = 8  # stops of a colour scale, of a bound on each side of 1
_TICKS = 6
_HALF_WAY = 0.179  # luminance at which black and white letters stand out equally


@dataclass(frozen=True)
class Scale:
    """What the colours stand for: the smallest and largest value of the series, whatever the third variable. `bound`: on a log
    scale, with 1 as the border; else an error, in per cent."""

    low: float
    high: float
    bound: bool

    @classmethod
    def over(cls, values: pd.Series, bound: bool) -> Scale:
        """Of these values; a bound's that are 0 or infinite have no place on it and look like its ends."""
        known = values[np.isfinite(values) & ((values > 0) | (not bound))]
        return cls(float(known.min()), float(known.max()), bound) if len(known) else cls(1.0, 1.0, bound)

    @property
    def ends(self) -> tuple[float, float]:
        """As it is drawn, a little wider where there is one value only."""
        low, high = (self.drawn(value) for value in (self.low, self.high))
        return (low, high) if high - low > 1e-9 else (low - 0.5, high + 0.5)

    def drawn(self, value: float) -> float:
        """A value's place on the scale."""
        value = min(max(value, self.low), self.high)
        return math.log10(value) if self.bound else 100 * value


def luminance(colour: np.ndarray) -> float:
    """Relative luminance (WCAG 2.2) of red, green and blue from 0 to 1."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(np.dot((0.2126, 0.7152, 0.0722), linear))


def heading(scale: Scale, name: str, shift: int, dark: bool) -> dict[str, Any]:
    """What the colours stand for, above their bar, `shift` pixels right of its left end."""
    low, high = scale.ends
    if not scale.bound:
        words = "per cent"
    elif low < 0 < high:
        words = "blue: below 1"
    else:
        words = "everywhere below 1" if high <= 0 else "nowhere below 1"
    font = {"size": FONT - 1, "color": INK[dark]}
    place = {"x": 0, "xref": "paper", "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom", "yshift": 48}
    return place | {"text": f"<b>{name}</b>, {words}", "showarrow": False, "font": font, "xshift": shift}


def colour_axis(scale: Scale, dark: bool) -> dict[str, Any]:
    """The colour axis, its bar above the cells so that a narrow screen keeps its width."""
    low, high = scale.ends
    ticks, texts = _log_ticks(low, high) if scale.bound else _per_cent_ticks(low, high)
    bar = {
        "title": {"text": ""},  # with a title of its own, Plotly would move the x axis's title up as well
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": 1,
        "yanchor": "bottom",
        "len": 1,
        "thickness": 12,
        "ypad": 4,
        "xpad": 0,
        "tickvals": ticks,
        "ticktext": texts,
        "tickfont": {"size": FONT - 2, "color": INK[dark]},
        "outlinewidth": 0,
    }
    stops = [
        [place, "rgb({:.0f}, {:.0f}, {:.0f})".format(*colour)]
        for place, colour in zip(*_colorscale(scale), strict=True)
    ]
    return {"cmin": low, "cmax": high, "colorscale": stops, "colorbar": bar}


def _colorscale(scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """Stops from 0 to 1, and their red, green and blue. Of a bound: blue below 1, orange above it, darker the farther from 1; where
    all lies on one side of 1, that side has all of its colours for itself."""
    low, high = scale.ends
    if not scale.bound:
        return _stops(_ERRORS, 0.0, 1.0, 0.0, 1.0)
    if low >= 0 or high <= 0:
        return _stops(_ORANGES, 0.0, 1.0, 0.0, 1.0) if low >= 0 else _stops(_BLUES, 0.0, 1.0, 1.0, 0.0)
    middle, far = -low / (high - low), max(high, -low)
    below, above = _stops(_BLUES, 0.0, middle, -low / far, 0.0), _stops(_ORANGES, middle, 1.0, 0.0, high / far)
    return np.concatenate([below[0], above[0]]), np.concatenate([below[1], above[1]])


def _stops(colours: list[str], start: float, end: float, first: float, last: float) -> tuple[np.ndarray, np.ndarray]:
    """Stops from `start` to `end` of a scale with the colours from fraction `first` to `last`."""
    return np.linspace(start, end, _STEPS + 1), _between(
        np.linspace(0, 1, len(colours)),
        np.array([hex_to_rgb(c) for c in colours]),
        np.linspace(first, last, _STEPS + 1),
    )


def _between(stops: np.ndarray, colours: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Colours, (places, 3) from 0 to 255, at some places of a scale."""
    return np.column_stack([np.interp(places, stops, channel) for channel in colours.T])


def is_dark_at(scale: Scale, values: np.ndarray) -> np.ndarray:
    """Whether white letters stand out more from the cells of these values than black ones."""
    low, high = scale.ends
    places = np.array([(scale.drawn(value) - low) / (high - low) for value in values])
    return np.array([luminance(ground / 255) < _HALF_WAY for ground in _between(*_colorscale(scale), places)], bool)


def _log_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Powers of ten, 1 among them where it lies within; on a short scale 2 and 5 between them."""
    step = max(1, math.ceil((high - low) / _TICKS))
    powers = [e for e in range(math.ceil(low), math.floor(high) + 1) if e % step == 0]
    ticks = [float(e) for e in powers]
    if high - low < 2:
        ticks = [
            t
            for e in range(math.floor(low), math.ceil(high) + 1)
            for m in (1, 2, 5)
            if low <= (t := e + math.log10(m)) <= high
        ]
    return ticks, [_plain(10**t) for t in ticks]


def _plain(value: float) -> str:
    """1, 10, 1,000; powers from a million on and below 0.001."""
    exponent = round(math.log10(value))
    if exponent >= 6 or exponent < -3:
        return "10" + str(exponent).translate(SUPERSCRIPT)
    text = f"{value:,.0f}" if value >= 1 else f"{value:.{-math.floor(math.log10(value) + 1e-9)}f}"
    return f"<b>{text}</b>" if text == "1" else text


def _per_cent_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    span = (high - low) / _TICKS
    step = next(s * 10**e for e in range(-4, 3) for s in (1, 2, 5) if s * 10**e >= span)
    first = math.ceil(low / step - 1e-9)
    ticks = [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]
    return ticks, [f"{t:g}" for t in (round(t, 6) for t in ticks)]
