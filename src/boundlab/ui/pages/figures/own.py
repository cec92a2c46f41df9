"""Runs that the reader trained, over the shipped curves: those of the same recipe always, of another recipe one at a time."""

from __future__ import annotations

import pandas as pd

from boundlab.ui.controls import Controls
from boundlab.ui.once import once_per_table
from boundlab.ui.pages.figures.selection import Selection
from boundlab.ui.variables import standing_at

_OFF = "off"
_HELP = (
    "Dashed lines with crossed circles, in the colours of the bounds: your runs. Those of another recipe are drawn as they were at "
    "the end of their training, and never averaged with others."
)


def own_control(controls: Controls, listing: pd.DataFrame, selection: Selection) -> tuple[str, ...]:
    """The ids of the runs of another recipe to draw over the shipped ones; none where there are none, or there is nothing shipped
    below them. `listing`: all runs on these data that the reader wants to see."""
    shown = selection.runs
    own = _trained_here(listing)
    if own.empty or shown["trained_here"].all():
        return ()
    own = standing_at(own, selection.choice.at)
    if selection.panel:
        own = own[own[selection.panel].isin(list(selection.panels))]
    recipe = shown["recipe"].iloc[0]
    others = [name for name in dict.fromkeys(own["recipe"]) if name != recipe]
    if not others:
        return ()
    alike = shown["trained_here"].any()
    chosen = controls.choose("Your runs", [*([recipe] if alike else []), *others, _OFF], "own", _HELP, width=280)
    return tuple(own[own["recipe"] == chosen]["run"]) if chosen in others else ()


@once_per_table
def _trained_here(listing: pd.DataFrame) -> pd.DataFrame:
    """The rows of runs that were trained here and learnt something."""
    return listing[listing["trained_here"].astype(bool) & listing["trained"].astype(bool)]
