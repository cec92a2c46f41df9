"""What Streamlit's upload endpoint lets in: it takes files from every session, with a widget on its page or without, and
keeps them in memory until the session ends. Here is what all of them together may take."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse
from streamlit import runtime

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MOST_HELD = 240 * 2**20  # bytes of the files that no page has taken yet, of all sessions together
_AT_ONCE = 4  # files on their way; the others wait
_PATIENCE = 180.0  # seconds for one file, waiting included
_ENDPOINT = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+/?$")


class Intake:
    """ASGI middleware: one file at a time and one in memory per session, the next one drops the last; of all sessions
    together the latest `_MOST_HELD` bytes. A page takes its file at once, so that only what nobody waits for is dropped."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._coming: set[str] = set()  # sessions
        self._held: OrderedDict[str, int] = OrderedDict()  # session -> bytes of its last file, the latest last
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = _session(scope)
        if session is None:
            await self._app(scope, receive, send)
        elif session in self._coming:
            await PlainTextResponse("One file at a time", 429)(scope, receive, send)
        else:
            self._coming.add(session)
            try:
                await self._take(session, scope, receive, send)
            finally:
                self._coming.discard(session)

    async def _take(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        size, status = 0, 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            async with asyncio.timeout(_PATIENCE), self._turn:
                self._drop(session)
                await self._app(scope, counted, watched)
        except TimeoutError:
            if not status:
                await PlainTextResponse("The file did not come in time", 408)(scope, receive, send)
        if status == 204:
            self._hold(session, size)

    def _hold(self, session: str, size: int) -> None:
        self._held[session] = size
        while sum(self._held.values()) > _MOST_HELD:
            self._drop(next(iter(self._held)))

    def _drop(self, session: str) -> None:
        self._held.pop(session, None)
        runtime.get_instance().uploaded_file_mgr.remove_session_files(session)


def _session(scope: Scope) -> str | None:
    """The session that a request uploads a file for; None for any other request."""
    if scope["type"] != "http" or scope["method"] != "PUT":
        return None
    found = _ENDPOINT.search(scope["path"])
    return found.group(1) if found else None
