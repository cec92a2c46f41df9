"""Downloads as the Train page starts them: in a process of their own, with progress, and again after a kill."""

import time

import pytest

from boundlab.data import locate
from boundlab.jobs import downloads
from tests.data.test_download import NOWHERE, mirror, mnist_mirror  # noqa: F401


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path / "runs"))
    yield tmp_path
    for process in downloads._processes.values():
        process.communicate()  # waits, and closes the line that it watches
    downloads._processes.clear()


def seen_until_it_ends(name):
    seen, deadline = [], time.monotonic() + 300
    while (now := downloads.progress(name)).get("state") == "running":
        seen.append(now.get("bytes", 0))
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return seen, now


def test_progress_grows_until_all_is_there(empty, monkeypatch, mnist_mirror):  # noqa: F811
    server, url = mnist_mirror
    server.delay = 0.03
    monkeypatch.setenv("BOUNDLAB_MIRROR", url)
    assert downloads.progress("mnist") == {}
    downloads.begin("mnist")
    downloads.begin("mnist")  # another reader presses it too
    seen, now = seen_until_it_ends("mnist")
    assert now["state"] == "done"
    assert seen == sorted(seen)
    assert len(set(seen)) > 2
    assert locate.missing("mnist") == []


def test_a_killed_download_is_said_and_can_be_begun_again(empty, monkeypatch, mnist_mirror):  # noqa: F811
    server, url = mnist_mirror
    server.delay = 0.2
    monkeypatch.setenv("BOUNDLAB_MIRROR", url)
    downloads.begin("mnist")
    while not downloads.progress("mnist").get("bytes"):
        time.sleep(0.05)
    downloads._processes["mnist"].kill()
    _, now = seen_until_it_ends("mnist")
    assert (now["state"], now["error"]) == ("failed", "the download was interrupted; try again")
    server.delay = 0.0
    downloads.begin("mnist")
    assert seen_until_it_ends("mnist")[1]["state"] == "done"


def test_no_network_is_said(empty, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_MIRROR", NOWHERE)
    monkeypatch.setenv("http_proxy", NOWHERE)
    monkeypatch.setenv("https_proxy", NOWHERE)
    downloads.begin("mnist")
    _, now = seen_until_it_ends("mnist")
    assert now["state"] == "failed"
    assert "could not be downloaded" in now["error"]
