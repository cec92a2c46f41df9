"""Streamlit's widgets, each kept in the address. A value that a link got wrong is named, then the default used."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal, Self

import streamlit as st

from boundlab.text import quoted
from boundlab.ui import address
from boundlab.ui.address import Note

_NARROW = 150  # pixels
_MOST_NOTES = 5  # a link with more mistakes is not answered mistake by mistake


class Widgets:
    """Widgets of one part of a page. Make it first: notes about the link appear where it was made.

    Each is told its present value as Streamlit's `default` too: a browser that first draws a widget later, because it lay in a
    closed drawer, begins with that one.
    """

    def __init__(self, part: str = "page") -> None:
        self.notes = st.container()
        self.answers_for: Collection[str] | None = None  # names of a link that this part of the page reads; None: all
        self._part = part
        self._drawn: set[str] = set()
        self.groups: set[str] = set()  # of sliders that follow each other

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, *about: object) -> None:
        if kind is None:
            self._finish()

    def _finish(self) -> None:
        """After the last widget: forget controls that are gone; say what the link got wrong and what had to move."""
        here = address.here()
        for name in here.drawn.get(self._part, set()) - self._drawn:
            address.put(name, [])
        here.drawn[self._part] = set(self._drawn)
        texts = [note.text for name, note in here.notes.items() if name in self._drawn] + self._unused()
        if (more := len(texts) - _MOST_NOTES) > 0:
            texts[_MOST_NOTES:] = [f"So are {more} more parts of this link."]
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

    def _unused(self) -> list[str]:
        here = address.here()
        known = here.known if self.answers_for is None else here.known & set(self.answers_for)
        unused = sorted((known - here.read) & set(here.params)) if here.first else []
        return [f"In the link, but not used with what is chosen here: {quoted(unused)}."] if unused else []

    def check(self, key: str, options: Sequence[str], label: str, few: bool = True) -> None:
        """Where there is no choice, and so no widget: name what the link got wrong."""
        self._drawn.add(key)
        if (linked := address.arrived_with(key)) is not None:
            self._judge(key, linked, options, label, few=few)
        else:
            address.put(key, [])

    def hold(self, key: str, options: Sequence[str] | None = None, label: str = "", few: bool = True) -> str | None:
        """A value of the address that no widget has, the page puts it there; None where it is none of the options."""
        self._drawn.add(key)
        if (linked := address.arrived_with(key)) is not None and options is not None:
            self._judge(key, linked, options, label, few=few)
        value = address.get(key)
        return value if options is None or value in options else None

    def _judge(
        self, key: str, linked: list[str], options: Sequence[str], label: str, several: bool = False, few: bool = True
    ) -> list[str]:
        """The values that are possible."""
        given = [value for value in linked if value]
        if bad := [value for value in given if value not in options]:
            choices = ", ".join(f"`{o}`" for o in options) if few else f"values from `{options[0]}` to `{options[-1]}`"
            self._say(key, f"{label}: the link asks for {quoted(bad)}, possible: {choices}.")
        elif len(given) > 1 and not several:
            self._say(key, f"{label}: the link gives {quoted(given)}; only one of them can be shown.")
        return [value for value in given if value in options]

    def _say(self, key: str, text: str) -> None:
        if address.here().first:  # else the address is ours
            address.here().notes[key] = Note(text)

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
            good = self._judge(key, linked, options, label, few=few)
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

    def slide(self, label: str, options: Sequence[str], key: str, default: str, help: str | None = None) -> str:
        """A slider over text values; with a single value it keeps its place, disabled, so that nothing jumps."""
        start = default if default in options else options[0]
        value = self.begin(key, options, label, start)
        if len(options) == 1:
            only = "there is a run for only one value, with these choices"
            st.select_slider(label, [options[0], " "], disabled=True, help=only, key=f"{key}_only")
        else:
            value = str(st.select_slider(label, options, value, key=key, help=help))
        self.keep(key, value, start)
        return value

    def pick(
        self,
        label: str,
        options: Sequence[str],
        key: str,
        help: str | None = None,
        default: str | None = None,
        on_change: Callable[[], None] | None = None,
    ) -> str:
        """A few options side by side, the first one chosen to begin with."""
        start = default or options[0]
        now = self.begin(key, options, label, start)
        more: dict[str, Any] = {"help": help, "required": True}
        more |= {"on_change": on_change} if on_change else {}
        value = str(st.segmented_control(label, options, default=now, key=key, **more))
        self.keep(key, value, start)
        return value

    def choose(
        self,
        label: str,
        options: Sequence[str],
        key: str,
        help: str | None = None,
        default: str | None = None,
        width: int | Literal["stretch"] = _NARROW,
        on_change: Callable[[], None] | None = None,
        few: bool = True,
        called: Callable[[str], str] = str,
    ) -> str:
        """Like `pick`, in less room. `called`: an option's name on screen."""
        start = default or options[0]
        now = self.begin(key, options, label, start, few)
        index, more = options.index(now), {"help": help, "width": width, "on_change": on_change, "format_func": called}
        value = str(st.selectbox(label, options, index, key=key, **more))  # type: ignore[call-overload]
        self.keep(key, value, start)
        return value

    def choose_some(
        self,
        label: str,
        options: Sequence[str],
        key: str,
        help: str,
        offered: Collection[str],
        where: str,
        called: Callable[[str], str] = str,
    ) -> list[str]:
        """Any of a few options side by side, in their order; all of them to begin with. Those that are not `offered` just now,
        as they are not `where` the reader is, stay as they were chosen, in the link too. `called`: an option's name on screen."""
        linked = self._linked(key)
        if linked is not None:
            good = self._judge(key, linked, options, label, several=True)
            st.session_state[key] = good if good or linked == [""] else list(options)
        wanted = st.session_state.setdefault(key, list(options))
        here = [option for option in options if option in offered]
        name = f"{key}_{where}"  # other options are another widget
        if linked is not None or name not in st.session_state:
            st.session_state[name] = [option for option in here if option in wanted]
        now = st.session_state[name]
        chosen = st.pills(label, here, selection_mode="multi", default=now, key=name, help=help, format_func=called)
        value = [option for option in options if option in (chosen if option in here else wanted)]
        st.session_state[key] = value
        self.keep(key, value, list(options))
        return [option for option in value if option in here]

    def switch(self, label: str, key: str, default: bool = False, help: str | None = None) -> bool:
        """On or off."""
        self.begin_switch(key, label, default)
        value = st.toggle(label, bool(st.session_state.get(key, default)), key=key, help=help)
        self.keep(key, str(value).lower(), str(default).lower())
        return value

    def begin_switch(self, key: str, label: str, default: bool) -> None:
        """Before a widget that is on or off is made."""
        if (linked := self._linked(key)) is not None:
            good = self._judge(key, [value.lower() for value in linked], ("true", "false"), label)
            st.session_state[key] = good[-1] == "true" if good else default

    def number(self, label: str, key: str, low: float, high: float, default: float, **more: Any) -> Any:
        """A number typed; whole where `default` is."""
        kind = type(default)
        if (linked := self._linked(key)) is not None:
            try:
                asked = kind(linked[-1]) if linked and linked[-1] else default
                good = math.isfinite(asked) and low <= asked <= high
            except (ValueError, OverflowError):
                good = False
            if not good:
                words = f"possible: {'whole ' if kind is int else ''}numbers from {low:g} to {high:g}"
                self._say(key, f"{label}: the link asks for {quoted(linked)}, {words}.")
            st.session_state[key] = asked if good else default
        now = st.session_state.get(key, default)
        value = st.number_input(label, kind(low), kind(high), now, key=key, **more)
        self.keep(key, f"{value:.12g}", f"{default:.12g}")
        return value

    def text(self, label: str, key: str, default: str, most: int, **more: Any) -> str:
        """A few letters typed."""
        if (linked := self._linked(key)) is not None:
            st.session_state[key] = linked[-1][:most] if linked else default
        value = st.text_input(label, st.session_state.get(key, default), key=key, max_chars=most, **more) or ""
        self.keep(key, value, default)
        return value

    def choose_or_type(self, label: str, options: Sequence[str], key: str, default: str, **more: Any) -> str:
        """One of the options, or what was typed instead."""
        if (linked := self._linked(key)) is not None:
            st.session_state[key] = next((value for value in linked[::-1] if value), default)
        now = str(st.session_state.get(key) or default)
        options = options if now in options else (*options, now)
        more |= {"accept_new_options": True}
        value = str(st.selectbox(label, options, options.index(now), key=key, **more))
        self.keep(key, value, default)
        return value

    def choose_many(
        self, label: str, options: Sequence[str], key: str, default: Sequence[str], **more: Any
    ) -> list[str]:
        """Any number of the options, or of values typed instead."""
        if (linked := self._linked(key)) is not None:
            st.session_state[key] = list(dict.fromkeys(value for value in linked if value)) if linked else list(default)
        options = list(dict.fromkeys([*options, *st.session_state.get(key, ())]))
        now = st.session_state.get(key, list(default))
        value = st.multiselect(label, options, now, key=key, accept_new_options=True, **more)
        self.keep(key, value, list(default))
        return value
