"""The live view in a real browser: a refresh adds to the chart that is there, without a flash and without losing the zoom."""

import time

import pytest

from boundlab.tables import epochs
from tests.e2e.serving import serving, visit
from tests.test_live import folder_of

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


@pytest.mark.parametrize(("link", "line"), [("?compare=none", "Sparse"), ("?live=norms+per+layer", "rho")])
def test_a_refresh_neither_flashes_nor_forgets_the_zoom(browser, pack, tmp_path, monkeypatch, link, line):
    run = next(r for r in pack if r.id.startswith("digits-conv-3-16-wd0.003-s0"))
    lines = (folder_of(run, tmp_path / "all", 120) / "records.jsonl").read_text().splitlines(keepends=True)
    folder = folder_of(run, tmp_path / "run", 8)
    monkeypatch.setenv("LIVE_RUN", str(folder))

    def grow(page, count):
        with (folder / "records.jsonl").open("a") as file:
            file.writelines(lines[len((folder / "records.jsonl").read_text().splitlines()) : count])
        page.get_by_text(f"epoch {epochs(run.records['epoch'].iloc[count - 1])} of 200").first.wait_for(timeout=20_000)
        time.sleep(0.5)  # the chart follows the words

    state = STATE.replace("LINE", line)
    with serving("tests/e2e/live_page.py") as url:
        page = visit(browser, url + link)
        time.sleep(2)  # Streamlit lays a new chart out anew once it knows its size
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
        time.sleep(0.5)
        zoomed = page.evaluate(state)
        assert zoomed["x"] != before["x"]
        grow(page, 120)
        last = page.evaluate(state)
        assert last["points"] > zoomed["points"]
        assert (last["x"], last["y"]) == (zoomed["x"], zoomed["y"])
        assert last["frames"] > 10
        assert (last["changed"], last["empty"], last["moved"]) == (0, 0, 0)
        page.set_viewport_size({"width": 1000, "height": 900})  # Streamlit lays its own, older figure out again
        time.sleep(1.5)
        assert page.evaluate(state)["points"] == last["points"]
