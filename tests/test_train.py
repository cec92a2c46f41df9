"""Training: deterministic, resumable after kill -9 without a trace, honest about networks that did not train."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from boundlab.checkpoints import load
from boundlab.datasets import task
from boundlab.errors import Diverged, RunError
from boundlab.measure import norm_columns
from boundlab.runs import open_run, status
from boundlab.specs import RunSpec
from boundlab.train import Training, epochs
from boundlab.worker import run

SPEC = {"dataset": "digits", "epochs": 24, "weight_decay": 3e-3, "arch": {"channels": 4, "conv_layers": 2}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run(RunSpec.from_dict(SPEC), tmp_path_factory.mktemp("runs"))


def test_records_where_they_should_be(finished):
    result = open_run(finished)
    steps = result.records["step"].tolist()
    assert steps == sorted({*range(0, 24 * 45 + 1, 25), 10 * 45, 20 * 45, 24 * 45})
    assert result.epochs["epoch"].tolist() == [0, 10, 20, 24]
    assert np.isnan(result.records["loss"].iloc[0])
    assert len(result.final["margin_quantiles"]) == 101
    assert len(result.final["ramp"]) == len(result.final["indicator"]) == 64
    assert not {"seconds", "time", "throughput"} & set(result.records)
    assert json.loads((finished / "env.json").read_text())["device"] == "cpu"
    assert sorted(p.name for p in finished.iterdir()) == [
        "env.json", "epochs.parquet", "network.safetensors", "sample.json", "spec.json", "status.json",
    ]  # fmt: skip


def test_it_learns(finished):
    result = open_run(finished)
    assert result.trained
    assert result.final["train_error"] < 0.2
    assert result.epochs["train_error"].iloc[0] > 0.7


def test_the_checkpoint_is_the_last_record(finished):
    checkpoint = load(finished / "network.safetensors", "digits")
    columns = norm_columns(checkpoint.weights, checkpoint.biases, None, checkpoint.arch.shapes())
    final = open_run(finished).final
    for name in ("layers.0.frobenius", "layers.1.spectral_map", "layers.2.norm_21", "path_l1"):
        assert columns[name] == pytest.approx(final[name], rel=1e-6)
    assert checkpoint.init is not None


def test_the_generator_gives_the_same_records(finished):
    spec = RunSpec.from_dict(SPEC)
    torch.set_num_threads(1)
    records = pd.DataFrame(list(epochs(spec, task(spec.train))))
    sealed = pd.read_parquet(finished / "epochs.parquet")
    for name in ("step", "loss", "layers.0.frobenius", "test_error"):
        np.testing.assert_array_equal(records[name].to_numpy(float), sealed[name].to_numpy(float))


def test_killed_and_resumed_equals_uninterrupted(finished, tmp_path):
    """kill -9 at several moments; the sealed history is the same to the last bit."""
    spec = RunSpec.from_dict(SPEC)
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    command = [
        sys.executable,
        "-m",
        "boundlab",
        "train",
        str(tmp_path / "spec.json"),
        "--out",
        str(tmp_path),
        "--quiet",
    ]
    folder = tmp_path / spec.id
    for records in (4, 20):  # kill once it has written that many lines
        process = subprocess.Popen([*command, "--device", "cpu"], stdout=subprocess.DEVNULL)
        log = folder / "records.jsonl"
        while process.poll() is None and (not log.exists() or log.read_text().count("\n") < records):
            time.sleep(0.01)
        assert process.poll() is None, "finished before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert status(folder)["state"] == "running"
        assert len(open_run(folder).records) >= records - 1
    subprocess.run([*command, "--device", "cpu"], check=True, stdout=subprocess.DEVNULL)
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder / "epochs.parquet"), pd.read_parquet(finished / "epochs.parquet")
    )
    assert (folder / "network.safetensors").read_bytes() == (finished / "network.safetensors").read_bytes()


def interrupted(tmp_path, epochs_done=12):
    """A folder as a killed worker leaves it after some epochs."""
    spec = RunSpec.from_dict(SPEC)

    class Killed(BaseException):
        pass

    def stop(step, total, record):
        if step > epochs_done * 45:
            raise Killed

    with pytest.raises(Killed):
        run(spec, tmp_path, progress=stop)
    return spec, tmp_path / spec.id


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "state.safetensors").write_bytes(b"x" * 100),
        lambda folder: (folder / "state.safetensors").unlink(),
        lambda folder: (folder / "records.jsonl").write_text('{"step": 0}\nnonsense\n'),
        lambda folder: (folder / "records.jsonl").unlink(),
        lambda folder: (folder / "sample.json").write_text("{"),
        lambda folder: (folder / "spec.json").write_text("[]"),
        lambda folder: (folder / "records.jsonl").write_text('{"step": 0}\n{}\n'),
        lambda folder: (folder / "records.jsonl").write_text(
            "".join(line + "\n" for line in (folder / "records.jsonl").read_text().splitlines()[::2])
        ),
        lambda folder: save_file({"done": torch.tensor(999)}, folder / "state.safetensors"),
        lambda folder: save_file({"done": torch.tensor(-3)}, folder / "state.safetensors"),
        lambda folder: save_file(
            {k: v.flatten()[0] if v.ndim > 1 else v for k, v in load_file(folder / "state.safetensors").items()},
            folder / "state.safetensors",
        ),
        lambda folder: (folder / "status.json").write_text('{"state": "done"}'),
        lambda folder: None,
    ],
    ids=[
        "bad state",
        "no state",
        "bad records",
        "no records",
        "bad sample",
        "bad spec",
        "bad line",
        "gaps",
        "done 999",
        "done -3",
        "scalars",
        "false seal",
        "undamaged",
    ],
)
def test_a_damaged_folder_ends_in_the_same_history(finished, tmp_path, damage):
    spec, folder = interrupted(tmp_path)
    damage(folder)
    run(spec, tmp_path)
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder / "epochs.parquet"), pd.read_parquet(finished / "epochs.parquet")
    )


def test_resuming_does_not_start_again(tmp_path):
    spec, _ = interrupted(tmp_path)
    steps = []
    run(spec, tmp_path, progress=lambda step, total, record: steps.append(step))
    assert steps[0] > 12 * 45


def test_two_processes_do_not_train_the_same_run(tmp_path):
    spec = RunSpec.from_dict(SPEC)
    refused = []

    def second(step, total, record):
        if not refused:
            with pytest.raises(RunError, match="is being trained by another process"):
                run(spec, tmp_path)
            refused.append(step)

    run(spec, tmp_path, progress=second)
    assert refused


def alive(pid):
    """Whether a process runs (and is no zombie waiting for its parent)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_sweep_takes_its_runs_along_and_goes_on_later(finished, tmp_path):
    spec = RunSpec.from_dict(SPEC)
    (tmp_path / "grid.json").write_text(json.dumps([{"base": SPEC}]))
    command = [
        sys.executable,
        "-m",
        "boundlab",
        "sweep",
        str(tmp_path / "grid.json"),
        "--out",
        str(tmp_path),
        "--device",
        "cpu",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folder = tmp_path / spec.id
    while process.poll() is None and status(folder).get("step", 0) < 100:
        time.sleep(0.01)
    assert process.poll() is None, "finished before it could be killed"
    worker = status(folder)["pid"]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 10
    while alive(worker):
        assert time.monotonic() < deadline, "the worker outlived its sweep"
        time.sleep(0.05)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder / "epochs.parquet"), pd.read_parquet(finished / "epochs.parquet")
    )


def test_a_sealed_run_is_not_touched(finished):
    before = {p.name: p.stat().st_mtime_ns for p in finished.iterdir()}
    assert run(RunSpec.from_dict(SPEC), finished.parent) == finished
    assert {p.name: p.stat().st_mtime_ns for p in finished.iterdir()} == before


def test_seeds_differ_and_specs_repeat():
    def first_record(seed):
        spec = RunSpec.from_dict({**SPEC, "seed": seed})
        return Training(spec, task(spec.train)).record(25, [])["layers.0.frobenius"]

    assert first_record(0) == first_record(0) != first_record(1)


def test_divergence_is_an_error_that_says_so(tmp_path):
    spec = RunSpec.from_dict({**SPEC, "preset": "paper", "epochs": 2, "lr": 100.0, "momentum": 0.99})
    with pytest.raises(Diverged, match=r"the loss is not finite after .* smaller lr"):
        run(spec, tmp_path)
    assert status(tmp_path / spec.id)["state"] == "failed"
    assert "not finite" in status(tmp_path / spec.id)["error"]


def test_a_network_that_did_not_train_is_flagged(tmp_path):
    """Crushing weight decay: rho goes to 0, the bound looks wonderful, the flag says why."""
    spec = RunSpec.from_dict({**SPEC, "epochs": 3, "weight_decay": 2.0})
    result = open_run(run(spec, tmp_path))
    assert not result.trained
    assert float(result.norms(result.epochs).rho[-1]) < 0.01


def test_learning_rate_schedule():
    spec = RunSpec.from_dict({"dataset": "digits"})
    training = Training(spec, task(spec.train))
    assert training.rate(0) == pytest.approx(0.1 / 100)
    assert training.rate(99) == training.rate(5399) == pytest.approx(0.1)
    assert training.rate(5400) == pytest.approx(0.01)
    assert training.rate(7650) == pytest.approx(0.001)
    paper = RunSpec.from_dict({"dataset": "digits", "preset": "paper"})
    assert paper.drop_steps(45) == (2700, 5400, 7200)
    assert Training(paper, task(paper.train)).rate(0) == 0.01


def test_mlp_trains_too(tmp_path):
    spec = RunSpec.from_dict({"dataset": "digits", "epochs": 15, "arch": {"kind": "mlp", "hidden": [32]}})
    assert open_run(run(spec, tmp_path)).trained
