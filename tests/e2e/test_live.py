"""The live view in a real browser: a refresh adds to the chart that is there, without a flash and without losing the zoom."""

import json
import random
import re
import time
from urllib.parse import urlencode

import pytest

from boundlab.text import format_epoch
from boundlab.ui.pages.train.live_views import VIEWS
from tests.e2e.serving import serving, settle, visit
from tests.e2e.test_browser import still
from tests.ui.test_live import folder_of

WATCH = """() => {
  const chart = document.querySelector('.js-plotly-plot'), svg = chart.querySelector('.main-svg');
  window.seen = {frames: 0, changed: 0, empty: 0, moved: 0};
  const top = chart.getBoundingClientRect().top;
  const look = () => {
    const now = document.querySelector('.js-plotly-plot');
    seen.frames++;
    if (now !== chart || now.querySelector('.main-svg') !== svg) seen.changed++;
    else if (!now.querySelectorAll('.scatterlayer .trace path.js-line').length) seen.empty++;
    if (now?.getBoundingClientRect().top !== top) seen.moved++;
    requestAnimationFrame(look);
  };
  look();
}"""
STATE = """() => {
  const chart = document.querySelector('.js-plotly-plot');
  const line = chart.data.find(trace => trace.name.startsWith('LINE') && !trace.name.endsWith('compared'));
  return {points: line.y.length, x: chart._fullLayout.xaxis.range.join(), y: chart._fullLayout.yaxis.range.join(), ...seen};
}"""
END = """([start, epoch]) => {
  const chart = document.querySelector('.js-plotly-plot');
  const line = chart._fullData.find(trace => trace.name.startsWith(start) && !trace.name.endsWith('compared'));
  return Math.abs(line.x.at(-1) - epoch) < 1e-3;
}"""
WIDTH = "() => document.querySelector('.js-plotly-plot')._fullLayout.width"


@pytest.mark.parametrize(("link", "line"), [("?compare=none", "Sparse"), ("?live=norms+per+layer", "rho")])
def test_a_refresh_neither_flashes_nor_forgets_the_zoom(browser, pack, tmp_path, monkeypatch, link, line):
    run = next(r for r in pack if r.id.startswith("digits-conv-3-16-wd0.003-s0"))
    lines = (folder_of(run, tmp_path / "all", 120) / "records.jsonl").read_text().splitlines(keepends=True)
    folder = folder_of(run, tmp_path / "run", 8)
    monkeypatch.setenv("LIVE_RUN", str(folder))

    def grow(page, count):
        with (folder / "records.jsonl").open("a") as file:
            file.writelines(lines[len((folder / "records.jsonl").read_text().splitlines()) : count])
        page.get_by_text(f"epoch {format_epoch(run.records['epoch'].iloc[count - 1])} of 200").first.wait_for(
            timeout=60_000
        )
        page.wait_for_function(END, arg=[line, run.records["epoch"].iloc[count - 1]], timeout=60_000)

    state = STATE.replace("LINE", line)
    with serving("tests/e2e/live_page.py") as url:
        page = visit(browser, url + link)
        still(page)  # Streamlit lays a new chart out anew once it knows its size
        page.evaluate(WATCH)
        before = page.evaluate(state)
        grow(page, 20)
        after = page.evaluate(state)
        assert after["points"] > before["points"]
        box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
        page.mouse.move(box["x"] + 30, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + 300, box["y"] + 250, steps=5)
        page.mouse.up()
        page.wait_for_function(f"old => ({state})().x !== old", arg=before["x"], timeout=60_000)
        zoomed = page.evaluate(state)
        grow(page, 120)
        last = page.evaluate(state)
        assert last["points"] > zoomed["points"]
        assert (last["x"], last["y"]) == (zoomed["x"], zoomed["y"])
        assert last["frames"] > 10
        assert (last["changed"], last["empty"], last["moved"]) == (0, 0, 0)
        wide = page.evaluate(WIDTH)
        page.set_viewport_size({"width": 1000, "height": 900})  # Streamlit lays its own, older figure out again
        page.wait_for_function(f"old => ({WIDTH})() < old", arg=wide, timeout=60_000)
        page.wait_for_function(END, arg=[line, run.records["epoch"].iloc[119]], timeout=60_000)
        still(page)
        assert page.evaluate(state)["points"] == last["points"]


DRAWN = """() => [...document.querySelectorAll('.js-plotly-plot')]
  .filter(chart => chart.offsetParent && chart._fullData?.length && chart.calcdata)
  .map(chart => chart._fullData.map(trace => [trace.name ?? '', [...trace.x ?? []], [...trace.y ?? []]]))"""
FILM = f"""() => {{
  window.film = [];
  const look = () => {{
    for (const picture of ({DRAWN})()) {{
      const shot = JSON.stringify(picture);
      if (!film.includes(shot)) film.push(shot);
    }}
    requestAnimationFrame(look);
  }};
  look();
}}"""
REFRESHES = """() => {
  window.refreshes = 0;
  const app = document.querySelector('[data-testid="stApp"]');
  const count = () => { refreshes += app.dataset.testScriptState === 'notRunning'; };
  new MutationObserver(count).observe(app, {attributeFilter: ['data-test-script-state']});
}"""
NEWS = "() => document.querySelector('.js-plotly-plot')._fullLayout.meta.news"


def alike(picture, other):
    """Whether two pictures have the same traces: names, x, y to a thousandth (what is new is sent with four digits)."""
    numbers = [
        [part for _, *parts in traces for values in parts for part in (len(values), *values)]
        for traces in (picture, other)
    ]
    same = [name for name, *_ in picture] == [name for name, *_ in other] and len(numbers[0]) == len(numbers[1])
    return same and all(
        a == b or (a is not None and b is not None and abs(a - b) < 1e-3) for a, b in zip(*numbers, strict=True)
    )


def fresh(browser, url, link):
    """The picture that a new reader of `link` sees once it stands still."""
    page = visit(browser, f"{url}?{urlencode(link)}")
    seen: list[str] = []
    while len(seen) < 3 or seen[-1] != seen[-3]:
        page.wait_for_timeout(500)
        seen.append(page.evaluate(DRAWN)[0])
    browser.leave(page)
    return seen[-1]


def choose(page, view):
    """Press a view's button once the last answer is there; not by the mouse, which waits for a page that stands still."""
    settle(page)
    page.locator("button").filter(has_text=re.compile(f"^{view}$")).first.evaluate("button => button.click()")


def show(page, wanted):
    """Wait until the page shows that picture and nothing else; returns what it shows."""
    deadline = time.monotonic() + 60
    while True:
        drawn = page.evaluate(DRAWN)
        if (len(drawn) == 1 and alike(drawn[0], wanted)) or time.monotonic() > deadline:
            return drawn
        page.wait_for_timeout(200)


def test_no_view_is_drawn_into_another_s_picture(browser, pack, tmp_path, monkeypatch):
    """Whatever the order in which a reader looks at the views, no frame shows anything but the picture of a fresh link."""
    run = next(r for r in pack if r.id.startswith("digits-conv-3-16-wd0.003-s0"))
    monkeypatch.setenv("LIVE_RUN", str(folder_of(run, tmp_path / "run", 60)))
    settings = {"compare": "none"}, {}, {"compare": "none", "delta": "0.1"}
    walk = random.Random(1).choices(VIEWS, k=6)
    with serving("tests/e2e/live_page.py") as url:
        for more in settings:
            pictures = {view: fresh(browser, url, {"live": view} | more) for view in VIEWS}
            page = visit(browser, f"{url}?{urlencode(more)}")
            page.evaluate(FILM)
            for view in ("loss", "margins", "norms per layer", "bounds and errors", *walk):
                choose(page, view)
                (drawn,) = show(page, pictures[view])
                assert alike(drawn, pictures[view]), f"{view} {more}"
            before = page.evaluate(NEWS)
            page.evaluate(REFRESHES)
            page.wait_for_function("() => refreshes >= 2", timeout=60_000)  # nothing is new, so nothing is drawn
            assert page.evaluate(NEWS) == before
            for shot in map(json.loads, page.evaluate("() => film")):
                names = [name for name, *_ in shot]
                assert any(alike(shot, picture) for picture in pictures.values()), f"a picture of no view: {names}"
            browser.leave(page)
