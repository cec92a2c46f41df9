"""A reader without a browser: Streamlit's websocket protocol, spoken for one page and one of its sliders.

Ten browsers would measure Chromium. `streamlit.proto` is not a public interface: a new Streamlit may need changes here.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

_LONGEST = 60  # seconds for one reply
_WELL = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


class ProtocolError(Exception):
    """The server's reply is not that of a page that works."""


@dataclass(frozen=True)
class Place:
    """A page of the app, the query of its link, and the label of the slider to move."""

    page: str
    query: str
    slider: str

    @property
    def name(self) -> str:
        return f"{self.page}?{self.query}"


@dataclass(frozen=True)
class Reply:
    """One run of the script: from sending to `script_finished`."""

    seconds: float
    size: int  # bytes received
    elements: list[tuple[Element, str]]  # with the id of their fragment
    page_hash: str

    @property
    def chart(self) -> str:
        """The JSON of its last Plotly chart, and of the frames that move it; raises ProtocolError when there is no chart."""
        specs = [element.plotly_chart.spec for element, _ in self.elements if element.HasField("plotly_chart")]
        if not specs:
            raise ProtocolError("the reply has no chart")
        sent = [element.bidi_component.json for element, _ in self.elements if element.HasField("bidi_component")]
        return json.dumps([specs[-1], *(json.loads(data)["frames"] for data in sent if '"frames"' in data)])


async def _ask(socket: ClientConnection, state: ClientState) -> Reply:
    """Send the state of the page and wait until the script has run; raises ProtocolError."""
    sent, size, page_hash = time.perf_counter(), 0, ""
    elements: list[tuple[Element, str]] = []
    await socket.send(BackMsg(rerun_script=state).SerializeToString())
    while True:
        content = await asyncio.wait_for(socket.recv(decode=False), _LONGEST)
        size += len(content)
        message = ForwardMsg.FromString(content)
        kind = message.WhichOneof("type")
        if kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            elements.append(_element(message.delta))
        elif kind == "new_session":
            page_hash = message.new_session.page_script_hash
        elif kind in ("page_not_found", "session_event"):
            raise ProtocolError(f"the server answered {kind}")
        elif kind == "script_finished":
            if message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                elements.clear()  # it begins again, as after `st.rerun`
                continue
            if message.script_finished not in _WELL:
                raise ProtocolError(
                    f"the script ended with {ForwardMsg.ScriptFinishedStatus.Name(message.script_finished)}"
                )
            return Reply(time.perf_counter() - sent, size, elements, page_hash)


def _element(delta: Delta) -> tuple[Element, str]:
    if delta.new_element.HasField("exception"):
        raise ProtocolError(f"the page shows an exception: {delta.new_element.exception.message}")
    return delta.new_element, delta.fragment_id


def _struck_out(after: Sequence[tuple[Element, str]]) -> set[str]:
    """The values under a slider that no run has with the other choices; from them the app moves on to the nearest trained
    one, perhaps where it was. `after`: the elements that follow the slider."""
    marks = after[0][0].html.body if after and after[0][0].HasField("html") else ""
    return set(re.findall(r"<s\b[^>]*>([^<]*)</s>", marks))


class Reader:
    """One session that stays on its page and moves its slider to values that are trained with its other choices."""

    def __init__(self, socket: ClientConnection, place: Place, first: Reply) -> None:
        sliders = [(i, e.slider) for i, (e, _) in enumerate(first.elements) if e.HasField("slider")]
        found = [(i, slider) for i, slider in sliders if slider.label == place.slider]
        if len(found) != 1 or found[0][1].disabled:
            raise ProtocolError(f"{place.name} should have one slider {place.slider!r} that moves, has {len(found)}")
        at, slider = found[0]
        struck = _struck_out(first.elements[at + 1 :])
        self.values = [option for option in slider.options if option not in struck]
        if len(self.values) < 2:
            raise ProtocolError(f"{place.name}: {place.slider!r} has no second value that was trained: {self.values}")
        self.place, self.opened, self._query = place, first.seconds, place.query
        self._socket, self._widget, self._page = socket, slider.id, first.page_hash
        self._fragment = first.elements[at][1]
        self._at, self._chart = self.values.index(slider.options[int(slider.default[0])]), first.chart

    async def step(self, by: int = 1) -> Reply:
        """Move the slider on by some values, round again at its end; raises ProtocolError unless the chart changed."""
        self._at = (self._at + by) % len(self.values)
        state = ClientState(query_string=self._query, page_script_hash=self._page, fragment_id=self._fragment)
        widget = state.widget_states.widgets.add(id=self._widget)
        widget.string_array_value.data.append(self.values[self._at])
        reply = await _ask(self._socket, state)
        if reply.chart == self._chart:
            raise ProtocolError(f"{self.place.name}: the chart did not change with {self.place.slider!r}")
        self._chart = reply.chart
        return reply


@asynccontextmanager
async def visiting(url: str, place: Place) -> AsyncIterator[tuple[ClientConnection, Reply]]:
    """A session that has opened the place's link on the server at `url`, and what it saw; raises ProtocolError."""
    address = url.replace("http", "ws", 1) + "/_stcore/stream"
    async with connect(address, origin=url, subprotocols=["streamlit"], max_size=None, proxy=None) as socket:  # type: ignore[arg-type, list-item]
        state = ClientState(page_name=place.page, query_string=place.query)
        state.context_info.url = f"{url}/{place.name}"
        state.context_info.color_scheme = "light"
        yield socket, await _ask(socket, state)


@asynccontextmanager
async def reading(url: str, place: Place) -> AsyncIterator[Reader]:
    """The same, of a reader who is going to move the place's slider."""
    async with visiting(url, place) as (socket, first):
        yield Reader(socket, place, first)
