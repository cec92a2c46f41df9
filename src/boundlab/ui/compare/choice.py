"""Which networks are compared: one per column, from the pack, from own runs, or from a checkpoint."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.recipes import described
from boundlab.runs import Run
from boundlab.subjects import Subject
from boundlab.ui.address import get, put
from boundlab.ui.checkpoint.kept import kept_subjects
from boundlab.ui.controls import Controls, by_seed
from boundlab.ui.library import all_runs, find_run, shelf

FEWEST, MOST = 2, 4
COUNTS = tuple(map(str, range(FEWEST, MOST + 1)))
ARCHITECTURES = ("CONV-3-16", "LC-3-4,4,3", "CONV-3-107 stride 2", "MLP-102-102-102")  # about 102,000 parameters each
REFERENCE = 0.001  # weight decay of the shipped comparison
MATCHED, LEVEL = "Matched in parameters", "Matched in training error too"
NETWORK_HELP = "Shipped runs, runs trained here and checkpoints; type to search, for example `MLP` or `0.004`."


@dataclass(frozen=True)
class Entry:
    """A network to choose: one spec and its runs by seed. `train_error`: mean over them; `good`: all of them trained and
    reached the plateau; `typical`: the seed whose training error is nearest to that mean."""

    seeds: Mapping[str, str]  # label -> id of the run
    train_error: float
    good: bool
    typical: str


@dataclass(frozen=True)
class Preset:
    """A button that sets the columns."""

    title: str
    help: str
    labels: tuple[str, ...]


@st.cache_data(show_spinner=False, max_entries=8)
def _entries(version: str) -> dict[str, Entry]:
    groups: dict[str, list[Run]] = {}
    for run in all_runs():
        groups.setdefault(" · ".join(described(run.spec)[:-1]), []).append(run)
    found = {}
    for label, runs in groups.items():
        rows = pd.DataFrame({"seed": [r.spec.train.seed for r in runs], "run": [r.id for r in runs]})
        errors = {run.id: float(run.final["train_error"]) for run in runs}
        seeds, mean = by_seed(rows), sum(errors.values()) / len(errors)
        typical = min(seeds, key=lambda seed: abs(errors[seeds[seed]] - mean))
        found[label] = Entry(seeds, mean, all(run.trained and run.at_plateau for run in runs), typical)
    return dict(sorted(found.items(), key=lambda item: ("MNIST" not in item[0], item[0])))


def entries() -> dict[str, Entry]:
    """Label, as in the link -> runs that differ in the seed only."""
    return _entries(shelf().version)


def checkpoints() -> dict[str, Subject]:
    """Label -> network measured from a checkpoint, kept or uploaded in this session."""
    return {f"checkpoint {name}": subject for name, subject in kept_subjects().items()}


def presets(known: Mapping[str, Entry]) -> list[Preset]:
    """Those of which at least two networks are there."""
    level = _level(known)
    errors = sorted(known[label].train_error for label in level)
    wanted = [
        Preset(
            LEVEL,
            "Shared weights, own weights at every position, patches that do not overlap, and dense layers: about 102,000 "
            "parameters each, at plateau, each at the λ that brings the training errors closest together"
            + (f": {errors[0]:.1%} to {errors[-1]:.1%}, means over the seeds." if errors else "."),
            level,
        ),
        Preset(
            MATCHED,
            f"The same four kinds of network with about 102,000 parameters each, all at λ = {REFERENCE:g}.",
            tuple(_label(title, REFERENCE) for title in ARCHITECTURES),
        ),
        Preset("Width", "Eight times the channels.", tuple(_label(f"CONV-3-{h}", 0.004) for h in (8, 16, 32, 64))),
        Preset("Depth", "From 3 to 8 convolutions.", tuple(_label(f"CONV-{d}-16", 0.004) for d in (3, 4, 6, 8))),
    ]
    there = [Preset(p.title, p.help, tuple(label for label in p.labels if label in known)) for p in wanted]
    return [p for i, p in enumerate(there) if len(p.labels) >= FEWEST and p.labels not in [q.labels for q in there[:i]]]


def _label(title: str, weight_decay: float) -> str:
    return f"{title} · MNIST · λ = {weight_decay:g}"


def _level(known: Mapping[str, Entry]) -> tuple[str, ...]:
    """One label per architecture, the training errors as near to each other as they get; () where one is missing."""

    def apart(label: str, anchor: str) -> float:
        return abs(math.log(known[label].train_error / known[anchor].train_error))

    good = [label for label, entry in known.items() if entry.good and entry.train_error > 0]
    options = [[label for label in good if label.startswith(f"{title} · MNIST · λ = ")] for title in ARCHITECTURES]
    if not all(options):
        return ()
    found = []
    for anchor in itertools.chain(*options):
        nearest = tuple(min(labels, key=lambda label: apart(label, anchor)) for labels in options)
        found.append((max(apart(label, anchor) for label in nearest), nearest))
    return min(found)[1]


def chosen(controls: Controls) -> list[list[Subject]]:
    """The networks in the columns, each with the same network's other seeds behind it."""
    known, loaded = entries(), checkpoints()
    offered, names = presets(known), [*known, *loaded]
    if len(names) < FEWEST:
        st.info("There are not two networks to compare: train some, or restore the shipped runs.")
        st.stop()
    first = _opening(offered, names)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _count_from_the_link(controls)
        count = int(controls.pick("Networks", COUNTS, "count", default=str(len(first))))
        for preset in offered:
            st.button(preset.title, help=preset.help, on_click=_set, args=(preset, known), key=f"preset_{preset.title}")
    more = offered[-1].labels if offered else ()
    defaults = list(dict.fromkeys([*first, *more, *names]))
    groups = []
    for number, column in enumerate(columns(count, "choice"), start=1):
        with column:
            groups.append(_column(controls, number, names, defaults[number - 1], known, loaded))
    return groups


def _opening(offered: Sequence[Preset], names: Sequence[str]) -> tuple[str, ...]:
    """What is compared to begin with: the shipped comparison, else a shallow and a deep network, else any two."""
    pair = (_label("CONV-3-16", 0.004), _label("CONV-8-16", 0.004))
    if offered and len(offered[0].labels) > FEWEST and offered[0].title in (LEVEL, MATCHED):
        return offered[0].labels
    return pair if all(label in names for label in pair) else tuple(names[:FEWEST])


def columns(count: int, key: str) -> list[DeltaGenerator]:
    """One per network; on a narrow screen two beside each other (the page's style sheet says so)."""
    with st.container(key=f"compare_columns_{key}"):
        return st.columns(count)


def _count_from_the_link(controls: Controls) -> None:
    """A link that names networks but not how many means those."""
    named = [k for k in range(1, MOST + 1) if get(f"n{k}")]
    if named and get("count") is None and controls.arriving("count"):
        put("count", [str(max(FEWEST, *named))])


def _set(preset: Preset, known: Mapping[str, Entry]) -> None:
    st.session_state["count"] = str(len(preset.labels))
    for number, label in enumerate(preset.labels, start=1):
        st.session_state[f"n{number}"] = label
        st.session_state[f"s{number}"] = known[label].typical


def _column(
    controls: Controls,
    number: int,
    names: Sequence[str],
    default: str,
    known: Mapping[str, Entry],
    loaded: Mapping[str, Subject],
) -> list[Subject]:
    label = controls.choose(f"Network {number}", names, f"n{number}", NETWORK_HELP, default, width="stretch", few=False)
    if label in loaded:
        return [loaded[label]]
    seeds, key = known[label].seeds, f"s{number}"
    seed = typical = known[label].typical
    if len(seeds) > 1:
        seed = (
            controls.pick(f"Seed {number}", list(seeds), key, default=typical)
            if len(seeds) < MOST
            else controls.choose(f"Seed {number}", list(seeds), key, default=typical)
        )
    others = [run for name, run in seeds.items() if name != seed]
    return [Subject.of_run(find_run(run)) for run in (seeds[seed], *others)]
