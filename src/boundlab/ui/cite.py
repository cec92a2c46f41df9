"""Under a chart: what somebody else needs to draw this view again, as text to copy."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from boundlab.specs.pages import PAGE
from boundlab.ui.address import here
from boundlab.ui.shipped import shipped_hash
from boundlab.words.citation import citation, frame


def cite(caption: str, runs: Collection[str]) -> None:
    """BibTeX, and HTML for a page of the reader's own. `caption`: what the chart shows; `runs`: the ids of those drawn."""
    name = PAGE[here().page].title
    st.markdown("**Cite this view** with the link that is copied under the chart")
    st.code(citation(name, caption, runs, shipped_hash()), language="bibtex", wrap_lines=True)
    st.markdown("**In your own page or slides**")
    st.code(frame(st.context.url or "", here().params, name), language="html", wrap_lines=True)
