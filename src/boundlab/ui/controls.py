"""Controls: Streamlit's widgets, each kept in the address."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, Concatenate, Literal, ParamSpec

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.text import quoted
from boundlab.ui.links import Links

_NARROW = 150  # pixels
_P = ParamSpec("_P")


def with_controls(part: Callable[Concatenate[Controls, _P], None]) -> Callable[_P, None]:
    """A part of a page, given its controls; what it does not draw any more leaves the address."""

    @functools.wraps(part)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> None:
        with Controls(part.__name__) as controls:
            part(controls, *args, **kwargs)

    return run


class Controls(Links):
    """Widgets of one part of a page.

    Each is told its present value as Streamlit's `default` too: a browser that first draws a widget later, because it lay in a
    closed drawer, begins with that one.
    """

    def slide(
        self, label: str, options: Sequence[str], key: str, default: str, help: str | None = None, bare: bool = False
    ) -> str:
        """A slider over text values; with a single value it keeps its place, disabled, so that nothing jumps. `bare`: its name
        stands elsewhere on the page."""
        start = default if default in options else options[0]
        value = self.begin(key, options, label, start)
        if len(options) == 1:
            only = "there is a run for only one value, with these choices"
            st.select_slider(label, [options[0], " "], disabled=True, help=only, key=f"{key}_only")
        else:
            shown: Literal["collapsed", "visible"] = "collapsed" if bare else "visible"
            value = str(
                st.select_slider(
                    label, options, value, key=key, help=help, label_visibility=shown, disabled=self.locked(key)
                )
            )
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
        called: Callable[[str], str] = str,
    ) -> str:
        """A few options side by side, the first one chosen to begin with. `called`: an option's name on screen."""
        more: dict[str, Any] = {"help": help, "required": True, "format_func": called} | (
            {"on_change": on_change} if on_change else {}
        )
        more["disabled"] = self.locked(key)
        return self._one(
            lambda now: st.segmented_control(label, options, default=now, key=key, **more), label, options, key, default
        )

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
        bare: bool = False,
    ) -> str:
        """Like `pick`, in less room. `called`: an option's name on screen; `bare`: its own name stands elsewhere."""
        more: dict[str, Any] = {"help": help, "width": width, "on_change": on_change, "format_func": called}
        more |= {"label_visibility": "collapsed"} if bare else {}
        more["disabled"] = self.locked(key)
        return self._one(
            lambda now: st.selectbox(label, options, options.index(now), key=key, **more),
            label,
            options,
            key,
            default,
            few,
        )

    def _one(
        self,
        draw: Callable[[str], object],
        label: str,
        options: Sequence[str],
        key: str,
        default: str | None,
        few: bool = True,
    ) -> str:
        """One of the options, the first one to begin with unless `default` says otherwise; `draw`: the widget at a value."""
        start = default or options[0]
        value = str(draw(self.begin(key, options, label, start, few)))
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
            good = self._possible(key, linked, options, label, several=True)
            st.session_state[key] = good if good or linked == [""] else list(options)
        wanted = st.session_state.setdefault(key, list(options))
        here = [option for option in options if option in offered]
        name = f"{key}_{where}"  # other options are another widget
        if linked is not None or name not in st.session_state:
            st.session_state[name] = [option for option in here if option in wanted]
        now = st.session_state[name]
        more: dict[str, Any] = {"help": help, "format_func": called, "disabled": self.locked(key)}
        chosen = st.pills(label, here, selection_mode="multi", default=now, key=name, **more)
        value = [option for option in options if option in (chosen if option in here else wanted)]
        st.session_state[key] = value
        self.keep(key, value, list(options))
        return [option for option in value if option in here]

    def choose_any(
        self,
        label: str,
        options: Sequence[str],
        key: str,
        default: Sequence[str],
        called: Callable[[str], str] = str,
        **more: Any,
    ) -> list[str]:
        """Any of many options, in the order in which they were chosen; `called`: an option's name on screen."""
        if (linked := self._linked(key)) is not None:
            good = self._possible(key, linked, options, label, several=True, few=False)
            st.session_state[key] = good if good or linked == [""] else list(default)
        now = [value for value in st.session_state.get(key, default) if value in options]
        value = st.multiselect(label, options, now, key=key, format_func=called, **more)
        self.keep(key, value, list(default))
        return value

    def switch(self, label: str, key: str, default: bool = False, help: str | None = None) -> bool:
        """On or off."""
        self.begin_switch(key, label, default)
        value = st.toggle(
            label, bool(st.session_state.get(key, default)), key=key, help=help, disabled=self.locked(key)
        )
        self.keep(key, str(value).lower(), str(default).lower())
        return value

    def fold(self, label: str, key: str, opened: bool = False, **more: Any) -> DeltaGenerator | None:
        """A fold, closed to begin with unless `opened`; where it is open, the place for what it holds, made only then."""
        self.begin_switch(key, label, opened)
        box = st.expander(label, bool(st.session_state.get(key, opened)), key=key, on_change="rerun", **more)
        self.keep(key, str(bool(box.open)).lower(), str(opened).lower())
        return box if box.open else None

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
                self._note(key, f"{label}: the link asks for {quoted(linked)}, {words}.")
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
