"""Page Memorisation in a real Chromium: the handle moves the other variable, and a link restores what was reached by the menu."""

import pytest

from tests.e2e.serving import CHART, settle, visit

DRAWN = """() => JSON.stringify([...document.querySelectorAll('.js-plotly-plot')].map(plot =>
  (plot._fullData ?? []).map(({name, x, y}) => [name, Array.from(x ?? []), Array.from(y ?? [])])))"""
SENTENCE = "() => [...document.querySelectorAll('[data-testid=\"stMarkdown\"] p')].map(p => p.innerText).find(t => t.startsWith('From '))"


@pytest.fixture
def by_menu(browser, server):
    """A reader who came from another page."""
    page = visit(browser, f"{server}/lambda", width=1280, height=800)
    page.get_by_test_id("stSidebar").get_by_role("link", name="Memorisation", exact=True).click()
    page.wait_for_url("**/memorisation**")
    page.wait_for_function(f"() => ({SENTENCE})()?.startsWith('From label noise')")
    page.locator(CHART).first.wait_for()
    settle(page)
    return page


def alike(browser, page):
    """Whether a fresh reader of the address comes to the same picture and sentence; which these are."""
    settle(page)
    fresh = visit(browser, page.url, width=1280, height=800)
    for what in (DRAWN, SENTENCE):
        fresh.wait_for_function(f"wanted => ({what})() === wanted", arg=page.evaluate(what))
    assert fresh.url == page.url
    found = page.evaluate(DRAWN), page.evaluate(SENTENCE)
    browser.leave(fresh)
    return found


def test_what_is_reached_by_the_menu_is_what_a_link_shows(browser, by_menu):
    noise = alike(browser, by_menu)
    by_menu.get_by_role("radio", name="training images").or_(
        by_menu.get_by_role("button", name="training images")
    ).first.click()
    by_menu.wait_for_url("**along=training+images**")
    by_menu.wait_for_function(f"() => ({SENTENCE})()?.startsWith('From n = ')")
    images = alike(browser, by_menu)
    assert images[0] != noise[0]
    handle = by_menu.get_by_test_id("stBidiComponentIsolated").get_by_role("slider")
    handle.focus()
    by_menu.keyboard.press("End")
    by_menu.wait_for_url("**label_noise=**")
    by_menu.wait_for_function(f"old => ({SENTENCE})() !== old", arg=images[1])
    moved = alike(browser, by_menu)
    assert moved[0] != images[0]
    by_menu.get_by_role("radio", name="label noise").or_(
        by_menu.get_by_role("button", name="label noise")
    ).first.click()
    by_menu.wait_for_function(f"() => ({SENTENCE})()?.startsWith('From label noise')")
    settle(by_menu)
    assert "label_noise" not in by_menu.url  # it is the axis
    assert alike(browser, by_menu) == noise


def test_a_handle_that_is_dragged_moves_the_picture_before_the_server_answers(browser, server):
    page = visit(browser, f"{server}/memorisation", width=1280, height=800)
    before = page.evaluate(DRAWN)
    handle = page.get_by_test_id("stBidiComponentIsolated").get_by_role("slider")
    handle.focus()
    page.context.set_offline(True)
    page.keyboard.press("Home")
    page.wait_for_function(f"old => ({DRAWN})() !== old", arg=before)
    page.context.set_offline(False)
