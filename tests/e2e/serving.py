"""A real server and a real Chromium, for the browser tests and for `measure.py`."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

from tests.conftest import ROOT

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(playwright):
    """Debian's chromium, or None where there is none."""
    chromium = shutil.which("chromium")
    return playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS) if chromium else None


@contextmanager
def serving(script="app.py", folder=ROOT):
    """The address of a fresh server of `script`."""
    with started(script, folder) as (url, _):
        yield url


@contextmanager
def started(script="app.py", folder=ROOT, env=None, address="127.0.0.1"):
    """The address and the process of a fresh server of `script`; `env`: None for this process's own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.port", str(port), "--server.address", address, "--server.headless", "true"]
    options += ["--server.fileWatcherType", "none", "--browser.gatherUsageStats", "false"]
    command = [sys.executable, "-m", "streamlit", "run", script, *options]
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    try:
        while True:
            try:
                with urllib.request.urlopen(f"{url}/_stcore/health"):
                    break
            except OSError:
                assert process.poll() is None, "the server did not start"
                assert time.monotonic() < deadline, "the server did not answer within 60 s"
                time.sleep(0.1)
        yield url, process
    finally:
        process.terminate()
        process.wait()


def settle(page):
    """Wait until the script behind the page has run."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=60_000)


CHART, FORMULA = ".js-plotly-plot .main-svg", ".katex"
OFFER = ".st-key-untrained"  # where a network is missing, in place of its chart


def visit(browser, url, width=1400, dark=False, drawn=CHART):
    """The page at `url` in a fresh browser context, its chart (or what else is `drawn`) there."""
    scheme = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(url)
    page.locator(drawn).first.wait_for(timeout=60_000)
    settle(page)
    assert page.locator('[data-testid="stException"]').count() == 0
    return page
