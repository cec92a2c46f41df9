"""A page with the live view of the run folder in LIVE_RUN and nothing else, rerun every second."""

import os
from pathlib import Path

import streamlit as st

from boundlab.runs import part_errors
from boundlab.runs.folder import open_run
from boundlab.ui.controls import Controls
from boundlab.ui.pages.train.live import live_view
from boundlab.ui.shipped import shipped_runs

st.set_page_config("Live view", layout="wide")


@st.fragment(run_every=1)
def view() -> None:
    folder = Path(os.environ["LIVE_RUN"])
    run = open_run(folder)
    alike = [r for r in shipped_runs() if r.spec.train.dataset == run.spec.train.dataset]
    live_view(Controls(), run, alike, part_errors.read_part_errors(folder))


view()
