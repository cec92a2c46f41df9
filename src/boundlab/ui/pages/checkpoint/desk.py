"""A session's upload: received, measured by an upload worker, dropped with the session. The upload server is one for all."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from boundlab.errors import BoundlabError
from boundlab.specs.run import Labels
from boundlab.ui.server import upload_server
from boundlab.ui.subjects import UNSAVED
from boundlab.ui.visitor import address, visitor_name
from boundlab.uploads.server import Upload


class Desk:
    """What one session has uploaded last."""

    def __init__(self) -> None:
        self.server = upload_server()
        self.upload: Upload | None = None
        self.error: str | None = None  # why the last file was refused
        self.open: dict[str, Any] | None = None  # what the file leaves open, and first answers
        self.known: bool | None = (
            None  # whether the session's subject has all that will be found; None: there is none yet
        )

    def receive(self, file: UploadedFile, dataset: str, labels: Labels | None) -> None:
        """Take a file in and have it measured."""
        self.take(file.getvalue(), file.name, dataset, labels)
        _forget(file)

    def take(self, content: bytes, name: str, dataset: str, labels: Labels | None) -> None:
        """The same of what a file called `name` holds."""
        self.clear()
        try:
            self.upload = self.server.hold(content, _title(name), visitor_name(), address())
            self.server.measure(self.upload, dataset, labels)
        except BoundlabError as error:
            self.clear()
            self.error = str(error)

    def again(self, dataset: str, labels: Labels | None) -> None:
        """Measure the same file on other data."""
        if self.upload is not None:
            st.session_state.pop(UNSAVED, None)
            self.known = None
            self.server.measure(self.upload, dataset, labels)

    def answer(self, dataset: str, labels: Labels | None, spec: dict[str, Any]) -> None:
        """Measure the file as the network that `spec` says it is."""
        if self.upload is not None:
            st.session_state.pop(UNSAVED, None)
            self.known = None
            self.server.measure(self.upload, dataset, labels, spec)

    def update(self) -> dict[str, Any]:
        """`UploadServer.update`, and what follows: a finished subject goes into the session, a broken file is dropped."""
        if self.upload is None:
            return {"state": "idle"}
        now = self.server.update(self.upload)
        if now.get("measured") and self.known != (now["state"] == "done"):
            st.session_state[UNSAVED] = self.server.result(self.upload)
            self.known = now["state"] == "done"
        if now.get("open"):
            self.open = now["open"]
            return {"state": "idle"}
        if now["state"] == "failed" and not now.get("arch"):
            self.clear()
            self.error = now["error"]
            return {"state": "idle"}
        return now

    def clear(self) -> None:
        """Drop the upload and what was found."""
        self.close()
        self.error = self.known = self.open = None
        st.session_state.pop(UNSAVED, None)

    def close(self) -> None:
        """End its worker and delete the file: also at the session's end, where no session state is left."""
        if self.upload is not None:
            self.server.drop(self.upload)
            self.upload = None


@st.cache_resource(show_spinner=False, scope="session", on_release=Desk.close)
def desk() -> Desk:
    """This session's."""
    return Desk()


def _title(name: str) -> str:
    """A file's name without what could mean something elsewhere."""
    stem = PurePath(name.replace("\\", "/")).stem
    return re.sub(r"[^\w .+=-]", " ", stem, flags=re.ASCII).strip()[:40] or "network"


def _forget(file: UploadedFile) -> None:
    """Free the server's own copy, which it would keep in memory until the session ends."""
    if context := get_script_run_ctx():
        manager = context.uploaded_file_mgr  # MemoryUploadedFileManager; the protocol it follows lacks the method
        manager.remove_file(context.session_id, file.file_id)  # type: ignore[attr-defined]
