"""The page "Your checkpoint": upload, progress, result, what is kept, how to write such a file."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from boundlab.analysis.subject import Subject
from boundlab.data import locate
from boundlab.errors import RunError
from boundlab.runs.places import PACK
from boundlab.specs.arch import ArchSpec
from boundlab.specs.own_data import DATASETS, listed_name
from boundlab.specs.run import Labels
from boundlab.specs.tasks import TASKS
from boundlab.text import quoted
from boundlab.ui import subjects
from boundlab.ui.actions import failure
from boundlab.ui.address import get, put
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.download import data_ready
from boundlab.ui.pages.checkpoint.desk import Desk, desk
from boundlab.ui.pages.checkpoint.export import how_to
from boundlab.ui.pages.checkpoint.questions import questions
from boundlab.ui.pages.checkpoint.results import results
from boundlab.ui.privacy import plain, with_code
from boundlab.ui.visitor import at_home, visitor
from boundlab.uploads import kept
from boundlab.uploads.protocol import NETWORK, memory_limit
from boundlab.uploads.server import MOST_MB, MOST_WORKERS, SECONDS

_LINK = "checkpoint"  # in the address: the key of the kept one that is shown
_ROUND, _NOTE = "checkpoint_round", "checkpoint_note"
_BUSY = ("queued", "running")
# A file that the browser refuses, as it is too large, never comes here: what was said of the one before it gives way, and Streamlit
# says why only where the mouse rests. Any type comes: the upload worker names what it is (`checkpoints/foreign.py`)
_FILES = "checkpoint_files"
_LATEST = f"""<style>
.st-key-{_FILES}:has([data-testid="stFileChipIconError"]) [data-testid="stAlert"],
.st-key-{_FILES} [data-testid="stFileChips"] :has(~ * [data-testid="stFileChip"]) {{ display: none; }}
.st-key-{_FILES}:has([data-testid="stFileChipIconError"])::after {{
  content: "Not taken: it is larger than {MOST_MB} MB. Measure it with boundlab evaluate FILE."; color: #c0392b; }}
</style>"""


@with_controls
def checkpoint(controls: Controls) -> None:
    """Everything on the page; only the progress refreshes by itself, and only while an upload worker runs."""
    me, mine = visitor(), desk()
    now = mine.update()
    controls.hold(_LINK)
    names = sorted(DATASETS, key=lambda name: bool(locate.missing(name)))  # first those whose images are here
    with st.container(horizontal=True):
        dataset = controls.pick(
            "Data", names, "dataset", "The network's errors and margins are measured on it.", called=listed_name
        )
        labels = _task(controls, dataset, now.get("arch"))
    data_ready(dataset)
    with st.container(key=_FILES):
        _uploader(mine, dataset, labels)
    st.html(_LATEST)
    _example(mine, dataset)
    busy = now["state"] in _BUSY
    st.fragment(_progress, run_every=0.5 if busy else None)(mine, (busy, now.get("measured")))
    if mine.open and mine.upload and not busy:
        spec = questions(mine.open, now["state"] != "idle", mine.upload.folder.name)
        if spec is not None:
            st.button(
                "Measure with these answers",
                type="secondary" if now["state"] == "done" else "primary",
                icon=":material/play_arrow:",
                on_click=partial(_act, partial(mine.answer, dataset, labels, spec)),
                disabled=bool(locate.missing(dataset)),
            )
    elif not busy:
        _other_data(mine, dataset, labels)
    if note := st.session_state.pop(_NOTE, None):
        st.error(f"{plain(note)}.")
    subject, network = _shown(mine, me, busy)
    if subject is not None:
        results(controls, subject, network)
    _kept(me)
    how_to()


def _task(controls: Controls, dataset: str, arch: dict[str, Any] | None) -> Labels | None:
    """A sub-task of the data set; of a file that is there already, one with its number of classes."""
    facts = DATASETS[dataset]
    possible = {
        name: groups
        for name, groups in TASKS.items()
        if groups is None or max(max(group) for group in groups) < facts.classes
    }
    if arch:
        fitting = {n: g for n, g in possible.items() if (len(g) if g else facts.classes) == arch["classes"]}
        possible = fitting or possible
    return possible[controls.choose("Task", list(possible), "task", "Which labels are the classes.", width=220)]


def _uploader(mine: Desk, dataset: str, labels: Labels | None) -> None:
    key = f"checkpoint_file_{st.session_state.get(_ROUND, 0)}"
    st.file_uploader(
        "Drop your network here",
        max_upload_size=MOST_MB,
        key=key,
        on_change=partial(_received, mine, key, dataset, labels),
        disabled=bool(locate.missing(dataset)),
        help="A `.safetensors` file that says what network it holds: the page Train offers finished runs as such files, and the "
        f"fold below turns your network into one. At most {MOST_MB} MB; measure a larger one with `boundlab evaluate FILE`. It is checked and measured by a "
        f"process of its own with at most {memory_limit(dataset) / 2**30:.1f} GiB and {SECONDS} seconds, and deleted when "
        "you leave, unless you keep it.",
    )
    if mine.error:
        st.error(f"{with_code(mine.error)}.", icon=":material/error:")


def _example(mine: Desk, dataset: str) -> None:
    """A shipped network, for who has none at hand; nothing where there is none of these data, or something is shown already."""
    file = next(iter(sorted((PACK / "checkpoints").glob(f"{dataset}-conv-3-16-wd0.004-*.safetensors"))), None)
    if file is None or mine.upload or get(_LINK):
        return
    st.button(
        "Try an example",
        icon=":material/science:",
        help=f"A shipped network, CONV-3-16 on {DATASETS[dataset].title}, measured as if you had uploaded it.",
        on_click=partial(_try_example, mine, file, dataset),
        disabled=bool(locate.missing(dataset)),
    )


def _try_example(mine: Desk, file: Path, dataset: str) -> None:
    mine.take(file.read_bytes(), "example.safetensors", dataset, None)
    st.session_state["task"] = next(name for name, groups in TASKS.items() if groups is None)
    put(_LINK, [])


def _received(mine: Desk, key: str, dataset: str, labels: Labels | None) -> None:
    """A file has come: take it in, and make room for another."""
    if (file := st.session_state.get(key)) is not None:
        mine.receive(file, dataset, labels)
        st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
        put(_LINK, [])


def _progress(mine: Desk, was: tuple[bool, bool | None]) -> None:
    """How far the upload worker is; `was`: whether it was at work, and had measured something, when the page was drawn."""
    now = mine.update()
    if (now["state"] in _BUSY, now.get("measured")) != was:
        st.rerun()
    if now["state"] == "queued":
        st.info(
            f"In the queue behind {now['ahead']}: {MOST_WORKERS} uploads are measured at once.",
            icon=":material/hourglass:",
        )
    elif now["state"] == "running":
        name = f"{ArchSpec.from_dict(now['arch']).title}: " if now.get("arch") else ""
        st.info(f"{name}{now['part']} …", icon=":material/hourglass:")
    elif now["state"] == "failed":
        st.error(f"{with_code(now['error'])}.", icon=":material/error:")


def _other_data(mine: Desk, dataset: str, labels: Labels | None) -> None:
    """Where other data are chosen than the file was measured on."""
    if mine.upload and mine.upload.asked != (dataset, labels):
        name = next(name for name, groups in TASKS.items() if groups == labels)
        st.button(
            f"Measure on {DATASETS[dataset].title}, {name}",
            type="primary",
            icon=":material/play_arrow:",
            on_click=partial(_act, partial(mine.again, dataset, labels)),
            disabled=bool(locate.missing(dataset)),
        )


def _act(what: partial[Any]) -> None:
    """Do what a button is for; what goes wrong is said on the page."""
    st.session_state[_NOTE] = failure(what)


def _shown(mine: Desk, me: str, busy: bool) -> tuple[Subject | None, Path | None]:
    """The kept one that the link names, else the session's upload; and its network, if it is at hand."""
    if key := get(_LINK):
        try:
            if one := kept.find(key):
                return one.subject, one.folder / NETWORK
            st.warning(f"This server keeps no checkpoint {quoted([key])}; it was deleted, or the link is wrong.")
        except RunError as error:
            st.warning(f"{plain(str(error))}.")
    subject: Subject | None = st.session_state.get(subjects.UNSAVED)
    if subject is not None and busy:
        return replace(subject, not_coded="it is being computed"), None
    if subject is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            if mine.upload:
                st.button("Keep it", icon=":material/bookmark_add:", on_click=partial(_act, partial(_keep, mine, me)))
            st.button("Delete it", icon=":material/delete:", on_click=mine.clear)
            st.caption("Not kept: it is deleted when you leave.")
    return subject, mine.upload.network if mine.upload else None


def _keep(mine: Desk, me: str) -> None:
    subject = st.session_state.get(subjects.UNSAVED)
    if mine.upload and subject:
        key = kept.keep(mine.upload.network, subject, me)
        mine.clear()
        _open(key)


def _open(key: str) -> None:
    put(_LINK, [key])


def _kept(me: str) -> None:
    """What this reader keeps, to open and to delete."""
    every, wrong = kept.kept_by(me, at_home()), kept.left_out(me, at_home())
    if not every and not wrong:
        return
    st.markdown("#### Kept")
    if wrong:
        st.caption(subjects.left_out_sentence(wrong))
    for one in every:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                plain(kept.name_of(one)), key=f"open_{one.key}", on_click=partial(_open, one.key), type="tertiary"
            )
            st.caption(f"{one.subject.arch.title}, {one.size / 2**20:.1f} MB")
            _delete_button(one.key)
    for key in wrong:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"`{key}`, not readable")
            _delete_button(key)


def _delete_button(key: str) -> None:
    st.button("Delete", key=f"delete_{key}", icon=":material/delete:", on_click=partial(_delete, key))


def _delete(key: str) -> None:
    kept.forget(key)
    if get(_LINK) == key:
        put(_LINK, [])
