"""What Start draws and says about one architecture, made once for all readers."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from boundlab.analysis.promises import Line, Promised, drawn_lines, promised
from boundlab.charts.promises import Guess, promise_film
from boundlab.charts.sketch import network_sketch
from boundlab.charts.svg import as_image
from boundlab.charts.trend import Film
from boundlab.data.example import Example, example_of
from boundlab.ui.pages.start.choice import Chosen
from boundlab.ui.shelf import find_run
from boundlab.words.promises import promise_verdict, rows


@dataclass(frozen=True)
class Story:
    """`networks` by λ, the `lines` drawn, and a verdict for each network."""

    networks: list[Promised]
    lines: list[Line]
    verdicts: list[str]

    def film(self, guess: Guess | None, dark: bool) -> Film:
        """The picture at every λ."""
        return promise_film(rows(self.lines, self.networks), [n.test_error for n in self.networks], guess, dark)

    def table(self, delta: float) -> pd.DataFrame:
        """What is drawn at every λ, a row per number."""
        return pd.DataFrame([row for network in self.networks for row in _rows(network, self.lines, delta)])


def _rows(network: Promised, drawn: list[Line], delta: float) -> list[dict[str, object]]:
    shared = {"run": network.run.id, "weight_decay": network.weight_decay, "delta": delta}
    found: list[dict[str, object]] = [shared | {"quantity": "test_error", "value": network.test_error, "delta": None}]
    limits = {g.kind: (g.limit, g.about, g.used) for g in network.made}
    for line in drawn:
        old = (network.older.get(line.key), "networks of these norms, fixed beforehand", "theorem convention")
        value, about, used = limits.get(line.key, old)
        found.append(shared | {"quantity": line.key, "value": value, "about": about, "from": used})
    return found


@st.cache_resource(show_spinner=False, max_entries=32)
def _story(ids: tuple[str, ...], delta: float, every: bool) -> Story:
    networks = promised([find_run(name) for name in ids], delta)
    return Story(networks, drawn_lines(networks, every), [promise_verdict(network) for network in networks])


def story(chosen: Chosen) -> Story:
    """Of the networks chosen."""
    return _story(tuple(run.id for run in chosen.runs), chosen.delta, chosen.every)


@st.cache_resource(show_spinner=False)
def _example(dataset: str) -> Example | None:
    try:
        return example_of(dataset)
    except (OSError, ValueError, KeyError):
        return None  # a drawing does without


def sketch(chosen: Chosen, at: int, dark: bool) -> str:
    """The network on a real digit, and what it says; on an empty frame where there is none."""
    example = _example(chosen.dataset)
    run = chosen.runs[at]
    if example is None or example.pixels.shape != run.spec.arch.in_shape[1:]:
        return as_image(network_sketch(run.spec.arch, None, None, dark))
    return as_image(network_sketch(run.spec.arch, example.pixels, example.chosen.get(run.id), dark))
