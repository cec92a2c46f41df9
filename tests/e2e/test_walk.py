"""However one arrives (menu, Back, Forward, reload, link, second tab), the picture is the one that the address stands for."""

import random
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from boundlab.ui.page import PAGES
from tests.e2e.serving import serving, settle, visit

CHARTS = [page for page in PAGES if page.key not in ("theory", "train", "checkpoint")]
PATIENCE = 300  # s for a page to come to rest
DRAWN = """() => JSON.stringify([...document.querySelectorAll('.js-plotly-plot')].map(plot =>
  (plot._fullData ?? []).map(({name, x, y, visible}) => [name, visible, Array.from(x ?? []), Array.from(y ?? [])])))"""

WHOLE = """() => [...document.querySelectorAll('[data-testid="stPlotlyChart"]')]
  .every(chart => chart.querySelector('.js-plotly-plot')?._fullData)"""


@pytest.fixture(scope="module")
def server():
    with serving() as url:
        yield url


def address(page):
    """Page and parameters, whatever their order."""
    parts = urlsplit(page.url)
    return parts.path, parse_qs(parts.query, keep_blank_values=True)


def same(page, fresh):
    """Whether both show the same, at the same address, with every chart of theirs drawn."""
    whole = all(one.evaluate(WHOLE) for one in (page, fresh))
    return whole and page.evaluate(DRAWN) == fresh.evaluate(DRAWN) and address(page) == address(fresh)


def compared(browser, page):
    """Wait until the page shows what a fresh visitor to its address sees; the address."""
    deadline = time.monotonic() + PATIENCE
    while True:
        settle(page)
        url = page.url
        fresh = visit(browser, url)
        while page.url == url and not same(page, fresh):
            assert time.monotonic() < deadline, (
                f"{url} shows another picture, or is called otherwise, for a fresh visitor"
            )
            page.wait_for_timeout(100)
        wanted = fresh.evaluate(DRAWN)
        fresh.context.close()
        if page.url == url:
            assert "[]" not in (wanted, wanted[1:-1]), f"{url} draws nothing"
            return address(page)


def move(page, chance):
    """One control of the page, whichever."""
    main = page.get_by_test_id("stMain")
    kinds = [main.get_by_test_id("stSlider").get_by_role("slider"), main.get_by_role("radio")]
    kinds.append(page.get_by_test_id("stBidiComponentIsolated").get_by_role("slider"))
    found = [kind.nth(number) for kind in kinds for number in range(kind.count()) if kind.nth(number).is_visible()]
    control = chance.choice(found)
    if control.get_attribute("role") == "radio":
        control.click()
    else:
        control.focus()
        page.keyboard.press(chance.choice(["ArrowLeft", "ArrowRight", "Home"]))
    page.wait_for_timeout(300)  # a reader's pause: the handle tells its position when it rests


@pytest.mark.parametrize("seed", [1, 2])
def test_a_walk_shows_at_every_step_what_a_fresh_link_shows(browser, server, seed):
    chance = random.Random(seed)
    page = visit(browser, server)
    history, at = [compared(browser, page)], 0
    for entry in chance.sample(CHARTS[1:], len(CHARTS) - 1):
        page.get_by_test_id("stSidebar").get_by_role("link", name=entry.title, exact=True).click()
        page.wait_for_url(f"**/{entry.key}**")
        history[at + 1 :] = [compared(browser, page)]
        at += 1
        for _ in range(2):
            move(page, chance)
        history[at] = compared(browser, page)
        if (step := chance.choice(["none", "reload", "back", "back and on"])) == "none":
            continue
        if step == "reload":
            page.reload()
        else:
            at -= 1
            page.go_back()
            assert (compared(browser, page), step) == (history[at], step)
        if step == "back and on":
            at += 1
            page.go_forward()
        assert (compared(browser, page), step) == (history[at], step)
