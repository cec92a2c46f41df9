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
        make = running.new_context

        def patient(**options):
            context = make(**options)
            context.set_default_timeout(120_000)  # the machine may be busy with other tests
            return context

        running.new_context = patient
        yield running
        running.close()
