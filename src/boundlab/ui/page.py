"""open_page(): the first call of every page, so that a deep link on a fresh server finds everything set up."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from boundlab.errors import BoundlabError
from boundlab.text import quoted
from boundlab.ui.address import arrive
from boundlab.ui.privacy import without_paths
from boundlab.ui.server import upload_server
from boundlab.ui.shelf import shelf, visible_runs
from boundlab.ui.shipped import load_and_freeze_shipped, shipped_left_out
from boundlab.ui.visitor import at_home, meet

_FOLLOW_EVERY = 1.0  # seconds
_BY_THEMSELVES = (
    "start",
    "playground",
    "train",
    "checkpoint",
)  # they show no run that grows, or look after it themselves
_SETTINGS = ("convention", "delta")
_SHARED = (
    *("dataset", "recipe", "runs", "flagged", "networks", "layers", "channels", "wd", "seed", "task", "weight"),
    *(*_SETTINGS, "scale", "show", "selected", "where"),
)


@dataclass(frozen=True)
class Page:
    """An entry of the menu; `params`: the query parameters a link to it may carry."""

    key: str
    path: str
    title: str
    icon: str
    help: str
    params: tuple[str, ...]
    takes: tuple[str, ...] = _SHARED  # of these, what a reader brings along through the menu


_FIGURE = (
    *("dataset", "convention", "delta", "scale", "panels", "paper", "show", "flagged", "recipe", "runs"),
    *("layers", "channels", "wd", "axes", "quantity", "own", "selected"),
)
_ONE = ("networks", "dataset", "recipe", "runs", "layers", "channels", "wd", "seed", "flagged", "run")
_NETWORK = (*_ONE, "epoch", "convention", "delta")
_CHOSEN = (*_ONE, "task", "weight")
_SECOND = ("run2", "layers2", "channels2", "wd2", "seed2", "epoch2", "convention2")
_TRAIN = (
    *("dataset", "n_train", "task", "label_noise"),
    *("kind", "conv_layers", "channels", "kernel_size", "stride", "padding", "hidden", "bias"),
    *("dilation", "groups", "pool", "head", "dense"),
    *("preset", "weight_decay", "certificate_weight", "seeds", "epochs", "lr", "batch_size", "device"),
    *("form", "run", "live", "compare", "convention", "delta"),
)


def _without(axis: str) -> tuple[str, ...]:
    """What a figure page takes along: not the value of its own axis, which only its heat map has a place for."""
    return tuple(name for name in _SHARED if name != axis)


PAGES = (
    Page(
        "start",
        "app.py",
        "Start",
        ":material/home:",
        "How many errors a network makes, and how many theory can promise.",
        ("reveal", "wrong", "promised", "dataset", "layers", "channels", "wd", "delta", "all"),
    ),
    Page(
        "playground",
        "pages/0_playground.py",
        "Playground",
        ":material/play_circle:",
        "A whole λ sweep trains before your eyes; move width or depth and watch every bound follow.",
        (
            *("dataset", "layers", "channels", "kernel", "stride", "kind", "label_noise", "n_train", "seed"),
            *("wd", "epoch", "ghost"),
        ),
        ("dataset",),
    ),
    Page(
        "training",
        "pages/1_training.py",
        "During training",
        ":material/show_chart:",
        "The paper's figure 1: bounds and errors against epochs.",
        _FIGURE,
    ),
    Page(
        "lambda",
        "pages/2_lambda.py",
        "Weight decay λ",
        ":material/tune:",
        "The paper's figure 4: bounds and errors against weight decay.",
        (*_FIGURE, "epoch"),
        _without("wd"),
    ),
    Page(
        "width",
        "pages/3_width.py",
        "Width",
        ":material/width:",
        "The paper's figure 2: bounds and errors against channels per layer.",
        (*_FIGURE, "epoch"),
        _without("channels"),
    ),
    Page(
        "depth",
        "pages/4_depth.py",
        "Depth",
        ":material/layers:",
        "The paper's figure 3: bounds and errors against the number of layers.",
        (*_FIGURE, "epoch"),
        _without("layers"),
    ),
    Page(
        "memorisation",
        "pages/13_memorisation.py",
        "Memorisation",
        ":material/shuffle:",
        "Bounds and errors against label noise, and against the number of training images.",
        (
            *("along", "dataset", "convention", "delta", "scale", "panels", "show", "recipe", "runs"),
            *("layers", "channels", "wd", "label_noise", "n_train", "own", "selected"),
        ),
        ("dataset", *_SETTINGS, "scale", "show", "selected"),
    ),
    Page(
        "anatomy",
        "pages/5_anatomy.py",
        "Anatomy",
        ":material/account_tree:",
        "One bound taken apart, factor by factor; two networks compared; what if n, margin or geometry were different.",
        (
            *_CHOSEN,
            *("epoch", "convention", "delta"),
            *_SECOND,
            "view",
            "second",
            "bound",
            "merge",
            "times",
            "new_delta",
            "margin",
            "head",
            "new_layers",
            "kernel",
            "stride",
            "padding",
        ),
    ),
    Page(
        "certificates",
        "pages/6_certificates.py",
        "Certificates",
        ":material/verified:",
        "What may be promised about a network's test error, by four arguments; margins; from accurate to certified.",
        (*_CHOSEN, "epoch", "delta", "margin", "theorem", "slope", "margins", "full"),
    ),
    Page(
        "compare",
        "pages/7_compare.py",
        "Compare",
        ":material/compare:",
        "Two to four networks side by side: connectivity, norms, bounds, margins, and the factors that differ.",
        ("count", "n1", "n2", "n3", "n4", "s1", "s2", "s3", "s4", "convention", "delta", "bound", "view"),
    ),
    Page(
        "ranking",
        "pages/11_ranking.py",
        "Ranking",
        ":material/leaderboard:",
        "Which bound, or which plain number, orders networks as their gap or test error does.",
        (
            *("dataset", "convention", "delta", "recipe", "runs", "flagged", "target", "counted", "number"),
            *("where", "selected"),
        ),
    ),
    Page(
        "runs",
        "pages/12_runs.py",
        "All runs",
        ":material/table_view:",
        "Every run in one table: filter, group, select, save; what is selected is marked on Ranking and the figures.",
        ("data", "group", "only", "columns", "where", "selected", "parallel"),
    ),
    Page(
        "theory",
        "pages/8_theory.py",
        "Theory",
        ":material/menu_book:",
        "Every bound stated, its assumptions checked, its numbers filled in; the proofs of Theorems S and S2; known gaps; references.",
        (*_CHOSEN, "convention", "delta", "section", "theorem", "bound", "symbol", "filled", "assumed", "source"),
    ),
    Page(
        "train",
        "pages/9_train.py",
        "Train",
        ":material/model_training:",
        "Train networks of your own here and watch the bounds come down; they join the other pages.",
        _TRAIN,
        _SETTINGS,
    ),
    Page(
        "checkpoint",
        "pages/10_checkpoint.py",
        "Your checkpoint",
        ":material/upload_file:",
        "Upload a network trained anywhere: every bound, its margins, its errors, and why one does not apply.",
        ("dataset", "task", "checkpoint", "convention", "delta", "margin"),
        _SETTINGS,
    ),
)


def open_page(key: str) -> None:
    """Configure the page, draw the menu, say which parts of the link are not understood, load the runs."""
    page = next(p for p in PAGES if p.key == key)
    st.set_page_config(f"{page.title} · Boundlab", layout="wide", initial_sidebar_state=230)
    arrive(key, page.params, page.takes)
    st.html(_FORMULAS)
    if is_dark():
        st.html(_DARK_WORDS)
    if not st.context.is_embedded:
        _menu()
    meet()
    if unknown := sorted(set(st.query_params) - set(page.params)):
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
    if now.live and key not in _BY_THEMSELVES:
        st.fragment(_follow, run_every=_FOLLOW_EVERY)(now.version)


def _follow(version: str) -> None:
    """Draw the page again when a run that grows has a new record, or has ended."""
    if visible_runs().version != version:
        st.rerun()


def _say_left_out(left_out: dict[str, str], where: str, advice: str, named: bool = True) -> None:
    if left_out:
        names = f": {quoted(sorted(left_out), 60)}" if named else ""
        st.sidebar.caption(f"{where}, {len(left_out)} not readable{names}. {advice}")


# A formula wider than a narrow screen is scrolled, not cut; what saves a chart stays on one line
_FORMULAS = """<style>
@media (max-width: 900px) { .katex-display { overflow: auto hidden; padding-bottom: 4px; } }
[class*="st-key-bar_"] { flex-wrap: nowrap; }
@media (max-width: 480px) { [class*="st-key-bar_"] { align-items: flex-end; } }
</style>"""
# White, Streamlit's own choice, is hard to read on the dark theme's orange
_DARK_WORDS = """<style>
[data-testid="stBaseButton-primary"]:enabled *,
[data-testid="stMultiSelect"] [data-tag] * { color: #111318; }
</style>"""
# Streamlit's own links take the outline away, and its margins the last pages off a projector
_MENU_LOOK = """<style>
[data-testid="stSidebarHeader"] { margin-bottom: 0; }
[data-testid="stSidebarUserContent"] { padding-bottom: 1rem; }
[data-testid="stPageLink"] a:focus-visible { outline: 2px solid currentColor; outline-offset: -2px; }
</style>"""


def _menu() -> None:
    with st.sidebar:
        st.html(_MENU_LOOK)
        st.markdown("### Boundlab")
        for entry in PAGES:
            st.page_link(entry.path, label=entry.title, icon=entry.icon, help="", width="stretch")


def title(name: str, question: str = "", help: str | None = None) -> None:
    """The page's name and the question it answers, on one line where there is room; `help`: more, on request."""
    st.subheader(f"{name} &nbsp; :small[:gray[{question}]]" if question else name, anchor=False, help=help)


def is_dark() -> bool:
    """Whether the reader sees the dark theme."""
    return st.context.theme.type == "dark"
