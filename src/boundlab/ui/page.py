"""open_page(): the first call of every page, so that a deep link on a fresh server finds everything set up."""

from __future__ import annotations

import streamlit as st

from boundlab.errors import BoundlabError
from boundlab.specs.pages import EVERYWHERE, LINK_VERSION, PAGE, PAGES, VERSION
from boundlab.text import quoted
from boundlab.ui import address
from boundlab.ui.address import arrive, get
from boundlab.ui.lesson_panel import lesson_panel
from boundlab.ui.presenting import offer_presenting, present, presenting
from boundlab.ui.privacy import without_paths
from boundlab.ui.server import upload_server
from boundlab.ui.shelf import shelf, visible_runs
from boundlab.ui.shipped import load_and_freeze_shipped, shipped_left_out
from boundlab.ui.visitor import at_home, meet

_FOLLOW_EVERY = 1.0  # seconds, while a run grows
_NOTICE_EVERY = {
    True: 5.0,
    False: 30.0,
}  # seconds, while none does: at home, in a class, where each look is one of many
_BY_THEMSELVES = (
    "start",
    "playground",
    "train",
    "checkpoint",
)  # they show no run that grows, or look after it themselves


def open_page(key: str) -> None:
    """Configure the page, draw the menu, say which parts of the link are not understood, load the runs."""
    page = PAGE[key]
    st.set_page_config(f"{page.title} · Boundlab", layout="wide", initial_sidebar_state=230)
    arrive(key, (*page.params, *EVERYWHERE), page.takes)
    st.html(_FORMULAS)
    if is_dark():
        st.html(_DARK_WORDS)
    present()
    _of_version()
    if not st.context.is_embedded:
        _menu()
    meet()
    if unknown := sorted(set(st.query_params) - {*page.params, *EVERYWHERE}):
        known = ", ".join(f"`{name}`" for name in page.params)
        st.warning(f"This link has parts this page does not know, ignored: {quoted(unknown)}. Known: {known}.")
    upload_server()  # the first page of a server clears what a killed one left of uploads
    try:
        load_and_freeze_shipped()
    except BoundlabError as error:
        st.error(
            f"The shipped runs cannot be read: {without_paths(str(error))}. Restore `data/runs` from the repository."
        )
        st.stop()
    advice = "Delete such a folder, or train it again; a certificate can be made again."
    _say_left_out(shelf().left_out, "Left out", advice, named=at_home())  # other people's runs
    _say_left_out(shipped_left_out(), "Left out of the shipped runs", "Restore `data/runs` from the repository.")
    now = visible_runs()
    lesson_panel(key)
    if key not in _BY_THEMSELVES:
        every = _FOLLOW_EVERY if now.live else _NOTICE_EVERY[at_home()]
        st.fragment(_follow, run_every=every)(now.stamp)


def _of_version() -> None:
    """What a link is a version of is not kept in the address, which says it in words of this version; a link of another is told so."""
    asked = address.arrived_with(VERSION)
    if asked:
        address.put(VERSION, [])
        if asked != [str(LINK_VERSION)]:
            st.warning(
                f"The link is of version {quoted(asked)}, made by another Boundlab; this one reads version {LINK_VERSION}. What it "
                "does not know of the link is left out."
            )


def _follow(stamp: str) -> None:
    """Draw the page again when a run that grows has a new record, when one has begun elsewhere, or has ended."""
    if visible_runs().stamp != stamp:
        st.rerun()


def _say_left_out(left_out: dict[str, str], where: str, advice: str, named: bool = True) -> None:
    if left_out:
        names = f": {quoted(sorted(left_out), 60)}" if named else ""
        st.sidebar.caption(f"{where}, {len(left_out)} not readable{names}. {advice}")


# A formula wider than a narrow screen is scrolled, not cut; what saves a chart stays on one line
_FORMULAS = """<style>
[data-testid="stMain"]:focus-visible { outline: 2px solid currentColor; outline-offset: -2px; }
.katex-display { margin-inline: -4px; padding-inline: 4px; }
@media (max-width: 900px) { .katex-display { overflow: auto hidden; padding-bottom: 4px; } }
[class*="st-key-bar_"] { flex-wrap: nowrap; }
[class*="st-key-html_"] { margin-left: 0.4rem; }
@media (max-width: 480px) { [class*="st-key-bar_"] { align-items: flex-end; } [class*="st-key-html_"] { display: none; } }
</style>"""
# White, Streamlit's own choice, is hard to read on the dark theme's orange
_DARK_WORDS = """<style>
[data-testid="stBaseButton-primary"]:enabled *,
[data-testid="stMultiSelect"] [data-tag] * { color: #111318; }
</style>"""
# Streamlit's own links take the outline away, and its margins the last pages off a projector
_MENU_LOOK = """<style>
[data-testid="stSidebarHeader"] { margin-bottom: 0; }
.st-key-menu_head { flex-wrap: nowrap; justify-content: space-between; gap: 0; }
[data-testid="stSidebarUserContent"] { padding-bottom: 0.5rem; }
[data-testid="stSidebarUserContent"] [data-testid="stPageLink"] a { padding-block: 0; min-height: 1.75rem; margin-block: 0.05rem; }
[data-testid="stPageLink"] a:focus-visible { outline: 2px solid currentColor; outline-offset: -2px; }
</style>"""


def _menu() -> None:
    with st.sidebar:
        st.html(_MENU_LOOK)
        with st.container(horizontal=True, vertical_alignment="center", key="menu_head"):
            st.markdown("### Boundlab", width="content")
            offer_presenting()
        for entry in PAGES:
            st.page_link(entry.path, label=entry.title, icon=entry.icon, help="", width="stretch")


def title(name: str, question: str = "", help: str | None = None) -> None:
    """The page's name and the question it answers, on one line where there is room; `help`: more, on request. In a lesson, which
    asks questions of its own, in front of a lecture hall or in somebody's page, nothing."""
    if get("lesson") or presenting() or st.context.is_embedded:
        return
    st.subheader(f"{name} &nbsp; :small[:gray[{question}]]" if question else name, anchor=False, help=help)


def is_dark() -> bool:
    """Whether the reader sees the dark theme."""
    return st.context.theme.type == "dark"
