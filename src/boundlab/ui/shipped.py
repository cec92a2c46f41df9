"""The shipped pack, read once per server."""

from __future__ import annotations

import gc

import pyarrow as pa
import streamlit as st

from boundlab.runs.pack import open_pack, pack_hash
from boundlab.runs.places import PACK
from boundlab.runs.run import Run
from boundlab.specs.presets import PRESETS


@st.cache_resource(show_spinner=False)
def _shipped() -> tuple[dict[str, Run], dict[str, str]]:
    """The shipped pack by id and what was left out of it, read once per server."""
    found = open_pack(PACK)
    return {run.id: run for run in found.runs}, found.left_out


@st.cache_resource(show_spinner=False)
def load_and_freeze_shipped() -> None:
    """Once per server: read the shipped pack, and have garbage collection, which stops everybody, leave alone all that is there
    by then. Raises BoundlabError where the pack cannot be read."""
    _shipped()
    gc.collect()
    gc.freeze()
    pa.default_memory_pool().release_unused()  # of the reading


def shipped_by_id() -> dict[str, Run]:
    """The shipped pack by id."""
    return _shipped()[0]


def shipped_left_out() -> dict[str, str]:
    """What of the shipped pack cannot be used, and why."""
    return _shipped()[1]


def shipped_runs() -> list[Run]:
    """The shipped pack, ordered by id."""
    return list(shipped_by_id().values())


def listed_runs() -> list[Run]:
    """Those that a page may offer one by one: not the many that are only compared with each other."""
    return [run for run in shipped_runs() if not PRESETS[run.spec.train.preset].varied]


@st.cache_resource(show_spinner=False)
def shipped_hash() -> str:
    """`pack_hash` of the shipped pack, read once per server."""
    return pack_hash(PACK)


def certified_runs() -> list[Run]:
    """The shipped runs trained for their certificate."""
    return [run for run in shipped_runs() if run.spec.train.loss != "mse"]
