"""What the screen does not show: to a class, where things lie on the server, and other people's runs; to anybody, markup that
somebody typed."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import streamlit as st

from boundlab.runs.job import Job
from boundlab.runs.places import PACK, runs_folder
from boundlab.specs.own_data import data_root
from boundlab.text import cut
from boundlab.ui.visitor import at_home

ASKED = "train_asked"  # in the session: ids of the runs that it asked for
_PATH = re.compile(r"(?<![\w:/.~…-])(?:/[^\s/'\"`,;:()<>\[\]]+)+/?")


def without_paths(text: str) -> str:
    """A sentence for the screen: in a class without paths of the server, of which only the last name stays."""
    if at_home():
        return text
    for root in _roots():
        text = re.sub(rf"(?<![\w./]){re.escape(root)}(?=[/\s,;:.)'\"`]|$)", "…", text)
    return _PATH.sub(lambda found: f"…/{Path(found[0]).name}", text)


def may_see(job: Job, me: str) -> bool:
    """Whether this reader may look at a run, on any page, and take its history and spec away: it is theirs, shared, nobody's
    (of the command line), or they asked for the same run in this session; at home everybody may."""
    mine = job.owner in (None, me) or job.shared or job.id in st.session_state.get(ASKED, ())
    return mine or at_home()


def _roots() -> list[str]:
    """Folders whose names may be relative, or hold what a path in a sentence usually does not; the longest first."""
    folders = (runs_folder(), data_root(), PACK.parents[1], Path(tempfile.gettempdir()), Path.home())
    names = {str(path) for folder in folders for path in (folder, folder.absolute())}
    return sorted(names - {".", "/"}, key=len, reverse=True)


def plain(text: str) -> str:
    """Text that may hold what somebody typed, shown as it is: no links, pictures or colours; in a class no paths either."""
    # addresses become links by themselves: a word joiner, which nobody sees, takes them apart
    apart = re.sub(r"(?i)(://|\.(?<=www\.)|@)", "\u2060\\1", without_paths(cut(text)))
    return re.sub(r"([\\`*_\[\]!:$<>#|~])", r"\\\1", apart)


def with_code(text: str) -> str:
    """`plain`, but what stands between backticks, a command or a name, is shown as code, in which nothing is markup."""
    parts = cut(text).split("`")
    if len(parts) % 2 == 0 or not all(part.strip() for part in parts[1::2]):
        return plain(text)
    return "".join(f"`{without_paths(part)}`" if i % 2 else plain(part) for i, part in enumerate(parts))
