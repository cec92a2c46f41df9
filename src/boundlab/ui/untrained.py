"""A combination that there is no run of: a sentence about it, the nearest one at a click, and page Train filled in with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
import streamlit as st

from boundlab.specs.arch import ArchSpec
from boundlab.specs.recipes import recipe
from boundlab.specs.run import RunSpec
from boundlab.ui import address
from boundlab.ui.shelf import find_run
from boundlab.ui.train_link import run_link
from boundlab.ui.training_limit import too_long
from boundlab.ui.variables import Choice, preferred_start, standing_at, without_rows
from boundlab.words.untrained import combination, left_aside, several, untrained

_MOST_LINKS = 30


def offer_training(choice: Choice, peers: pd.DataFrame) -> None:
    """In place of a chart. `peers`: the runs of the same data and recipe, those that are left out of the pictures too; what
    `choice` does not say, the axis of a figure, is trained at its usual value, λ at all of its values."""
    alike = _like(peers)
    with st.container(border=True, key="untrained"):
        hidden = standing_at(peers, choice.at)
        title = _title(alike, choice.at)
        if len(hidden):
            st.markdown(left_aside(choice.at, title, bool(hidden["trained"].any())))
        else:
            st.markdown(untrained(choice.at, title, alike.train.dataset, recipe(alike)))
        with st.container(horizontal=True, vertical_alignment="center"):
            if len(hidden):
                st.button("Show it all the same", on_click=_include, key=f"include_{_name(choice)}")
            else:
                there = preferred_start(peers) | choice.at
                decays = [there["weight_decay"]] if "weight_decay" in choice.at else peers["weight_decay"].unique()
                _train(alike, there, decays)
            near = f"Show the nearest: {combination(choice.nearest, _title(alike, choice.nearest))}"
            st.button(near, on_click=_go, args=(choice,), icon=":material/near_me:", key=f"nearest_{_name(choice)}")


def offer_one(at: Mapping[str, float], peers: pd.DataFrame) -> None:
    """About one combination of all variables that a picture of many has no value of."""
    hidden, alike = standing_at(peers, at), _like(peers)
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(hidden):
            st.markdown(left_aside(at, _title(alike, at), bool(hidden["trained"].any())), width="content")
            st.button("Show it all the same", on_click=_include, key="include_one")
        else:
            words = untrained(at, _title(alike, at), alike.train.dataset, recipe(alike))
            st.markdown(words, width="content")
            _train(alike, at, [at["weight_decay"]])


def gaps(places: Sequence[Mapping[str, float]], peers: pd.DataFrame) -> None:
    """What a picture lacks, on request: a link to page Train per architecture. `places`: the combinations of all variables that it
    has room for."""
    found: dict[tuple[float, float], list[float]] = {}
    for at, missing in zip(places, without_rows(places, peers), strict=True):
        if missing:
            found.setdefault((at["conv_layers"], at["channels"]), []).append(at["weight_decay"])
    count = sum(map(len, found.values()))
    if not count:
        return
    words = "One network of this picture is" if count == 1 else f"{count} networks of this picture are"
    with st.popover(f"{words} not trained", icon=":material/grid_off:"):
        for (layers, channels), decays in list(found.items())[:_MOST_LINKS]:
            _train(_like(peers), {"conv_layers": layers, "channels": channels}, decays)
        if len(found) > _MOST_LINKS:
            st.caption(f"and {len(found) - _MOST_LINKS} more architectures")


def _like(peers: pd.DataFrame) -> RunSpec:
    """A run whose data and recipe are those of all."""
    return find_run(peers.sort_values("seed", kind="stable")["run"].iloc[0]).spec


def _arch(alike: RunSpec, at: Mapping[str, float]) -> ArchSpec:
    """Raises ValueError where there is no such network: the images are too small for so many layers."""
    return dataclasses.replace(alike.arch, conv_layers=int(at["conv_layers"]), channels=int(at["channels"]))


def _title(alike: RunSpec, at: Mapping[str, float]) -> str | None:
    if not {"conv_layers", "channels"} <= set(at):
        return None
    try:
        return _arch(alike, at).title
    except ValueError:
        return None


def _train(alike: RunSpec, at: Mapping[str, float], decays: Iterable[float]) -> None:
    """A link to page Train, or why there is none."""
    values = sorted(decays)
    try:
        specs = [
            RunSpec(_arch(alike, at), dataclasses.replace(alike.train, weight_decay=float(value))) for value in values
        ]
        link = run_link(specs[0], values)
    except ValueError as error:
        st.caption(f"It cannot be trained here: {error}.")
        return
    if why := too_long(specs[0]):
        st.caption(f"{several(specs[0].arch.title, values)}: {why}.")
        return
    label = f"Train {several(specs[0].arch.title, values)}"
    st.page_link("pages/9_train.py", label=label, icon=":material/model_training:", query_params=link)


def _name(choice: Choice) -> str:
    return "_".join(choice.names.values())


def _include() -> None:
    st.session_state["flagged"] = True


def _go(choice: Choice) -> None:
    """Put the sliders, and the handle above a chart, where there is a run."""
    for column, value in choice.nearest.items():
        if choice.at[column] != value:
            name = choice.names[column]
            if name in choice.held:
                address.put(name, [f"{value:g}"])
            else:
                st.session_state[name] = f"{value:g}"
