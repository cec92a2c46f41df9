"""Start: a question, a guess, a picture; and the server of `streamlit run app.py`."""

import streamlit as st
from streamlit import runtime

from boundlab.ui.asgi import MIDDLEWARE, lifespan
from boundlab.ui.page import open_page
from boundlab.ui.pages.start.page import QUESTION, start

if not runtime.exists():  # imported once, for the server; then run for every reader of the page Start
    app = st.App(__file__, middleware=MIDDLEWARE, lifespan=lifespan)
else:
    open_page("start")
    st.subheader(QUESTION, anchor=False)
    start()
