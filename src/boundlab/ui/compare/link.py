"""Which networks a link names (n1 to n4, their seeds s1 to s4, count), and writing it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from boundlab.ui.compare.offers import FEWEST, MOST, Offer, Pick
from boundlab.ui.controls import Controls, quoted

COUNTS = tuple(map(str, range(FEWEST, MOST + 1)))
PLACES = range(1, MOST + 1)
_KEYS = ("count", *(f"{kind}{place}" for kind in "ns" for place in PLACES))


def asked() -> tuple[tuple[str, ...], ...]:
    """What the address says about the networks; nothing in it: nothing is named."""
    return tuple(tuple(filter(None, st.query_params.get_all(key))) for key in _KEYS)


def read(controls: Controls, known: Offer, start: Sequence[str], defaults: Sequence[str]) -> list[Pick]:
    """The networks the link names, each once; `start`: the labels without a link, `defaults`: one for every place and more.
    What the link gets wrong is named on every run, so that the words stay as long as the link does."""
    controls.check("count", COUNTS, "Networks")
    named = [place for place in PLACES if st.query_params.get(f"n{place}")]
    count = st.query_params.get("count")
    number = int(count) if count in COUNTS else max(FEWEST, *named) if named else len(start)
    found = [_pick(controls, known, place, defaults[place - 1]) for place in PLACES[:number]]
    picks = list(dict.fromkeys(found))
    if len(picks) < len(found):
        controls.notes.warning("The link names one network twice; it is shown once.")
    if beyond := [place for place in named if place > number]:
        words = quoted([f"n{place}" for place in beyond])
        controls.notes.warning(f"Networks: the link asks for {number} of them and names more; ignored: {words}.")
    spare = (pick for label in defaults if (pick := known.typical(label)) not in picks)
    return [*picks, *(next(spare) for _ in range(FEWEST - len(picks)))]


def _pick(controls: Controls, known: Offer, place: int, default: str) -> Pick:
    name, seed = f"n{place}", f"s{place}"
    controls.check(name, known.labels, f"Network {place}", few=False)
    label = st.query_params.get(name)
    label = label if label in known.labels else default
    seeds = list(known.runs[label].seeds) if label in known.runs else []
    wanted = st.query_params.get(seed)
    if seeds:
        controls.check(seed, seeds, f"Seed {place}")
    elif wanted:
        controls.notes.warning(f"Seed {place}: the link asks for {quoted([wanted])}, but a checkpoint has no seed.")
    return Pick(label, wanted) if wanted in seeds else known.typical(label)


def write(picks: Sequence[Pick], start: Sequence[Pick]) -> None:
    """Put them into the address, as one step of the browser's history; the opening comparison needs no words."""
    words: dict[str, str | list[str]] = {key: [] for key in _KEYS}  # an empty list: not in the address
    if list(picks) != list(start):
        words |= {f"n{place}": pick.label for place, pick in enumerate(picks, start=1)}
        words |= {f"s{place}": pick.seed for place, pick in enumerate(picks, start=1) if pick.seed}
    st.query_params.update(words)
