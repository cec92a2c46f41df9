"""Jobs as processes: the protocol of a run folder, the warm worker, and what goes wrong around them."""

import collections
import contextlib
import errno
import fcntl
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from boundlab.errors import RunError
from boundlab.networks.checkpoint import read_tensors
from boundlab.runs import heartbeat
from boundlab.runs.folder import has_records, list_runs, open_run
from boundlab.runs.heartbeat import Heartbeat, Interrupted, Watch
from boundlab.runs.status import read_status
from boundlab.specs.run import RunSpec
from boundlab.system.files import read_lines, write_atomic
from boundlab.system.processes import READY
from boundlab.training.failure import explain
from boundlab.training.worker import train_run
from tests.cases import TRAINED
from tests.training.forked import Forked

LONG = TRAINED | {"epochs": 120}
WORKER = [sys.executable, "-m", "boundlab.training.worker"]
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}
PATIENCE = 300  # s: only a machine that stands still is so slow


def submit(out, given=TRAINED, attempt=1, request="run", device="cpu"):
    """A run folder as the dashboard writes it before a job is started."""
    spec = RunSpec.from_dict(given)
    folder = out / spec.id
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "spec.json", json.dumps(spec.to_dict()))
    job = {"owner": None, "submitted": time.time(), "attempt": attempt, "device": device, "request": request}
    write_atomic(folder / "job.json", json.dumps(job))
    return folder


def hold(folder):
    """Take the run's lock as the scheduler does, and say that it runs."""
    (folder.parent / ".locks").mkdir(exist_ok=True)
    lock = (folder.parent / ".locks" / folder.name).open("w")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            assert time.monotonic() < deadline, "the lock outlived its process"
            time.sleep(0.005)


def train(folder, *arguments, **others):
    return subprocess.run(
        [*WORKER, str(folder), *arguments], env=ONE_THREAD, capture_output=True, text=True, timeout=PATIENCE, **others
    )


def until(process, ready):
    while not ready():
        assert process.poll() is None, "ended too early"
        time.sleep(0.005)


def assert_same(folder, whole):
    """The sealed history and network, to the last bit."""
    one, other = (pd.read_parquet(f / "epochs.parquet") for f in (folder, whole))
    pd.testing.assert_frame_equal(one, other)
    assert (folder / "network.safetensors").read_bytes() == (whole / "network.safetensors").read_bytes()


def started(channel, errors):
    """A warm worker in a Python of its own."""
    return subprocess.Popen([*WORKER, "--warm"], stdin=channel, stderr=errors, env=ONE_THREAD)


class Warm:
    """A warm worker and this process's end of its socket."""

    def __init__(self, errors, start=started):
        self.channel, theirs = socket.socketpair()
        self.process = start(theirs, errors)
        theirs.close()

    def send(self, folder, lock, environment=None):
        message = json.dumps({"folders": [str(folder)], "environment": environment or {}}) + "\n"
        socket.send_fds(self.channel, [message.encode()], [lock.fileno()])
        lock.close()

    def answer(self):
        self.channel.settimeout(PATIENCE)
        return self.channel.recv(1)

    def close(self):
        self.channel.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture
def warm():
    waiting = Warm(subprocess.PIPE)
    yield waiting
    waiting.close()
    waiting.process.stderr.close()


def test_a_job_trains_under_the_lock_it_is_given(finished, tmp_path):
    folder = submit(tmp_path, attempt=3)
    with hold(folder) as lock:
        done = train(folder, "--lock-fd", str(lock.fileno()), pass_fds=[lock.fileno()])
    assert (done.returncode, done.stderr) == (0, "")
    now = read_status(folder)
    assert (now.state, now.attempt, now.device, now.error) == ("done", 3, "cpu", None)
    assert now.step == now.steps == 24 * 45
    assert {p.name for p in folder.iterdir()} == {p.name for p in finished.iterdir()} | {"job.json"}
    assert_same(folder, finished)


def damaged(folder):
    (folder / "spec.json").write_text("{")


def renamed(folder):
    spec = json.loads((folder / "spec.json").read_text())
    (folder / "spec.json").write_text(json.dumps(spec | {"seed": 9}))


def elsewhere(folder):
    job = json.loads((folder / "job.json").read_text())
    (folder / "job.json").write_text(json.dumps(job | {"device": "tpu"}))


def no_data(folder):
    write_atomic(folder / "spec.json", json.dumps(RunSpec.from_dict({"dataset": "mnist"}).to_dict()))
    folder.rename(folder.parent / RunSpec.from_dict({"dataset": "mnist"}).id)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (damaged, "spec.json cannot be read as JSON"),
        (renamed, "the folder of this spec must be named"),
        (elsewhere, "device must be one of"),
        (no_data, "IDX magic"),
        (shutil.rmtree, "is not the folder of a run"),
    ],
)
def test_bad_input_is_one_sentence_there_and_in_the_status(tmp_path, damage, words):
    folder = submit(tmp_path / "runs")
    damage(folder)
    folder = next((tmp_path / "runs").glob("*-*"), folder)
    environment = ONE_THREAD | {"BOUNDLAB_DATA": str(junk_mnist(tmp_path / "data"))}
    done = subprocess.run([*WORKER, str(folder)], env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    if folder.exists():
        assert read_status(folder).state == "failed"
        assert words in read_status(folder).error
        found = list_runs(folder.parent)
        assert found.runs == []  # nothing to open yet
        assert set(found.left_out) == (
            {folder.name} if damage is damaged else set()
        )  # a spec that nobody can read is named


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's data")
def test_more_memory_than_there_is_for_a_run_is_a_failure_in_words(tmp_path):
    """The system's limit stands for the run's own, which is above what it needs."""
    given = {"dataset": "digits", "arch": {"kind": "mlp", "hidden": [8000, 8000]}}
    folder = submit(tmp_path, given)
    most = 2**30

    def limited():
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))

    done = subprocess.run([*WORKER, str(folder)], env=ONE_THREAD, capture_output=True, text=True, preexec_fn=limited)
    assert done.returncode in (1, 2)
    assert read_status(folder).state == "failed"
    assert read_status(folder).error == (
        "the run needs more memory than the 1.0 GiB it may have; train a smaller network, or smaller batches"
    )


def test_a_descriptor_of_another_file_and_a_lock_that_is_taken_are_refused(tmp_path):
    folder = submit(tmp_path)
    with hold(folder), (tmp_path / "other").open("w") as other:
        wrong = train(folder, "--lock-fd", str(other.fileno()), pass_fds=[other.fileno()])
        taken = train(folder)
    assert wrong.returncode == taken.returncode == 2
    assert "is of another file" in wrong.stderr
    assert "is being trained by another process" in taken.stderr
    assert not (folder / "status.json").exists()  # it is not theirs to write


def test_a_worker_ends_with_its_parent(tmp_path):
    folder = submit(tmp_path, LONG)
    process = subprocess.Popen([*WORKER, str(folder), "--with-parent"], env=ONE_THREAD, stdin=subprocess.PIPE)
    until(process, lambda: read_status(folder).step > 30)
    process.stdin.close()
    assert process.wait(PATIENCE) == 1
    hold(folder).close()


def test_any_other_error_has_its_line_in_the_status(tmp_path, monkeypatch):
    def step(*_):
        raise KeyError("a bug")

    monkeypatch.setattr("boundlab.training.steps.Steps.step", step)
    spec = RunSpec.from_dict(TRAINED)
    with pytest.raises(KeyError):
        train_run(spec, tmp_path)
    assert read_status(tmp_path / spec.id).error == "KeyError: 'a bug'"


def junk_mnist(root):
    """A data root whose MNIST is damaged."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{part}-ubyte").write_bytes(b"junk")
    return root


def test_a_warm_worker_trains_what_it_is_sent(finished, tmp_path, warm):
    folder = submit(tmp_path)
    warm.send(folder, hold(folder))
    until(warm.process, lambda: read_status(folder).step > 30)
    with pytest.raises(RunError, match="is being trained by another process"):
        train_run(RunSpec.from_dict(TRAINED), tmp_path)
    for again in (tmp_path / "second", tmp_path / "third"):  # of what it trained before nothing is left
        assert warm.answer() == READY
        assert_same(folder, finished)
        assert read_status(folder).pid == warm.process.pid
        hold(folder).close()
        folder = submit(again)
        warm.send(folder, hold(folder))


def test_a_warm_worker_that_used_a_gpu_ends(tmp_path, warm):
    folder = submit(tmp_path)
    warm.send(folder, hold(folder), {"CUDA_VISIBLE_DEVICES": "7"})
    assert warm.process.wait(PATIENCE) == 0
    assert read_status(folder).state == "done"


def test_a_warm_worker_takes_the_environment_it_is_sent(tmp_path, warm):
    folder = submit(tmp_path / "runs", {"dataset": "mnist"})
    warm.send(folder, hold(folder), {"BOUNDLAB_DATA": str(junk_mnist(tmp_path / "data"))})
    assert warm.process.wait(PATIENCE) == 2
    assert str(tmp_path / "data") in read_status(folder).error


ASKED = """
import torch
from boundlab.training import warm_worker
from boundlab.training.worker import pick_device
asked = []
torch.backends.cuda.is_built = lambda: True
for name in ("is_available", "device_count", "current_device", "_lazy_init"):
    setattr(torch.cuda, name, lambda name=name: asked.append(name))
warm_worker._warm_up()
print(asked)
pick_device("auto")
print(asked)
"""


def test_a_warm_worker_does_not_ask_for_a_gpu_before_it_is_told_which():
    """CUDA_VISIBLE_DEVICES counts until the first question; a worker's first is which device to take."""
    done = subprocess.run([sys.executable, "-c", ASKED], env=ONE_THREAD, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['is_available']"]


@pytest.mark.parametrize("when", ["waiting", "training"])
def test_a_warm_worker_ends_with_its_parent(tmp_path, warm, when):
    folder = submit(tmp_path, TRAINED | {"epochs": 200})
    if when == "training":
        warm.send(folder, hold(folder))
        until(warm.process, lambda: read_status(folder).step > 30)
    warm.channel.close()
    assert warm.process.wait(PATIENCE) == 1
    assert warm.process.stderr.read() == b""
    hold(folder).close()


def test_a_warm_worker_refuses_nonsense(warm):
    warm.channel.send(b"[1]\n")
    assert warm.process.wait(PATIENCE) == 2
    assert b"a warm worker expects one line" in warm.process.stderr.read()


def test_the_request_is_seen_within_a_fifth_of_a_second_and_half_a_file_is_none(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: clock[0])
    watch, file = Watch(tmp_path), tmp_path / "job.json"

    def look():
        clock[0] += 0.2
        watch()

    look()  # no file
    for text in ('{"request": "run"}', '{"request": "pau', "[]", '{"request": "other"}', '{"request": null}'):
        file.write_text(text)
        look()
    file.write_text('{"request": "stop"}')
    clock[0] += 0.1
    watch()  # too early to look again
    for text, state in (('{"request": "stop"}', "stopped"), ('{"request": "pause"}', "paused")):
        file.write_text(text)
        with pytest.raises(Interrupted, match=state):
            look()


def test_the_heart_beats_between_records_and_survives_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(heartbeat, "EVERY", 0.01)
    write, failures = heartbeat.write_status, []

    def fail_twice(folder, now):
        if len(failures) < 2:
            failures.append(folder)
            raise OSError(errno.ENOSPC, "No space left on device")
        write(folder, now)

    monkeypatch.setattr(heartbeat, "write_status", fail_twice)
    before = set(threading.enumerate())
    with Heartbeat(tmp_path) as beat:
        beat.step, beat.steps = 7, 9
        (heart,) = set(threading.enumerate()) - before
        deadline = time.monotonic() + PATIENCE
        while read_status(tmp_path).step != 7 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(failures) == 2
        assert read_status(tmp_path).step == 7
        beat.step = 8
        while read_status(tmp_path).step != 8 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert read_status(tmp_path).step == 8
        beat.end("paused")
        beat.step = 9
        beat.beat()
    heart.join(PATIENCE)
    assert not heart.is_alive()
    assert (read_status(tmp_path).state, read_status(tmp_path).step) == ("paused", 8)  # nothing after the end


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space"), "the disk with runs/x is full: free space and retry, it goes on from epoch 12"),
        (PermissionError(errno.EACCES, "Denied", "f"), "f cannot be read or written .*permissions and retry, it goes on"),
        (OSError(errno.EIO, "I/O error", "g"), r"g failed \(I/O error\): put that right and retry, it goes on"),
        (ZeroDivisionError("division\nby zero"), "^ZeroDivisionError: division by zero$"),
    ],
)  # fmt: skip
def test_a_failure_is_one_sentence(error, words):
    assert re.search(words, explain(error, Path("runs/x"), 12.0))
    assert "epoch" not in explain(error, Path("runs/x"), None)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount a small file system here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_a_failure_that_says_so_and_nothing_is_lost(finished, small_disk):
    folder = submit(small_disk)
    process = subprocess.Popen([*WORKER, str(folder)], env=ONE_THREAD, stderr=subprocess.PIPE, text=True)
    until(process, lambda: read_status(folder).step >= 200)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        collections.deque(iter(lambda: file.write(bytes(4096)), None))
    assert process.wait(PATIENCE) == 2
    assert "No space left" in process.stderr.read()
    process.stderr.close()
    now = read_status(folder)
    assert now.state == "failed"
    assert "is full: free space and retry, it goes on from epoch" in now.error
    assert not [p.name for p in folder.glob(".*")]  # no reserve, no halves of failed writes
    recorded = open_run(folder).records["step"].tolist()
    assert recorded[-1] >= 175
    again = train(folder)  # still full
    assert again.returncode == 2
    assert read_status(folder).state == "failed"
    assert open_run(folder).records["step"].tolist()[: len(recorded) - 2] == recorded[:-2]
    filler.unlink()
    assert train(folder).returncode == 0
    assert_same(folder, finished)


def test_a_folder_that_cannot_be_written_is_one_sentence(finished, small_disk):
    folder = submit(small_disk)
    process = subprocess.Popen([*WORKER, str(folder)], env=ONE_THREAD, stderr=subprocess.PIPE, text=True)
    until(process, lambda: read_status(folder).step >= 200)
    subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
    try:
        assert process.wait(PATIENCE) == 2
        said = process.stderr.read().splitlines()
        process.stderr.close()
        assert len(said) == 2  # what failed, and that the status could not be written either
        assert all("Read-only file system" in line for line in said)
        again = train(folder)
        assert again.returncode == 2
        assert "Read-only file system" in again.stderr
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    assert train(folder).returncode == 0
    assert_same(folder, finished)


def read_everything(folder, over, states, errors):
    """Read every file of a run folder again and again; whatever cannot be read ends in `errors`."""
    readers = {".json": lambda p: json.loads(p.read_text()), ".jsonl": read_lines}
    readers |= {".safetensors": read_tensors, ".parquet": lambda p: pd.read_parquet(io.BytesIO(p.read_bytes()))}
    while not over.is_set():
        try:
            states.add(read_status(folder).state)
            if has_records(folder):
                steps = open_run(folder).records["step"].tolist()
                assert steps == sorted(set(steps))
                assert steps[0] == 0
            for path in folder.iterdir():
                if path.suffix in readers:
                    with contextlib.suppress(FileNotFoundError):  # sealing removes two files
                        readers[path.suffix](path)
        except Exception as error:
            errors.append(repr(error))
        time.sleep(0.02)


def test_fifty_kills_pauses_and_stops_leave_the_same_history(tmp_path):
    whole = train_run(RunSpec.from_dict(LONG), tmp_path / "whole")
    folder, rng, faults = submit(tmp_path / "runs", LONG), random.Random(0), []
    over, states = threading.Event(), set()
    reader = threading.Thread(target=read_everything, args=(folder, over, states, faults))
    reader.start()
    errors = tmp_path / "stderr"
    waiting = [Warm(errors, Forked), Warm(errors, Forked)]
    try:
        for attempt in range(1, 51):
            end = rng.choice(["kill", "pause", "stop"])
            allowed = attempt * recorded(whole) // 60
            interrupt(submit(tmp_path / "runs", LONG, attempt), waiting[0], end, rng, allowed)
            waiting.pop(0).close()
            waiting.append(Warm(errors, Forked))
        submit(tmp_path / "runs", LONG, 51)
        waiting[0].send(folder, hold(folder))
        assert waiting[0].answer() == READY
    finally:
        over.set()
        reader.join()
        for warm in waiting:
            warm.close()
    assert faults == []
    assert errors.read_text() == ""
    assert states >= {"running", "paused", "stopped"}
    assert read_status(folder).attempt == 51
    assert_same(folder, whole)


def recorded(folder):
    """How many records it has so far."""
    return len(open_run(folder).records) if has_records(folder) else 0


def interrupt(folder, warm, end, rng, allowed):
    """Train for a few records, but not beyond as many as are allowed, then kill, pause or stop."""
    attempt = json.loads((folder / "job.json").read_text())["attempt"]
    warm.send(folder, hold(folder))
    until(warm.process, lambda: read_status(folder).attempt == attempt)
    wanted = min(recorded(folder) + rng.randint(0, 2), allowed)
    until(warm.process, lambda: recorded(folder) >= wanted)
    time.sleep(rng.uniform(0, 0.05))  # anywhere between two records
    if end == "kill":
        warm.process.kill()
        assert warm.process.wait(PATIENCE) == -signal.SIGKILL
        assert read_status(folder).state == "running"
    else:
        submit(folder.parent, LONG, attempt, request=end)
        assert warm.answer() == READY
        assert read_status(folder).state == {"pause": "paused", "stop": "stopped"}[end]
