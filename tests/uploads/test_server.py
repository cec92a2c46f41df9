"""Uploads in processes of their own: what they find, their limits, their folders, their queue, their end."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from boundlab.errors import CheckpointError, RunError
from boundlab.evaluation import upload_worker
from boundlab.evaluation.report import evaluate_file, report
from boundlab.specs.arch import ArchSpec
from boundlab.specs.settings import Settings
from boundlab.uploads import server
from boundlab.uploads.protocol import NETWORK, REQUEST, STATUS, memory_limit
from boundlab.uploads.server import MOST_WORKERS, UploadServer
from tests.cases import DIGITS, checkpoint
from tests.conftest import reference_weights, write_checkpoint
from tests.hostile import HOSTILE, good

ENDED = ("done", "failed")
PATIENCE = 300  # s


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where temporary folders are made in this test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def upload_server(folder):
    made = UploadServer()
    yield made
    made.close()


def outcome(upload_server, upload):
    """The state in which it ends, and how long that took."""
    began = time.monotonic()
    while (now := upload_server.update(upload))["state"] not in ENDED:
        assert time.monotonic() < began + PATIENCE
        time.sleep(0.02)
    return now, time.monotonic() - began


def measured(upload_server, content, dataset="digits", labels=None):
    upload = upload_server.hold(content, "my net")
    upload_server.measure(upload, dataset, labels)
    return upload, *outcome(upload_server, upload)


@pytest.mark.parametrize("convention", ["published", "theorem", "strict"])
def test_it_finds_what_the_command_line_finds(upload_server, tmp_path, convention):
    path = checkpoint(tmp_path)
    upload, now, _ = measured(upload_server, path.read_bytes())
    assert (now["state"], now["arch"]) == ("done", DIGITS.to_dict())
    settings = Settings(convention, 0.01)
    found = upload_server.result(upload)
    assert found.title == "my net"
    assert found.coded
    coded = found.coded if convention == "strict" else ()  # evaluate computes Theorem D in that one alone
    shown, computed = report(found, settings, coded=coded), evaluate_file(path, "digits", settings)
    assert computed.pop("hold_out")["value"] > computed["errors"]["test"]
    assert json.dumps(shown) == json.dumps(computed)


def test_what_was_measured_is_there_before_theorem_d(upload_server, tmp_path):
    upload = upload_server.hold(checkpoint(tmp_path).read_bytes(), "my net")
    upload_server.measure(upload, "digits", None)
    deadline, early = time.monotonic() + PATIENCE, None
    while (now := upload_server.update(upload))["state"] not in ENDED:
        assert time.monotonic() < deadline
        if now.get("measured") and early is None:
            early = upload_server.result(upload)
        time.sleep(0.005)
    final = upload_server.result(upload)
    assert [one.theorem for one in final.coded] == ["D", "D2"]
    assert early is not None
    if not early.coded:  # else it was read after the last word
        assert early.not_coded == "computing it broke off"
    assert dict(early.record) == dict(final.record)


def test_a_worker_that_ends_within_theorem_d_leaves_what_was_measured(upload_server, tmp_path):
    upload = upload_server.hold(checkpoint(tmp_path).read_bytes(), "my net")
    upload_server.measure(upload, "digits", None)
    deadline = time.monotonic() + PATIENCE
    while not upload_server.update(upload).get("measured"):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    upload.worker.process.kill()
    now, _ = outcome(upload_server, upload)
    found = upload_server.result(upload)
    assert now["state"] == "done"
    assert found.coded or found.not_coded == "computing it broke off"


@pytest.mark.parametrize(
    ("left", "spent", "words"),
    [
        (60.0, (0.0, 1.0), None),
        (60.0, (0.0, 10.0), r"about 4 minutes"),
        (20.0, (0.0, 1.0), "longer than an upload may"),
    ],
)
def test_theorem_d_gives_up_as_soon_as_it_is_clear_that_it_takes_too_long(monkeypatch, left, spent, words):
    said, clock = [], iter((*spent, spent[1] + 1))
    monkeypatch.setattr(upload_worker.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(upload_worker.time, "process_time", lambda: 0.0)
    watch = upload_worker._Watch(said.append, left)
    if words is None:
        watch("roundings", 1, 0)
        watch("training images", 100, 1000)
        assert said == ["Theorem D: roundings, 1 tried", "Theorem D: training images, 100 of 1,000"]
    else:
        with pytest.raises(ValueError, match=words):
            watch("roundings", 1, 0)


def test_so_many_hidden_weights_that_theorem_d_promises_nothing_are_said_at_once(upload_server, tmp_path):
    arch = ArchSpec(kind="mlp", in_shape=(1, 8, 8), hidden=(600,))
    path = write_checkpoint(tmp_path / "wide", arch, reference_weights(arch, 0))
    upload, now, _ = measured(upload_server, path.read_bytes())
    assert now["state"] == "done"
    found = upload_server.result(upload)
    assert found.coded == ()
    assert found.not_coded.startswith("it would promise nothing: its 38,400 hidden weights and biases take at least ")
    assert report(found, Settings("strict"), not_coded=found.not_coded)["theorem_d"]["reason"] == found.not_coded


def test_a_sub_task(upload_server, tmp_path):
    arch = dataclasses.replace(DIGITS, classes=2)
    path = write_checkpoint(tmp_path / "two", arch, reference_weights(arch, 0))
    labels = ((0,), (1,))
    upload, now, _ = measured(upload_server, path.read_bytes(), labels=labels)
    assert now["state"] == "done"
    found = upload_server.result(upload)
    assert (found.labels, found.sample.n, found.sample.classes) == (labels, 288, 2)
    upload_server.measure(upload, "digits", None)  # the same file on other data
    now, _ = outcome(upload_server, upload)
    assert now["arch"] == arch.to_dict()
    assert "has 2 classes, digits has [1, 8, 8] and 10" in now["error"]


@pytest.mark.parametrize("name", ["pickle renamed", "NaN", "10,000 tensors", "a billion channels"])
def test_a_broken_file_is_said_without_waiting_for_torch(upload_server, name, monkeypatch, tmp_path):
    monkeypatch.setenv("HOSTILE_MARK", str(tmp_path / "mark"))
    (tmp_path / "torch.py").write_text(f"open({str(tmp_path / 'asked for')!r}, 'w')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    make, words = HOSTILE[name]
    upload, now, seconds = measured(upload_server, make())
    print(f"{name}: {seconds:.2f} s")
    assert words in now["error"]
    assert now["error"].startswith("my net")
    assert str(upload.folder) not in now["error"]
    assert not (tmp_path / "asked for").exists()
    measured(upload_server, good())
    assert (tmp_path / "asked for").exists()  # as a sound file is measured with it
    assert not (tmp_path / "mark").exists()


def test_a_large_file_is_refused_before_it_is_written(upload_server, folder):
    for size in (30 * 2**20 + 1, 31 * 2**20):
        said = rf"has {size:,} bytes, an upload at most 31,457,280 \(30 MB\); measure a larger one with"
        with pytest.raises(CheckpointError, match=said):
            upload_server.hold(bytes(size), "large")
    upload_server.drop(upload_server.hold(bytes(30 * 2**20), "just fits"))
    assert list(upload_server._home.iterdir()) == []


def test_images_that_are_not_here_are_not_fetched(upload_server, monkeypatch, tmp_path):
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "none"))
    _, now, _ = measured(upload_server, good(), "mnist")  # at the middle of MNIST's images
    assert now["error"] == "MNIST is not on this machine; download it first"


def test_it_has_limits_of_its_own_and_low_priority(upload_server):
    upload = upload_server.hold(good(), "limits")
    upload_server.measure(upload, "digits", None)
    pid, deadline = upload.worker.process.pid, time.monotonic() + PATIENCE
    while not (upload.folder / STATUS).exists():  # its first word comes after its limits
        assert time.monotonic() < deadline
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert f"Max address space         {memory_limit('digits')} " in limits
    assert "Max cpu time              300 " in limits
    assert "Max core file size        0 " in limits
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19


def test_too_much_memory_is_a_sentence(folder):
    (folder / NETWORK).write_bytes(good())
    asked = {"dataset": "digits", "labels": None, "title": "net", "seconds": 600}
    (folder / REQUEST).write_text(json.dumps(asked))
    code = "from pathlib import Path; from boundlab.evaluation import upload_worker\nimport boundlab.evaluation.kept_norms as e\n"
    code += "import torch\nreal = e.norm_columns\n"
    code += "e.norm_columns = lambda *a: (torch.empty(10**12), real(*a))\n"  # an allocation torch cannot make
    code += f"raise SystemExit(upload_worker.measure_upload(Path({str(folder)!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    now = json.loads((folder / STATUS).read_text())
    assert now["state"] == "failed"
    assert "needs more than the 3.0 GiB of memory an upload may use" in now["error"]


def test_too_much_time_is_a_sentence(folder):
    upload_server = UploadServer(seconds=0.3)
    try:
        _, now, seconds = measured(upload_server, good())
    finally:
        upload_server.close()
    assert "took more than the 0.3 seconds an upload may take; measure it with `boundlab evaluate FILE`" in now["error"]
    print(f"ended after {seconds:.2f} s")
    assert seconds < 60


def test_an_upload_worker_that_dies_is_said(upload_server):
    upload = upload_server.hold(good(), "dies")
    upload_server.measure(upload, "digits", None)
    upload.worker.process.send_signal(signal.SIGKILL)
    now, _ = outcome(upload_server, upload)
    assert "broke off (exit code -9)" in now["error"]
    with pytest.raises(RunError):
        upload_server.result(upload)


@pytest.fixture
def stopped(monkeypatch):
    """Upload workers that stand still as soon as they are there, so that none ends before it is looked at; gives what lets one go on."""
    start = server._upload_worker

    def standing(folder):
        worker = start(folder)
        worker.process.send_signal(signal.SIGSTOP)
        return worker

    monkeypatch.setattr(server, "_upload_worker", standing)
    return lambda upload: upload.worker.process.send_signal(signal.SIGCONT)


def test_two_at_once_and_the_others_wait(upload_server, stopped):
    uploads = [upload_server.hold(good(), f"net {i}", f"person {i}") for i in range(MOST_WORKERS + 2)]
    for upload in uploads:
        upload_server.measure(upload, "digits", None)
    states = [upload_server.update(upload) for upload in uploads]
    assert [now["state"] for now in states] == ["running"] * MOST_WORKERS + ["queued"] * 2
    assert [now["ahead"] for now in states[MOST_WORKERS:]] == [0, 1]
    upload_server.drop(uploads[0])  # gone: the next one's turn
    assert upload_server.update(uploads[MOST_WORKERS])["state"] == "running"
    assert upload_server.update(uploads[MOST_WORKERS + 1]) == {"state": "queued", "ahead": 0}
    upload_server.drop(uploads[MOST_WORKERS + 1])
    upload_server.drop(uploads[1])
    stopped(uploads[MOST_WORKERS])
    assert outcome(upload_server, uploads[MOST_WORKERS])[0]["state"] == "done"


def started(upload_server, uploads):
    """In which order they start, each ended as soon as it runs."""
    order, left = [], list(uploads)
    deadline = time.monotonic() + PATIENCE
    while left:
        assert time.monotonic() < deadline
        for upload in [u for u in left if upload_server.update(u)["state"] == "running"]:
            order.append(upload.title)
            left.remove(upload)
            upload_server.drop(upload)
    return order


def waiting(upload_server, title, person, address=None):
    upload = upload_server.hold(good(), title, person, address)
    upload_server.measure(upload, "digits", None)
    return upload


def test_one_of_a_person_runs_at_a_time_and_everybody_has_a_turn_before_anybodys_second(upload_server, monkeypatch):
    monkeypatch.setattr(server, "MOST_WORKERS", 1)
    uploads = [waiting(upload_server, f"anna {i}", "anna") for i in range(4)]
    uploads += [waiting(upload_server, f"{name} {i}", name) for i in range(2) for name in ("ben", "eva")]
    assert [upload_server.update(upload).get("ahead") for upload in uploads] == [None, 2, 5, 6, 0, 1, 3, 4]
    expected = ["anna 0", "ben 0", "eva 0", "anna 1", "ben 1", "eva 1", "anna 2", "anna 3"]
    assert started(upload_server, uploads) == expected
    monkeypatch.setattr(server, "MOST_WORKERS", 2)
    alone = [waiting(upload_server, f"anna {i}", "anna") for i in range(2)]
    assert [upload_server.update(upload)["state"] for upload in alone] == ["running", "queued"]


def test_a_person_and_an_address_fill_a_part_of_the_queue_only(upload_server, monkeypatch, folder):
    monkeypatch.setattr(server, "PER_ADDRESS", 5)
    for i in range(4):
        waiting(upload_server, f"anna {i}", "anna", "here")
    with pytest.raises(RunError, match="you have 3 uploads waiting, and 3 is the most for one person"):
        waiting(upload_server, "anna 4", "anna", "here")
    waiting(upload_server, "runs beside hers", "fresh 0", "here")
    for i in range(1, 3):
        waiting(upload_server, f"fresh {i}", f"fresh {i}", "here")
    with pytest.raises(RunError, match="uploads wait, too many; try again"):
        waiting(upload_server, "fresh 3", "fresh 3", "here")  # a fresh name each time does not help
    waiting(upload_server, "ben", "ben", "there")
    waiting(upload_server, "of an unknown address", "eva")
    monkeypatch.setattr(server, "MOST_WAITING", 7)
    with pytest.raises(RunError, match="7 uploads wait, too many"):
        waiting(upload_server, "one more", "nobody", "elsewhere")


def test_folders_are_private_and_go(upload_server, folder):
    upload = upload_server.hold(good(), "private")
    for path in (upload_server._home, upload.folder):
        assert path.stat().st_mode & 0o777 == 0o700
    upload_server.measure(upload, "digits", None)
    process = upload.worker.process
    upload_server.drop(upload)
    assert process.poll() is not None
    assert not upload.folder.exists()
    assert upload_server._home.exists()
    upload_server.close()
    assert not any(path.name.startswith("boundlab-upload-") for path in folder.iterdir())


SERVER = """
import sys, time
from boundlab.uploads.server import UploadServer
upload_server = UploadServer()
upload = upload_server.hold(open(sys.argv[1], "rb").read(), "net")
upload_server.measure(upload, "digits", None)
print(upload.worker.process.pid, upload.folder, flush=True)
time.sleep(600)
"""


def test_a_killed_server_takes_its_upload_workers_along_and_the_next_clears_up(folder, tmp_path):
    path = checkpoint(tmp_path)
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(path)], stdout=subprocess.PIPE, text=True)
    pid, place = server.stdout.readline().split()
    other = UploadServer()  # another server on this machine: it leaves the living one's alone
    assert Path(place).exists()
    server.kill()
    server.wait()
    server.stdout.close()
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    third = UploadServer()
    assert not Path(place).parent.exists()
    assert other._home.exists()
    other.close()
    third.close()


@pytest.mark.parametrize("kind", ["lc", "mlp"])
def test_other_kinds(upload_server, tmp_path, kind):
    arch = ArchSpec("lc", (1, 8, 8), 2, 2) if kind == "lc" else ArchSpec("mlp", (1, 8, 8), hidden=(5,))
    path = write_checkpoint(tmp_path / "net", arch, reference_weights(arch, 0))
    upload, now, _ = measured(upload_server, path.read_bytes())
    assert now["state"] == "done", now
    settings = Settings("strict")
    found = upload_server.result(upload)
    shown = report(found, settings, coded=found.coded, not_coded=found.not_coded)
    computed = evaluate_file(path, "digits", settings)
    assert computed.pop("hold_out")["n"] == 360
    assert json.dumps(shown) == json.dumps(computed)
