"""Start: the claim in one chart, and where to go next; and the server of `streamlit run app.py`."""

import streamlit as st
from streamlit import runtime

from boundlab.ui.asgi import MIDDLEWARE, lifespan
from boundlab.ui.page import PAGES, open_page
from boundlab.ui.pages.start import headline

if not runtime.exists():  # imported once, for the server; then run for every reader of the page Start
    app = st.App(__file__, middleware=MIDDLEWARE, lifespan=lifespan)
else:
    open_page("start")
    st.subheader("How much can theory promise about a trained network?", anchor=False)
    headline()
    st.markdown(
        "A generalization bound limits the test error using only the training run. Most are astronomically large. "
        "[Galanti et al. (NeurIPS 2023)](https://arxiv.org/abs/2301.12033) use that each neuron of a convolutional network "
        "sees few inputs, and get a bound that is often, not always, smaller by orders of magnitude. Move λ and watch, on "
        "networks really trained here."
    )
    st.markdown("#### Where to go next")
    for page in PAGES[1:]:
        st.page_link(page.path, label=page.title, icon=page.icon)
        st.caption(page.help)
