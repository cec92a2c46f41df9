"""Whether the images are on this machine, and getting them with progress."""

from __future__ import annotations

from functools import partial

import streamlit as st

from boundlab.data import locate
from boundlab.jobs import downloads
from boundlab.quantities.doubts import doubts
from boundlab.specs.own_data import DATASETS
from boundlab.ui.actions import failure
from boundlab.ui.privacy import plain
from boundlab.ui.visitor import at_home

_NOTE = "download_note_"  # and the data set: why its download could not start


def data_ready(dataset: str) -> None:
    """Where images are missing: say so and offer to fetch them; of one's own data what is to be doubted."""
    if not locate.missing(dataset):
        for words in doubts(DATASETS[dataset].copies, DATASETS[dataset].in_shape):
            st.warning(words)
        return
    running = downloads.progress(dataset).get("state") == "running"
    st.fragment(_fetching, run_every=0.5 if running else None)(dataset, running)


def _fetching(dataset: str, was_running: bool) -> None:
    title, now = DATASETS[dataset].title, downloads.progress(dataset)
    running = now.get("state") == "running"
    if running != was_running or not locate.missing(dataset):
        st.rerun()
    if running:
        total = now.get("total_bytes") or locate.download_size(dataset)
        done = min(1.0, (now.get("bytes") or 0) / total)
        st.progress(done, f"Downloading {title}: {(now.get('bytes') or 0) / 1e6:.1f} of {total / 1e6:.1f} MB")
        return
    note = st.session_state.get(_NOTE + dataset) or (now.get("error") if now.get("state") == "failed" else None)
    if note:
        st.error(f"{plain(note)}. Try again, or put the files where they belong yourself.", icon=":material/error:")
    where = f" in `{locate.folder_of(dataset)}`" if at_home() else ""
    st.info(
        f"{title} is not on this machine: {len(locate.missing(dataset))} files are missing{where}.",
        icon=":material/database:",
    )
    st.button(
        f"Download {title} ({locate.download_size(dataset) / 1e6:.0f} MB)",
        type="primary",
        icon=":material/download:",
        on_click=partial(_begin, dataset),
    )


def _begin(dataset: str) -> None:
    """Start the download, and nothing else; why it cannot start is said where the button is."""
    st.session_state[_NOTE + dataset] = failure(partial(downloads.begin, dataset))
