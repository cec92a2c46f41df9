"""Start: the claim in one chart, and where to go next."""

import streamlit as st

from boundlab.ui.page import PAGES, open_page
from boundlab.ui.start import headline

open_page("start")
st.header("How much can theory promise about a trained network?")
st.markdown(
    "A generalization bound limits the test error using only the training run. Most are astronomically large. "
    "[Galanti et al. (NeurIPS 2023)](https://arxiv.org/abs/2301.12033) use that each neuron of a convolutional network "
    "sees few inputs, and get a bound that is often, not always, smaller by orders of magnitude. Move λ and watch, on networks really trained here."
)
headline()
st.markdown("#### Where to go next")
for page in PAGES[1:]:
    st.page_link(page.path, label=page.title, icon=page.icon)
    st.caption(page.help)
