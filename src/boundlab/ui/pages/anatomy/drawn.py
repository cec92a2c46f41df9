"""The pictures of one bound, or of two side by side, with what they say."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
from streamlit.delta_generator import DeltaGenerator

from boundlab.analysis.anatomy import anatomy, joined
from boundlab.analysis.six import six_bars
from boundlab.bounds.base import Bound, Value
from boundlab.charts.six import six_chart
from boundlab.charts.theme import styles
from boundlab.charts.waterfall import waterfall
from boundlab.ui.controls import Controls
from boundlab.ui.page import is_dark
from boundlab.ui.pages.anatomy.sides import Side
from boundlab.words.anatomy import largest_terms, moved_terms, six_moved, six_sentence


@dataclass(frozen=True)
class Drawn:
    """A picture, the sentence above it, what else it says, its numbers."""

    figure: go.Figure
    headline: str
    words: str
    table: pd.DataFrame


def six(controls: Controls, bound: Bound, sides: tuple[Side, Side | None], values: list[Value]) -> Drawn:
    """Up to six bars, of the first side or of both."""
    controls.hold(
        "merge", ("true", "false"), "Multiply the layers together"
    )  # links of the waterfall carry it; here everything is multiplied together
    settings = sides[0].settings
    called = styles(settings.convention)[bound.key].name
    every = [anatomy(value) for value in values]
    rows = [six_bars(value) for value in values]
    figure = six_chart(rows[0], rows[1] if sides[1] else None, is_dark())
    if sides[1] is None:
        words = largest_terms(anatomy(values[0], per_layer=False))
        return Drawn(figure, six_sentence(called, rows[0]), words, every[0].drop(columns=["start", "end"]))
    table = joined(*every)
    return Drawn(figure, six_moved(called, *rows), moved_terms(table), table)


def factors(controls: Controls, sides: tuple[Side, Side | None], values: list[Value], more: DeltaGenerator) -> Drawn:
    """Every factor by itself, or multiplied over the layers."""
    first, second = sides
    words = largest_terms(anatomy(values[0], per_layer=False))
    layers = len(first.world.norms.layers)
    with more:
        per_layer = not controls.switch("Multiply the layers together", "merge") if layers > 1 else True
    rows = [anatomy(value, per_layer) for value in values]
    table = joined(rows[0], rows[-1])
    figure = waterfall(rows[0], rows[1] if second else None, table, is_dark())
    said = moved_terms(table) if second else words
    return Drawn(figure, said, said, table if second else rows[0].drop(columns=["start", "end"]))


def names_of(bounds: tuple[Bound, Bound], first: Side, second: Side | None) -> str:
    """What is drawn, and which side is which."""
    if bounds[0] is not bounds[1] and second is not None:
        return f"{first.name} · {first.settings.convention} · δ = {first.settings.delta:g} · **solid**: Theorem S · **hatched**: Theorem S2"
    words = f"{styles(first.settings.convention)[bounds[0].key].name} · {first.settings.convention} · δ = {first.settings.delta:g}"
    if second is None:
        return f"{words} · {first.name}"
    return f"{words} · **solid**: {first.name} · **hatched**: {second.name}"
