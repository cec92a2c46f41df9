"""Which networks the address names (n1 to n4, their seeds s1 to s4, count), and writing it."""

from __future__ import annotations

from collections.abc import Sequence

from boundlab.ui import address
from boundlab.ui.controls import Controls
from boundlab.ui.pages.compare.offers import FEWEST_COMPARED, MOST_COMPARED, Offer, Pick

_COUNTS = tuple(map(str, range(FEWEST_COMPARED, MOST_COMPARED + 1)))
_PLACES = range(1, MOST_COMPARED + 1)
_KEYS = ("count", *(f"{kind}{place}" for kind in "ns" for place in _PLACES))


def is_named() -> bool:
    """Whether the address says anything about the networks."""
    return any(any(address.here().params.get(key, [])) for key in _KEYS)


def read_link(controls: Controls, known: Offer, start: Sequence[str], defaults: Sequence[str]) -> list[Pick]:
    """The networks the address names, each once; `start`: the labels without a link, `defaults`: one for every place and more.
    Called on every run, so that the words about what a link gets wrong stay."""
    named = [place for place in _PLACES if address.get(f"n{place}")]
    count = controls.hold("count", _COUNTS, "Networks")
    number = int(count) if count else max(FEWEST_COMPARED, *named) if named else len(start)
    found = [_pick(controls, known, place, defaults[place - 1]) for place in _PLACES[:number]]
    picks = list(dict.fromkeys(found))
    if len(picks) < len(found):
        controls.notes.warning("The link names one network twice; it is shown once.")
    others = (pick for label in defaults if (pick := known.typical(label)) not in picks)
    return [*picks, *(next(others) for _ in range(FEWEST_COMPARED - len(picks)))]


def _pick(controls: Controls, known: Offer, place: int, default: str) -> Pick:
    label = controls.hold(f"n{place}", known.labels, f"Network {place}", few=False) or default
    if label not in known.runs:
        return Pick(label)  # a checkpoint has no seed
    seed = controls.hold(f"s{place}", list(known.runs[label].seeds), f"Seed {place}")
    return Pick(label, seed) if seed else known.typical(label)


def write_link(controls: Controls, picks: Sequence[Pick], start: Sequence[Pick]) -> None:
    """Put them into the address; the opening comparison needs no words. What was said about a link has had its time."""
    words = {}
    if list(picks) != list(start):
        words = {f"n{place}": pick.label for place, pick in enumerate(picks, start=1)}
        words |= {f"s{place}": pick.seed for place, pick in enumerate(picks, start=1) if pick.seed}
    here = address.here()
    here.read.update(_KEYS)
    for key in _KEYS:
        here.notes.pop(key, None)
        address.put(key, [words[key]] if key in words else [])
    for key in words:
        controls.hold(
            key
        )  # of this run's, though the address named it only now: the end of the run takes away what is not
