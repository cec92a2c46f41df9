"""A real server and a real Chromium, for the browser tests and for `measure.py`."""

from contextlib import contextmanager

from boundlab.cli import bench_browser
from boundlab.cli.bench_browser import CHART, launch, settle
from tests.conftest import ROOT

__all__ = ["CHART", "FORMULA", "GRID", "OFFER", "launch", "open_notes", "serving", "settle", "started", "visit"]
FORMULA = ".katex"
GRID = '[data-testid="stDataFrame"] canvas'
OFFER = ".st-key-untrained"  # where a network is missing, in place of its chart


@contextmanager
def serving(script="app.py", folder=ROOT):
    """The address of a fresh server of `script`."""
    with started(script, folder) as (url, _):
        yield url


def started(script="app.py", folder=ROOT, env=None, address="127.0.0.1"):
    """The address and the process of a fresh server of `script`; `env`: None for this process's own."""
    return bench_browser.started(script, folder, env, address)


def visit(browser, url, width=1400, dark=False, drawn=CHART, height=900, own=False):
    """The page at `url` as a fresh reader's, its chart (or what else is `drawn`) there; `browser`: Readers; `own`: with nothing loaded."""
    page = browser.arrive(width, height, dark, own)
    page.goto(url)
    page.locator(drawn).first.wait_for(timeout=60_000)
    settle(page)
    assert page.locator('[data-testid="stException"]').count() == 0
    return page


def open_notes(page):
    """Unfold what a figure page says besides its sentence; returns the fold, its first caption there."""
    fold = page.get_by_test_id("stExpander").filter(has_text="Notes")
    fold.get_by_text("Notes", exact=True).click()
    fold.get_by_test_id("stCaptionContainer").first.wait_for(timeout=60_000)
    settle(page)
    return fold
