"""A sample of nasty links in a real browser: three seconds after the page stands no exception is on it and the note still is."""

from urllib.parse import quote

import pytest

from boundlab.ui.page import PAGES
from tests.e2e.serving import settle
from tests.nasty import NASTY

ASK = {  # a parameter of every page that takes one of a few values, or a number
    "playground": ("dataset", "layers"),
    "train": ("kind", "weight_decay"),
    "checkpoint": ("dataset", "task"),
    "compare": ("n1", "count"),
    "runs": ("data", "group"),
    "lessons": ("lesson", "step"),
}
SAMPLE = ("control characters", "breaks out of code", "HTML", "right to left", "huge")
INJECTED = (
    '() => document.querySelectorAll(\'.stMain img[src="zz"], .stMain a[href*="zz"], .stMain img[src*="zz"]\').length'
)


@pytest.mark.parametrize("entry", PAGES, ids=lambda p: p.key)
def test_three_seconds_later_the_note_is_still_there(browser, server, entry):
    first, second = ASK.get(entry.key, ("dataset", "delta"))
    seen = {}
    for name in SAMPLE[PAGES.index(entry) % 2 :: 2]:
        link = "&".join(f"{key}={quote(NASTY[name])}" for key in (first, second))
        seen[name] = page = browser.arrive(1280, 720)
        page.goto(f"{server}/{'' if entry.key == 'start' else entry.key}?{link}")
    for page in seen.values():
        said(page).wait_for(timeout=60_000)
        settle(page)
    page.wait_for_timeout(3_000)  # whatever runs once more, such as a component that answers late, has run
    for name, page in seen.items():
        settle(page)
        assert said(page).is_visible(), f"{entry.key}, {name}: the note is gone"
        assert page.get_by_test_id("stException").count() == 0
        assert page.evaluate(INJECTED) == 0


def said(page):
    return page.get_by_test_id("stAlert").filter(has_text="the link asks for").first
