"""A server in a process of its own, and a browser that looks at its pages: for `boundlab bench app` and the browser tests."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from boundlab.errors import BoundlabError

CHART = ".js-plotly-plot .main-svg"
# What a page of Streamlit with a chart and a slider costs by itself.
EMPTY_PAGE = """
import numpy as np, plotly.graph_objects as go, streamlit as st
w = st.slider("w", 0, 100, 10)
lines = [go.Scatter(x=np.arange(20), y=np.arange(20) * w + i, name=f"s{i}") for i in range(8)]
st.plotly_chart(go.Figure(lines), key="chart")
"""
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_STARTS = 60  # seconds
_WATCH = """() => {
  window.painted = 0;
  window.watch?.disconnect();
  const drawn = e => e && e.closest('.js-plotly-plot') && !e.closest('.modebar-container, .hoverlayer');
  window.watch = new MutationObserver(records => {
    if (!window.painted && records.some(r => drawn(r.target.nodeType === 1 ? r.target : r.target.parentElement)))
      requestAnimationFrame(() => requestAnimationFrame(() => { window.painted = 1; }));  // the frame after is on screen
  });
  window.watch.observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
}"""


def launch(playwright: Any) -> Any | None:
    """Debian's chromium, or None where there is none."""
    chromium = shutil.which("chromium")
    return playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS) if chromium else None


@contextmanager
def started(
    script: str, folder: Path | str, env: Mapping[str, str] | None = None, address: str = "127.0.0.1"
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address and the process of a fresh server of `script`, once it answers; `env`: None for this process's own. Raises
    BoundlabError when it does not start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.port", str(port), "--server.address", address, "--server.headless", "true"]
    options += ["--server.fileWatcherType", "none", "--browser.gatherUsageStats", "false"]
    command = [sys.executable, "-m", "streamlit", "run", script, *options]
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + _STARTS
    try:
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BoundlabError(f"the server of {script} did not answer within {_STARTS} s; run it to see why")
            time.sleep(0.02)
        yield url, process
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health"):
            return True
    except OSError:
        return False


def settle(page: Any) -> None:
    """Wait until the script behind the page has run."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=60_000)


def until_painted(page: Any, act: Callable[[], None]) -> float:
    """Milliseconds from an act of the reader to the next painted chart; raises playwright's TimeoutError after 5 s."""
    page.evaluate(_WATCH)
    begun = time.perf_counter()
    act()
    page.wait_for_function("window.painted > 0", timeout=5_000, polling=4)
    return 1000 * (time.perf_counter() - begun)
