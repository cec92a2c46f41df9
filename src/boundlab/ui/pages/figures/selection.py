"""Which runs a figure page draws: sliders for the variables that stand still, one that is the handle, one the panels."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from boundlab.analysis.tables import Axis
from boundlab.text import format_epoch
from boundlab.ui.combinations import nearest
from boundlab.ui.controls import Controls
from boundlab.ui.handle import handle_at
from boundlab.ui.once import once_per_table, values_of
from boundlab.ui.variables import VARIABLES, Choice, narrow, preferred_start
from boundlab.words.untrained import SYMBOLS

ONE = "one"
_PANELS = {ONE: None, "layers": "conv_layers", "channels": "channels", "weight decay": "weight_decay"}
_MOST_PANELS = 4


@dataclass(frozen=True)
class Handle:
    """What the handle above the chart runs through: a column of the tables, its words, its name in the link."""

    column: str
    name: str
    key: str
    word: str  # in file names
    default: str | None = None  # label of the preferred position; None: the last


_LAMBDA = Handle("weight_decay", "λ =", "wd", "lambda", "0.004")
_EPOCH = Handle("epoch", "epoch", "epoch", "epoch")
_OTHER = {  # of page Memorisation: what its picture does not run over
    "label_noise": Handle("n_train", "n =", "n_train", "n"),
    "n_train": Handle("label_noise", "label noise =", "label_noise", "label-noise", "0"),
}


@dataclass(frozen=True)
class Selection:
    """`runs`: rows of `tables.runs_table`, none where nothing of the `choice` was trained; `panel`: the column that tells panels
    apart; `panels`: its values, titled; `listing`: all rows to choose from."""

    runs: pd.DataFrame
    handle: Handle | None
    panel: str | None
    panels: dict[float, str]
    choice: Choice
    listing: pd.DataFrame

    @property
    def combinations(self) -> list[dict[str, float]]:
        """All that the picture has a place for, trained or not."""
        values: dict[str, list[float]] = {column: list(values_of(self.listing, column)) for column in VARIABLES}
        values |= {self.panel: list(self.panels)} if self.panel else {}
        values |= {column: [value] for column, value in self.choice.at.items()}
        return [dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())]


def select(controls: Controls, listing: pd.DataFrame, axis: Axis, panels: str) -> Selection:
    """Sliders for what is neither the axis, nor the panels, nor the handle."""
    panel = _PANELS[panels]
    handle = _handle(axis, panel)
    moving = {axis.column, panel, handle.column if handle else None}
    still = [column for column in VARIABLES if column not in moving]
    if axis.study:
        still = _with_a_choice(controls, listing, still)
    if not still:
        return selected(Choice(listing, {}, {}, {}), listing, axis, panel)
    best = _with_a_curve(listing, axis, (*still, *([panel] if panel else [])))
    choice = narrow(controls, listing, still, best=_that_fit(best, tuple(still)) if axis.study else best)
    return selected(choice, listing, axis, panel)


def _with_a_choice(controls: Controls, listing: pd.DataFrame, columns: list[str]) -> list[str]:
    """The columns that have more than one value: the others need no slider."""
    several = [column for column in columns if len(values_of(listing, column)) > 1]
    for column in set(columns) - set(several):
        label, key, _ = VARIABLES[column]
        controls.check(key, [f"{value:g}" for value in values_of(listing, column)], label)
    return several


def _handle(axis: Axis, panel: str | None) -> Handle | None:
    if axis.study:
        return _OTHER[axis.key]
    return _EPOCH if axis.key != "epoch" else None if panel == "weight_decay" else _LAMBDA


def selected(choice: Choice, listing: pd.DataFrame, axis: Axis, panel: str | None) -> Selection:
    """What a choice shows; `panel`: the column that tells panels apart."""
    runs, handle = choice.rows, _handle(axis, panel)
    if axis.study and handle:
        runs = _with_a_line(runs, axis.column, handle.column)
    if panel is None or runs.empty:
        return Selection(runs, handle, None, {0.0: ""}, choice, listing)
    runs, kept = _in_panels(runs, panel, together=handle is _LAMBDA)
    titles = {value: f"{SYMBOLS[panel]} = {value:g}" for value in kept}
    return Selection(runs, handle, panel, titles, choice, listing)


@once_per_table
def _in_panels(runs: pd.DataFrame, panel: str, together: bool) -> tuple[pd.DataFrame, tuple[float, ...]]:
    """The rows that the panels show, and the values of the panels; `together`: only at weight decays that every one of them has,
    as all move together."""
    values = sorted(runs[panel].astype(float).unique().tolist())
    which = np.unique(np.linspace(0, len(values) - 1, min(_MOST_PANELS, len(values))).round().astype(int))
    kept = _with_preferred([values[i] for i in which], values, runs[panel].astype(float), VARIABLES[panel][2])
    runs = runs[runs[panel].isin(kept)]
    if together:
        common = set.intersection(*(set(rows["weight_decay"]) for _, rows in runs.groupby(panel)))
        runs = runs[runs["weight_decay"].isin(common)] if common else runs
    return runs, kept


def _with_preferred(kept: list[float], values: list[float], of_runs: pd.Series, preferred: float) -> tuple[float, ...]:
    """Where pages begin is among the panels, in the place of the one with the fewest runs."""
    if preferred in kept or preferred not in values:
        return tuple(kept)
    fewest = min(kept, key=lambda value: int((of_runs == value).sum()))
    return tuple(sorted({*kept, preferred} - {fewest}))


@once_per_table
def _with_a_curve(listing: pd.DataFrame, axis: Axis, others: tuple[str, ...]) -> pd.DataFrame:
    """Leave out choices at which the axis has a single value, where there are others: nobody is led there."""
    if axis.key == "epoch":
        return listing
    points = listing.groupby(list(others))[axis.column].transform("nunique")
    return listing[points > 1] if (points > 1).any() else listing


@once_per_table
def _that_fit(listing: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Leave out choices at which fewer networks fit their labels than at others: memorising is what is to be seen first."""
    share = listing.groupby(list(columns))["fitted"].transform("mean")
    return listing[share == share.max()]


@once_per_table
def _with_a_line(runs: pd.DataFrame, along: str, by: str) -> pd.DataFrame:
    """Leave out positions of a handle at which there is a single point, where others have more."""
    points = runs.groupby(by)[along].transform("nunique")
    return runs[points > 1] if (points > 1).any() else runs


def panel_choices(listing: pd.DataFrame, axis: Axis) -> list[str]:
    """By which variables the picture can be split."""
    return [
        name
        for name, column in _PANELS.items()
        if column != axis.column and (column is None or len(values_of(listing, column)) > 1)
    ]


def panel_labels(values: list[float], handle: Handle | None) -> list[str]:
    """What the positions are called on screen and in the link."""
    if handle is _EPOCH:
        return [format_epoch(value) for value in values]
    return [f"{value:g}" for value in values]


def handle_position(controls: Controls, selection: Selection, names: list[str], key: str) -> int | None:
    """Where the handle stands: where the reader's browser reports that it was moved to, else as the address says. None: at a λ
    that other networks were trained at, and this one was not."""
    handle = selection.handle
    if handle is None:
        return 0
    every, default = names, handle.default if handle.default in names else names[-1]
    if handle is _LAMBDA and selection.panel is None:
        every = panel_labels(list(values_of(selection.listing, "weight_decay")), handle)
        default = f"{preferred_start(selection.listing)['weight_decay']:g}"
    if handle is _OTHER["label_noise"]:
        default = _where_they_fit(selection.runs, names)
    at = handle_at(controls, key, handle.key, handle.name.removesuffix(" ="), every, names, few=handle is not _EPOCH)
    controls.keep(handle.key, at or default, default)
    return names.index(at or default) if (at or default) in names else None


def _where_they_fit(runs: pd.DataFrame, names: list[str]) -> str:
    """The largest n at which most networks learnt their images by heart; the last where there is none."""
    most = runs.groupby("n_train")["fitted"].mean()
    fit = [name for name in names if most.get(float(name), 0.0) >= 0.5]
    return fit[-1] if fit else names[-1]


def at_handle(controls: Controls, selection: Selection) -> Choice:
    """The choice with the λ that the handle was asked for and does not have."""
    at = float(controls.hold(_LAMBDA.key) or preferred_start(selection.listing)["weight_decay"])
    near = nearest(selection.runs, selection.choice.at | {"weight_decay": at})
    choice, name = selection.choice, {"weight_decay": _LAMBDA.key}
    return Choice(
        selection.runs[:0], choice.at | {"weight_decay": at}, near, choice.names | name, frozenset(name.values())
    )
