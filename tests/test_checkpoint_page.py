"""The page "Your checkpoint" without a browser: upload, progress, result, keep, open by link, delete."""

import json
import time

import pytest
import streamlit as st

from boundlab.ui.checkpoint import desk, kept
from boundlab.ui.page import PAGES
from tests.cases import DIGITS, checkpoint
from tests.conftest import reference_weights, write_checkpoint
from tests.test_pages import open_link

PAGE = next(page for page in PAGES if page.key == "checkpoint")


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path / "runs"))
    yield
    desk.judges().close()
    st.cache_resource.clear()


def uploaded(app, path, name="net.safetensors"):
    """The page after the upload has been judged."""
    app.file_uploader[0].upload(name, path.read_bytes(), "application/octet-stream").run()
    deadline = time.monotonic() + 60
    while any("…" in box.value for box in app.info if "hourglass" in (box.icon or "")) or any("queue" in b.value for b in app.info):
        assert time.monotonic() < deadline
        time.sleep(0.2)
        app.run()
    assert not app.exception
    return app


def test_a(tmp_path):
    app = open_link(PAGE, dataset="digits")
    assert not app.exception, app.exception
    t = time.time()
    app = uploaded(app, checkpoint(tmp_path))
    print(time.time() - t)
    print([m.value for m in app.markdown], [e.value for e in app.error], [i.value for i in app.info])
    print([b.label for b in app.button])
