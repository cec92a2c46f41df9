"""What all sessions of a server share goes when the server lets it go."""

import time

from boundlab.ui import server


def test_a_scheduler_that_is_let_go_takes_its_warm_workers_along(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path))
    server.scheduler.clear()
    machine = server.scheduler()
    machine.wake()
    deadline = time.monotonic() + 120
    while not machine.warm.workers:
        assert time.monotonic() < deadline, "no warm worker was started"
        time.sleep(0.05)
    worker = machine.warm.workers[0]
    server.scheduler.clear()
    assert worker.code is not None
    assert server.scheduler() is not machine
    server.scheduler.clear()


def test_an_upload_server_that_is_let_go_takes_its_folder_along():
    server.upload_server.clear()
    first = server.upload_server()
    home = first.hold(b"x", "net").folder.parent
    assert home.exists()
    server.upload_server.clear()
    assert not home.exists()
