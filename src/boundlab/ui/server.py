"""What all sessions of a server share: the job scheduler, the upload server, and who certifies what was played."""

from __future__ import annotations

import streamlit as st

from boundlab.jobs.certifying import Certifying
from boundlab.jobs.queue import Limits
from boundlab.jobs.scheduler import Scheduler
from boundlab.runs.places import runs_folder
from boundlab.uploads.server import UploadServer


@st.cache_resource(show_spinner=False, on_release=UploadServer.close)
def upload_server() -> UploadServer:
    """The server's."""
    return UploadServer()


@st.cache_resource(show_spinner=False, on_release=Certifying.close)
def certifying() -> Certifying:
    """The server's."""
    return Certifying()


@st.cache_resource(show_spinner=False, on_release=Scheduler.stop)
def scheduler() -> Scheduler:
    """Started with the first reader of the Train page. Raises ValueError for limits that make no sense."""
    return Scheduler(runs_folder(), Limits.from_environment()).start()
