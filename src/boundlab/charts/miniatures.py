"""Small pictures of one network, as SVG: the filters of its first layer, its margins, what makes a bound large."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from plotly.colors import hex_to_rgb

from boundlab.charts.theme import ALERT, INK, STYLES

_WIDTH, _FONT = 200, 20  # drawn some 150 pixels wide
_WARM, _COLD = "#C25608", "#2B62B5"
_BLANK = ("#F4F4F0", "#1C2026")
_BARS = 20
_FACTOR = 50  # a group of factors: its name, and its bar below


def _svg(height: float, words: str, parts: Sequence[str]) -> str:
    named = escape(words, quote=True)
    head = f'viewBox="0 0 {_WIDTH} {height:.0f}" width="100%" font-family="sans-serif" role="img" aria-label="{named}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {head}><title>{named}</title>{"".join(parts)}</svg>'


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{fill}"/>'


def _text(x: float, y: float, words: str, colour: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{_FONT}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def _shade(value: float, dark: bool) -> str:
    """From -1, cold, over 0, blank, to 1, warm."""
    ends = hex_to_rgb(_WARM if value > 0 else _COLD), hex_to_rgb(_BLANK[dark])
    share = min(1.0, abs(value))
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in zip(*ends, strict=True))


def filters(weights: np.ndarray, dark: bool, most: int = 8) -> str:
    """`weights`: (filters, height, width), drawn each on the scale of the largest of all, at most `most` of them."""
    shown, largest = weights[:most], float(np.abs(weights).max()) or 1.0
    across = min(4, len(shown))
    side, gap = (_WIDTH - 10 * (across - 1)) / across, 10
    parts = []
    for number, one in enumerate(shown):
        left, top = (number % across) * (side + gap), (number // across) * (side + gap)
        high, wide = one.shape
        cell = side / max(high, wide)
        parts += [
            _rect(left + column * cell, top + row * cell, cell, cell, _shade(one[row, column] / largest, dark))
            for row in range(high)
            for column in range(wide)
        ]
    rows = -(-len(shown) // across)
    words = f"{len(shown)} of {len(weights)} filters of the first layer; blue: negative, orange: positive weights"
    return _svg(rows * side + (rows - 1) * gap, words, parts)


def margin_bars(quantiles: np.ndarray, wrong: float, dark: bool) -> str:
    """A histogram from quantiles at equal steps; below 0, in red, an image is classified wrongly; `wrong`: the share of those."""
    low, high = float(quantiles[0]), float(quantiles[-1])
    edges = np.linspace(min(low, 0.0), max(high, 0.0) or 1.0, _BARS + 1)
    share = np.interp(edges, quantiles, np.linspace(0, 1, len(quantiles)), left=0.0, right=1.0)
    counts, width = np.diff(share), _WIDTH / _BARS
    tallest = float(counts.max()) or 1.0
    good = STYLES["gap"].colour(dark)
    parts = [
        _rect(
            i * width + 1, 80 - 74 * count / tallest, width - 2, 74 * count / tallest,
            ALERT[dark] if edges[i + 1] <= 0 else good,
        )
        for i, count in enumerate(counts)
    ]  # fmt: skip
    zero = _WIDTH * (0 - edges[0]) / (edges[-1] - edges[0])
    parts.append(f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="2" y2="84" stroke="{INK[dark]}" stroke-width="1.5"/>')
    parts.append(_text(min(max(zero, 6), _WIDTH - 6), 104, "0", INK[dark], "middle"))
    return _svg(108, f"Margins of the training images: {wrong:.1%} are below 0, which is wrong", parts)


def factor_lengths(rows: Sequence[tuple[str, float]], dark: bool) -> str:
    """`rows`: (words, log2 of a factor): to the right what makes the bound larger, to the left what makes it smaller."""
    reach = max(1.0, *(abs(log2) for _, log2 in rows)) if rows else 1.0
    middle, room, colour = _WIDTH / 2, _WIDTH / 2, STYLES["sparse"].colour(dark)
    parts = []
    for number, (words, log2) in enumerate(rows):
        length, top = room * abs(log2) / reach, _FACTOR * number
        left = middle if log2 > 0 else middle - length
        parts.append(_text(0, top + 20, words, INK[dark]))
        parts.append(_rect(left, top + 27, max(length, 1), 15, colour if log2 > 0 else STYLES["gap"].colour(dark)))
    words = "What makes the sparse bound large: " + ", ".join(
        f"{name} times 2 to the {log2:.1f}" for name, log2 in rows
    )
    return _svg(_FACTOR * len(rows), words, parts)
