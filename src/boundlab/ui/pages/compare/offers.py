"""The networks there are to compare: shipped, trained here, checkpoints; and ready-made comparisons of them."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from boundlab.analysis.subject import Subject
from boundlab.runs.run import Run
from boundlab.specs.recipes import described
from boundlab.ui.run_filters import by_seed
from boundlab.ui.shelf import VisibleRuns, find_run, visible_runs
from boundlab.ui.subjects import kept_subjects

FEWEST_COMPARED, MOST_COMPARED = 2, 4
_ARCHITECTURES = ("CONV-3-16", "LC-3-4,4,3", "CONV-3-107 stride 2", "MLP-102-102-102")  # about 102,000 parameters each
_REFERENCE = 0.001  # weight decay of the shipped comparison
_MATCHED, _LEVEL = "Same size", "Same fit"


@dataclass(frozen=True)
class Entry:
    """One spec and its runs by seed. `train_error`: mean over them; `good`: all of them trained and reached the plateau;
    `typical`: the seed whose training error is nearest to that mean."""

    seeds: Mapping[str, str]  # label -> id of the run
    train_error: float
    good: bool
    typical: str


@dataclass(frozen=True)
class Pick:
    """A network as the link names it: the label of its spec, and its seed; "" for a checkpoint, which has none."""

    label: str
    seed: str = ""

    @property
    def name(self) -> str:
        """What the page calls it; no two networks share it."""
        return f"{self.label} · seed {self.seed}" if self.seed else self.label


@dataclass(frozen=True)
class ReadyMade:
    """A button that sets what is compared."""

    title: str
    help: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Offer:
    """Everything that can be compared: `runs`: label, as in the link -> runs that differ in the seed only; `loaded`: label ->
    checkpoint; `version`: of `library.seen`."""

    runs: Mapping[str, Entry]
    loaded: Mapping[str, Subject]
    version: str

    @property
    def labels(self) -> list[str]:
        """Of all networks, as the link has them."""
        return [*self.runs, *self.loaded]

    def picks(self) -> dict[str, Pick]:
        """Every network by its name."""
        found = [Pick(label, seed) for label, entry in self.runs.items() for seed in entry.seeds]
        return {pick.name: pick for pick in [*found, *map(Pick, self.loaded)]}

    def of_runs(self, ids: Collection[str]) -> list[Pick]:
        """The networks of these runs, in the order of the list."""
        found = [(label, seed, run) for label, entry in self.runs.items() for seed, run in entry.seeds.items()]
        return [Pick(label, seed) for label, seed, run in found if run in ids]

    def typical(self, label: str) -> Pick:
        """Of a spec the seed that stands for it."""
        return Pick(label, self.runs[label].typical if label in self.runs else "")

    def group(self, pick: Pick) -> list[Subject]:
        """The network, with the same network's other seeds behind it; named as on the page."""
        if pick.label in self.loaded:
            return [dataclasses.replace(self.loaded[pick.label], title=pick.name)]
        seeds = self.runs[pick.label].seeds
        order = [pick.seed, *(seed for seed in seeds if seed != pick.seed)]
        found = [(Pick(pick.label, seed).name, Subject.of_run(find_run(seeds[seed]))) for seed in order]
        return [dataclasses.replace(subject, title=name) for name, subject in found]


def offer() -> Offer:
    """What there is now, the checkpoints of this session's reader included."""
    now = visible_runs()
    loaded = {f"checkpoint {name}": subject for name, subject in kept_subjects().items()}
    return Offer(_entries(now.version, now), loaded, now.version)


@st.cache_data(show_spinner=False, max_entries=32)
def _entries(version: str, _seen: VisibleRuns) -> dict[str, Entry]:
    groups: dict[str, list[Run]] = {}
    for run in _seen.all:
        groups.setdefault(" · ".join(described(run.spec)[:-1]), []).append(run)
    found = {}
    for label, runs in groups.items():
        rows = pd.DataFrame({"seed": [r.spec.train.seed for r in runs], "run": [r.id for r in runs]})
        errors = {run.id: float(run.final["train_error"]) for run in runs}
        seeds, mean = by_seed(rows), sum(errors.values()) / len(errors)
        typical = min(seeds, key=lambda seed: abs(errors[seeds[seed]] - mean))
        found[label] = Entry(seeds, mean, all(run.trained and run.at_plateau for run in runs), typical)
    return {label: found[label] for label in sorted(found, key=_order)}


def _order(label: str) -> tuple[bool, bool, list[str | float]]:
    """MNIST first, what was trained for its certificate last, numbers by their size."""
    parts = re.split(r"(\d+(?:\.\d+)?)", label)  # text and numbers by turns
    return "MNIST" not in label, " · weight " in label, [float(p) if i % 2 else p for i, p in enumerate(parts)]


def presets(known: Mapping[str, Entry]) -> list[ReadyMade]:
    """Those of which at least two networks are there."""
    level = _level(known)
    errors = sorted(known[label].train_error for label in level)
    wanted = [
        ReadyMade(
            _LEVEL,
            "Shared weights, own weights at every position, patches that do not overlap, and dense layers: about 102,000 "
            "parameters each, at plateau, each at the λ that brings the training errors closest together"
            + (f": {errors[0]:.1%} to {errors[-1]:.1%}, means over the seeds." if errors else "."),
            level,
        ),
        ReadyMade(
            _MATCHED,
            f"The same four kinds of network with about 102,000 parameters each, all at λ = {_REFERENCE:g}.",
            tuple(_label(title, _REFERENCE) for title in _ARCHITECTURES),
        ),
        ReadyMade("Width", "Eight times the channels.", tuple(_label(f"CONV-3-{h}", 0.004) for h in (8, 16, 32, 64))),
        ReadyMade("Depth", "From 3 to 8 convolutions.", tuple(_label(f"CONV-{d}-16", 0.004) for d in (3, 4, 6, 8))),
    ]
    there = [ReadyMade(p.title, p.help, tuple(label for label in p.labels if label in known)) for p in wanted]
    return [
        p
        for i, p in enumerate(there)
        if len(p.labels) >= FEWEST_COMPARED and p.labels not in [q.labels for q in there[:i]]
    ]


def _label(title: str, weight_decay: float) -> str:
    return f"{title} · MNIST · λ = {weight_decay:g}"


def _level(known: Mapping[str, Entry]) -> tuple[str, ...]:
    """One label per architecture, the training errors as near to each other as they get; () where one is missing."""

    def apart(label: str, anchor: str) -> float:
        return abs(math.log(known[label].train_error / known[anchor].train_error))

    good = [label for label, entry in known.items() if entry.good and entry.train_error > 0]
    options = [[label for label in good if label.startswith(f"{title} · MNIST · λ = ")] for title in _ARCHITECTURES]
    if not all(options):
        return ()
    found = []
    for anchor in itertools.chain(*options):
        nearest = tuple(min(labels, key=lambda label: apart(label, anchor)) for labels in options)
        found.append((max(apart(label, anchor) for label in nearest), nearest))
    return min(found)[1]


def opening(known: Offer, offered: list[ReadyMade]) -> tuple[str, ...]:
    """What is compared to begin with: the shipped comparison, else a shallow and a deep network, else any two."""
    pair = (_label("CONV-3-16", 0.004), _label("CONV-8-16", 0.004))
    if offered and len(offered[0].labels) > FEWEST_COMPARED and offered[0].title in (_LEVEL, _MATCHED):
        return offered[0].labels
    return pair if all(label in known.runs for label in pair) else tuple(known.labels[:FEWEST_COMPARED])
