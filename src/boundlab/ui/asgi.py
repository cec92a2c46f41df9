"""What `streamlit run app.py` serves beside the pages: limits on what comes in, and tidying up at the end."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.middleware import Middleware
from streamlit.cli_util import open_browser
from streamlit.web.server.server_util import get_display_address, get_url

from boundlab.errors import RunError
from boundlab.runs.places import runs_folder
from boundlab.system.files import make_folder
from boundlab.ui.ahead import ahead
from boundlab.ui.framing import Framing
from boundlab.ui.intake import Intake
from boundlab.ui.server import upload_server
from boundlab.ui.visitor import at_home

MIDDLEWARE = [Middleware(Framing), Middleware(Intake)]
_COLLECT_EVERY = 10.0  # seconds


def _keep_private() -> None:
    """In a class, runs and what belongs to them are for this server's account only."""
    os.umask(0o077)  # workers inherit it
    try:
        make_folder(runs_folder())
        runs_folder().chmod(0o700)
    except (OSError, RunError) as error:
        print(f"{runs_folder()} may be readable by other accounts of this machine ({error})", file=sys.stderr)


async def _collect_garbage() -> None:
    """Now and then, for all readers: after every rerun, as Streamlit would (runner.postScriptGC), it takes longer than the rerun."""
    while True:
        await asyncio.sleep(_COLLECT_EVERY)
        gc.collect()


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """From the server's start to its end, whichever signal ends it: `atexit` does not see SIGTERM here."""
    if not st.get_option("server.headless"):  # `streamlit run` does it for a plain script only
        address = st.get_option("server.address") or "localhost"
        asyncio.get_running_loop().call_later(0.5, open_browser, get_url(get_display_address(address)))
    if not at_home():
        _keep_private()
    ahead().start()
    collecting = asyncio.create_task(_collect_garbage())
    yield
    collecting.cancel()
    ahead().close()
    upload_server().close()
