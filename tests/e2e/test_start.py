"""Start as a newcomer meets it: the guess, the reveal, the handle moved in the browser; every way of arriving at the picture."""

import re

import pytest

from boundlab.analysis.promises import promised
from boundlab.runs.pack import read_pack
from boundlab.words.promises import promise_verdict
from tests.e2e.serving import settle, visit

PLOT = ".js-plotly-plot"
WORDS = ".words"
PLAYER = '[data-testid="stBidiComponentIsolated"]'
LABELS = ["0.0008", "0.0009", "0.001", "0.002", "0.003", "0.004", "0.0115"]
CONTROLS = """() => [...document.querySelectorAll('[data-testid="stMain"]')].flatMap(main => [...main.querySelectorAll(
  'button, input, [role=slider], select, a')]).filter(e => e.checkVisibility() && e.getBoundingClientRect().width > 1
  && !e.closest('.js-plotly-plot, [data-testid="stTooltipIcon"], [data-testid="stElementToolbar"]')).map(e => e.innerText || e.getAttribute('aria-label'))"""


@pytest.fixture(scope="module")
def verdicts():
    runs = [r for r in read_pack() if re.match(r"mnist-conv-3-16-wd[\d.]+-s0-", r.id)]
    return [promise_verdict(network).replace("**", "") for network in promised(runs, 0.001)]


def handle(page):
    return page.locator(PLAYER).get_by_role("slider")


def said(page):
    return (
        page.locator(PLAYER).locator(f"{WORDS}:visible").first
    )  # while Streamlit puts another in its place there are two


def drawn(page):
    """Numbers at the brackets and beyond 100, as the chart has them now."""
    return page.locator(PLOT).evaluate(
        "chart => chart._fullData.filter(t => ['promises', 'too large'].includes(t.name)).map(t => [...t.text]).flat().filter(Boolean)"
    )


def slide_to(page, name, value, linked, key="ArrowLeft"):
    """One press after the other has shown, until the link has the value too: Streamlit's slider forgets a press that comes
    while it still draws the last, and sends one only after a moment."""
    slider = page.get_by_role("slider", name=name)
    slider.focus()
    for _ in range(2):
        while (before := slider.input_value()) != str(value):
            page.keyboard.press(key)
            page.wait_for_function(
                "([e, before]) => e.value !== before", arg=[slider.element_handle(), before], timeout=60_000
            )
            settle(page)
        page.wait_for_url(f"**{linked}={value}**")
        settle(page)  # a value that went back meanwhile is seen now


def reveal(page):
    page.get_by_role("button", name="Reveal").click()
    said(page).wait_for(timeout=60_000)
    settle(page)


def test_before_the_first_click_there_are_few_words_and_few_controls(browser, server):
    page = visit(browser, server, width=1280)
    words = page.get_by_test_id("stMain").inner_text()
    assert "too large:" in words  # the chart's words are among them
    found = [word for word in words.split() if re.search(r"[^\W\d]", word)]
    assert 20 < len(found) <= 60, found
    controls = page.evaluate(CONTROLS)
    assert len(controls) <= 4, controls


def test_guess_reveal_drag(browser, server, verdicts):
    page = visit(browser, server, width=1280)
    slide_to(page, "How many will it get wrong?", 45, "wrong")
    reveal(page)
    page.wait_for_url(lambda url: "reveal=true" in url and "wrong=45" in url and "promised=50" in url)
    assert said(page).inner_text() == verdicts[LABELS.index("0.004")]
    chart = page.locator(PLOT)
    assert "45 wrong, promise at most 50" in " ".join(chart.locator(".annotation").all_text_contents())
    before = drawn(page)
    box = handle(page).bounding_box()
    y = box["y"] + box["height"] / 2
    page.context.set_offline(True)  # the picture and its verdict need no server
    page.mouse.move(box["x"] + 0.8 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 15, y, steps=8)
    page.wait_for_function(
        "root => document.querySelector(root)._fullData.some(t => t.text?.[0] === 'truth: 2.3')", arg=PLOT
    )
    page.mouse.up()
    assert handle(page).input_value() == "0"
    assert said(page).inner_text() == verdicts[0]
    after = drawn(page)
    assert len(after) == len(before)
    assert after != before


def test_the_text_and_the_link_follow_and_every_way_of_arriving_shows_the_same(browser, server, verdicts):
    page = visit(browser, server, width=1280)
    slide_to(page, "At most how many can theory promise?", 40, "promised")
    reveal(page)
    handle(page).focus()
    page.keyboard.press("Home")
    page.wait_for_url("**wd=0.0008**", timeout=60_000)
    settle(page)

    def same(there):
        said(there).wait_for(timeout=60_000)
        settle(there)
        there.wait_for_function(
            "root => (document.querySelector(root)?._fullData ?? []).some(t => t.name === 'truth, in words' && t.text[0] === 'truth: 2.3')",
            arg=PLOT,
        )
        assert said(there).inner_text() == verdicts[0]
        assert "50 wrong, promise at most 40" in " ".join(there.locator(f"{PLOT} .annotation").all_text_contents())
        return drawn(there)

    here = same(page)
    page.reload()
    assert same(page) == here
    page.get_by_role("link", name="Theory", exact=True).click()
    page.wait_for_url("**/theory**")
    settle(page)
    page.go_back()
    assert same(page) == here
    other = visit(browser, page.url, width=1280)
    assert same(other) == here
    browser.leave(other)
    second = page.context.new_page()
    second.goto(page.url)
    assert same(second) == here


def test_a_handle_moved_before_the_chart_has_its_size_moves_the_chart(browser, server):
    """Streamlit lays a new chart out twice; on a slow machine the handle is moved in between."""
    for slower in (6, 12, 12):
        page = visit(browser, f"{server}/?promised=40&wrong=50", width=1280, own=True)
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
        page.get_by_role("button", name="Reveal").click()
        said(page).wait_for(timeout=60_000)
        handle(page).focus()
        page.keyboard.press("Home")
        page.wait_for_url("**wd=0.0008**", timeout=60_000)
        settle(page)
        page.wait_for_function(
            "root => document.querySelector(root)?._fullData?.some(t => t.name === 'truth, in words' && t.text[0] === 'truth: 2.3')",
            arg=PLOT,
        )
        page.context.close()


def test_without_a_guess_it_takes_one_click(browser, server):
    page = visit(browser, server, width=1280)
    page.get_by_role("button", name="Show without guessing").click()
    said(page).wait_for(timeout=60_000)
    settle(page)
    assert page.url.endswith("?reveal=true")
    assert "promise at most" not in page.locator(PLOT).inner_text()


def test_play_runs_to_the_end(browser, server, verdicts):
    page = visit(browser, f"{server}/?reveal=true&wd=0.0008", width=1280)
    page.locator(PLAYER).get_by_role("button", name="Play").click()
    page.wait_for_url("**wd=0.0115**", timeout=60_000)
    assert said(page).inner_text() == verdicts[-1]


@pytest.mark.parametrize(
    ("question", "where"),
    [("Is it vacuous?", "lambda"), ("Does depth hurt?", "depth"), ("What can be certified?", "certificates")],
)
def test_a_story_goes_on_with_its_settings_filled_in(browser, server, question, where):
    page = visit(browser, f"{server}/?reveal=true&channels=8&wd=0.001", width=1280)
    page.get_by_role("link", name=question).click()
    page.wait_for_url(f"**/{where}?**", timeout=180_000)
    page.locator(PLOT).first.wait_for(timeout=60_000)
    settle(page)
    if where == "certificates":  # its story begins there
        assert page.get_by_text("Wrong of 100: at most").count() == 1
    else:
        assert "channels=8" in page.url
    assert page.get_by_text("In the link, but not used").count() == 0
    assert page.get_by_text("the link asks for").count() == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)], ids=["projector", "phone"])
@pytest.mark.parametrize("link", ["", "?reveal=true&wrong=10&promised=40"], ids=["guess", "revealed"])
def test_the_drawing_is_there_and_on_a_projector_the_handle_is_on_the_first_screen(
    browser, server, link, width, height, dark
):
    page = visit(browser, f"{server}/{link}", width=width, dark=dark)
    page.set_viewport_size({"width": width, "height": height})
    settle(page)
    image = page.get_by_role(
        "img",
        name=re.compile("a neuron of the last sees 4 × 4 of the 28 × 28 pixels; of 10 classes the network chooses 3"),
    )
    box = image.bounding_box()
    assert box["width"] > 250
    if width > 640:
        assert box["y"] + box["height"] < height
        last = handle(page) if link else page.get_by_role("button", name="Reveal")
        assert last.bounding_box()["y"] + last.bounding_box()["height"] <= height
    else:
        assert page.locator(PLOT).bounding_box()["y"] < box["y"]
