"""A grid on a real Dask cluster of this machine: a worker is killed, the scheduler restarted; everything is trained, once."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from boundlab.errors import BoundlabError
from boundlab.jobs import cluster as clusters
from boundlab.jobs.cluster import Cluster, sweep_on
from boundlab.jobs.on_worker import lacking, packed, place, unpack
from boundlab.runs.folder import open_run, sealed
from boundlab.runs.status import read_status
from boundlab.specs.run import RunSpec

PATIENCE = 120.0
# Dask leaves the sockets of connections that broke to the garbage collector
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning"
)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Machines:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, folder):
        self.folder, self.port, self.started = folder, free_port(), []
        self.address = f"tcp://127.0.0.1:{self.port}"

    def _start(self, *command):
        log = (self.folder / f"log{len(self.started)}").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + command[0], *command[1:]],
            stdout=log,
            stderr=log,
            cwd=self.folder,
            env=os.environ | {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s"},
        )
        self.started.append(process)
        return process

    def scheduler(self):
        return self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")

    def worker(self, name, *more):
        place = ["--name", name, "--local-directory", str(self.folder / name), "--no-dashboard"]
        return self._start("worker", self.address, "--no-nanny", "--nthreads", "1", *place, *more)

    def end(self):
        for process in self.started:
            process.kill()
            process.wait()


@pytest.fixture
def machines(tmp_path):
    (tmp_path / "machines").mkdir()
    made = Machines(tmp_path / "machines")
    yield made
    made.end()


def specs(count=4, epochs=40):
    base = {"dataset": "digits", "epochs": epochs, "arch": {"conv_layers": 2}}
    return [
        RunSpec.from_dict(base | {"seed": seed, "arch": base["arch"] | {"channels": 3 + one}})
        for one in range(count)
        for seed in (0, 1)
    ]


@contextmanager
def in_background(work):
    """What `work` returned or raised, in a list, once it is done."""
    ended = []

    def run():
        try:
            ended.append(work())
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield ended
    thread.join(300)
    assert not thread.is_alive()


def begun(out):
    """How many runs have a first checkpoint, or are finished."""
    return sum(
        1 for folder in out.glob("digits-*") if (folder / "status.json").exists() and read_status(folder).step > 0
    )


def until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_killed_worker_and_a_restarted_scheduler_cost_no_run_and_train_none_twice(machines, tmp_path):
    out, wanted = tmp_path / "runs", specs()
    first = machines.scheduler()
    doomed, _ = machines.worker("one"), machines.worker("two")
    told = []
    with in_background(
        lambda: sweep_on(
            Cluster(machines.address, "cpu", patience=PATIENCE), wanted, out, lambda *now: told.append(now)
        )
    ) as ended:
        until(lambda: begun(out) >= 3)
        doomed.send_signal(signal.SIGKILL)
        until(lambda: any(sealed(out / spec.id) for spec in wanted))
        kept = {spec.id: os.stat(out / spec.id / "status.json").st_mtime_ns for spec in wanted if sealed(out / spec.id)}
        first.send_signal(signal.SIGKILL)
        time.sleep(1)
        machines.scheduler()
        machines.worker("three")
        machines.worker("four")
    assert ended == [{}]
    for spec in wanted:
        run = open_run(out / spec.id)
        assert run.state == "done"
        steps = list(run.epochs["step"])
        assert steps == sorted(set(steps))  # no record twice
    for name, changed in kept.items():
        assert os.stat(out / name / "status.json").st_mtime_ns == changed, "what was sealed is left alone"
    assert not list(out.glob(".*incoming"))
    assert told[-1][0] == len(wanted)
    assert any(
        what.endswith("-s0-" + spec.id[-12:]) or "like" in what
        for _, w in told
        for what, _ in w.values()
        for spec in wanted
    )


def test_the_same_runs_as_at_home(machines, tmp_path):
    """What a worker trains is what `boundlab sweep` trains, and where the storage is not shared it comes back whole."""
    wanted = specs(1, epochs=6)
    machines.scheduler()
    machines.worker("one")
    here = Cluster(machines.address, "cpu", patience=PATIENCE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clusters, "_is_shared", lambda client, out: False)
        assert sweep_on(here, wanted, tmp_path / "back", lambda *now: None) == {}
    assert sweep_on(here, wanted, tmp_path / "shared", lambda *now: None) == {}
    for spec in wanted:
        back, shared = (open_run(tmp_path / where / spec.id) for where in ("back", "shared"))
        assert back.epochs.equals(shared.epochs)
        assert (machines.folder / "one").is_dir()
    assert not (tmp_path / "back" / ".queue").exists()  # trained on the worker's own disk


def test_data_are_sent_once_to_who_lacks_them(machines, tmp_path, mnist_root, monkeypatch):
    sent = []
    names = {
        f"MNIST/raw/{path.name}": path.stat().st_size for path in sorted((mnist_root / "MNIST" / "raw").glob("*.gz"))
    }

    def read(name):
        sent.append(name)
        return (mnist_root / name).read_bytes()

    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "none"))  # of the workers
    machines.scheduler()
    machines.worker("one")
    base = {"dataset": "mnist", "n_train": 64, "epochs": 1, "arch": {"channels": 2, "conv_layers": 1}}
    here = Cluster(machines.address, "cpu", files=names, read=read, patience=PATIENCE)
    for seed in (0, 1):
        spec = RunSpec.from_dict(base | {"seed": seed})
        assert sweep_on(here, [spec], tmp_path / "runs", lambda *now: None) == {}
        assert sealed(tmp_path / "runs" / spec.id)
    assert sorted(sent) == sorted(names)


def test_a_data_set_is_whole_in_one_place_or_sent(tmp_path, monkeypatch):
    """Neither half of it here and half there, nor, after others were sent, looked for where it is not."""
    own, worker = tmp_path / "own", SimpleNamespace(local_directory=str(tmp_path / "worker"))
    monkeypatch.setenv("BOUNDLAB_DATA", str(own))
    (own / "x").mkdir(parents=True)
    (own / "x" / "a").write_bytes(b"12")
    files = {"x/a": 2, "x/b": 3}
    place({"x/b": b"123"}, worker)
    assert lacking(files, worker) == ["x/a", "x/b"]
    assert lacking({"x/a": 2}, worker) == lacking({"x/b": 3}, worker) == lacking({}, worker) == []
    assert lacking({"x/a": 1}, worker) == ["x/a"]  # another file of that name
    place({"x/a": b"12"}, worker)
    assert lacking(files, worker) == []


def test_what_no_worker_can_do_is_refused_with_the_remedy(machines, tmp_path):
    machines.scheduler()
    machines.worker("small", "--memory-limit", "100MB")
    with pytest.raises(BoundlabError, match=r"takes about .* GB, and the largest worker has 0\.1 GB.*--memory-limit"):
        sweep_on(Cluster(machines.address, "cpu", patience=PATIENCE), specs(1), tmp_path / "runs", lambda *now: None)
    with pytest.raises(BoundlabError, match=r"none of the 1 workers has a GPU.*--resources GPU=1"):
        sweep_on(Cluster(machines.address, "cuda", patience=PATIENCE), specs(1), tmp_path / "runs", lambda *now: None)


def test_nobody_there_is_said_after_the_patience(tmp_path):
    with pytest.raises(BoundlabError, match=r"no scheduler at tcp://127\.0\.0\.1:"):
        sweep_on(
            Cluster(f"tcp://127.0.0.1:{free_port()}", "cpu", patience=3), specs(1), tmp_path / "runs", lambda *now: None
        )


def test_ctrl_c_leaves_everything_resumable(machines, tmp_path):
    machines.scheduler()
    machines.worker("one")
    (grid := tmp_path / "grid.json").write_text(
        json.dumps(
            [{"base": {"dataset": "digits", "epochs": 50_000, "arch": {"channels": 4, "conv_layers": 2}}, "axes": {}}]
        )
    )
    command = [sys.executable, "-m", "boundlab", "sweep", str(grid), "--out", str(tmp_path / "runs"), "--device", "cpu"]
    command += ["--scheduler", machines.address]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until(lambda: begun(tmp_path / "runs") == 1)
    process.send_signal(signal.SIGINT)
    assert "Traceback" not in process.communicate(timeout=60)[1]
    (folder,) = (tmp_path / "runs").glob("digits-*")
    until(
        lambda: not any(name.name.endswith(".log") for name in (tmp_path / "runs" / ".queue").iterdir())
    )  # its process ended
    stopped = read_status(folder).step
    time.sleep(2)
    assert read_status(folder).step == stopped
    assert not sealed(folder)


def test_a_folder_comes_back_as_it_was_and_nothing_else_does(tmp_path):
    (folder := tmp_path / "run").mkdir()
    (folder / "spec.json").write_text("{}")
    (folder / "epochs.parquet").write_bytes(bytes(range(256)))
    content = packed(folder)
    unpack(content, tmp_path / "there" / "run")
    assert {path.name: path.read_bytes() for path in (tmp_path / "there" / "run").iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }
    bad = io.BytesIO()
    with zipfile.ZipFile(bad, "w") as file:
        for name in ("../out", "/tmp/out", "a/b", ".hidden", "kept"):
            file.writestr(name, "x")
    unpack(bad.getvalue(), tmp_path / "there" / "other")
    assert [path.name for path in (tmp_path / "there" / "other").iterdir()] == ["kept"]
    assert not (tmp_path / "out").exists()
