"""The lesson that a reader is in, above the page that it is about: a question, then the live page with the answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.charts.theme import INK
from boundlab.errors import LessonError
from boundlab.lessons.expressions import FORMS, amount, words_in
from boundlab.lessons.facts import shown_text
from boundlab.lessons.lesson import Lesson, LessonStep
from boundlab.specs.pages import LESSON, PAGE, PRESENT
from boundlab.text import quoted
from boundlab.ui import address
from boundlab.ui.class_answers import answered, show_answers
from boundlab.ui.controls import Controls
from boundlab.ui.lesson_library import lessons
from boundlab.ui.presenting import presenting
from boundlab.ui.shipped import shipped_runs
from boundlab.words.glossary import explained

_SKIPPED = "-"  # in the link, in the place of a guess
# In a lesson the page's own name and sentence are not what is read first, and the chart should be on the first screen
_ROOM = """<style>
@media (min-width: 641px) { [data-testid="stMainBlockContainer"] { padding-top: 1.6rem; } }
.st-key-lesson_panel { gap: 0.4rem; padding: 0.5rem 1rem; }
</style>"""


@dataclass(frozen=True)
class Place:
    """Where in a lesson the reader is. `number` counts steps from 1."""

    lesson: Lesson
    number: int

    @property
    def step(self) -> LessonStep:
        """The step itself."""
        return self.lesson.steps[self.number - 1]

    def link(self, number: int | None = None) -> dict[str, str]:
        """The parts of a link to one of its steps, before the guess; None: to this one."""
        at = number or self.number
        large = {PRESENT: "1"} if presenting() else {}
        return self.lesson.steps[at - 1].link | {"lesson": self.lesson.name, "step": str(at)} | large


def lesson_panel(page: str) -> None:
    """Nothing outside a lesson. In one: the question alone, and the page's run ends here; once it is answered, the answer, and the
    page goes on below it."""
    with Controls("lesson") as controls:
        controls.answers_for = LESSON
        name, written, guess = (controls.hold(key) for key in LESSON)
        if name is None:
            return
        place = _place(name, written)
    if place is None:
        return
    if place.step.page != page:
        with st.container(border=True, key="lesson_panel", horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{place.lesson.title}** goes on at another page.")
            _go(place, place.number, "Go on with the lesson", page)
            _leave()
        return
    address.here().locked = frozenset(place.step.locked)
    st.html(_ROOM + _without(place.step.hidden) + _named_clearly(place.step.locked))
    with st.container(border=True, key="lesson_panel"):
        shown = _told(place, guess, page)
    if not shown:
        st.stop()


def _place(name: str, written: str | None) -> Place | None:
    """Raises nothing: what the link got wrong is said."""
    known = lessons().lessons
    if name not in known:
        st.warning(f"The link asks for the lesson {quoted([name])}, possible: {', '.join(known)}.")
        return None
    lesson = known[name]
    numbers = [str(number) for number in range(1, len(lesson.steps) + 1)]
    if written is not None and written not in numbers:
        st.warning(f"Step: the link asks for {quoted([written])}, possible: {', '.join(numbers)}.")
    return Place(lesson, int(written) if written in numbers else 1)


def _without(hidden: tuple[str, ...]) -> str:
    """Names of controls come from the pages' own list, so that nothing of a lesson's file is written here."""
    return "".join(f"<style>.st-key-{name} {{ display: none; }}</style>" for name in hidden)


def _named_clearly(locked: tuple[str, ...]) -> str:
    """The names of controls that stay as they are can still be read."""
    ink = INK[st.context.theme.type == "dark"]
    return "".join(
        f"<style>.st-key-{name} :is(label, span[aria-hidden='true']) p {{ color: {ink}; opacity: 1; }}</style>"
        for name in locked
    )


def _told(place: Place, guess: str | None, page: str) -> bool:
    """The question, or the answer; returns whether it is answered."""
    step, count = place.step, len(place.lesson.steps)
    ways = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute")
    with ways:
        st.markdown(
            f":material/school: **{place.lesson.title}** · :gray[{place.number} of {count}, {step.title}]",
            width="content",
        )
    try:
        text, values = shown_text(step, shipped_runs())
    except LessonError as error:
        st.error(
            f"This step is not shown, as the runs that ship here do not bear it out: {place.lesson.name}.md, {error}."
        )
        _moves(ways, place, page)
        return False
    right = step.choices[step.right] if step.choices else _number_of(step, values)
    if guess is None or not _possible(step, guess):
        st.markdown(f"#### {step.question}")
        _ask(place)
        _moves(ways, place, page, answered_yet=False)
        return False
    st.markdown(f"{step.question} {_verdict(step, guess, right)}")
    st.markdown(text, help=_explained(step))
    show_answers(_question(place), _named(step), right)
    if step.go_on:
        st.caption(f"**Try yourself.** {step.go_on}")
    _moves(ways, place, page)
    return True


def _explained(step: LessonStep) -> str | None:
    """What the glossary has of the words of a step."""
    return "\n\n".join(f"**{word}**: {explained(word)}" for word in words_in(step.text)) or None


def _number_of(step: LessonStep, values: dict[str, float]) -> str:
    number = step.number
    return FORMS[number.form](amount(number.answer, values)) if number else ""


def _possible(step: LessonStep, guess: str) -> bool:
    if guess == _SKIPPED:
        return True
    most = step.number.high if step.number else len(step.choices)
    least = step.number.low if step.number else 1
    return guess.lstrip("-").isdecimal() and guess.isascii() and len(guess) < 8 and least <= int(guess) <= most


def _verdict(step: LessonStep, guess: str, right: str) -> str:
    """What the reader said, and what is right."""
    if guess == _SKIPPED:
        return f"**{right}**"
    if step.number:
        return f"You said {guess}: it is **{right}**"
    said = step.choices[int(guess) - 1]
    if int(guess) - 1 == step.right:
        return f":green[:material/check:] **{right}**"
    return f":red[:material/close:] You said: {said}. It is: **{right}**"


def _named(step: LessonStep) -> dict[str, str]:
    """What can be answered, by how the link has it; nothing where any number can."""
    return {str(place): said for place, said in enumerate(step.choices, 1)}


def _question(place: Place) -> tuple[str, int]:
    return place.lesson.name, place.number


def _ask(place: Place) -> None:
    step = place.step
    if step.number:
        middle = (step.number.low + step.number.high) // 2
        said = st.slider(
            "Your guess",
            step.number.low,
            step.number.high,
            middle,
            key=f"lesson_slide_{place.lesson.name}_{place.number}",
        )
    with st.container(horizontal=True):
        if step.number:
            st.button("Reveal", type="primary", key="lesson_reveal", on_click=_guess, args=(place, str(said)))
        for key, choice in _named(step).items():
            st.button(choice, key=f"lesson_choice_{key}", on_click=_guess, args=(place, key))
        st.button("Show me", type="tertiary", key="lesson_skip", on_click=_guess, args=(place, _SKIPPED))


def _guess(place: Place, said: str) -> None:
    """As a callback."""
    address.put("guess", [said])
    if said != _SKIPPED:
        answered(_question(place), said)


def _moves(ways: DeltaGenerator, place: Place, page: str, answered_yet: bool = True) -> None:
    """The ways on, once it is answered, back and out."""
    with ways, st.container(horizontal=True, width="content", gap="small"):
        if place.number > 1:
            _go(place, place.number - 1, "Previous", page)
        if answered_yet and place.number < len(place.lesson.steps):
            _go(place, place.number + 1, "Next", page, "primary")
        elif answered_yet and (follower := _follower(place.lesson)):
            _go(Place(follower, 1), 1, "Next lesson", page, "primary", follower.title)
        elif answered_yet:
            st.page_link(PAGE["lessons"].path, label="All lessons", icon=":material/school:", width="content")
        _leave()


def _follower(lesson: Lesson) -> Lesson | None:
    every = list(lessons().lessons.values())
    return next(iter(every[every.index(lesson) + 1 :]), None)


def _go(
    place: Place,
    number: int,
    label: str,
    page: str,
    look: Literal["primary", "secondary"] = "secondary",
    help: str | None = None,
) -> None:
    """A button to one of its steps, at the page it is about."""
    target, link = place.lesson.steps[number - 1].page, place.link(number)
    key = f"lesson_go_{label.lower().replace(' ', '_')}"
    if target == page:
        st.button(label, key=key, type=look, help=help, on_click=partial(address.go, link))
    elif st.button(label, key=key, type=look, help=help):
        st.switch_page(PAGE[target].path, query_params=link)


def _leave() -> None:
    st.button(
        "Leave",
        key="lesson_leave",
        type="tertiary",
        icon=":material/close:",
        help="The page stays as it is.",
        on_click=_left,
    )


def _left() -> None:
    """As a callback."""
    for name in LESSON:
        address.put(name, [])
