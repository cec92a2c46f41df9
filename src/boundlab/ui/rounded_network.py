"""The network that Theorem D is about, to download."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from boundlab.bounds.coded import CodedCertificate, best
from boundlab.checkpoints.rounding import rounded_file
from boundlab.runs.coded import trained_network_file
from boundlab.runs.pack import network_file, part_folders
from boundlab.runs.places import PACK, runs_folder
from boundlab.runs.run import Run


def offer_rounded_network(run: Run, delta: float) -> None:
    """A button, where the run has a certificate of Theorem D and its network is kept; the file is made when it is asked for."""
    found, path = best(run.coded, delta), stored_network(run.id)
    if found is None or path is None:
        return
    made_for_it = trained_network(run.id)
    if found.trained and made_for_it is None:
        return
    if found.trained and made_for_it:
        _offer("Network made for it", made_for_it.read_bytes, f"{run.id}-certified")
    else:
        offer_rounded(path, found, run.id)


def offer_rounded(path: Path, found: CodedCertificate, name: str) -> None:
    """A button for the network at `path` with its hidden weights rounded as a certificate says; made when it is asked for."""
    _offer("Network with rounded weights", lambda: rounded_file(path, found.roundings), f"{name}-rounded")


def _offer(label: str, content: Callable[[], bytes], name: str) -> None:
    st.download_button(
        label,
        content,
        f"{name}.safetensors",
        "application/octet-stream",
        icon=":material/download:",
        on_click="ignore",
        help="The network that Theorem D is about: the number on this page holds for it, and for nothing else. Open it "
        "on page Checkpoint, or with `boundlab evaluate`.",
    )


def stored_network(run: str) -> Path | None:
    """Where a run's network lies, if it is kept: in the shipped pack or among this server's runs."""
    places = [*(network_file(part, run) for part in part_folders(PACK)), runs_folder() / run / "network.safetensors"]
    return next((path for path in places if path.is_file()), None)


def trained_network(run: str) -> Path | None:
    """Where the network lies that was made of a run's for its certificate, if there is one."""
    places = [trained_network_file(folder, run) for folder in (*part_folders(PACK), runs_folder() / run)]
    return next((path for path in places if path.is_file()), None)
