"""However one arrives (menu, Back, Forward, reload, link, second tab), the picture is the one that the address stands for."""

import random
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from boundlab.ui.page import PAGES
from tests.e2e.serving import CHART, OFFER, settle, visit

CHARTS = [page for page in PAGES if page.key not in ("lessons", "runs", "theory", "train", "checkpoint")]
PATIENCE = 300  # s for a page to come to rest
DRAWN = """() => JSON.stringify([...document.querySelectorAll('.js-plotly-plot')].map(plot =>
  (plot._fullData ?? []).map(({name, x, y, z, visible}) => [name, visible, Array.from(x ?? []), Array.from(y ?? []), z ?? []])))"""
# of a network that is missing: what is said, and where page Train would begin; the nearest one depends on how one came
OFFERED = """() => JSON.stringify([...document.querySelectorAll('.st-key-untrained')].map(offer =>
  [offer.querySelector('p').innerText, [...offer.querySelectorAll('a')].map(link => link.href)]))"""

TABLES = (
    """() => JSON.stringify([...document.querySelectorAll('[data-testid="stTable"]')].map(table => table.innerText))"""
)
SHOWN = f'{CHART}, {OFFER}, [data-testid="stTable"]'  # a view of page Compare is a table alone

WHOLE = """() => [...document.querySelectorAll('[data-testid="stPlotlyChart"]')]
  .every(chart => chart.querySelector('.js-plotly-plot')?._fullData)"""


def address(page):
    """Page and parameters, whatever their order."""
    parts = urlsplit(page.url)
    return parts.path, parse_qs(parts.query, keep_blank_values=True)


def same(page, fresh):
    """Whether both show the same, at the same address, with every chart of theirs drawn."""
    whole = all(one.evaluate(WHOLE) for one in (page, fresh))
    alike = all(page.evaluate(part) == fresh.evaluate(part) for part in (DRAWN, OFFERED, TABLES))
    return whole and alike and address(page) == address(fresh)


def compared(browser, page):
    """Wait until the page shows what a fresh visitor to its address sees; the address."""
    deadline = time.monotonic() + PATIENCE
    while True:
        settle(page)
        url = page.url
        fresh = visit(browser, url, drawn=SHOWN)
        while page.url == url and not same(page, fresh):
            assert time.monotonic() < deadline, (
                f"{url} shows another picture, or is called otherwise, for a fresh visitor"
            )
            page.wait_for_timeout(100)
        wanted, offered, tables = (fresh.evaluate(part) for part in (DRAWN, OFFERED, TABLES))
        browser.leave(fresh)
        if page.url == url:
            nothing = "[]" in (wanted, wanted[1:-1]) and offered == tables == "[]"
            assert not nothing, f"{url} draws nothing, and offers nothing"
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


def test_a_missing_network_is_one_however_one_arrives(browser, server):
    """A link, a slider, the menu, Back, Forward, reload: the offer stands, and its link fills in page Train."""
    page = visit(browser, f"{server}/lambda?layers=8&channels=64", drawn=OFFER)
    missing = compared(browser, page)
    page.reload()
    assert compared(browser, page) == missing
    page.get_by_test_id("stSidebar").get_by_role("link", name="Anatomy", exact=True).click()
    page.wait_for_url("**/anatomy**")
    page.locator(OFFER).get_by_text("CONV-8-64 at λ = 0.004 has not been trained").wait_for(timeout=60_000)
    anatomy = compared(browser, page)
    page.go_back()
    assert compared(browser, page) == missing
    page.go_forward()
    assert compared(browser, page) == anatomy
    page.get_by_role("link", name="Train CONV-8-64 at λ = 0.004").click()
    page.wait_for_url("**/train?**")
    page.get_by_text("on CPU").wait_for(timeout=60_000)
    asked = address(page)[1]
    assert (asked["conv_layers"], asked["channels"], asked["dataset"]) == (["8"], ["64"], ["mnist"])
    assert page.get_by_test_id("stAlert").filter(has_text="link").count() == 0
    settle(page)  # Streamlit lets a run that begins at the moment of Back win over it
    page.go_back()
    page.wait_for_url("**/anatomy**")
    assert compared(browser, page) == anatomy
    page.get_by_role("button", name="Show the nearest: CONV-8-16 at λ = 0.004").click()
    page.locator(CHART).first.wait_for(timeout=60_000)
    assert compared(browser, page)[1] == {"layers": ["8"]}


def test_a_click_on_an_empty_cell_of_a_heat_map_offers_to_train_it(browser, server):
    page = visit(browser, f"{server}/depth?panels=heat+map&channels=64")
    compared(browser, page)
    empty = "() => document.querySelector('.js-plotly-plot')._fullData.filter(one => one.name === 'not trained')[1]"
    box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    x, y = page.evaluate(f"() => {{ const {{x, y}} = ({empty})(); return [x.at(-1), y.at(-1)]; }}")
    ranges = "() => { const {xaxis, yaxis} = document.querySelector('.js-plotly-plot')._fullLayout; return [xaxis.range, yaxis.range]; }"
    (left, right), (low, high) = page.evaluate(ranges)
    across, up = (x - left) / (right - left), (high - y) / (high - low)
    page.mouse.click(box["x"] + across * box["width"], box["y"] + up * box["height"])
    page.get_by_text("CONV-8-64 at λ = 0.0115 has not been trained").wait_for(timeout=60_000)
    seen = page.get_by_role("link", name="Train CONV-8-64 at λ = 0.0115", exact=True).bounding_box()
    assert seen["y"] + seen["height"] <= 900  # on the screen that was clicked
