"""A view in somebody else's page: chart, handle and caption, and it moves; where the server forbids it, it is not shown."""

import functools
import http.server
import os
import re
import threading
from html import unescape
from urllib.parse import parse_qs

import pytest

from tests.e2e.serving import CHART, open_notes, settle, started, visit

HANDLE = "[class*='st-key-bar_player'] input[type=range]"


@pytest.fixture
def elsewhere(tmp_path):
    """A page on another origin, made of what is written into it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield (
        lambda text: (tmp_path / "page.html").write_text(text),
        f"http://localhost:{server.server_address[1]}/page.html",
    )
    server.shutdown()
    server.server_close()


def test_the_snippet_shows_the_same_view_in_another_page_and_it_moves(browser, server, elsewhere):
    write, address = elsewhere
    page = visit(browser, f"{server}/width?dataset=mnist&convention=strict", width=1280)
    notes = open_notes(page)
    code = notes.get_by_test_id("stCode").filter(has_text="<iframe")
    code.wait_for(timeout=60_000)
    snippet = code.inner_text()
    live = page.evaluate("() => document.querySelector('.js-plotly-plot')._fullData.map(trace => [...trace.y ?? []])")
    write(f"<!DOCTYPE html><html><body><h1>My lecture</h1>{snippet}</body></html>")
    page.goto(address)
    frame = page.frame_locator("iframe")
    frame.locator(CHART).first.wait_for(timeout=60_000)
    inside = page.frames[1]
    settle(inside)
    asked = parse_qs(unescape(re.search('src="([^"]*)"', snippet).group(1)).split("?")[1])
    assert asked.pop("v") == ["1"]
    assert parse_qs(inside.url.split("?")[1]) == asked
    assert (
        inside.evaluate("() => document.querySelector('.js-plotly-plot')._fullData.map(trace => [...trace.y ?? []])")
        == live
    )
    words = frame.get_by_test_id("stMain").inner_text()
    assert "strict" in words
    for hidden in ("Notes", "More"):
        assert not frame.get_by_text(hidden, exact=True).first.is_visible()
    assert frame.get_by_test_id("stPageLink").count() == 0
    assert frame.get_by_role("heading").count() == 0
    frame.locator(HANDLE).focus()
    page.keyboard.press("Home")
    inside.wait_for_function(
        "live => JSON.stringify(document.querySelector('.js-plotly-plot')._fullData.map(trace => [...trace.y ?? []])) !== JSON.stringify(live)",
        arg=live,
    )


def test_a_server_may_forbid_it(browser, elsewhere):
    write, address = elsewhere
    with started(env=os.environ | {"BOUNDLAB_FRAMES": "'self'"}) as (url, _):
        write(f'<iframe src="{url}/width?embed=true" width="900" height="600"></iframe>')
        page = browser.arrive(1280, 720)
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(address)
        page.wait_for_timeout(3000)
        assert page.frame_locator("iframe").locator(CHART).count() == 0
        assert any("frame-ancestors" in text for text in said), said
        assert visit(browser, f"{url}/width").locator(CHART).count() >= 1
