"""Whose pages may show ours in a frame: BOUNDLAB_FRAMES, as a Content-Security-Policy says it; everybody's where it says nothing."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from boundlab.errors import BoundlabError
from boundlab.text import cut

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SOURCE = re.compile(r"'none'|'self'|(https?://)?(\*\.)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:(\d{1,5}|\*))?|https:|http:")


def frame_policy() -> str | None:
    """The header's value. Raises BoundlabError for what no policy says."""
    asked = os.environ.get("BOUNDLAB_FRAMES", "").split()
    if wrong := [source for source in asked if not _SOURCE.fullmatch(source)]:
        raise BoundlabError(
            f"BOUNDLAB_FRAMES lists sites that may show pages in a frame, `https://moodle.example.org`, `'self'` or `'none'`; got `{cut(wrong[0])}`"
        )
    return f"frame-ancestors {' '.join(asked)}" if asked else None


class Framing:
    """ASGI middleware: the policy with every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, policy = app, frame_policy()
        self._header = None if policy is None else (b"content-security-policy", policy.encode("ascii"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._header is None or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        header = self._header

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        await self._app(scope, receive, with_policy)
