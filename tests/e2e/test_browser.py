"""A real server and a real Chromium: deep links on a fresh server, the handle, sliders, exports, both themes, a phone."""

import re

import pytest

from boundlab.ui.page import PAGES
from tests.charts.test_colours import contrast
from tests.e2e.serving import CHART, FORMULA, GRID, open_notes, serving, settle, visit

TO_DIGITS = {
    "compare": "n1=CONV-3-16 · digits 8×8 · λ = 0.004&n2=CONV-5-16 · digits 8×8 · λ = 0.004",
    **{
        page.key: "dataset=digits"
        for page in PAGES
        if page.key not in ("compare", "lessons", "runs", "train", "checkpoint")
    },
    "start": "dataset=digits&reveal=true",
    "playground": "dataset=digits&layers=2",
}
NOTED = {"training", "lambda", "width", "depth", "memorisation", "anatomy"}  # what their chart is of is in their notes


# of every chart: whether there is a point, a bar or a cell in it
DRAWN = """() => [...document.querySelectorAll('.js-plotly-plot')].map(plot => (plot._fullData ?? [])
  .some(({y, z}) => [...y ?? [], ...z ?? []].some(value => value !== null && value === value)))"""


@pytest.mark.parametrize("page", [p for p in PAGES if p.key in TO_DIGITS], ids=lambda p: p.key)
def test_a_cold_deep_link_draws_its_chart(browser, page):
    """On a fresh server, in a browser that has loaded nothing."""
    with serving() as url:
        check_deep_link(browser, url, page, 1400)


@pytest.mark.parametrize("page", [p for p in PAGES if p.key in TO_DIGITS], ids=lambda p: p.key)
def test_a_deep_link_draws_its_chart_on_a_dark_phone(browser, server, page):
    check_deep_link(browser, server, page, 400, dark=True)


def check_deep_link(browser, url, page, width, dark=False):
    path = "" if page.key == "start" else page.key
    drawn = FORMULA if page.key == "theory" else CHART
    convention = "" if page.key == "playground" else "&convention=theorem"  # all of them at once there
    seen = visit(browser, f"{url}/{path}?{TO_DIGITS[page.key]}{convention}", width, dark, drawn, own=not dark)
    main = seen.get_by_test_id("stMain")
    box = seen.locator(drawn.split()[0]).first.bounding_box()
    assert box["x"] + box["width"] <= width
    if page.key == "playground":
        assert main.get_by_role("radio", name="digits", exact=True).is_checked()
        assert main.get_by_role("spinbutton", name="layers").input_value() == "2"
        assert main.get_by_text("appear here once it trains").is_visible()
        assert not any(seen.evaluate(DRAWN))  # axes, and no line before anything is trained
        return
    assert all(seen.evaluate(DRAWN)) or page.key == "theory"
    said = open_notes(seen) if page.key in NOTED else main
    assert "digits 8×8" in said.inner_text()


SEEN = """() => {
  const plot = document.querySelector('.js-plotly-plot');
  const {xaxis, yaxis} = plot._fullLayout;
  return JSON.stringify([plot.getBoundingClientRect().height, xaxis.range, yaxis.range]);
}"""
LINES = "() => [...document.querySelectorAll('.js-plotly-plot .scatterlayer .js-line')].map(e => e.getAttribute('d')).join()"
MARK = "() => { document.querySelector('.js-plotly-plot').mine = true; }"
MARKED = "() => Boolean(document.querySelector('.js-plotly-plot').mine)"


def still(page):
    """Wait until the picture has had the same frame four looks long."""
    seen = []
    while len(seen) < 4 or len(set(seen[-4:])) > 1:
        page.wait_for_timeout(250)
        seen.append(page.evaluate(SEEN))


def handle(page):
    return page.get_by_test_id("stBidiComponentIsolated").get_by_role("slider")


def test_the_handle_moves_the_picture_then_the_words_and_the_link(browser, server):
    page = visit(browser, f"{server}/training?dataset=digits")
    frame, lines, sentence = page.evaluate(SEEN), page.evaluate(LINES), page.get_by_text("From epoch 0").inner_text()
    page.evaluate(MARK)
    handle(page).focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"old => ({LINES})() !== old", arg=lines, timeout=60_000)
    page.wait_for_url("**wd=0.003**", timeout=60_000)
    page.wait_for_function("old => !document.body.innerText.includes(old)", arg=sentence, timeout=60_000)
    settle(page)
    assert page.evaluate(MARKED)  # the same chart, moved; not a new one
    assert page.evaluate(SEEN) == frame
    moved = page.get_by_text("From epoch 0").inner_text()
    again = visit(browser, page.url)  # the link restores the view
    assert again.get_by_text("From epoch 0").inner_text() == moved
    assert again.evaluate(LINES) == page.evaluate(LINES)


def test_a_slider_keeps_the_frame_of_the_picture(browser, server):
    page = visit(browser, f"{server}/lambda?dataset=digits")
    frame, lines = page.evaluate(SEEN), page.evaluate(LINES)
    page.get_by_role("slider", name="Channels H").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**channels=8**", timeout=60_000)
    page.wait_for_function(f"old => ({LINES})() !== old", arg=lines, timeout=60_000)
    settle(page)
    assert page.evaluate(SEEN) == frame


def test_dragging_needs_no_server(browser, server):
    page = visit(browser, f"{server}/lambda?dataset=digits")
    page.context.set_offline(True)
    box, seen = handle(page).bounding_box(), set()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] - 5, middle)
    page.mouse.down()
    for part in (0.8, 0.6, 0.4, 0.2, 0.05):
        before = page.evaluate(LINES)
        page.mouse.move(box["x"] + part * box["width"], middle)
        page.wait_for_function(f"old => ({LINES})() !== old", arg=before, timeout=60_000)
        seen.add(page.evaluate(LINES))
    assert len(seen) == 5


def test_a_changed_control_keeps_the_position_and_the_zoom(browser, server):
    page = visit(browser, f"{server}/lambda?dataset=digits&epoch=20")
    still(page)  # the chart has its final size
    box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 300, steps=4)
    before = page.evaluate(SEEN)
    page.mouse.up()
    page.wait_for_function(f"old => ({SEEN})() !== old", arg=before, timeout=60_000)
    still(page)
    zoomed = page.evaluate(SEEN)
    page.evaluate(MARK)
    lines = page.evaluate(LINES)
    page.get_by_role("slider", name="Channels H").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**channels=8**", timeout=60_000)
    page.wait_for_function(f"old => ({LINES})() !== old", arg=lines, timeout=60_000)
    settle(page)
    assert page.evaluate(MARKED)  # the same chart, moved
    assert page.evaluate(SEEN) == zoomed
    page.get_by_role("button", name="More").click()
    page.get_by_test_id("stButtonGroup").get_by_text("Test error", exact=True).click()
    page.wait_for_function(f"old => ({LINES})().split('M').length < old", arg=page.evaluate(LINES).count("M") + 1)
    settle(page)
    assert page.evaluate(MARKED)  # one line less
    assert page.evaluate(SEEN) == zoomed
    assert handle(page).get_attribute("aria-valuetext") == "epoch 20"


ALL = """() => JSON.stringify([...document.querySelectorAll('.js-plotly-plot')].map(plot => [plot._fullData.map(
  ({name, x, y, text, customdata, line, marker}) => [name, x, y, text, customdata, line?.color, marker?.size]),
  Object.entries(plot._fullLayout).filter(([name]) => /^[xy]axis/.test(name)).map(([name, axis]) =>
    [name, axis.range, axis.ticktext, axis._rangeInitial0, axis._rangeInitial1]), plot._fullLayout.shapes.map(({y1}) => y1)]))"""


@pytest.mark.parametrize(
    ("start", "slider", "values"),
    [
        ("lambda?dataset=mnist", "Layers L", ["4", "5", "4", "3"]),  # other axes, other λ, with seeds and without
        ("training?dataset=digits", "Channels H", ["32", "64", "32", "16", "8"]),
        ("depth?dataset=digits", "Channels H", ["32", "16", "8"]),
    ],
)
def test_a_slider_there_and_back_shows_what_the_link_shows(browser, server, start, slider, values):
    page = visit(browser, f"{server}/{start}")
    page.evaluate(MARK)
    for value in values:
        knob = page.get_by_role("slider", name=slider)
        knob.focus()
        higher = float(value) > float(knob.get_attribute("aria-valuetext"))
        before = page.evaluate(ALL)
        page.keyboard.press("ArrowRight" if higher else "ArrowLeft")
        page.wait_for_function(f"old => ({ALL})() !== old", arg=before, timeout=60_000)
        settle(page)
        page.wait_for_timeout(300)
        assert knob.get_attribute("aria-valuetext") == value
        assert page.evaluate(MARKED)  # the same chart
        assert page.evaluate(ALL) == visit(browser, page.url).evaluate(ALL)


def test_a_moved_slider_shows_what_its_link_shows(browser, server):
    """There and back again, with the handle at rest and moved: the same chart, never the lines of another network."""
    page = visit(browser, f"{server}/lambda?dataset=digits")
    page.evaluate(MARK)
    for key, channels in (("ArrowRight", 32), ("ArrowLeft", 16), ("ArrowLeft", 8), ("ArrowRight", 16)):
        before = page.evaluate(LINES)
        page.get_by_role("slider", name="Channels H").focus()
        page.keyboard.press(key)
        page.wait_for_function(f"old => ({LINES})() !== old", arg=before, timeout=60_000)
        settle(page)
        if channels == 8:
            before = page.evaluate(LINES)
            handle(page).focus()
            page.keyboard.press("Home")
            page.wait_for_function(f"old => ({LINES})() !== old", arg=before, timeout=60_000)
            page.wait_for_url("**epoch=0**", timeout=60_000)
            settle(page)
        assert page.evaluate(MARKED)
        assert page.evaluate(LINES) == visit(browser, page.url).evaluate(LINES)


def test_play_runs_to_the_end_and_can_be_paused(browser, server):
    page = visit(browser, f"{server}/training?dataset=digits&wd=0.0008")
    page.get_by_role("button", name="Play", exact=True).click()
    page.get_by_role("button", name="Pause", exact=True).wait_for()
    last, before = "0.03", "0.015"
    page.wait_for_url(f"**wd={last}**", timeout=60_000)
    page.get_by_role("button", name="Play", exact=True).wait_for()
    page.get_by_role("button", name="One step back").click()
    page.wait_for_url(f"**wd={before}**", timeout=60_000)


def test_quick_steps_are_not_undone_by_late_answers(browser, server):
    page = visit(browser, f"{server}/lambda?dataset=digits&epoch=0")
    for _ in range(10):  # each pause is long enough for a report, and too short for its answer
        page.get_by_role("button", name="One step on").click()
        page.wait_for_timeout(280)
    told = handle(page).get_attribute("aria-valuetext").removeprefix("epoch ")
    page.wait_for_url(f"**epoch={told}**", timeout=60_000)
    settle(page)
    page.wait_for_timeout(2500)  # longer, and a late answer has had more time to undo them
    settle(page)
    assert handle(page).input_value() == "10"
    assert f"epoch {page.url.split('epoch=')[1]}" == handle(page).get_attribute("aria-valuetext")


def test_a_picture_saved_while_playing_says_what_it_shows(browser, server, tmp_path):
    page = visit(browser, f"{server}/lambda?dataset=digits&epoch=0")
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(
        "first => first.getAttribute('aria-valuetext') !== 'epoch 0'", arg=handle(page).element_handle(), timeout=60_000
    )
    with page.expect_download() as download:
        page.get_by_role("button", name="SVG", exact=True).click()
    download.value.save_as(tmp_path / "picture")
    epoch = handle(page).get_attribute("aria-valuetext").removeprefix("epoch ")
    assert epoch not in ("0", "200")
    assert download.value.suggested_filename.endswith(f"-epoch{epoch}.svg")
    assert f"after {epoch} epochs" in (tmp_path / "picture").read_text()


@pytest.mark.parametrize("kind", ["PNG", "SVG"])
def test_the_picture_is_saved_with_its_caption(browser, server, kind, tmp_path):
    page = visit(browser, f"{server}/lambda?dataset=digits")
    with page.expect_download() as download:
        page.get_by_role("button", name=kind, exact=True).click()
    assert download.value.suggested_filename == f"boundlab-digits-weight_decay-epoch200.{kind.lower()}"
    download.value.save_as(tmp_path / "picture")
    content = (tmp_path / "picture").read_bytes()
    if kind == "PNG":
        assert content.startswith(b"\x89PNG")
    else:
        assert "digits 8×8 · λ = 0.0008 to 0.03" in content.decode()


def test_a_chart_is_named_by_its_numbers_also_after_another_choice(browser, server):
    page = visit(browser, f"{server}/lambda?dataset=digits")
    named = page.get_by_role("figure", name="Lines over weight decay λ from 0.0008 to 0.03")
    named.first.wait_for(timeout=60_000)
    before = named.first.get_attribute("aria-label")
    for part in ("over all positions of the handle, epoch", "Sparse (Galanti 2023) 3.21 to", "Test error 1.85 % to"):
        assert part in before
    page.get_by_text("theorem", exact=True).first.click()
    page.wait_for_url("**convention=theorem**", timeout=60_000)
    page.wait_for_function(
        "before => document.querySelector('[role=figure]').getAttribute('aria-label') !== before", arg=before
    )
    settle(page)
    after = page.get_by_role("figure").first.get_attribute("aria-label")
    page = visit(browser, page.url)
    page.wait_for_function(
        "after => document.querySelector('[role=figure]').getAttribute('aria-label') === after", arg=after
    )


def test_a_chart_answers_what_it_shows_and_its_link_says_its_version(browser, server):
    page = visit(browser, f"{server}/lambda?dataset=digits", own=True)
    about, answer = page.get_by_role("button", name="What am I looking at?"), page.locator("#caption")
    assert about.get_attribute("aria-expanded") == "false"
    assert not answer.is_visible()
    about.focus()
    page.keyboard.press("Enter")
    assert about.get_attribute("aria-expanded") == "true"
    for part in ("CONV-3-16", "digits 8×8", "after 200 epochs", "3 seeds", "n = 1,437", "δ = 0.001", "published"):
        assert part in answer.inner_text()
    handle(page).focus()
    page.keyboard.press("Home")
    page.wait_for_url("**epoch=0**", timeout=60_000)
    page.wait_for_function("() => location.href.includes('epoch=0')")
    page.get_by_text("after 0 epochs").first.wait_for(timeout=60_000)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Link", exact=True).click()
    link = page.evaluate("() => navigator.clipboard.readText()")
    assert link == page.url + "&v=1"
    page.goto(link)
    page.wait_for_function("() => !location.search.includes('v=1')", timeout=60_000)  # it is of this version
    assert page.get_by_test_id("stAlert").count() == 0
    about.click()
    page.keyboard.press("Escape")
    about.click()
    assert not answer.is_visible()


def test_the_menu_leads_to_every_page(browser, server):
    page = visit(browser, server)
    for entry in PAGES[1:]:
        page.get_by_role("link", name=entry.title, exact=True).first.click()
        page.wait_for_url(f"**/{entry.key}**")
        others = {
            "lessons": "[class*='st-key-lesson_']",
            "theory": FORMULA,
            "runs": GRID,
            "train": '[data-testid="stBaseButton-primary"]',
            "checkpoint": "[data-testid='stFileUploader']",
        }
        shown = others.get(entry.key, CHART)
        page.locator(shown).first.wait_for(timeout=60_000)
        assert page.locator('[data-testid="stException"]').count() == 0


def test_changing_to_certified_networks_and_back_shows_their_last_epoch(browser, server):
    page = visit(browser, f"{server}/certificates?full=true")
    caption = page.get_by_test_id("stCaptionContainer").filter(has_text="training images")
    for networks, last in (("ten digits", "30"), ("ten, rounded", "30"), ("ten, accurate", "5"), ("0 or 1", "30")):
        page.get_by_role("radio", name=networks, exact=True).click()
        page.wait_for_function("last => document.body.innerText.includes(`epoch ${last} ·`)", arg=last, timeout=60_000)
        settle(page)
        assert f"epoch {last} ·" in caption.inner_text()
        page.get_by_role("button", name="More").click()
        assert page.get_by_role("slider", name="Epoch").last.get_attribute("aria-valuetext") == last
        page.keyboard.press("Escape")
        assert page.get_by_text("Session State API").count() == 0


def test_the_toolbar_saves_a_png_after_the_player_saved_an_svg(browser, server):
    page = visit(browser, f"{server}/lambda?dataset=digits")
    with page.expect_download() as download:
        page.get_by_role("button", name="SVG", exact=True).click()
    assert download.value.suggested_filename.endswith(".svg")
    page.locator(".js-plotly-plot").hover()
    with page.expect_download() as download:
        page.locator('.modebar-btn[data-title="Download plot as a PNG"]').click()
    assert download.value.suggested_filename.endswith(".png")


def test_names_and_leaders_move_with_the_handle(browser, server):
    places = (
        "() => [...document.querySelectorAll('.js-plotly-plot .textpoint text')].map(e => e.getAttribute('y')).join()"
    )
    page = visit(browser, f"{server}/lambda?dataset=digits&epoch=200")
    names, lines = page.evaluate(places), page.evaluate(LINES)
    handle(page).focus()
    page.keyboard.press("Home")
    page.wait_for_function(f"old => ({LINES})() !== old", arg=lines, timeout=60_000)
    page.wait_for_function(f"old => ({places})() !== old", arg=names, timeout=60_000)


COLOURS = """() => [...document.querySelectorAll(
  '[data-testid="stBaseButton-primary"] p, [data-testid="stMultiSelect"] span[title]')]
  .filter(part => part.innerText).map(part => {
    let ground = part;
    while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
    return [part.innerText, getComputedStyle(part).color, getComputedStyle(ground).backgroundColor];
  })"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("embedded", ["", "&embed=true"], ids=["page", "embedded"])
def test_words_on_the_accent_colour_meet_aa(browser, server, dark, embedded):
    page = visit(
        browser,
        f"{server}/train?form=true{embedded}",
        dark=dark,
        drawn='[data-testid="stBaseButton-primary"]:enabled p',
    )
    page.locator("[data-tag]").first.wait_for(timeout=60_000)
    seen = page.evaluate(COLOURS)
    assert {"Train", "0.004"} <= {words for words, *_ in seen}
    for words, *colours in seen:
        ink, ground = ([int(part) for part in re.findall(r"\d+", colour)[:3]] for colour in colours)
        assert contrast(ink, ground) >= 4.5, f"{words}: {ink} on {ground}"


def test_what_is_said_of_a_file_gives_way_to_the_next_file_even_to_one_that_the_browser_refuses(
    browser, server, tmp_path
):
    page = browser.arrive()
    page.goto(f"{server}/checkpoint?dataset=digits")
    names = ("broken.safetensors", "notes.txt", "large.safetensors", "other.safetensors")
    for name, content in zip(names, (b"nonsense", b"words", b"0" * (31 * 2**20), b"nonsense too"), strict=True):
        (tmp_path / name).write_bytes(content)

    def give(name):
        page.locator("input[type=file]").first.set_input_files(tmp_path / name)

    def said():
        alerts, chips = page.get_by_test_id("stAlert"), page.get_by_test_id("stFileChipName")
        return [one.inner_text() for part in (alerts, chips) for one in part.all() if one.is_visible()]

    give("broken.safetensors")
    page.get_by_text("broken: this is not a complete").wait_for()
    give("notes.txt")
    page.get_by_text("notes: this is not a complete").wait_for()
    assert len(said()) == 1
    give("large.safetensors")
    page.get_by_text("notes: this is not a complete").wait_for(state="hidden")
    assert [words.split("\n")[0] for words in said()] == ["large.safetensors"]
    give("other.safetensors")
    page.get_by_text("other: this is not a complete").wait_for()
    assert len(said()) == 1
