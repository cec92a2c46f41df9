"""`boundlab.Monitor`: somebody's own loop writes a run folder as every page knows it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import boundlab
from boundlab.analysis.run_columns import fields_table
from boundlab.analysis.tables import run_summaries
from boundlab.data.splits import load_splits
from boundlab.errors import DataError, Diverged, RunError
from boundlab.jobs import queue
from boundlab.jobs.queue import Limits
from boundlab.networks.checkpoint import load_checkpoint
from boundlab.quantities.records import norm_column
from boundlab.runs.folder import list_runs, open_run
from boundlab.runs.job import read_job_folder
from boundlab.runs.status import read_status
from boundlab.specs.recipes import described, recipe, why_not_figured
from boundlab.specs.run import RunSpec
from boundlab.training.worker import train_run
from tests.conftest import ROOT
from tests.networks.test_graph import ResNet


@pytest.fixture(autouse=True)
def own_root(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "data"))


@pytest.fixture(scope="module")
def digits():
    """(train, test) of digits in an order of their own: no data set of Boundlab's."""
    train, test = load_splits("digits")
    return (train.images[:300], train.labels[:300]), (test.images[:100], test.labels[:100])


def network(channels: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, channels, 2, bias=False), nn.ReLU(), nn.Conv2d(channels, channels, 2, bias=False), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(36 * channels, 10, bias=False))


def optimiser(model, **changes):
    return torch.optim.SGD(model.parameters(), **{"lr": 0.05, "momentum": 0.8, "weight_decay": 3e-3} | changes)


def epoch(model, train, optimizer):
    for rows in torch.arange(len(train[1])).split(32):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(train[0][rows]), train[1][rows]).backward()
        optimizer.step()


def test_a_loop_of_ones_own_writes_a_run_that_grows_and_is_sealed(digits, tmp_path):
    train, test = digits
    model = network()
    steps = optimiser(model)
    monitor = boundlab.Monitor(model, train, test, tmp_path / "runs", epochs=3, optimizer=steps)
    start = [layer.weight.detach().clone() for layer in model if hasattr(layer, "weight")]
    for number in range(1, 4):
        epoch(model, train, steps)
        assert read_job_folder(monitor.folder).state == "running"
        monitor()
        assert len(open_run(monitor.folder).epochs) == number + 1
    run, status = open_run(monitor.folder), read_status(monitor.folder)
    assert (monitor.finished, run.state, status.state, status.step, status.steps) == (True, "done", "done", 3, 3)
    assert list(run.records["epoch"]) == [0, 1, 2, 3]
    assert list_runs(tmp_path / "runs").left_out == {}
    told = run.spec.train
    assert (told.weight_decay, told.lr, told.momentum, told.epochs, run.sample.n) == (3e-3, 0.05, 0.8, 3, 300)
    assert recipe(run.spec) == "own loop, lr 0.05, momentum 0.8"
    # the numbers are those of boundlab.evaluate, and the file is the network
    report = boundlab.evaluate(model, (*train, *test))
    last = run.final
    assert (last["train_error"], last["test_error"]) == (report["errors"]["train"], report["errors"]["test"])
    for place, layer in enumerate(report["norms"]["layers"]):
        for name in ("frobenius", "spectral_map", "norm_21"):
            assert last[norm_column(place, name)] == pytest.approx(layer[name], rel=1e-12)
    kept = load_checkpoint(monitor.folder / "network.safetensors", told.dataset)
    layers = [layer.weight for layer in model if hasattr(layer, "weight")]
    assert all(torch.equal(one, other) for one, other in zip(kept.weights, layers, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(kept.init, start, strict=True))
    moved = [float((a - b).detach().norm()) for a, b in zip(layers, start, strict=True)]
    assert [last[norm_column(place, "frobenius_from_init")] for place in range(3)] == pytest.approx(moved)


def test_nothing_of_the_loop_changes(digits, tmp_path):
    train, test = digits

    def trained(watched: bool) -> nn.Module:
        model = nn.Sequential(
            nn.Conv2d(1, 4, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(196, 10)
        )
        torch.manual_seed(1)
        for layer in model:
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
        steps = optimiser(model)
        monitor = boundlab.Monitor(model, train, test, tmp_path, epochs=2) if watched else lambda: None
        for _ in range(2):
            epoch(model, train, steps)
            monitor()
        assert model.training
        return model

    alone, watched = trained(False).state_dict(), trained(True).state_dict()
    assert all(torch.equal(alone[name], watched[name]) for name in alone)


def test_what_is_a_shipped_data_set_is_named_so_and_anything_else_is_kept(digits, tmp_path):
    train, test = load_splits("digits")
    given = (
        DataLoader(TensorDataset(train.images, train.labels), batch_size=100),
        TensorDataset(test.images, test.labels),
    )
    known = boundlab.Monitor(network(), *given, tmp_path / "runs")
    assert (known.spec.train.dataset, known.spec.train.batch_size) == ("digits", 100)
    other = boundlab.Monitor(network(), *digits, tmp_path / "runs", name="half-digits")
    assert other.spec.train.dataset.startswith("own-half-digits-")
    assert next((tmp_path / "data" / "own").iterdir()).name.startswith("half-digits-")
    (x, y), (x_test, y_test) = digits
    scaled = boundlab.Monitor(
        network(), ((x - 0.5) / 0.25, y), ((x_test - 0.5) / 0.25, y_test), tmp_path / "scaled", normalize=(0.5, 0.25)
    )
    assert scaled.spec.arch.normalize == (0.5, 0.25)
    assert torch.allclose(scaled.train.images, x, atol=1e-6)
    for monitor in (known, other, scaled):
        monitor()
        monitor.finish()


def test_the_pages_that_leave_it_out_say_why(digits, tmp_path):
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
    monitor = boundlab.Monitor(model, *digits, tmp_path)
    assert "MLP-8" in monitor.note
    assert read_status(monitor.folder).note == monitor.note
    plain = boundlab.Monitor(network(), *digits, tmp_path)
    assert "weight decay" in plain.note
    assert why_not_figured(boundlab.Monitor(network(), *digits, tmp_path, optimizer=optimiser(network())).spec) == ""


def test_a_with_statement_finishes_or_says_what_happened(digits, tmp_path):
    with boundlab.Monitor(network(), *digits, tmp_path) as monitor:
        monitor()
        monitor()
    run = open_run(monitor.folder)
    assert (run.state, run.spec.train.epochs) == ("done", 2)
    broken = boundlab.Monitor(network(), *digits, tmp_path)
    with pytest.raises(KeyError), broken:
        raise KeyError("batch")
    job = read_job_folder(broken.folder)
    assert job.state == "failed"
    assert "KeyError" in job.error
    with pytest.raises(KeyboardInterrupt), boundlab.Monitor(network(), *digits, tmp_path) as stopped:
        raise KeyboardInterrupt
    assert read_job_folder(stopped.folder).state == "stopped"
    assert [m.spec.train.seed for m in (monitor, broken, stopped)] == [0, 1, 2]


LOOP = """
import sys, time, torch, boundlab
from torch import nn
images, labels = torch.rand(40, 1, 8, 8), torch.arange(40) % 10
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False))
monitor = boundlab.Monitor(model, (images, labels), (images, labels), sys.argv[1])
monitor()
print("ready", flush=True)
"""


@pytest.mark.parametrize(
    ("then", "state", "said"),
    [("", "done", None), ("1 / 0", "failed", "ZeroDivisionError"), ("time.sleep(600)", "lost", None)],
)
def test_a_program_that_ends(tmp_path, then, state, said):
    """By itself, by an error, by a kill."""
    command = [sys.executable, "-c", LOOP + then, str(tmp_path / "runs")]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert program.stdout.readline() == "ready\n"
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if not path.name.startswith("."))
    if state == "lost":
        assert read_job_folder(folder).state == "running"
        os.kill(program.pid, signal.SIGKILL)
    program.wait()
    program.stdout.close()
    job = read_job_folder(folder)
    assert job.state == state
    assert said is None or said in job.error


def test_a_monitor_that_is_dropped_says_so(digits, tmp_path):
    monitor = boundlab.Monitor(network(), *digits, tmp_path)
    folder = monitor.folder
    del monitor
    job = read_job_folder(folder)
    assert job.state == "stopped"
    assert "given up" in job.error


def test_one_folder_has_one_writer(digits, tmp_path):
    first = boundlab.Monitor(network(), *digits, tmp_path, seed=3)
    with pytest.raises(RunError, match="another monitor"):
        boundlab.Monitor(network(), *digits, tmp_path, seed=3)
    assert boundlab.Monitor(network(), *digits, tmp_path).spec.train.seed == 0
    first()
    first.finish()
    with pytest.raises(RunError, match="finished run"):
        boundlab.Monitor(network(), *digits, tmp_path, seed=3)
    with pytest.raises(ValueError, match="has finished after 1 epochs"):
        first()
    assert first.finish() == first.folder


def test_an_end_before_the_first_epoch_leaves_nothing(digits, tmp_path):
    monitor = boundlab.Monitor(network(), *digits, tmp_path)
    folder = monitor.folder
    assert folder.is_dir()
    with pytest.raises(ValueError, match=r"no epoch to keep.*monitor\(\), then finish"):
        monitor.finish()
    assert monitor.finished
    assert not folder.exists()
    with pytest.raises(ValueError, match="has finished after 0 epochs"):
        monitor()
    again = boundlab.Monitor(network(), *digits, tmp_path)
    again()
    assert again.finish() == folder  # its place is free


def test_what_nobody_told_is_said_nowhere(digits, tmp_path):
    """A loop whose optimiser and batches are its own business: no file and no words claim them."""
    monitor = boundlab.Monitor(network(), *digits, tmp_path)
    monitor()
    run = open_run(monitor.finish())
    written = json.loads((monitor.folder / "spec.json").read_text())
    told = {"weight_decay", "batch_size", "lr", "momentum", "loss"}
    assert told.isdisjoint(written)
    assert set(run.spec.train.unknown) == told
    assert RunSpec.from_dict(written) == run.spec
    assert (run.spec.id, run.id) == (monitor.folder.name, monitor.folder.name)
    (row,) = run_summaries([run])
    assert told.isdisjoint(row)
    assert row["plateau_number"] is None
    fields = fields_table([run]).loc[0]
    assert fields[["weight_decay", "batch_size", "lr", "momentum", "plateau_number"]].isna().all()
    assert fields["loss"] == ""
    assert recipe(run.spec) == "own loop"
    assert "λ not told" in described(run.spec)
    assert list(run.records["step"]) == [0, 1]  # a step is an epoch
    assert "optimizer" in monitor.note
    about = boundlab.Monitor(network(), *digits, tmp_path, optimizer=optimiser(network()), batch_size=32)
    assert about.spec.train.unknown == ("loss",)
    assert recipe(about.spec) == "own loop, batch size 32, lr 0.05, momentum 0.8"
    adam = torch.optim.Adam(network().parameters(), lr=0.1, weight_decay=1e-3)
    known = boundlab.Monitor(network(), *digits, tmp_path, optimizer=adam)
    assert known.spec.train.unknown == ("batch_size", "momentum", "loss")
    assert recipe(known.spec) == "own loop, lr 0.1"  # said although it is what is usual here


def test_rows_of_pixels_are_laid_out_for_a_convolution(digits, tmp_path):
    (x, y), (x_test, y_test) = digits
    rows = boundlab.Monitor(network(), (x.flatten(1), y), (x_test.flatten(1), y_test), tmp_path)
    assert rows.spec.arch.in_shape == (1, 8, 8)
    assert torch.equal(rows.train.images, x)


def test_an_interrupted_run_may_be_begun_anew(digits, tmp_path):
    first = boundlab.Monitor(network(), *digits, tmp_path, seed=0)
    first()
    del first
    again = boundlab.Monitor(network(), *digits, tmp_path, seed=0)
    assert list(open_run(again.folder).records["epoch"]) == [0]


def _fit(x, y, x_test, y_test):
    return {
        "outputs": ((x, y + 3), (x_test, y_test)),
        "classes": ((x[y < 9], y[y < 9]), (x_test, y_test)),
        "lengths": ((x, y[:-1]), (x_test, y_test)),
        "pixels": ((x * 3 - 1, y), (x_test, y_test)),
        "sizes": ((x, y), (x_test[..., 1:], y_test)),
        "kind": ("mnist", (x_test, y_test)),
    }


@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        ("outputs", ValueError, "10 classes"),
        ("classes", DataError, r"none of \[9\]"),
        ("lengths", ValueError, "one length"),
        ("pixels", ValueError, "normalize"),
        ("sizes", ValueError, "one shape"),
        ("kind", ValueError, "train_data should be"),
    ],
)
def test_data_that_do_not_fit(digits, tmp_path, case, error, words):
    train, test = _fit(*digits[0], *digits[1])[case]
    with pytest.raises(error, match=words):
        boundlab.Monitor(network(), train, test, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_models_that_have_no_run(digits, tmp_path):
    with pytest.raises(ValueError, match=r"norms per layer.*boundlab\.evaluate"):
        boundlab.Monitor(ResNet(), *digits, tmp_path / "runs")
    with pytest.raises(ValueError, match="optimizer should be"):
        boundlab.Monitor(network(), *digits, tmp_path / "runs", optimizer=network())
    assert not (tmp_path / "runs").exists()
    model = network()
    monitor = boundlab.Monitor(model, *digits, tmp_path / "runs")
    with torch.no_grad():
        model[0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(Diverged, match="not finite after 1 epochs"):
        monitor()
    assert read_job_folder(monitor.folder).state == "failed"


def test_nothing_here_trains_pauses_or_resumes_it(digits, tmp_path):
    monitor = boundlab.Monitor(network(), *digits, tmp_path)
    job = read_job_folder(monitor.folder)
    with pytest.raises(RunError, match="a program of its own"):
        queue.ask(job, "stop")
    monitor._run.end("stopped", "")
    with pytest.raises(RunError, match="a program of its own"):
        queue.resume(read_job_folder(monitor.folder), None, Limits(1))
    with pytest.raises(ValueError, match=r"boundlab\.Monitor watches"):
        queue.submit(monitor.spec, None, "cpu", tmp_path, Limits(1))
    with pytest.raises(ValueError, match=r"boundlab\.Monitor watches"):
        train_run(monitor.spec, tmp_path)
    queue.delete(job)
    assert not monitor.folder.exists()


def test_the_id_does_not_depend_on_the_number_of_epochs():
    given = {"dataset": "digits", "preset": "own loop"}
    assert len({RunSpec.from_dict(given | {"epochs": n}).id for n in (1, 2, 300)}) == 1
    assert len({RunSpec.from_dict({"dataset": "digits", "epochs": n}).id for n in (1, 2, 300)}) == 3


def test_it_needs_no_dashboard():
    code = "import sys, boundlab; boundlab.Monitor; print([m for m in ('streamlit', 'plotly') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


def test_records_are_as_pages_need_them(digits, tmp_path):
    """What is in the folder while it grows is what `open_run` checks of any run."""
    monitor = boundlab.Monitor(network(), *digits, tmp_path)
    monitor()
    lines = [json.loads(line) for line in (monitor.folder / "records.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1]
    assert np.isfinite(lines[1]["loss"])
    assert Path(monitor.folder / "spec.json").is_file()


@pytest.mark.parametrize("where", ["a file", "below a file"])
def test_where_no_folder_can_be_there_is_an_error_and_no_search_for_a_seed(tmp_path, where):
    (tmp_path / "f").write_text("")
    images, labels = torch.rand(60, 1, 8, 8), torch.arange(60) % 3
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3, bias=False))
    with pytest.raises((RunError, OSError), match=str(tmp_path / "f")):
        boundlab.Monitor(model, (images, labels), (images, labels), tmp_path / ("f" if where == "a file" else "f/x"))
