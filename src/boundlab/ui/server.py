"""What `streamlit run app.py` serves beside the pages: limits on what comes in, and tidying up at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.middleware import Middleware
from streamlit.cli_util import open_browser
from streamlit.web.server.server_util import get_display_address, get_url

from boundlab.ui.checkpoint.desk import judges
from boundlab.ui.intake import Intake

MIDDLEWARE = [Middleware(Intake)]


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """From the server's start to its end, whichever signal ends it: `atexit` does not see SIGTERM here."""
    if not st.get_option("server.headless"):  # `streamlit run` does it for a plain script only
        address = st.get_option("server.address") or "localhost"
        asyncio.get_running_loop().call_later(0.5, open_browser, get_url(get_display_address(address)))
    yield
    judges().close()
