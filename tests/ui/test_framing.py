"""Who may show the pages in a frame is one variable; what no policy says is refused."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from boundlab.errors import BoundlabError
from boundlab.ui.framing import Framing, frame_policy


def headers(kind="http"):
    """What an answer through the middleware has."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})
        await send({"type": "http.response.body", "body": b""})

    async def take(message):
        sent.append(message)

    framing = Framing(app)
    with ThreadPoolExecutor(1) as elsewhere:  # browser tests leave a loop that runs in this thread
        elsewhere.submit(lambda: asyncio.run(framing({"type": kind}, None, take))).result()
    return dict(sent[0]["headers"])


@pytest.mark.parametrize(
    "asked", ["'none'", "'self' https://moodle.example.org", "https://*.example.org:8443", "localhost:8000 https:"]
)
def test_the_policy_goes_with_every_answer(monkeypatch, asked):
    monkeypatch.setenv("BOUNDLAB_FRAMES", asked)
    assert headers() == {b"x": b"y", b"content-security-policy": f"frame-ancestors {asked}".encode()}
    assert headers("websocket") == {b"x": b"y"}


def test_where_nothing_is_said_everybody_may(monkeypatch):
    monkeypatch.delenv("BOUNDLAB_FRAMES", raising=False)
    assert headers() == {b"x": b"y"}


@pytest.mark.parametrize(
    "asked",
    [
        "none;",
        "https://a.org; script-src *",
        "https://a.org,https://b.org",
        "javascript:alert(1)",
        "'unsafe-inline'",
        "a\u00e9.org",
    ],
)
def test_what_no_policy_says_is_refused(monkeypatch, asked):
    monkeypatch.setenv("BOUNDLAB_FRAMES", asked)
    with pytest.raises(BoundlabError, match="BOUNDLAB_FRAMES lists sites"):
        frame_policy()
