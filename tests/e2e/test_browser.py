"""A real server and a real Chromium: deep links on a fresh server, sliders that repaint, both themes, a phone."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from playwright.sync_api import sync_playwright

from boundlab.ui.page import PAGES
from tests.conftest import ROOT

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine: install Debian's package `chromium`")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def server():
    """A fresh server per test, so that every link is a cold one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "app.py",
        "--server.port",
        str(port),
        "--server.fileWatcherType",
        "none",
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health"):
                break
        except OSError:
            assert process.poll() is None, "the server did not start"
            assert time.monotonic() < deadline, "the server did not answer within 60 s"
            time.sleep(0.1)
    yield url
    process.terminate()
    process.wait()


def visit(browser, url, width=1400, dark=False):
    page = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
    ).new_page()
    page.goto(url)
    page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=60_000)
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=60_000)
    assert page.locator('[data-testid="stException"]').count() == 0
    return page


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.key)
@pytest.mark.parametrize(("width", "dark"), [(1400, False), (400, True)], ids=["wide-light", "phone-dark"])
def test_a_cold_deep_link_draws_its_chart(browser, server, page, width, dark):
    path = "" if page.key == "start" else page.key
    seen = visit(browser, f"{server}/{path}?dataset=digits&convention=theorem", width, dark)
    assert "digits 8×8" in seen.locator('[data-testid="stCaptionContainer"]').first.inner_text()
    box = seen.locator(".js-plotly-plot").first.bounding_box()
    assert box["x"] + box["width"] <= width


LAYOUT = """() => {
  const plot = document.querySelector('.js-plotly-plot');
  return {height: plot.getBoundingClientRect().height, range: JSON.stringify(plot._fullLayout.yaxis.range)};
}"""


def test_a_slider_repaints_the_chart_keeps_its_frame_and_writes_the_link(browser, server):
    page = visit(browser, f"{server}/training")
    before, sentence = page.evaluate(LAYOUT), page.get_by_text("From epoch 0").inner_text()
    page.get_by_role("slider", name="Weight decay λ").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**wd=0.003**", timeout=10_000)
    page.wait_for_function("old => !document.body.innerText.includes(old)", arg=sentence, timeout=10_000)
    assert page.evaluate(LAYOUT) == before
    moved = page.get_by_text("From epoch 0").inner_text()
    assert visit(browser, page.url).get_by_text("From epoch 0").inner_text() == moved  # the link restores the view


def test_the_menu_leads_to_every_page(browser, server):
    page = visit(browser, server)
    for entry in PAGES[1:]:
        page.get_by_role("link", name=entry.title, exact=True).first.click()
        page.wait_for_url(f"**/{entry.key}**")
        page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=20_000)
        assert page.locator('[data-testid="stException"]').count() == 0
