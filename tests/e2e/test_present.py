"""In front of a lecture hall, and taken home: large type, arrow keys, a pointer; a file that moves without a network."""

import json

from tests.e2e.serving import settle, visit
from tests.e2e.test_walk import address, compared

HANDLE = "[class*='st-key-bar_player'] input[type=range]"
WRITTEN = """() => [...document.querySelectorAll('.js-plotly-plot text')].filter(text => text.textContent.trim() && text.getBoundingClientRect().width)
  .map(text => parseFloat(getComputedStyle(text).fontSize) * document.querySelector('.js-plotly-plot .main-svg').getBoundingClientRect().width
    / document.querySelector('.js-plotly-plot .main-svg').clientWidth)"""
DOT = "#boundlab-pointer"


def present(browser, server, path="lambda?present=1"):
    page = visit(browser, f"{server}/{path}", width=1280, height=720)
    page.wait_for_function(
        "() => document.querySelector('.js-plotly-plot .main-svg').getBoundingClientRect().width > 1200", timeout=60_000
    )
    return page


def test_the_chart_is_large_and_whole_and_there_is_no_menu(browser, server):
    page = present(browser, server)
    assert not page.get_by_test_id("stSidebar").is_visible()
    for part in (".js-plotly-plot .main-svg", ".js-plotly-plot .xtitle", HANDLE):
        box = page.locator(part).first.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 1280
        assert box["y"] + box["height"] <= 720, part
    sizes = page.evaluate(WRITTEN)
    assert sum(size >= 20 for size in sizes) > 0.8 * len(sizes), sizes
    assert min(sizes) >= 16
    page.set_viewport_size({"width": 1600, "height": 900})
    page.wait_for_function(
        "() => document.querySelector('.js-plotly-plot .main-svg').getBoundingClientRect().width > 1500", timeout=60_000
    )
    assert page.locator(".js-plotly-plot .main-svg").first.bounding_box()["width"] <= 1600


def test_arrow_keys_move_the_handle_p_shows_a_pointer_and_escape_leaves(browser, server):
    page = present(browser, server)
    last = page.locator(HANDLE).input_value()
    page.keyboard.press("ArrowLeft")
    assert int(page.locator(HANDLE).input_value()) == int(last) - 1
    page.wait_for_url("**epoch=**")
    page.keyboard.press("p")
    page.mouse.move(400, 300)
    box = page.locator(DOT).bounding_box()
    assert (round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2)) == (400, 300)
    page.keyboard.press("P")
    assert not page.locator(DOT).is_visible()
    where = address(page)
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "present" not in url)
    settle(page)
    assert page.get_by_test_id("stSidebar").is_visible()
    assert page.locator(DOT).count() == 0
    page.wait_for_function(
        "() => document.querySelector('.js-plotly-plot .main-svg').getBoundingClientRect().width < 1100", timeout=60_000
    )
    compared(browser, page)
    assert address(page) == (where[0], {key: value for key, value in where[1].items() if key != "present"})


def test_by_the_button_reload_and_back_it_is_the_same(browser, server):
    page = visit(browser, f"{server}/width", width=1280, height=720)
    page.get_by_role("button", name="Present", exact=True).click()
    page.wait_for_url("**present=1**")
    there = compared(browser, page)
    page.reload()
    assert compared(browser, page) == there
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "present" not in url)
    settle(page)  # the menu comes back, and what stands in it moves
    page.get_by_test_id("stSidebar").get_by_role("link", name="Depth", exact=True).click()
    page.wait_for_url("**/depth**")
    compared(browser, page)
    assert "present" not in page.url


def test_a_saved_file_moves_without_a_network_and_shows_the_same(browser, server, tmp_path):
    page = visit(browser, f"{server}/lambda", width=1280, height=720, own=True)
    with page.expect_download() as download:
        page.get_by_role("button", name="HTML", exact=True).click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name.endswith("-moves.html")
    page.locator(HANDLE).focus()
    page.keyboard.press("Home")
    page.wait_for_url("**epoch=0**")
    settle(page)
    shown = "() => document.querySelector('.js-plotly-plot')._fullData.map(trace => [trace.name, [...trace.x ?? []], [...trace.y ?? []]])"
    live = page.evaluate(shown)
    page.context.set_offline(True)
    home = page.context.new_page()
    troubles = []
    home.on("pageerror", lambda error: troubles.append(str(error)))
    home.on("console", lambda message: troubles.append(message.text))
    home.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "blob:", "data:")) else troubles.append(request.url),
    )
    home.goto(file.as_uri())
    home.locator(".js-plotly-plot .main-svg").first.wait_for()
    before = home.evaluate(shown)
    home.locator("#handle").focus()
    home.keyboard.press("Home")
    home.wait_for_function(f"before => JSON.stringify(({shown})()) !== before", arg=json.dumps(before))
    assert home.evaluate(shown) == live
    assert home.locator("#label").inner_text() == "0"
    home.get_by_role("button", name="Play").click()
    home.wait_for_function("() => document.getElementById('handle').valueAsNumber > 1")
    assert not troubles
