"""Whether the images are on this machine, and getting them with progress."""

from __future__ import annotations

import streamlit as st

from boundlab import downloads, sources
from boundlab.catalog import DATASETS
from boundlab.doubts import doubts
from boundlab.ui.train import engine


def data_ready(dataset: str) -> None:
    """Where images are missing: say so and offer to fetch them; of one's own data what is to be doubted."""
    if not sources.missing(dataset):
        for words in doubts(DATASETS[dataset].copies, DATASETS[dataset].in_shape):
            st.warning(words)
        return
    running = downloads.progress(dataset).get("state") == "running"
    st.fragment(_fetching, run_every=0.5 if running else None)(dataset, running)


def _fetching(dataset: str, was_running: bool) -> None:
    title, now = DATASETS[dataset].title, downloads.progress(dataset)
    running = now.get("state") == "running"
    if running != was_running or not sources.missing(dataset):
        st.rerun()
    if running:
        total = now.get("total_bytes") or sources.download_size(dataset)
        done = min(1.0, (now.get("bytes") or 0) / total)
        st.progress(done, f"Downloading {title}: {(now.get('bytes') or 0) / 1e6:.1f} of {total / 1e6:.1f} MB")
        return
    if now.get("state") == "failed":
        st.error(f"{now.get('error')}.")
    st.info(
        f"{title} is not on this machine: {len(sources.missing(dataset))} files are missing in "
        f"`{sources.data_root() / sources.FOLDERS[dataset]}`.",
        icon=":material/database:",
    )
    st.button(
        f"Download {title} ({sources.download_size(dataset) / 1e6:.0f} MB)",
        type="primary",
        icon=":material/download:",
        on_click=lambda: engine.act(lambda: downloads.begin(dataset)),
    )
