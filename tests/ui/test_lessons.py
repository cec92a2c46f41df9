"""A lesson on its pages: the question alone, then the answer above the live chart, by link, button, menu; a class's answers."""

import re
from urllib.parse import urlencode

import pytest
from streamlit.testing.v1 import AppTest

from boundlab.lessons.library import library
from boundlab.specs.pages import PAGE
from boundlab.ui.class_answers import _answers
from boundlab.ui.lesson_panel import Place
from tests.conftest import ROOT
from tests.lessons.test_reading import GOOD
from tests.ui.test_pages import open_link

STEPS = [Place(lesson, number) for lesson in library().lessons.values() for number in range(1, len(lesson.steps) + 1)]
IDS = [f"{place.lesson.name}-{place.number}" for place in STEPS]
FIRST = STEPS[0]


def said(app):
    return "\n".join(str(element.value) for element in [*app.markdown, *app.caption])


def linked(app, name):
    """A part of the address; before a run it is text, after one a list."""
    value = app.query_params[name]
    return value if isinstance(value, str) else value[0]


def warned(app):
    return [element.value for element in [*app.warning, *app.error, *app.info]]


def at(place, guess=None, **more):
    link = place.link() | ({} if guess is None else {"guess": guess}) | more
    return open_link(PAGE[place.step.page], notes=False, **link)


@pytest.mark.parametrize("place", STEPS, ids=IDS)
def test_every_step_asks_alone_and_then_shows_its_page_as_its_link_says(place):
    app = at(place)
    assert place.step.question in said(app)
    assert not app.get("plotly_chart")
    assert not warned(app)
    if place.step.number:
        assert re.search(r"\{.*\}", place.step.text).group() not in said(app)
        app.button(key="lesson_reveal").click().run()
    else:
        app.button(key=f"lesson_choice_{place.step.right + 1}").click().run()
    assert not app.exception
    assert not warned(app)
    assert app.get("plotly_chart")
    assert place.step.go_on in said(app)
    number = place.step.number
    assert (
        f"You said {(number.low + number.high) // 2}: it is"
        if number
        else f"**{place.step.choices[place.step.right]}**"
    ) in said(app)
    again = at(place, linked(app, "guess"))
    assert said(again) == said(app)
    assert not warned(again)


def test_a_wrong_answer_and_none():
    app = at(FIRST, "1")
    assert "You said: Twice. It is: **More than 10,000 times**" in said(app)
    app = at(FIRST)
    app.button(key="lesson_skip").click().run()
    assert "You said" not in said(app)
    assert "38,342 times" in said(app)


def test_on_the_same_page_next_and_previous_set_the_controls_and_leaving_keeps_them():
    app = at(FIRST, "3")
    app.button(key="lesson_go_next").click().run()
    assert "what does the sparse bound promise about this network" in said(app)
    assert linked(app, "step") == "2"
    assert "guess" not in app.query_params
    app.button(key="lesson_choice_3").click().run()
    assert app.session_state["convention"] == "strict"
    app.button(key="lesson_go_previous").click().run()
    assert FIRST.step.question in said(app)
    app.button(key="lesson_skip").click().run()
    app.button(key="lesson_leave").click().run()
    assert not {"lesson", "step", "guess"} & set(app.query_params)
    assert not [b for b in app.button if (b.key or "").startswith("lesson_")]
    assert app.get("plotly_chart")


def test_what_is_locked_stays_and_what_is_hidden_is_not_seen(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_LESSONS", str(tmp_path))
    text = GOOD.replace("sparse at dataset=mnist", "sparse at recipe=short channels=16 dataset=mnist")
    (tmp_path / "mine.md").write_text(text.replace("&show=sparse", ""))
    app = open_link(PAGE["lambda"], notes=False, lesson="mine", dataset="mnist", layers="3", guess="2")
    assert not app.exception
    (layers,) = [s for s in app.select_slider if s.key == "layers"]
    assert layers.disabled
    assert [s.disabled for s in app.select_slider if s.key == "channels"] == [False]
    assert [b.disabled for b in app.button_group if b.key == "dataset"] == [True]
    styles = [str(element.proto) for element in app.get("html")]
    assert any(".st-key-convention { display: none; }" in style for style in styles)
    free = open_link(PAGE["lambda"], notes=False, dataset="mnist", layers="3")
    assert not any(s.disabled for s in free.select_slider if s.key == "layers")


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ({"lesson": "nowhere"}, "The link asks for the lesson `nowhere`, possible: 1-the-claim,"),
        ({"lesson": "1-the-claim", "step": "9"}, "Step: the link asks for `9`, possible: 1, 2."),
    ],
)
def test_a_link_to_no_lesson_or_step_is_said(link, words):
    app = open_link(PAGE["lambda"], notes=False, **link)
    assert any(words in text for text in warned(app))


@pytest.mark.parametrize("guess", ["0", "4", "-1", "1.5", "²", "x" * 50, ""])
def test_a_guess_that_is_none_is_no_answer(guess):
    app = at(FIRST, guess)
    assert FIRST.step.question in said(app)
    assert not app.get("plotly_chart")


def test_on_another_page_the_lesson_offers_to_go_on():
    app = open_link(PAGE["width"], notes=False, lesson="1-the-claim", step="2", dataset="mnist")
    assert "goes on at another page" in said(app)
    assert app.get("plotly_chart")
    assert app.button(key="lesson_go_go_on_with_the_lesson")


def test_lessons_that_the_runs_contradict_are_not_shown_as_true(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_LESSONS", str(tmp_path))
    text = GOOD.replace("sparse at dataset=mnist", "sparse at recipe=short channels=16 dataset=mnist")
    (tmp_path / "mine.md").write_text(text.replace("high < 0.9 * low", "high > low"))
    app = open_link(PAGE["lambda"], notes=False, lesson="mine", guess="2")
    assert any("do not bear it out: mine.md, line 12: `high > low` is not so" in text for text in warned(app))
    assert "It falls 5.8-fold" not in said(app)


def test_the_page_lists_all_and_names_what_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_LESSONS", str(tmp_path))
    (tmp_path / "mine.md").write_text(GOOD)
    (tmp_path / "bad.md").write_text(GOOD.replace("page: lambda", "page: <script>alert(1)</script>"))
    app = open_link(PAGE["lessons"])
    links = [link.proto for link in app.main.get("page_link")]
    assert [link.label for link in links] == [f"**{lesson.title}**" for lesson in library().lessons.values()]
    assert len(links) == 8
    assert urlencode(FIRST.link()) in links[0].query_string
    assert any("bad" in text and "line 5" in text for text in warned(app))


@pytest.fixture
def classroom(monkeypatch):
    monkeypatch.setenv("BOUNDLAB_SHARED", "1")
    _answers.clear()
    yield
    _answers.clear()


def answer(name, choice):
    """One reader's answer to the first question; their page."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.session_state["visitor_without_browser"] = name
    for key, value in FIRST.link().items():
        app.query_params[key] = value
    app.switch_page(PAGE[FIRST.step.page].path)
    app.run()
    app.button(key=f"lesson_choice_{choice}").click().run()
    assert not app.exception
    return app


def test_a_class_sees_how_often_each_answer_was_given(classroom):
    answer("anna", 1)
    app = answer("ben", 3)
    assert "2 of this class answered" in said(app)
    assert _answers().counts((FIRST.lesson.name, 1)) == {"1": 1, "3": 1}
    answer("anna", 3)  # the first answer of a reader counts
    assert _answers().counts((FIRST.lesson.name, 1)) == {"1": 1, "3": 1}
    assert "anna" not in repr(vars(_answers()))


def test_at_home_nothing_is_counted():
    _answers.clear()
    app = at(FIRST)
    app.button(key="lesson_choice_3").click().run()
    assert "of this class answered" not in said(app)
    assert not _answers().counts((FIRST.lesson.name, 1))


def test_what_is_counted_is_bounded(classroom):
    for number in range(3000):
        _answers().add(("x", 1), f"reader {number}", "1")
        _answers().add((f"lesson {number}", 1), "anna", "1")
    assert _answers().counts(("x", 1)) == {"1": 2000}
    assert len(_answers()._said) == 1000
