"""Compare's table of networks in a real browser: rows ticked with the mouse, a search with the keys, the link, Back."""

import pytest

from tests.e2e.serving import settle, visit

DRAWER = "Choose networks"
HEADS = "() => [...document.querySelectorAll('[class*=st-key-compare_name]')].map(e => e.innerText)"
TAGS = "() => [...document.querySelectorAll('.st-key-compare_picked [data-tag]')].map(e => e.textContent.trim())"
HEADER, ROW = 38, 37  # pixels of the table's head and of one of its rows


def tick(page, row):
    """A click on the box of that row of the table as it stands."""
    table = page.get_by_test_id("stDataFrameResizable").first
    table.scroll_into_view_if_needed()  # it stands below the pictures
    box = table.bounding_box()
    page.mouse.click(box["x"] + 18, box["y"] + HEADER + ROW * row + ROW / 2)


def until(page, script, value):
    """Wait until it gives that; a failure says what it gave."""
    try:
        page.wait_for_function(
            f"want => JSON.stringify(({script})()) === want", arg=as_json(page, value), timeout=60_000
        )
    except Exception as error:
        raise AssertionError(f"expected {value}, got {page.evaluate(script)}") from error


def as_json(page, value):
    return page.evaluate("value => JSON.stringify(value)", value)


def heads(page):
    return page.evaluate(HEADS)


def test_rows_are_ticked_with_the_mouse_and_found_with_the_keys(browser, server):
    page = visit(browser, f"{server}/compare")
    page.get_by_text(DRAWER).click()
    page.get_by_role("button", name="Clear all").click()
    page.get_by_text("Pick two to four networks.").wait_for(timeout=60_000)
    page.get_by_role("textbox", name="Filter the table").fill("conv-3-8 digits 0.0008")
    page.get_by_text("3 rows.").wait_for(timeout=60_000)
    conv = "CONV-3-8 · digits 8×8 · λ = 0.0008 · seed {}"
    tick(page, 2)
    until(page, TAGS, [conv.format(2)])
    settle(page)  # two ticks at once come in the table's order
    tick(page, 0)
    until(page, TAGS, [conv.format(2), conv.format(0)])
    page.get_by_text("Pick two to four networks.").wait_for(state="detached", timeout=60_000)
    page.get_by_role("combobox", name="Compared").click()
    page.keyboard.type("mlp-102-102-102 0.0032 seed 1")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")
    mlp = "MLP-102-102-102 · MNIST · λ = 0.0032 · seed 1"
    until(page, TAGS, [conv.format(2), conv.format(0), mlp])
    page.keyboard.press("Escape")
    page.wait_for_url("**n3=MLP**", timeout=60_000)
    settle(page)
    page.wait_for_function(f"() => ({HEADS})().length === 3", timeout=60_000)
    shown = heads(page)
    assert [len(shown), len(set(shown))] == [3, 3]
    tick(page, 0)  # a second click takes the network out again
    until(page, TAGS, [conv.format(2), mlp])
    settle(page)
    page.reload()
    page.wait_for_function(f"() => ({HEADS})().length === 2", timeout=60_000)
    settle(page)
    again = visit(browser, page.url)
    assert heads(again) == heads(page)
    until(again, TAGS, [conv.format(2), mlp])


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844), (1400, 900)])
def test_the_first_picture_is_on_the_first_screen_and_names_are_whole(browser, server, whole_pack, width, height):
    page = visit(browser, f"{server}/compare", width)
    page.set_viewport_size({"width": width, "height": height})
    box = page.locator(".js-plotly-plot .nsewdrag, .js-plotly-plot .draglayer").first.bounding_box()
    plot = page.locator(".js-plotly-plot").first.bounding_box()
    assert plot["y"] + plot["width"] <= height, "the drawing is as high as it is wide"
    assert box is not None
    page.get_by_text(DRAWER).click()
    page.get_by_text(f"{len(whole_pack)} rows.").wait_for(timeout=60_000)
    cut = (
        "() => [...document.querySelectorAll('[data-tag] span')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    page.locator(".st-key-compare_picked [data-tag]").first.wait_for()
    assert page.evaluate(cut) == 0
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")


def test_back_leads_to_the_page_before_with_its_networks(browser, server):
    page = visit(browser, f"{server}/compare")
    page.get_by_role("button", name="Depth", exact=True).click()
    page.wait_for_url("**n4=CONV-8-16**", timeout=60_000)
    page.wait_for_function(f"() => ({HEADS})().join().includes('CONV-8-16')", timeout=60_000)
    settle(page)
    shown = heads(page)
    page.get_by_role("link", name="Theory", exact=True).first.click()
    page.wait_for_url("**/theory**")
    settle(page)
    page.go_back()
    page.wait_for_url("**/compare**n4=CONV-8-16**", timeout=60_000)
    until(page, HEADS, shown)
    page.get_by_role("link", name="Theory", exact=True).first.click()
    page.wait_for_url("**/theory**")
    settle(page)
    page.get_by_role("link", name="Compare", exact=True).first.click()
    page.wait_for_url("**n4=CONV-8-16**", timeout=60_000)
    until(page, HEADS, shown)
