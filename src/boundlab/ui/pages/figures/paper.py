"""The paper's own curves over ours: which are read off its figures, which are ours, and by how much they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from boundlab.analysis.paper import minus_paper, read_paper, relative_paper
from boundlab.analysis.tables import AXES, Axis
from boundlab.charts.theme import STYLES
from boundlab.ui.controls import Controls
from boundlab.ui.pages.figures.view import Overlay
from boundlab.ui.run_tables import runs_of

if TYPE_CHECKING:
    from boundlab.ui.pages.figures.view import View

OFF = "off"
_PAPER_LAMBDA = 3e-3
_HELP = (
    "Faint dashed lines: the curves of the paper's figure, read off the plot, ± the reading error. Where we have a point "
    "at the same place, the hover says by how much ours differs."
)


@st.cache_resource(show_spinner=False)
def _panels(key: str) -> list[str]:
    return [OFF, *sorted(read_paper(AXES[key])["panel"].unique(), key=lambda p: (len(p), p))]


def paper_control(axis: Axis, controls: Controls) -> str:
    """Which of the paper's panels to lay over ours."""
    return controls.choose("Paper's curves", _panels(axis.key), "paper", _HELP)


def overlay(axis: Axis, panel: str, view: View, ends: pd.DataFrame, shown: list[str]) -> Overlay:
    """`ends`: our curves at the end of training. Epochs are shrunk so that the paper's 500 lie over ours, unless the runs
    follow the paper's own recipe."""
    if panel == OFF:
        return Overlay(None)
    paper = read_paper(axis)
    paper = paper[(paper["panel"] == panel) & paper["series"].isin(shown)]
    paper = paper.assign(paper_x=paper["x"])
    if paper.empty:
        return Overlay(None)
    runs = view.selection.runs
    own_recipe = bool((runs["preset"] == "paper").all())
    if axis.key == "epoch" and not own_recipe:
        paper = paper.assign(x=paper["x"] * ends[axis.column].max() / paper["x"].max())
    why_not = _incomparable(axis, view, own_recipe)
    apart = minus_paper(ends, paper, axis) if not why_not else pd.DataFrame(columns=["x", "series", "difference"])
    known = apart.set_index(["series", "x"])["difference"].to_dict()
    paper = paper.assign(
        difference=[known.get((s, round(x, 9))) for s, x in zip(paper["series"], paper["x"], strict=True)]
    )
    paper["difference"] = paper["difference"].astype(float)
    short = f"dashed: the paper's {panel}, published, read off its figure {axis.paper_figure}"
    shared: dict[str, object] = {"source": f"paper's figure {axis.paper_figure}, {panel}, read off the plot"}
    shared |= {"convention": "published", "n": 50_000, "delta": 0.001, "dataset": "mnist"}
    shared |= {} if axis.key == "weight_decay" else {"weight_decay": _PAPER_LAMBDA}
    drawn = relative_paper(paper).assign(difference=float("nan")) if view.scale == "relative" else paper
    return Overlay(drawn, _note(axis, panel, view, apart, why_not), short, shared)


def _incomparable(axis: Axis, view: View, own_recipe: bool) -> str:
    """Why ours and the paper's points cannot be subtracted; empty when they can."""
    decay = view.selection.runs["weight_decay"]
    if view.dataset != "mnist":
        return "The paper trained on MNIST, so no difference is taken."
    if view.settings.convention != "published":
        return "The paper plots the published convention, so no difference is taken."
    if view.selection.panel:
        return "With one panel, the difference to ours is given per point."
    if axis.key != "weight_decay" and not (decay - _PAPER_LAMBDA).abs().lt(1e-9).any():
        return f"The paper's λ here is {_PAPER_LAMBDA:g}, ours is {decay.iloc[0]:g}, so no difference is taken."
    if axis.key == "epoch" and not own_recipe:
        return "Its 500 epochs are shrunk to the length of our training, so no difference is taken."
    return ""


def _signed(number: float) -> str:
    return f"{round(number, 1) + 0.0:+.1f}".replace("-", "−")


def _note(axis: Axis, panel: str, view: View, apart: pd.DataFrame, why_not: str) -> str:
    fixed = "" if axis.key == "weight_decay" else f", λ = {_PAPER_LAMBDA:g}"
    words = (
        f"Faint dashed lines with crosses: the paper's {panel} on MNIST, read off its figure {axis.paper_figure} (published "
        f"convention, n = 50,000, 500 epochs{fixed}). Every other point is a run of ours. "
    )
    if not (runs_of("mnist", view.seen)["preset"] == "paper").any():
        words += "None of ours has the paper's size yet: that takes a GPU (`boundlab sweep data/grid_paper.toml`). "
    if view.scale == "relative":
        words += "Each of its lines is divided by its own first point. "
    if why_not:
        return words + why_not
    if apart.empty:
        return words + "No point of ours lies at one of the paper's."
    spans = [
        f"{STYLES[name].short} {_signed(rows['difference'].min())} to {_signed(rows['difference'].max())}"
        for name in STYLES
        if len(rows := apart[apart["series"] == name])
    ]
    return words + "Ours at the end of training minus the paper's, in log₂: " + ", ".join(spans) + "."
