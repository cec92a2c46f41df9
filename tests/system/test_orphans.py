"""Whatever the server starts ends with it, also by kill -9, also while it still loads torch."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from boundlab.runs.places import PACK
from boundlab.specs.run import RunSpec
from boundlab.uploads.protocol import NETWORK, REQUEST
from tests.cases import TRAINED

PATIENCE = 60
SERVER = """
import sys, threading, time
from pathlib import Path
from boundlab.jobs import downloads, workers
from boundlab.system import devices
from boundlab.uploads import server
kind, folder = sys.argv[1], Path(sys.argv[2])
warm = workers.WarmWorkers(1)
if kind == "probe":
    threading.Thread(target=devices._ask, args=(600,), daemon=True).start()
elif kind == "download":
    downloads.begin("mnist")
elif kind == "worker":
    with (folder.parent / "lock").open("w") as lock:
        started = workers.for_jobs([folder], [lock.fileno()], {})
elif kind == "warm worker":
    warm.update(True, 0)
else:
    started = server._upload_worker(folder)
time.sleep(600)
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="processes are found through /proc, which only Linux has"
)


def marked(mark):
    """Processes with that mark in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            alive = place.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
            if alive and mark.encode() in place.joinpath("environ").read_bytes():
                found.append(int(place.name))
        except OSError:  # gone, or not ours
            continue
    return found


def wait(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.05)


@pytest.fixture
def slow_mirror():
    """The address of a server that begins to send and goes on for ever, and whether somebody asked."""
    asked, over = threading.Event(), threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(10**9))
            self.end_headers()
            asked.set()
            try:
                while not over.wait(0.1):
                    self.wfile.write(b"x")
            except OSError:
                pass

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        over.set()
        server.shutdown()


def request(kind, folder):
    """What the training worker or the upload worker finds in its folder."""
    folder.mkdir(parents=True)
    if kind == "upload":
        checkpoint = next((PACK / "checkpoints").glob("digits-conv-3-16-*"))
        (folder / NETWORK).write_bytes(checkpoint.read_bytes())
        asked = {"dataset": "digits", "labels": None, "title": "x", "seconds": 600}
        (folder / REQUEST).write_text(json.dumps(asked))
    else:
        (folder / "spec.json").write_text(json.dumps(TRAINED))


@pytest.mark.parametrize("kind", ["probe", "download", "worker", "warm worker", "upload"])
def test_nothing_outlives_a_killed_server(tmp_path, slow_mirror, kind):
    """The kill comes while torch is being imported, which here takes ten minutes, or while bytes are still to come."""
    (url, asked), mark, importing = slow_mirror, f"mark-{uuid.uuid4()}", tmp_path / "importing"
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "torch.py").write_text(f"import time; open({str(importing)!r}, 'w').close(); time.sleep(600)")
    folder = tmp_path / RunSpec.from_dict(TRAINED).id
    request(kind, folder)
    environment = os.environ | {
        "MARK": mark,
        "PYTHONPATH": f"{slow}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        "BOUNDLAB_RUNS": str(tmp_path / "runs"),
        "BOUNDLAB_DATA": str(tmp_path / "data"),
        "BOUNDLAB_MIRROR": url,
        "BOUNDLAB_DETACHED": "0",
    }
    server = subprocess.Popen([sys.executable, "-c", SERVER, kind, str(folder)], env=environment)
    try:
        wait(lambda: asked.is_set() if kind == "download" else importing.exists(), f"the {kind} has begun")
        assert len(marked(mark)) >= 2
        server.kill()
        server.wait()
        wait(lambda: not marked(mark), f"the {kind} has ended")
    finally:
        for left in marked(mark):
            os.kill(left, signal.SIGKILL)
        server.wait()
