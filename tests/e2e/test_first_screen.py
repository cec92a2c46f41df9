"""Chart first: on a projector and on a phone the whole chart, its x axis included, is on the first screen."""

import re
from itertools import combinations

import pytest

from boundlab.analysis.tables import AXES, LABEL_NOISE, N_TRAIN
from tests.cases import DIGITS
from tests.conftest import reference_weights, write_checkpoint
from tests.e2e.serving import CHART, FORMULA, settle, visit

TITLES = {
    "": "wrong out of 100 new digits",
    "?reveal=true&wrong=10&promised=40": "wrong out of 100 new digits",
    "training": AXES["epoch"].title,
    "lambda": AXES["weight_decay"].title,
    "width": AXES["channels"].title,
    "depth": AXES["depth"].title,
    "memorisation": LABEL_NOISE.title,
    "memorisation?along=training+images": N_TRAIN.title,
    "anatomy": "value so far (log₂ scale)",
    "lambda?panels=heat+map": AXES["weight_decay"].title,
    "width?panels=heat+map&dataset=digits": AXES["channels"].title,
    "certificates": "wrong, of 100 new images",
}
ON_A_PROJECTOR = {
    "compare": "○ test error, ● bound (log₂)",
    "train": AXES["epoch"].title,
}  # on a phone the pictures before it fill it
BELOW = """title => Math.max(0, ...[...document.querySelectorAll('.js-plotly-plot text')]
  .filter(text => text.textContent === title && !text.closest('.ytitle, .g-ytitle'))
  .map(text => text.getBoundingClientRect().bottom))"""


@pytest.mark.parametrize("path", TITLES)
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)], ids=["projector", "phone"])
def test_the_x_axis_is_on_the_first_screen(browser, server, path, width, height):
    page = browser.arrive(width, height)
    page.goto(f"{server}/{path}")
    page.locator(CHART).first.wait_for(timeout=60_000)
    settle(page)
    page.wait_for_function(f"title => ({BELOW})(title) > 0", arg=TITLES[path], timeout=60_000)
    assert page.evaluate(BELOW, TITLES[path]) <= height
    if path.split("?")[0] and "heat" not in path and path not in ("anatomy", "certificates"):
        handle = page.get_by_test_id("stBidiComponentIsolated").get_by_role("slider").bounding_box()
        assert handle["y"] + handle["height"] <= height


READ = """() => {
  const seen = [], main = document.querySelector('[data-testid="stMain"]');
  const walk = node => {
    for (const child of node.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) {
        const range = document.createRange();
        range.selectNodeContents(child);
        const hidden = getComputedStyle(child.parentElement).visibility === 'hidden';
        if (!hidden && range.getClientRects().length) seen.push(child.data);
      } else if (child.nodeType === Node.ELEMENT_NODE && !['STYLE', 'SCRIPT'].includes(child.tagName)
          && child.dataset.testid !== 'stIconMaterial') {
        if (child.shadowRoot) walk(child.shadowRoot);
        walk(child);
      }
    }
  };
  walk(main);
  return seen.join(' ');
}"""
CONTROLS = """() => ['stSlider', 'stButtonGroup', 'stSelectbox', 'stCheckbox', 'stPopover', 'stBidiComponentIsolated']
  .flatMap(kind => [...document.querySelectorAll(`[data-testid="stMain"] [data-testid="${kind}"]`)])
  .filter(control => control.getBoundingClientRect().height > 4).length"""


NUMBER = re.compile(r"^[\d.]+e[-+]?\d+$")  # 1e-05


@pytest.mark.parametrize("path", ["training", "lambda", "width", "depth", "width?panels=heat+map", "memorisation"])
def test_a_figure_page_says_little_before_it_is_asked(browser, server, path):
    """At most 60 words, those in the chart and on its bar among them, numbers not; and at most six controls, in one row."""
    page = browser.arrive(1280, 720)
    page.goto(f"{server}/{path}")
    page.locator(CHART).first.wait_for(timeout=60_000)
    settle(page)
    page.get_by_role("button", name="PNG", exact=True).wait_for()
    words = [word for word in page.evaluate(READ).split() if re.search(r"[A-Za-zλδ]", NUMBER.sub("", word))]
    print(path, len(words))
    assert {"PNG", "CSV", "Link", "Notes", "More"} <= set(words)
    assert len(words) <= 60, words
    assert 3 <= page.evaluate(CONTROLS) <= 6
    tops = {round(box["top"] / 30) for box in page.evaluate(BOXES)}
    assert max(tops) - min(tops) <= 1
    assert all(box["bottom"] <= 720 for box in page.evaluate(BOXES))


@pytest.mark.parametrize("path", ON_A_PROJECTOR)
def test_the_x_axis_is_on_the_first_screen_of_a_projector(browser, server, path):
    page = browser.arrive(1280, 720)
    page.goto(f"{server}/{path}")
    page.wait_for_function(f"title => ({BELOW})(title) > 0", arg=ON_A_PROJECTOR[path], timeout=60_000)
    settle(page)
    assert page.evaluate(BELOW, ON_A_PROJECTOR[path]) <= 720


def test_an_embedded_page_has_no_menu_and_elsewhere_the_menu_shows_its_focus(browser, server):
    page = browser.arrive(1280, 720)
    page.goto(f"{server}/lambda?embed=true&embed_options=light_theme")
    page.locator(CHART).first.wait_for(timeout=60_000)
    settle(page)
    assert page.get_by_test_id("stPageLink").count() == 0
    assert page.get_by_text("does not know").count() == 0
    page.goto(f"{server}/lambda")
    page.get_by_test_id("stPageLink").first.wait_for()
    link = page.get_by_role("link", name="Depth", exact=True)
    page.get_by_role("link", name="Width", exact=True).focus()
    page.keyboard.press("Tab")
    assert link.evaluate("link => link === document.activeElement")
    outline = link.evaluate("link => [getComputedStyle(link).outlineStyle, getComputedStyle(link).outlineWidth]")
    assert outline == ["solid", "2px"]


def test_what_a_link_says_of_controls_in_the_closed_drawer_stays(browser, server):
    page = browser.arrive(1280, 720)
    page.goto(f"{server}/lambda?dataset=digits&delta=0.05&scale=linear&show=Test+error")
    page.locator(CHART).first.wait_for(timeout=60_000)
    settle(page)
    slider = page.get_by_role("slider", name="Channels H")
    for key, there in (("ArrowLeft", "**channels=8**"), ("ArrowRight", lambda url: "channels" not in url)):
        slider.focus()
        page.keyboard.press(key)
        page.wait_for_url(there, timeout=60_000)
        settle(page)
    page.get_by_role("button", name="More").click()
    page.get_by_role("radio", name="relative").click()
    page.wait_for_url("**scale=relative**", timeout=60_000)
    settle(page)
    assert "delta=0.05" in page.url
    assert "show=Test+error" in page.url
    box = page.get_by_test_id("stPopoverBody").get_by_test_id("stSelectbox").first
    assert "0.05" in box.evaluate("box => box.innerText + box.querySelector('input').value")


WORDS = """() => [...document.querySelectorAll('.js-plotly-plot')].flatMap((plot, number) => {
  const inked = text => {  // without the blanks around it
    const walk = document.createTreeWalker(text, NodeFilter.SHOW_TEXT), nodes = [], range = document.createRange();
    while (walk.nextNode()) if (walk.currentNode.data.trim()) nodes.push(walk.currentNode);
    range.setStartBefore(nodes[0]);
    range.setEndAfter(nodes.at(-1));
    return range;
  };
  const clipped = text => text.closest('[clip-path]') ? '.nsewdrag' : '.main-svg';
  const box = element => { const {left, right, top, bottom} = element.getBoundingClientRect(); return {left, right, top, bottom}; };
  const buttons = [...plot.querySelectorAll('.modebar-group')].map(box);
  return [...plot.querySelectorAll('.main-svg text')].filter(text => text.textContent.trim() && !text.closest('.hoverlayer'))
    .map(text => ({plot: number, text: text.textContent, frame: box(plot.querySelector(clipped(text))), buttons, ...box(inked(text)),
      tick: !!text.closest('.xtick'), along: !!text.closest('.ytitle, .g-ytitle')}));
})"""


def meet(one, other):
    """Whether two boxes share more than an edge's pixel."""
    return all(min(one[b], other[b]) - max(one[a], other[a]) > 1 for a, b in (("left", "right"), ("top", "bottom")))


def cut_off(words):
    """Those that go beyond what is drawn: the picture, or the axes where it is clipped to them."""
    return [w["text"] for w in words if w["left"] < w["frame"]["left"] - 1 or w["right"] > w["frame"]["right"] + 1]


@pytest.mark.parametrize("path", TITLES)
def test_words_in_a_chart_are_whole_on_a_phone(browser, server, path):
    """No number is cut at the edge, no tick stands in the axis's title, no button of the toolbar over a word."""
    page = browser.arrive(390, 844)
    page.goto(f"{server}/{path}")
    page.locator(CHART).first.wait_for(timeout=60_000)
    settle(page)
    page.wait_for_function(f"title => ({BELOW})(title) > 0", arg=TITLES[path], timeout=60_000)
    page.locator(CHART).first.hover()
    page.locator(".modebar-group").first.wait_for()
    words = page.evaluate(WORDS)
    titles = [word for word in words if word["text"] == TITLES[path] and not word["along"]]
    assert len(titles) == 1
    assert len(words) > 5
    cut = cut_off(words)
    covered = [w["text"] for w in words if any(meet(w, button) for button in w["buttons"])]
    crossed = [w["text"] for w in words if w["tick"] and any(meet(w, title) for title in titles)]
    assert (cut, covered, crossed) == ([], [], [])


TURNED = """() => [...document.querySelectorAll('.xtick text')].map(tick => tick.getAttribute('transform') ?? '')
  .filter(turn => /rotate\\((?!0[,)])/.test(turn))"""


def wrong_on_a_phone(page, title="value (log₂ scale)"):
    """Of the first chart: words that the picture's edge cuts, and ticks that do not lie flat."""
    page.wait_for_function(f"title => ({BELOW})(title) > 0", arg=title, timeout=60_000)
    return cut_off([word for word in page.evaluate(WORDS) if word["plot"] == 0]), page.evaluate(TURNED)


@pytest.mark.parametrize("wd", ["0.0008", "0.0115"])
@pytest.mark.parametrize("data", ["dataset=mnist", "dataset=digits&layers=6"])
def test_the_largest_bounds_on_start_are_whole_on_a_phone(browser, server, data, wd):
    page = visit(browser, f"{server}/?reveal=true&all=true&wrong=100&promised=100&{data}&wd={wd}", width=390)
    assert wrong_on_a_phone(page, TITLES[""]) == ([], [])


@pytest.mark.parametrize(("times", "dark"), [(30, False), (1e6, True)], ids=["light", "dark"])
def test_the_bounds_of_a_checkpoint_are_whole_on_a_phone(browser, server, tmp_path, times, dark):
    weights = [times * weight for weight in reference_weights(DIGITS, 0)]
    path = write_checkpoint(tmp_path / "net.safetensors", DIGITS, weights)
    page = visit(browser, f"{server}/checkpoint?dataset=digits&convention=theorem", 390, dark, "h3")
    page.locator("input[type=file]").set_input_files(path)
    page.locator(CHART).first.wait_for(timeout=300_000)
    settle(page)
    assert wrong_on_a_phone(page) == ([], [])


@pytest.mark.parametrize("networks", ["figures", "certified"])
def test_what_is_guaranteed_is_whole_on_a_phone(browser, server, networks):
    page = visit(browser, f"{server}/certificates?networks={networks}", width=390)
    title = "wrong, of 100 new images"
    page.wait_for_function(f"title => ({BELOW})(title) > 0", arg=title, timeout=60_000)
    words = [word for word in page.evaluate(WORDS) if word["plot"] == 0]
    assert sum("≤" in word["text"] for word in words) == 4  # as many as there are cards
    assert cut_off(words) == []


@pytest.mark.parametrize("view", ["one+network", "two+networks"])
def test_the_anatomy_is_whole_on_a_phone(browser, server, view):
    page = visit(browser, f"{server}/anatomy?view={view}&convention=theorem", width=390)
    page.get_by_text("above 1: says nothing").wait_for(timeout=60_000)
    words = page.evaluate(WORDS)
    assert sum("×" in word["text"] for word in words) >= 4
    assert cut_off(words) == []


def test_no_button_of_the_toolbar_covers_a_word_about_what_is_guaranteed(browser, server):
    page = visit(browser, f"{server}/certificates?networks=figures", width=390)
    page.get_by_text("guessing 90").wait_for(timeout=60_000)
    page.locator(CHART).first.hover()
    page.locator(".modebar-group").first.wait_for()
    words = [word for word in page.evaluate(WORDS) if word["plot"] == 0]
    assert [w["text"] for w in words if any(meet(w, button) for button in w["buttons"])] == []


@pytest.mark.parametrize("path", ["certificates?networks=figures", "theory"])
def test_on_a_phone_the_controls_come_after_what_they_are_about(browser, server, path):
    drawn = FORMULA if path == "theory" else CHART
    page = visit(browser, f"{server}/{path}", width=390, drawn=drawn)
    control = page.get_by_role("combobox", name="Bound").first
    if path != "theory":
        control = page.get_by_role("slider", name="Layers L").first
    picture = page.locator(drawn).first
    assert picture.bounding_box()["y"] < control.bounding_box()["y"]


BROKEN = """() => [...document.querySelectorAll('[data-testid="stMain"] [data-testid="stSlider"] label p')].flatMap(label => {
  const text = label.firstChild, range = document.createRange();
  return [...text.data.matchAll(/\\S+/g)].filter(word => {
    range.setStart(text, word.index);
    range.setEnd(text, word.index + word[0].length);
    return range.getClientRects().length > 1;
  }).map(word => word[0]);
})"""

BOXES = """() => [...document.querySelectorAll(
  ['Slider', 'ButtonGroup', 'Selectbox', 'Popover'].map(kind => `[data-testid="stMain"] [data-testid="st${kind}"]`).join())]
  .map(control => {
    const {left, right, top, bottom} = control.getBoundingClientRect();
    return {what: control.innerText, left, right, top, bottom};
  })"""


@pytest.mark.parametrize(
    "path", ["", "lambda", "anatomy", "anatomy?view=two+networks", "certificates?networks=figures"]
)
@pytest.mark.parametrize("width", [800, 1280])
def test_no_word_of_a_slider_breaks_and_no_control_lies_on_another(browser, server, path, width):
    page = visit(browser, f"{server}/{path}", width=width, drawn='[data-testid="stSlider"] label p')
    page.wait_for_function(f"() => ({BROKEN})().length === 0", timeout=60_000)
    boxes = page.evaluate(BOXES)
    assert len(boxes) >= (4 if path else 2)  # Start asks two questions
    assert [box for box in boxes if box["right"] > width] == []
    assert [pair for pair in combinations(boxes, 2) if meet(*pair)] == []


@pytest.mark.parametrize("view", ["one+network", "two+networks", "published+to+strict"])
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)], ids=["projector", "phone"])
def test_the_waterfall_begins_high_on_the_first_screen(browser, server, view, width, height):
    page = browser.arrive(width, height)
    page.goto(f"{server}/anatomy?view={view}")
    page.locator(CHART).first.wait_for(timeout=60_000)
    settle(page)
    top = "() => document.querySelector('.js-plotly-plot').getBoundingClientRect().top"
    page.wait_for_function(f"most => ({top})() < most", arg=0.65 * height, timeout=60_000)


def test_the_button_that_trains_and_its_price_are_on_the_first_screen(browser, server):
    page = browser.arrive(1280, 720)
    page.goto(f"{server}/train")
    button = page.get_by_role("button", name="Train", exact=True)
    button.wait_for(timeout=60_000)
    price = page.get_by_text("on CPU")
    price.wait_for(timeout=60_000)
    settle(page)
    for seen in (button, price):
        box = seen.bounding_box()
        assert box["y"] + box["height"] <= 720


def test_a_formula_wider_than_a_narrow_screen_can_be_scrolled(browser, server):
    page = browser.arrive(800, 1000)
    page.goto(f"{server}/theory")
    page.locator(FORMULA).first.wait_for()
    settle(page)
    cut = (
        "() => [...document.querySelectorAll('.katex-display')].filter(e => e.scrollWidth > e.clientWidth + 4)"
        ".map(e => getComputedStyle(e).overflowX)"
    )
    found = page.evaluate(cut)
    assert found
    assert set(found) == {"auto"}
