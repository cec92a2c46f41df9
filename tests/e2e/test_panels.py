"""Panels on a narrow screen, in a real Chromium: one at a time, the one that a button chooses; side by side on a wide one."""

import pytest

from tests.e2e.serving import CHART, settle

SEEN = "() => [...document.querySelectorAll('.js-plotly-plot .annotation-text')].map(e => e.textContent).filter(t => t.startsWith('L = '))"
LINES = "() => [...document.querySelectorAll('.js-plotly-plot .scatterlayer .js-line')].map(e => e.getAttribute('d')).join()"
NAMES = "() => [...document.querySelectorAll('.js-plotly-plot .textpoint')].filter(e => e.textContent.includes('Sparse')).length"
DEPTHS = ["L = 3", "L = 4", "L = 6", "L = 8"]


@pytest.fixture
def phone(browser, server):
    page = browser.arrive(390, 844)
    page.goto(f"{server}/lambda?panels=layers")
    page.locator(CHART).first.wait_for(timeout=60_000)
    page.wait_for_function(f"() => ({SEEN})().length === 1")
    settle(page)
    return page


def shows(page, *titles):
    page.wait_for_function(f"wanted => ({SEEN})().join() === wanted", arg=",".join(titles))
    assert page.evaluate(NAMES) == 1  # the lines of one panel are named


def test_a_phone_shows_the_panel_that_is_chosen_as_wide_as_the_chart(phone):
    shows(phone, "L = 3")
    buttons = phone.get_by_role("group", name="Panel").get_by_role("button")
    assert buttons.all_inner_texts() == DEPTHS
    first = phone.evaluate(LINES)
    buttons.nth(3).click()
    shows(phone, "L = 8")
    assert buttons.nth(3).get_attribute("aria-pressed") == "true"
    assert phone.evaluate(LINES) != first
    ranges = "() => { const f = document.querySelector('.js-plotly-plot')._fullLayout; return [f.xaxis4.domain, f.xaxis.visible, f.xaxis4.visible] }"
    assert phone.evaluate(ranges) == [[0, 1], False, True]


def test_the_handle_and_another_setting_leave_the_chosen_panel(phone):
    phone.get_by_role("button", name="L = 6").click()
    shows(phone, "L = 6")
    last = phone.evaluate(LINES)
    phone.locator("[class*='st-key-bar_player'] input[type=range]").first.focus()
    phone.keyboard.press("Home")
    phone.wait_for_function(f"old => ({LINES})() !== old", arg=last)
    phone.wait_for_url("**epoch=0**")
    settle(phone)
    shows(phone, "L = 6")
    phone.get_by_role("radio", name="strict").or_(phone.get_by_role("button", name="strict")).first.click()
    phone.wait_for_url("**convention=strict**")
    phone.wait_for_function(f"() => ({SEEN})().join() === 'L = 6'")


def test_a_wide_screen_shows_all_of_them(phone):
    shows(phone, "L = 3")
    phone.set_viewport_size({"width": 1280, "height": 720})
    shows(phone, *DEPTHS)
    assert not phone.get_by_role("group", name="Panel").is_visible()
    phone.set_viewport_size({"width": 390, "height": 844})
    shows(phone, "L = 3")
