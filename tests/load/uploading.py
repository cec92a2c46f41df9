"""A reader without a browser who uploads a file: the address asked for by websocket, the file sent by HTTP, the page rerun."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection

from tests.load.protocol import Place, Reply, _ask, visiting

_LONGEST = 120
_BLOCK = 2**16


@dataclass(frozen=True)
class Shown:
    """What the page says after an upload, and how long that took from sending the file."""

    seconds: float
    errors: list[str]
    reply: Reply


class Uploader:
    """One session on the page "Your checkpoint"."""

    def __init__(self, url: str, socket: ClientConnection, place: Place, first: Reply) -> None:
        self._url, self._socket, self._place, self._last = url, socket, place, first
        self._cookie = _xsrf_cookie(url)

    async def upload(self, content: bytes, name: str = "net.safetensors") -> Shown:
        """Send a file and wait until the page says what became of it."""
        (widget,) = [e.file_uploader for e, _ in self._last.elements if e.HasField("file_uploader")]
        file_id, path = await self.address(name)
        began = time.perf_counter()
        status = await asyncio.to_thread(send, self._url, path, self._cookie, content, name)
        assert status == 204, f"the server answered {status}"
        state = self._state()
        info = state.widget_states.widgets.add(id=widget.id).file_uploader_state_value.uploaded_file_info.add()
        info.file_id, info.name, info.size = file_id, name, len(content)
        info.file_urls.file_id, info.file_urls.upload_url, info.file_urls.delete_url = file_id, path, path
        self._last = reply = await _ask(self._socket, state)
        while not (said := _errors(reply)) and not _result(reply):
            assert time.perf_counter() < began + _LONGEST, "no answer"
            await asyncio.sleep(0.1)
            self._last = reply = await _ask(self._socket, self._state())
        return Shown(time.perf_counter() - began, said, reply)

    async def address(self, name: str) -> tuple[str, str]:
        """Id and path that the server gives a new file."""
        ask = BackMsg()
        ask.file_urls_request.request_id = "1"
        ask.file_urls_request.file_names.append(name)
        ask.file_urls_request.session_id = ""
        await self._socket.send(ask.SerializeToString())
        while True:
            message = ForwardMsg.FromString(await asyncio.wait_for(self._socket.recv(decode=False), _LONGEST))
            if message.WhichOneof("type") == "file_urls_response":
                (urls,) = message.file_urls_response.file_urls
                return urls.file_id, urls.upload_url

    async def too_large(self, size: int, chunked: bool) -> int:
        """The status with which the server refuses a request of so many bytes; `chunked`: that does not say how many."""
        _, path = await self.address("large.safetensors")
        return await asyncio.to_thread(send, self._url, path, self._cookie, size, "large.safetensors", chunked)

    async def send_unasked(self, size: int, together: int = 1) -> list[int]:
        """The statuses of files of so many bytes, sent at once to the endpoint, but told to no widget."""
        paths = [(await self.address("unasked.safetensors"))[1] for _ in range(together)]
        sent = (asyncio.to_thread(send, self._url, path, self._cookie, size, "unasked.safetensors") for path in paths)
        return await asyncio.gather(*sent)

    def _state(self) -> ClientState:
        return ClientState(page_name=self._place.page, query_string=self._place.query)


@asynccontextmanager
async def uploading(url: str, query: str = "dataset=digits") -> AsyncIterator[Uploader]:
    """A session on the page, ready to upload."""
    place = Place("checkpoint", query, "")
    async with visiting(url, place) as (socket, first):
        yield Uploader(url, socket, place, first)


def _errors(reply: Reply) -> list[str]:
    return [e.alert.body for e, _ in reply.elements if e.HasField("alert") and e.alert.format == e.alert.ERROR]


def _result(reply: Reply) -> bool:
    return any(e.HasField("plotly_chart") for e, _ in reply.elements)


def _xsrf_cookie(url: str) -> str:
    with urllib.request.urlopen(f"{url}/_stcore/health") as answer:
        return str(answer.headers["Set-Cookie"]).split(";")[0].split("=", 1)[1]


def send(url: str, path: str, cookie: str, content: bytes | int, name: str, chunked: bool = False) -> int:
    """PUT a file as a browser does, or so many zeros; returns the status."""
    head = f'--b\r\nContent-Disposition: form-data; name="f"; filename="{name}"\r\n\r\n'.encode()
    size = content if isinstance(content, int) else len(content)

    def body() -> Iterator[bytes]:
        yield head
        for at in range(0, size, _BLOCK):
            yield bytes(min(_BLOCK, size - at)) if isinstance(content, int) else content[at : at + _BLOCK]
        yield b"\r\n--b--\r\n"

    headers = {
        "Content-Type": "multipart/form-data; boundary=b",
        "X-Xsrftoken": cookie,
        "Cookie": f"_streamlit_xsrf={cookie}",
    }
    if not chunked:
        headers["Content-Length"] = str(len(head) + size + 9)
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_LONGEST)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has answered before all was sent
        connection.request("PUT", path, body(), headers, encode_chunked=chunked)
    try:
        return connection.getresponse().status
    except (ConnectionError, http.client.BadStatusLine):
        return 0  # the answer went down with the connection
    finally:
        connection.close()
