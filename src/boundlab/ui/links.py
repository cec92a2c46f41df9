"""Links: what an address says, checked and bound to the controls of a page. A value that a link got wrong is named, then the
default used."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import Self

import streamlit as st

from boundlab.text import quoted
from boundlab.ui import address
from boundlab.ui.address import Note

_LISTED, _LETTERS = 20, 160  # choices that a sentence names one by one, and how long they are together
_MOST_NOTES = 5  # a link with more mistakes is not answered mistake by mistake


class Links:
    """The controls of one part of a page, as the address has them. Make it first: notes about the link appear where it was made."""

    def __init__(self, part: str = "page") -> None:
        self.notes = st.container()
        self.answers_for: Collection[str] | None = None  # names of a link that this part of the page reads; None: all
        self._part = part
        self._drawn: set[str] = set()
        self._spared: frozenset[str] = frozenset()
        self.groups: set[str] = set()  # of sliders that follow each other

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, *rest: object) -> None:
        if kind is None:
            self._finish()

    def _finish(self) -> None:
        """After the last widget: forget controls that are gone; say what the link got wrong and what had to move."""
        here = address.here()
        before = here.drawn.get(self._part, set())
        for name in before - self._drawn - self._spared:
            address.put(name, [])
        here.drawn[self._part] = self._drawn | before & self._spared
        texts = [note.text for name, note in here.notes.items() if name in self._drawn] + self._unused()
        if (more := len(texts) - _MOST_NOTES) > 0:
            texts[_MOST_NOTES:] = [f"So {'is 1 more part' if more == 1 else f'are {more} more parts'} of this link."]
        if texts:
            self.notes.warning("\n\n".join(texts))
        now = repr(here.params)
        for group in self.groups & set(here.moves):
            note = here.moves[group]
            note.value = note.value or now
            if note.value == now:
                self.notes.info(note.text, icon=":material/sync_alt:")
            else:
                del here.moves[group]

    def spare(self) -> None:
        """Where there is nothing that the other controls could be about just now: what the address says of them stays."""
        self._spared = frozenset(address.here().known)

    def _unused(self) -> list[str]:
        here = address.here()
        known = here.known if self.answers_for is None else here.known & set(self.answers_for)
        unused = sorted((known - here.read - self._spared) & set(here.params)) if here.first else []
        return [f"In the link, but not used with what is chosen here: {quoted(unused)}."] if unused else []

    def check(self, key: str, options: Sequence[str], label: str, few: bool = True) -> None:
        """Where there is no choice, and so no widget: name what the link got wrong."""
        self._drawn.add(key)
        if (linked := address.arrived_with(key)) is not None:
            self._possible(key, linked, options, label, few=few)
        else:
            address.put(key, [])

    def hold(self, key: str, options: Sequence[str] | None = None, label: str = "", few: bool = True) -> str | None:
        """A value of the address that no widget has, the page puts it there; None where it is none of the options."""
        self._drawn.add(key)
        if (linked := address.arrived_with(key)) is not None and options is not None:
            self._possible(key, linked, options, label, few=few)
        value = address.get(key)
        return value if options is None or value in options else None

    def _possible(
        self, key: str, linked: list[str], options: Sequence[str], label: str, several: bool = False, few: bool = True
    ) -> list[str]:
        """The values that are possible."""
        given = [value for value in linked if value]
        if bad := [value for value in given if value not in options]:
            choices = (
                _listed(options)
                if few and len(options) <= _LISTED
                else f"values from `{options[0]}` to `{options[-1]}`"
            )
            self._note(key, f"{label}: the link asks for {quoted(bad)}, possible: {choices}.")
        elif len(given) > 1 and not several:
            self._note(key, f"{label}: the link gives {quoted(given)}; only one of them can be shown.")
        return [value for value in given if value in options]

    def own(self, key: str, wrong: str | None = None) -> None:
        """A part of the link that the page reads and writes itself, at every run; `wrong`: what the link got wrong there."""
        self._drawn.add(key)
        if wrong:
            self._note(key, wrong)

    def _note(self, key: str, text: str) -> None:
        if address.here().first:  # else the address is ours
            address.here().notes[key] = Note(text)

    def locked(self, key: str) -> bool:
        """Whether a lesson keeps this control as it is."""
        return key in address.here().locked

    def arriving(self, key: str) -> bool:
        """Whether the control has yet to take its value from the address."""
        return key not in address.here().read

    def _linked(self, key: str) -> list[str] | None:
        """What the control takes from the address; None: its value is there already, perhaps set by a button."""
        linked, values = address.arrived_with(key), address.here().values
        if linked is None and key not in st.session_state and key in values:
            st.session_state[key] = values[key]  # the control was gone for a while
        return None if not linked and key in st.session_state and address.here().anew else linked

    def begin(self, key: str, options: Sequence[str], label: str, default: str, few: bool = True) -> str:
        """Before a widget over `options` is made: its value, as the address has it on arrival; else as it was, unless
        that is no choice any more."""
        linked = self._linked(key)
        if linked is not None:
            good = self._possible(key, linked, options, label, few=few)
            st.session_state[key] = good[-1] if good else default
        elif st.session_state.get(key) not in options:
            st.session_state[key] = default  # set, not dropped: the browser keeps a dropped value
        return str(st.session_state[key])

    def keep(self, key: str, values: str | Sequence[str], default: str | Sequence[str]) -> None:
        """After a widget is made: its value in the address, a default not; a note about another value has had its time."""
        self._drawn.add(key)
        if key in st.session_state:
            address.here().values[key] = st.session_state[key]
        note = address.here().notes.get(key)
        if note and note.value not in (None, repr(values)):
            del address.here().notes[key]
        elif note:
            note.value = repr(values)
        several = [values] if isinstance(values, str) else list(values) or [""]
        address.put(key, [] if values == default else several)

    def renew(self, key: str, options: Sequence[str], default: str) -> None:
        """Before a widget is made: back to its default when its options are other ones than before, so that a number which
        meant the end of one scale does not stay in the middle of another."""
        seen: dict[str, list[str]] = st.session_state.setdefault("options_seen", {})
        if seen.get(key, list(options)) != list(options):
            st.session_state[key] = default
        seen[key] = list(options)

    def begin_switch(self, key: str, label: str, default: bool) -> None:
        """Before a widget that is on or off is made."""
        if (linked := self._linked(key)) is not None:
            good = self._possible(key, [value.lower() for value in linked], ("true", "false"), label)
            st.session_state[key] = good[-1] == "true" if good else default


def _listed(options: Sequence[str]) -> str:
    """The choices one by one; of long ones the first, and how many there are."""
    room = itertools.accumulate(len(option) for option in options)
    named = [option for option, letters in zip(options, room, strict=True) if letters <= _LETTERS] or options[:1]
    words = ", ".join(f"`{option}`" for option in named)
    return words if len(named) == len(options) else f"{words}, and {len(options) - len(named)} more"
