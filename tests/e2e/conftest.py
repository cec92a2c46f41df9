"""One Chromium and one server for the browser tests; without a Chromium they skip and say so."""

import pytest
from playwright.sync_api import sync_playwright

from tests.e2e.readers import Readers
from tests.e2e.serving import launch, serving


# of the package, not of the session: while Playwright runs, no other test of this process can run an event loop
@pytest.fixture(scope="package")
def chromium():
    with sync_playwright() as playwright:
        running = launch(playwright)
        if running is None:
            pytest.skip("no chromium on this machine: install Debian's package `chromium`")
        yield Readers(running)
        running.close()


@pytest.fixture
def browser(chromium):
    """Nobody is on any of its pages."""
    yield chromium
    chromium.all_leave()


@pytest.fixture(scope="package")
def server():
    """The server of all tests that need none of their own."""
    with serving() as url:
        yield url
