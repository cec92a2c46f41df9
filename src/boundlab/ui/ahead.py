"""What a reader is likely to choose next is made before it is chosen, by one thread for all readers of a server."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import streamlit as st

_PAUSE = 0.1  # seconds before each: the reader's own picture comes first, and other readers have their turn
_MOST = 32  # of all readers together; what was asked first is forgotten first

Task = Callable[[], object]


class Ahead:
    """Begins with what was asked last. Nothing is made before `start`, so that a page outside a server makes nothing ahead."""

    def __init__(self, pause: float = _PAUSE) -> None:
        self._pause = pause
        self._asked: deque[Task] = deque(maxlen=_MOST)
        self._changed = threading.Condition()
        self._running = False

    def start(self) -> Ahead:
        """Itself, at work from now on."""
        with self._changed:
            if not self._running:
                self._running = True
                threading.Thread(target=self._work, name="ahead", daemon=True).start()
        return self

    def close(self) -> None:
        """Nothing is begun any more."""
        with self._changed:
            self._running = False
            self._asked.clear()
            self._changed.notify_all()

    def ask(self, tasks: Sequence[Task]) -> None:
        """Make these, the first one first, in no session of any reader: what they need they hold. What one of them raises is
        left to the reader who comes to choose it."""
        with self._changed:
            if self._running:
                self._asked.extend(reversed(tasks))
                self._changed.notify_all()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            try:
                task()
            except Exception:
                continue

    def _next(self) -> Task | None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._asked or not self._running)
            time.sleep(self._pause)
            with self._changed:
                if not self._running:
                    return None
                if self._asked:
                    return self._asked.pop()


@st.cache_resource(show_spinner=False, on_release=Ahead.close)
def ahead() -> Ahead:
    """The server's."""
    return Ahead()
