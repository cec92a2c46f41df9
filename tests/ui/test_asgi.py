"""What the server does beside its pages."""

import asyncio
import gc
import tomllib
import weakref

import pytest

from boundlab.ui import asgi
from tests.conftest import ROOT


class Circle:
    """Freed by the collection of garbage alone."""

    def __init__(self):
        self.itself = self


@pytest.fixture
def no_collection():
    gc.disable()
    yield
    gc.enable()


async def _outlives(circle, seconds):
    collecting = asyncio.create_task(asgi._collect_garbage())
    for _ in range(round(seconds * 100)):
        await asyncio.sleep(0.01)
        if circle() is None:
            break
    collecting.cancel()
    return circle() is not None


def test_garbage_is_collected_by_the_server_and_not_after_every_rerun(monkeypatch, no_collection):
    assert tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["runner"] == {"postScriptGC": False}
    monkeypatch.setattr(asgi, "_COLLECT_EVERY", 60.0)
    circle = weakref.ref(Circle())
    assert asyncio.run(_outlives(circle, 0.1))
    monkeypatch.setattr(asgi, "_COLLECT_EVERY", 0.01)
    assert not asyncio.run(_outlives(circle, 10))
