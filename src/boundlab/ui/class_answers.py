"""What a class answered: counted in the memory of this server, without names, one answer a reader; nothing of it is written, and at
home nothing is counted."""

from __future__ import annotations

import threading

import plotly.graph_objects as go
import streamlit as st

from boundlab.charts.theme import INK
from boundlab.ui import chart
from boundlab.ui.visitor import at_home, visitor_name

_MOST = 2_000  # readers whose answer to one question is kept
_QUESTIONS = 1_000


class _Answers:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[tuple[str, int], dict[str, str]] = {}

    def add(self, question: tuple[str, int], reader: str, said: str) -> None:
        """A reader's first answer counts."""
        with self._lock:
            if question not in self._said and len(self._said) >= _QUESTIONS:
                return
            answers = self._said.setdefault(question, {})
            if len(answers) < _MOST:
                answers.setdefault(reader, said)

    def counts(self, question: tuple[str, int]) -> dict[str, int]:
        """How often each answer was given."""
        with self._lock:
            said = list(self._said.get(question, {}).values())
        return {answer: said.count(answer) for answer in sorted(set(said), key=lambda text: (len(text), text))}


@st.cache_resource(show_spinner=False)
def _answers() -> _Answers:
    return _Answers()


def answered(question: tuple[str, int], said: str) -> None:
    """In a callback: this reader's answer, in a class. `question`: name of the lesson, number of the step."""
    if not at_home():
        _answers().add(question, visitor_name(), said)


def show_answers(question: tuple[str, int], named: dict[str, str], right: str) -> None:
    """In a class: how often each answer was given, for all to see who have answered. `named`: the answers' words, by what is counted;
    nothing where any number can be given."""
    if at_home():
        return
    counts = _answers().counts(question)
    shown = {words: counts.get(key, 0) for key, words in named.items()} if named else counts
    total = sum(shown.values())
    if not total:
        return
    dark = st.context.theme.type == "dark"
    colours = ["#2E7D32" if words == right else INK[dark] for words in shown]
    figure = go.Figure(
        go.Bar(x=list(shown.values()), y=list(shown), orientation="h", text=list(shown.values()), marker_color=colours)
    )
    figure.update_layout(
        height=60 + 34 * len(shown),
        margin={"l": 0, "r": 10, "t": 6, "b": 6},
        font={"size": 17},
        xaxis={"visible": False},
        yaxis={"automargin": True, "autorange": "reversed", "type": "category"},
    )
    words = f"{total} of this class answered: " + ", ".join(f"{said} {count}" for said, count in shown.items())
    st.caption(f"{total} of this class answered")
    chart.draw(figure, "chart_class_answers", words)
