"""Links to the Train form, filled in with the same network built otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import streamlit as st

from boundlab.analysis.subject import Subject
from boundlab.charts.networks import named
from boundlab.specs.arch import ArchSpec
from boundlab.specs.counterparts import locally_connected, mlp, tree
from boundlab.ui.privacy import plain
from boundlab.ui.train_link import arch_link

_WAYS: dict[str, Callable[[ArchSpec], ArchSpec]] = {
    "Train it without weight sharing": locally_connected,
    "Train it without overlap (tree)": tree,
    "Train an MLP of as many parameters": mlp,
}


def counterpart_links(subjects: Sequence[Subject], names: Sequence[str]) -> None:
    """Of every network the links to train it otherwise."""
    with st.expander("Train a counterpart", icon=":material/alt_route:"):
        for i, subject in enumerate(subjects):
            st.caption(plain(named(names[i], i)))
            _links(subject)


def _links(subject: Subject) -> None:
    """A link per counterpart that this network has."""
    for words, arch in _found(subject.arch).items():
        link = {"form": "true"} | _training(subject) | arch_link(arch)
        st.page_link("pages/9_train.py", label=f"{words}: {arch.title}", query_params=link)


def _found(arch: ArchSpec) -> dict[str, ArchSpec]:
    made = {}
    for words, way in _WAYS.items():
        with suppress(ValueError):  # groups, or no convolution to begin with
            made[words] = way(arch)
    return {words: other for words, other in made.items() if other != arch}


def _training(subject: Subject) -> dict[str, str]:
    """Data and weight decay, as the run's."""
    run = subject.run
    if run is None or run.spec.train.loss != "mse" or run.spec.train.labels is not None:
        return {"dataset": subject.dataset}
    if "weight_decay" in run.spec.train.unknown:
        return {"dataset": subject.dataset}
    return {"dataset": subject.dataset, "weight_decay": f"{run.spec.train.weight_decay:g}"}
