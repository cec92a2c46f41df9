"""Where to go on from Start: three questions, with the settings filled in, and the Playground."""

from __future__ import annotations

import streamlit as st

from boundlab.ui.page import PAGES
from boundlab.ui.pages.start.choice import Chosen


def stories(chosen: Chosen, label: str) -> None:
    """`label`: the λ at which the handle stands."""
    here = {"dataset": chosen.dataset}
    shape = {"layers": f"{chosen.arch.conv_layers}", "channels": f"{chosen.arch.channels}"}
    told = (
        ("Is it vacuous?", "lambda", here | shape, "Every bound against weight decay, as the paper draws them."),
        (
            "Does depth hurt?",
            "depth",
            here | {"channels": shape["channels"], "wd": label},
            "The same with more layers.",
        ),
        (
            "What can be certified?",
            "certificates",
            {"networks": "certified"},
            "Networks trained for the promise itself.",
        ),
    )
    paths = {page.key: page.path for page in PAGES}
    with st.container(horizontal=True, key="stories"):
        for question, key, link, sentence in told:
            with st.container(width=250):
                st.page_link(paths[key], label=f"**{question}**", icon=":material/arrow_forward:", query_params=link)
                st.caption(sentence)
        if "playground" in paths:
            with st.container(width=250):
                st.page_link(paths["playground"], label="**Playground**", icon=":material/arrow_forward:")
                st.caption("Train networks in front of you.")
