"""About networks that a page is asked for and that there is no run of: what is missing, why, what is there instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from boundlab.analysis.tables import AXES
from boundlab.specs.own_data import DATASETS

SYMBOLS = {axis.column: axis.symbol for axis in AXES.values()}  # column -> its letter


def combination(at: Mapping[str, float], title: str | None = None) -> str:
    """A combination of layers, channels and λ in words; `title`: the architecture's name, where `at` has both layers and
    channels."""
    shape = ("conv_layers", "channels") if title else ()
    rest = [f"{SYMBOLS[column]} = {value:g}" for column, value in at.items() if column not in shape]
    if title:
        return f"{title} at {', '.join(rest)}" if rest else title
    return " and ".join(filter(None, [", ".join(rest[:-1]), rest[-1]]))


def several(title: str, decays: Sequence[float]) -> str:
    """One architecture at some values of λ."""
    return f"{title} at λ = {', '.join(f'{value:g}' for value in sorted(decays))}"


def untrained(at: Mapping[str, float], title: str | None, dataset: str, recipe: str) -> str:
    """That nothing of this combination has been trained."""
    how = "" if recipe == "short" else f" by the recipe “{recipe}”"
    subject = f"{combination(at, title)} has not" if title else f"No network with {combination(at)} has"
    return f"**{subject} been trained** on {DATASETS[dataset].title}{how}."


def left_aside(at: Mapping[str, float], title: str | None, trained: bool) -> str:
    """That there is a run of it which is left out; `trained`: whether it learnt anything."""
    which = combination(at, title) if title else f"The network with {combination(at)}"
    why = "did not reach the plateau" if trained else "did not train"
    return f"**{which} {why}**, so it is left out: its norms are not those that weight decay leads to."
