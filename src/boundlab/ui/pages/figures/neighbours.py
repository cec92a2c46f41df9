"""The pictures one step of a slider away, made before a reader asks for them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

from boundlab.ui.ahead import ahead
from boundlab.ui.once import values_of
from boundlab.ui.pages.figures.drawing import drawing, reading
from boundlab.ui.pages.figures.selection import selected
from boundlab.ui.pages.figures.view import View
from boundlab.ui.variables import standing_at


def neighbours(view: View) -> Iterator[View]:
    """The views that one step of one slider leads to, those of the slider that was moved last first. None where the reader's
    runs of another recipe are drawn over the shipped ones: there may be others of them at another place."""
    choice, listing = view.selection.choice, view.selection.listing
    for column in sorted(choice.at, key=lambda name: name != choice.moved) if not view.own else ():
        values = values_of(listing, column)
        here = values.index(choice.at[column])
        for value in values[max(0, here - 1) : here] + values[here + 1 : here + 2]:
            at = choice.at | {column: value}
            there = dataclasses.replace(choice, rows=standing_at(listing, at), at=at)
            if not there.rows.empty:
                selection = selected(there, listing, view.axis, view.selection.panel)
                yield dataclasses.replace(view, selection=selection)


def make_neighbours(view: View, dark: bool, at: int) -> None:
    """Ask for them; `at`: where the handle stands, -1 at its end, wherever that is there."""
    ahead().ask([functools.partial(_make, one, dark, at) for one in neighbours(view)])


def _make(view: View, dark: bool, at: int) -> None:
    """All that the page shows of it."""
    made = drawing(view, dark).film
    # kept with the film
    made.written, made.shift  # noqa: B018
    reading(view, range(len(made.frames))[at])
