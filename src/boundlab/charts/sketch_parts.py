"""What a drawing of a network is made of, as SVG: its colours, boxes, circles, words, and what is seen of a box."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from boundlab.charts.theme import INK, STYLES
from boundlab.quantities.receptive_fields import Field

_PAPER = ("#F4F4F0", "#1C2026")
_EDGE = ("#6A6D72", "#9AA0A8")
_FRAME = ("#DCDDDA", "#3A4048")


@dataclass(frozen=True)
class Inks:
    """Colours of one theme."""

    ink: str
    paper: str
    edge: str
    frame: str
    lit: str


@dataclass(frozen=True)
class Box:
    """Where something is drawn."""

    left: float
    top: float
    right: float
    bottom: float


def inks_of(dark: bool) -> Inks:
    """On a dark or a light background."""
    return Inks(INK[dark], _PAPER[dark], _EDGE[dark], _FRAME[dark], STYLES["sparse"].colour(dark))


def rect(box: Box, fill: str, stroke: str = "none", width: float = 1.0, opacity: float = 1.0) -> str:
    """A rectangle."""
    size = f'width="{box.right - box.left:.1f}" height="{box.bottom - box.top:.1f}"'
    paint = f'fill="{fill}" fill-opacity="{opacity:g}" stroke="{stroke}" stroke-width="{width:g}"'
    return f'<rect x="{box.left:.1f}" y="{box.top:.1f}" {size} {paint}/>'


def circle(x: float, y: float, radius: float, fill: str, stroke: str) -> str:
    """A circle."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}" stroke="{stroke}"/>'


def text(x: float, y: float, words: str, colour: str, bold: bool = False) -> str:
    """Words that begin at `x`; `y`: of their base line."""
    weight = ' font-weight="700"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="13" fill="{colour}"{weight}>{escape(words)}</text>'


def inside(box: Box, field: Field, size: tuple[int, int], least: float = 0.0) -> Box:
    """Where a field of a map of that size lies on a box, at least `least` wide and high."""
    tall, wide = (box.bottom - box.top) / size[0], (box.right - box.left) / size[1]
    left, right = box.left + field.left * wide, box.left + (field.right + 1) * wide
    top, bottom = box.top + field.top * tall, box.top + (field.bottom + 1) * tall
    x, y = max(0.0, least - (right - left)) / 2, max(0.0, least - (bottom - top)) / 2
    return Box(left - x, top - y, right + x, bottom + y)


def sight_lines(seen: Box, seer: Box, look: Inks, opacity: float = 1.0) -> str:
    """From what is seen to who sees it."""
    ends = ((seen.top, seer.top), (seen.bottom, seer.bottom))
    lines = "".join(f"M{seen.right:.1f} {a:.1f}L{seer.left:.1f} {b:.1f}" for a, b in ends)
    return f'<path d="{lines}" stroke="{look.lit}" stroke-opacity="{opacity:g}" stroke-width="1.4" fill="none"/>'
