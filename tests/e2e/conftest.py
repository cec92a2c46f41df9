"""One Chromium for the browser tests of a file; without one they skip and say so."""

import pytest
from playwright.sync_api import sync_playwright

from tests.e2e.serving import launch


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        running = launch(playwright)
        if running is None:
            pytest.skip("no chromium on this machine: install Debian's package `chromium`")
        yield running
        running.close()
