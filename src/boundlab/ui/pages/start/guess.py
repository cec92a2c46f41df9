"""The reader's guess before the reveal, kept in the address."""

from __future__ import annotations

import streamlit as st

from boundlab.charts.promises import Guess
from boundlab.ui import address
from boundlab.ui.controls import Controls

_COUNTS = [str(count) for count in range(101)]
_FIRST = "50"
_ASKED = {"wrong": "How many will it get wrong?", "promised": "At most how many can theory promise?"}
_HELP = {
    "wrong": "Digits written by other people, which it was never trained on. A network that guesses gets 90 wrong.",
    "promised": "A promise is a number that the network stays below for certain, but for bad luck of one in a thousand.",
}


def revealed(controls: Controls) -> bool:
    """Whether the picture is to be seen."""
    return controls.hold("reveal", ("true",), "Reveal") is not None


def take_guess(controls: Controls) -> Guess:
    """Two sliders."""
    wrong, promised = (int(controls.slide(label, _COUNTS, key, _FIRST, _HELP[key])) for key, label in _ASKED.items())
    return Guess(wrong, promised)


def reveal_buttons(guess: Guess) -> None:
    """With the guess, or without."""
    with st.container(horizontal=True):
        st.button("Reveal", type="primary", on_click=_reveal, args=(guess,), key="reveal_button")
        st.button("Show without guessing", type="tertiary", on_click=_reveal, args=(None,), key="skip_button")


def made(controls: Controls) -> Guess | None:
    """What was guessed before the reveal; None where nothing was."""
    wrong, promised = (controls.hold(key, _COUNTS, label, few=False) for key, label in _ASKED.items())
    return None if wrong is None or promised is None else Guess(int(wrong), int(promised))


def again() -> None:
    """As a callback: back to the question."""
    address.put("reveal", [])


def _reveal(guess: Guess | None) -> None:
    """As a callback."""
    address.put("reveal", ["true"])
    for key in _ASKED:
        address.put(key, [] if guess is None else [str(getattr(guess, key))])
