"""Every lesson from its link to its last answer, by mouse and by keyboard; every way of arriving shows the same."""

import pytest

from boundlab.lessons.library import library
from boundlab.ui.lesson_panel import Place
from tests.e2e.serving import CHART, settle, visit
from tests.e2e.test_walk import compared

LESSONS = list(library().lessons.values())
PANEL = ".st-key-lesson_panel"
STEPS = sum(len(lesson.steps) for lesson in LESSONS)


def asked(page, place):
    """The question is there, and no chart."""
    page.locator(PANEL).get_by_text(place.step.question, exact=True).wait_for(timeout=60_000)
    settle(page)
    assert page.locator(CHART).count() == 0


def answered(page, place):
    """The answer is there, and the chart."""
    page.wait_for_url("**guess=**")
    page.locator(CHART).first.wait_for(timeout=60_000)
    settle(page)
    said = page.locator(PANEL).inner_text()
    assert "Try yourself" in said
    assert "{" not in said
    assert page.get_by_test_id("stException").count() == 0
    assert f"lesson={place.lesson.name}" in page.url


def right(page, place):
    """The button of the right answer, or the one that reveals."""
    name = "Reveal" if place.step.number else place.step.choices[place.step.right]
    return page.locator(PANEL).get_by_role("button", name=name, exact=True)


def walk(page, press):
    """Through all lessons; returns how many steps were answered."""
    count = 0
    for lesson in LESSONS:
        for number in range(1, len(lesson.steps) + 1):
            place = Place(lesson, number)
            asked(page, place)
            press(right(page, place))
            answered(page, place)
            count += 1
            on = "Next" if number < len(lesson.steps) else "Next lesson"
            if lesson is not LESSONS[-1] or number < len(lesson.steps):
                press(page.locator(PANEL).get_by_role("button", name=on, exact=True))
    return count


def test_by_mouse_from_the_list_to_the_last_answer(browser, server):
    page = visit(browser, f"{server}/lessons", width=1280, height=720, drawn="[class*='st-key-lesson_']")
    page.get_by_test_id("stMain").get_by_role("link", name=LESSONS[0].title).click()
    assert walk(page, lambda button: button.click()) == STEPS
    page.locator(PANEL).get_by_role("link", name="All lessons").click()
    page.wait_for_url("**/lessons")


def test_by_keyboard(browser, server):
    page = visit(browser, f"{server}/lessons", width=1280, height=720, drawn="[class*='st-key-lesson_']")
    page.get_by_test_id("stMain").get_by_role("link", name=LESSONS[0].title).focus()
    page.keyboard.press("Enter")

    def press(button):
        button.wait_for(timeout=60_000)
        for _ in range(60):
            page.keyboard.press("Tab")
            if button.evaluate("button => button === document.activeElement"):
                break
        else:
            raise AssertionError("Tab does not lead there")
        page.keyboard.press("Enter")

    assert walk(page, press) == STEPS


def test_every_way_of_arriving_shows_the_same(browser, server):
    page = visit(browser, f"{server}/lessons", width=1280, drawn="[class*='st-key-lesson_']")
    lesson = LESSONS[0]
    page.get_by_test_id("stMain").get_by_role("link", name=lesson.title).click()
    first, second = Place(lesson, 1), Place(lesson, 2)
    asked(page, first)
    page.locator(PANEL).get_by_role("button", name="Twice").click()
    answered(page, first)
    there = compared(browser, page)
    words = page.locator(PANEL).inner_text()
    page.reload()
    assert compared(browser, page) == there
    assert page.locator(PANEL).inner_text() == words
    page.locator(PANEL).get_by_role("button", name="Next", exact=True).click()
    asked(page, second)
    right(page, second).click()
    answered(page, second)
    then = compared(browser, page)
    page.get_by_test_id("stSidebar").get_by_role("link", name="Width", exact=True).click()
    page.wait_for_url("**/width**")
    compared(browser, page)
    assert page.locator(PANEL).count() == 0
    assert "lesson" not in page.url
    page.go_back()
    assert compared(browser, page) == then
    assert second.step.question in page.locator(PANEL).inner_text()
    page.locator(PANEL).get_by_role("button", name="Leave").click()
    page.wait_for_url(lambda url: "lesson" not in url)
    compared(browser, page)
    assert page.locator(PANEL).count() == 0


@pytest.mark.parametrize("width", [1280, 390])
def test_a_lesson_leaves_room_for_the_chart(browser, server, width):
    place = Place(LESSONS[0], 1)
    link = "&".join(f"{key}={value}" for key, value in place.link().items())
    page = visit(browser, f"{server}/{place.step.page}?{link}&guess=1", width=width, height=720)
    bottom = page.locator(".js-plotly-plot .xtitle").first.bounding_box()
    if width > 640:
        assert bottom["y"] + bottom["height"] <= 720
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
