"""All lessons, and what is wrong with a teacher's file."""

from __future__ import annotations

import streamlit as st

from boundlab.lessons.lesson import Lesson
from boundlab.specs.pages import PAGE
from boundlab.ui.lesson_library import lessons
from boundlab.ui.lesson_panel import Place
from boundlab.ui.privacy import plain

_WRONG = "This file is no lesson yet; `boundlab lesson check` says the same."


def lesson_list() -> None:
    """A card each."""
    found = lessons()
    for lesson in found.lessons.values():
        _card(lesson)
    for name, why in found.wrong.items():
        st.warning(f"**{plain(name)}**: {plain(why)}. {_WRONG}")


def _card(lesson: Lesson) -> None:
    place = Place(lesson, 1)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"lesson_{lesson.name}"):
        st.page_link(
            PAGE[place.step.page].path,
            label=f"**{lesson.title}**",
            icon=":material/play_circle:",
            query_params=place.link(),
            help=lesson.summary,
            width=340,
        )
        st.caption(lesson.summary)
