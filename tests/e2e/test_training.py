"""Training in a real Chromium, from a cold server: press Train, see curves move, stop, resume, finish, find the run."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

from tests.conftest import ROOT
from tests.e2e.serving import CHART, open_notes, settle, started

FORM = "dataset=digits&conv_layers=3&channels=8&weight_decay=0.006&epochs=200"
MINUTES = 600_000  # ms: a training process is niced, so beside other work its imports alone can take one
LINES = "() => [...document.querySelectorAll('.st-key-stage_live .js-plotly-plot .scatterlayer .js-line')].map(e => e.getAttribute('d')).join()"


@contextmanager
def dashboard(runs, address="127.0.0.1"):
    with started(env=os.environ | {"BOUNDLAB_RUNS": str(runs)}, address=address) as (url, process):
        yield url, process


# whether the title of the live chart's x axis ends above this height; the chart is drawn anew while it grows
_AXIS_ABOVE = """limit => {
  const title = document.querySelector('.st-key-stage_live .js-plotly-plot .xtitle');
  return title && title.getBoundingClientRect().bottom <= limit;
}"""


def open_page(browser, url, context=None):
    page = (context or browser.new_context(viewport={"width": 1400, "height": 1000})).new_page()
    page.goto(url)
    page.get_by_role("button", name="Train", exact=True).wait_for(timeout=60_000)
    settle(page)
    return page


def badge(page, state):
    page.get_by_test_id("stBadge").or_(page.locator(".stMarkdownBadge")).filter(has_text=state).first.wait_for(
        timeout=MINUTES
    )


def press(page, name):
    settle(page)  # else the button may be drawn anew between the click's two halves
    page.get_by_test_id("stMain").locator(f"[class*='st-key-{name}_'] button").first.click()


def listed(runs):
    command = [sys.executable, "-m", "boundlab", "runs", "--out", str(runs), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)


def test_train_stop_resume_finish_and_find_it(browser, tmp_path):
    with dashboard(tmp_path) as (url, _):
        page = open_page(browser, f"{url}/train?{FORM}")
        page.get_by_text("on CPU").wait_for(timeout=MINUTES)  # the price: the devices are known
        clicked = time.monotonic()
        page.get_by_role("button", name="Train", exact=True).click()
        page.locator(f".st-key-stage_live {CHART}").first.wait_for(timeout=MINUTES)
        print(f"first point {time.monotonic() - clicked:.1f} s after the click")
        lines = page.evaluate(LINES)
        page.wait_for_function(f"old => ({LINES})() !== old", arg=lines, timeout=MINUTES)
        page.set_viewport_size({"width": 1280, "height": 720})
        settle(page)
        page.wait_for_function(
            _AXIS_ABOVE, arg=720, timeout=MINUTES
        )  # curves are on the first screen while a job lives
        form = page.get_by_role("button", name="Train", exact=True).bounding_box()
        assert form["y"] > page.locator(f".st-key-stage_live {CHART}").first.bounding_box()["y"]
        press(page, "stop")
        badge(page, "stopped")
        (row,) = listed(tmp_path)
        assert row["state"] == "stopped"
        page.reload()
        badge(page, "stopped")
        press(page, "resume")
        badge(page, "running")
        badge(page, "done")
        page.get_by_role("button", name="Checkpoint").wait_for()
        (row,) = listed(tmp_path)
        assert (row["state"], row["weight_decay"]) == ("done", 0.006)
        assert row["test_error"] < 0.2
        page.goto(f"{url}/lambda?dataset=digits&layers=3&channels=8")
        page.locator(CHART).first.wait_for(timeout=60_000)
        settle(page)
        assert "with 1 run trained here" in open_notes(page).inner_text()


def test_another_person_may_look_but_not_touch_and_a_reload_keeps_ones_jobs(browser, tmp_path):
    with dashboard(tmp_path, "0.0.0.0") as (url, _):
        mine = browser.new_context(viewport={"width": 1400, "height": 1000})
        page = open_page(browser, f"{url}/train?{FORM}&epochs=5000", mine)
        page.get_by_role("button", name="Train", exact=True).click()
        badge(page, "running")
        other = open_page(browser, f"{url}/train")
        other.get_by_text("1 of them somebody else's").wait_for()
        assert other.locator("[class*='st-key-stop_']").count() == 0
        page.reload()
        badge(page, "running")
        second_tab = open_page(browser, f"{url}/train", mine)
        badge(second_tab, "running")
        press(second_tab, "stop")
        badge(page, "stopped")


def test_closing_the_tab_does_not_end_the_job_and_a_killed_server_can_be_gone_on_from(browser, tmp_path):
    with dashboard(tmp_path) as (url, process):
        page = open_page(browser, f"{url}/train?{FORM}&epochs=2000")
        page.get_by_role("button", name="Train", exact=True).click()
        page.locator(f".st-key-stage_live {CHART}").first.wait_for(timeout=MINUTES)
        page.context.close()
        (before,) = tmp_path.glob("*/status.json")
        step = json.loads(before.read_text())["step"]
        deadline = time.monotonic() + 120
        while json.loads(before.read_text())["step"] <= step:
            assert time.monotonic() < deadline, "the job stopped with the tab"
            time.sleep(0.2)
        process.kill()
        process.wait()
    with dashboard(tmp_path) as (url, _):
        page = open_page(browser, f"{url}/train")
        badge(page, "lost")
        page.get_by_text("Interrupted").wait_for()
        press(page, "resume")
        badge(page, "running")
        press(page, "stop")
        badge(page, "stopped")
