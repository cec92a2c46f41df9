"""Selected runs, in a real Chromium: framed on Ranking or ticked in the table of all runs, they are in the link, and the same on every
page, however one arrives; a click on a number of the ranks draws it."""

from urllib.parse import parse_qs, urlsplit

from tests.e2e.serving import GRID, settle, visit
from tests.e2e.test_walk import DRAWN, compared

RINGED = """() => document.querySelectorAll('.js-plotly-plot')[1]._fullData[0].marker.line.width"""
SELECTED = "networks selected"


def frame(page, low, high):
    """Drag over a part of the scatter: from one corner to the other, as shares of its width and height."""
    box = page.locator(".js-plotly-plot").nth(1).locator(".nsewdrag").first.bounding_box()
    at = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])  # noqa: E731
    page.mouse.move(*at(*low))
    page.mouse.down()
    page.mouse.move(*at((low[0] + high[0]) / 2, (low[1] + high[1]) / 2), steps=4)
    page.mouse.move(*at(*high), steps=4)
    page.mouse.up()
    page.get_by_text(SELECTED).wait_for(timeout=60_000)
    settle(page)


def codes(page):
    return parse_qs(urlsplit(page.url).query).get("selected", [""])[0]


def ringed(page):
    """How many dots are."""
    widths = page.evaluate(RINGED)
    return sum(width > 1 for width in widths.values()) if isinstance(widths, dict) else sum(w > 1 for w in widths)


def sentence(page):
    """What is said of the selected networks."""
    return page.locator("p").filter(has_text=SELECTED).inner_text()


def test_framed_networks_are_ordered_alone_however_one_arrives(browser, server):
    page = visit(browser, f"{server}/ranking?dataset=mnist")
    before = page.evaluate(DRAWN)
    frame(page, (0.02, 0.02), (0.6, 0.98))
    page.wait_for_function("() => location.search.includes('selected=')")
    count = len(codes(page)) // 5
    assert 3 <= count == ringed(page)
    said = sentence(page)
    assert f"{count} networks selected" in said
    assert f"{count * (count - 1) // 2:,} pairs" in said
    there = compared(browser, page)  # a fresh visitor to its address sees the same
    page.reload()
    assert compared(browser, page) == there
    assert (ringed(page), sentence(page)) == (count, said)
    page.get_by_test_id("stSidebar").get_by_role("link", name="All runs", exact=True).click()
    page.wait_for_url("**/runs**")
    page.get_by_text(f"{count} selected", exact=True).wait_for(timeout=60_000)
    assert codes(page) == there[1]["selected"][0]
    page.go_back()
    assert compared(browser, page) == there
    assert ringed(page) == count
    page.go_forward()
    page.get_by_text(f"Clear {count} selected").wait_for(timeout=60_000)
    settle(page)
    page.go_back()
    page.get_by_role("button", name=f"Clear {count} selected").click()
    page.wait_for_function("() => !location.search.includes('selected=')")
    compared(browser, page)
    assert page.get_by_text(SELECTED).count() == 0
    assert page.evaluate(DRAWN) == before


def test_another_frame_is_another_selection(browser, server):
    page = visit(browser, f"{server}/ranking?dataset=mnist")
    frame(page, (0.02, 0.02), (0.5, 0.98))
    page.wait_for_function("() => location.search.includes('selected=')")
    first = codes(page)
    frame(page, (0.5, 0.02), (0.98, 0.98))
    page.wait_for_function("first => !location.search.includes(first)", arg=first)
    settle(page)
    both = [{code[at : at + 5] for at in range(0, len(code), 5)} for code in (first, codes(page))]
    assert not both[0] & both[1]
    assert ringed(page) == len(both[1])


def test_a_click_on_a_number_of_the_ranks_draws_it(browser, server):
    page = visit(browser, f"{server}/ranking?dataset=mnist")
    place = """() => { const plot = document.querySelector('.js-plotly-plot'), {xaxis, yaxis} = plot._fullLayout;
      const dots = plot._fullData.at(-1), at = dots.customdata.findIndex(data => data.at(-1) === 'path_norm');
      const box = plot.querySelector('.nsewdrag').getBoundingClientRect();
      return [box.x + xaxis.d2p(dots.x[at]), box.y + yaxis.d2p(dots.y[at])]; }"""
    title = "() => document.querySelectorAll('.js-plotly-plot')[1]?._fullLayout?.xaxis.title.text"
    assert page.evaluate(title) != "Path norm"
    page.mouse.click(*page.evaluate(place))
    page.wait_for_function(f"{title.removeprefix('() => ')} === 'Path norm'", timeout=60_000)
    compared(browser, page)
    assert "number=Path+norm" in page.url


def test_ticked_runs_are_in_the_link_and_marked_elsewhere(browser, server):
    page = visit(browser, f"{server}/runs?where=dataset%3Dmnist&where=recipe%3Dshort&columns=run", drawn=GRID)
    box = page.locator(GRID).first.bounding_box()
    for row in (1, 3):
        page.mouse.click(box["x"] + 18, box["y"] + 37 * row + 18)
        page.get_by_text(f"{(row + 1) // 2} selected", exact=True).wait_for(timeout=60_000)
        settle(page)
    page.wait_for_function("() => location.search.includes('selected=')")
    two = codes(page)
    assert len(two) == 10
    page.reload()
    page.get_by_role("button", name="Clear 2 selected").wait_for(timeout=60_000)
    fresh = visit(browser, f"{server}/ranking?dataset=mnist&flagged=true&selected={two}")
    assert ringed(fresh) == 2
    fresh.get_by_role("link", name="In the table of all runs").click()
    fresh.wait_for_url("**/runs**")
    fresh.get_by_role("button", name="Clear 2 selected").wait_for(timeout=60_000)
    assert codes(fresh) == two
    with fresh.expect_download() as download:
        fresh.get_by_role("button", name="CSV", exact=True).click()
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == 3
    page.get_by_role("button", name="Clear 2 selected").click()
    page.wait_for_function("() => !location.search.includes('selected=')")
