"""How a view is cited: what it shows, of which runs, and by which version, so that somebody else can draw it again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from html import escape
from urllib.parse import urlencode

from boundlab.bounds.sparse import BOUND
from boundlab.specs.pages import EVERYWHERE, LINK_VERSION, VERSION
from boundlab.version import __version__

_NAMED = 6  # runs; more are counted, and told by a hash
_DIGITS = 16  # of a hash
_TEX = {
    **{letter: f"\\{letter}" for letter in "%&#_$"},
    **{"\\": r"\textbackslash ", "{": r"\textbraceleft ", "}": r"\textbraceright "},
    **{"~": r"\textasciitilde ", "^": r"\textasciicircum "},
}


def runs_cited(runs: Collection[str]) -> str:
    """The ids of a few runs; of many their number and a hash of their ids, in an order that depends on nothing else."""
    names = sorted(set(runs))
    if len(names) <= _NAMED:
        return f"{'run' if len(names) == 1 else 'runs'} {', '.join(names)}"
    written = hashlib.sha256("\n".join(names).encode()).hexdigest()
    return f"{len(names)} runs (sha256 of their sorted ids, one per line: {written[:_DIGITS]})"


def citation(title: str, caption: str, runs: Collection[str], pack: str) -> str:
    """BibTeX of the view and of the paper. `title`: of the page; `caption`: what the chart shows; `runs`: the ids of the runs
    drawn; `pack`: `runs.pack.pack_hash` of the shipped ones."""
    shown = caption.replace("*", "")
    note = f"{shown}; {runs_cited(runs)}; shipped pack sha256 {pack[:_DIGITS]}"
    view = f"""@misc{{boundlab_view,
  title        = {{{_tex(title)}}},
  howpublished = {{Boundlab {__version__}}},
  note         = {{{_tex(note)}}}
}}"""
    return f"{view}\n\n{BOUND.bibtex.strip()}"


def frame(url: str, params: Mapping[str, Sequence[str]], title: str) -> str:
    """HTML that shows the view in a page of somebody's own. `url`: of the page as the reader has it; `params`: of its link."""
    shown = {name: values for name, values in params.items() if name not in EVERYWHERE}
    link = f"{url.split('?')[0].split('#')[0]}?{urlencode(shown | {VERSION: [LINK_VERSION], 'embed': ['true']}, doseq=True)}"
    return f'<iframe src="{escape(link)}" title="Boundlab: {escape(title)}" width="960" height="600" style="border: 0"></iframe>'


def _tex(text: str) -> str:
    """As TeX prints it: the name of somebody's data set may have any letter."""
    return "".join(_TEX.get(letter, letter) for letter in " ".join(text.split()))
