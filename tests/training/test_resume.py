"""Killed, damaged, doubled: a run folder always ends in the history of an uninterrupted run."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from boundlab.data.splits import apply_task, seen
from boundlab.errors import RunError
from boundlab.networks.outcome import outcome
from boundlab.runs import part_errors
from boundlab.runs.folder import open_run
from boundlab.runs.heartbeat import Heartbeat, Interrupted
from boundlab.runs.status import read_status
from boundlab.specs.run import RunSpec
from boundlab.training.attempts import Team, train_team
from boundlab.training.loop import Training
from boundlab.training.session import Attempt
from boundlab.training.worker import train_run
from tests.cases import CERTIFIED, CODED, TRAINED


def test_killed_and_resumed_equals_uninterrupted(finished, tmp_path):
    """kill -9 at several moments; the sealed history is the same to the last bit."""
    spec = RunSpec.from_dict(TRAINED)
    (tmp_path / "spec.json").write_text(json.dumps(TRAINED))
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
    for records in (4, 12):  # kill once it has written that many lines, long before its end
        process = subprocess.Popen([*command, "--device", "cpu"], stdout=subprocess.DEVNULL)
        log = folder / "records.jsonl"
        while process.poll() is None and (not log.exists() or log.read_text().count("\n") < records):
            time.sleep(0.01)
        assert process.poll() is None, "finished before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert read_status(folder).state == "running"
        assert len(open_run(folder).records) >= records - 1
    subprocess.run([*command, "--device", "cpu"], check=True, stdout=subprocess.DEVNULL)
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder / "epochs.parquet"), pd.read_parquet(finished / "epochs.parquet")
    )
    assert (folder / "network.safetensors").read_bytes() == (finished / "network.safetensors").read_bytes()


def interrupted(tmp_path, given=TRAINED, epochs_done=12):
    """A folder as a killed worker leaves it after some epochs."""
    spec = RunSpec.from_dict(given)

    class Killed(BaseException):
        pass

    def stop(step, total, record):
        if step > epochs_done * 45:
            raise Killed

    with pytest.raises(Killed):
        train_run(spec, tmp_path, progress=stop)
    return spec, tmp_path / spec.id


def at_step(folder, step):
    state = load_file(folder / "state.safetensors")
    save_file(state | {"finished": torch.tensor(step)}, folder / "state.safetensors")


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
        lambda folder: at_step(folder, 10**6),
        lambda folder: at_step(folder, -3),
        lambda folder: (folder / "records.jsonl").write_text((folder / "records.jsonl").read_text() + '{"step": 57'),
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
        "step 1000000",
        "step -3",
        "half a line",
        "scalars",
        "false seal",
        "undamaged",
    ],
)
def test_a_damaged_folder_ends_in_the_same_history(finished, tmp_path, damage):
    spec, folder = interrupted(tmp_path)
    damage(folder)
    train_run(spec, tmp_path)
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder / "epochs.parquet"), pd.read_parquet(finished / "epochs.parquet")
    )


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    return train_run(RunSpec.from_dict(CERTIFIED), tmp_path_factory.mktemp("certified"))


@pytest.mark.parametrize("given", [CERTIFIED, CODED], ids=["Theorem S", "Theorem D2"])
def test_a_certificates_training_resumes_where_its_schedule_stood(tmp_path, given):
    spec, folder = interrupted(tmp_path / "interrupted", given)
    train_run(spec, tmp_path / "interrupted")
    whole = train_run(spec, tmp_path / "whole")
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "epochs.parquet"), pd.read_parquet(whole / "epochs.parquet"))
    assert (folder / "network.safetensors").read_bytes() == (whole / "network.safetensors").read_bytes()


STEP_0 = 3 + 1  # batches in the passes over 1437 and 360 images
A_PART = 1 + 1  # looks within the pass over 287 training and 200 test images, which ends most epochs
PAUSES = {  # how often each attempt may look at its request before it is interrupted
    "in the first pass over the data": [2],
    "in the first pass over the test data": [STEP_0],
    "before the first step": [STEP_0 + 1],
    "within an epoch": [STEP_0 + 13],
    "right after a record": [STEP_0 + 26],
    "right after a record at an epoch's end": [2 * STEP_0 + 9 * A_PART + 451],
    "in the pass over a part": [STEP_0 + 46],
    "at an epoch's end without a record": [STEP_0 + A_PART + 46],
    "in the pass of an epoch's end, twice": [STEP_0 + 9 * A_PART + 450 + 2, 2],
    "in the last pass": [4 * STEP_0 + 21 * A_PART + 1080 - 2],
    "at every turn": [5, 50, 1, 1, 37, 100, 333, 26, 25, 24, 2, 90],
}


def paused_often(folder, spec, looks):
    """Train with interruptions: attempt i is interrupted when it looks at its request for the looks[i]-th time."""
    for count in [*looks, None]:
        left = iter(range(count - 1)) if count else itertools.repeat(0)

        def watch(left=left):
            if next(left, None) is None:
                raise Interrupted("paused")

        with Heartbeat(folder) as beat, contextlib.suppress(Interrupted):
            attempt = Attempt(folder, beat, watch, lambda *_: None, lambda: None)
            train_team(Team([spec], {0: attempt}, folder), [seen(spec)], "cpu", time.monotonic())
            assert count is None, "finished before it could be interrupted"
        assert len(open_run(folder).records)
        yield


@pytest.mark.parametrize("looks", PAUSES.values(), ids=PAUSES)
@pytest.mark.parametrize("given", [TRAINED, CERTIFIED], ids=["mse", "certificate"])
def test_paused_at_any_step_equals_uninterrupted(finished, certified, tmp_path, given, looks):
    spec = RunSpec.from_dict(given)
    folder, whole = tmp_path / spec.id, finished if given is TRAINED else certified
    folder.mkdir()
    if given is CERTIFIED:  # it has passes at every fifth epoch: other looks, other places, all of them exact
        looks = [min(look, 900) for look in looks]
    for _ in paused_often(folder, spec, looks):
        pass
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "epochs.parquet"), pd.read_parquet(whole / "epochs.parquet"))
    assert (folder / "network.safetensors").read_bytes() == (whole / "network.safetensors").read_bytes()


def test_what_a_pause_leaves_is_this_very_step_and_no_time_is_lost(tmp_path):
    spec = RunSpec.from_dict(TRAINED)
    folder = tmp_path / spec.id
    folder.mkdir()
    attempts = paused_often(folder, spec, [STEP_0 + A_PART + 60, 1])
    seconds = []
    for _ in range(2):
        next(attempts)
        state = load_file(folder / "state.safetensors")
        assert (int(state["finished"]), bool(state["due"]), len(state["losses"])) == (59, False, 59 - 45)
        seconds.append(float(state["seconds"]))
    assert 0 < seconds[0] < seconds[1]
    next(attempts)
    environment = json.loads((folder / "env.json").read_text())
    assert environment["seconds"] >= round(seconds[1], 1)
    assert 0 < environment["seconds_evaluating"] < environment["seconds"]
    assert environment["seconds_setup"] > 0


def test_every_epoch_has_errors_of_a_part_until_the_run_is_sealed(finished, tmp_path):
    """They are those of a fixed part by the network of that moment, the same after a pause, and in no record."""
    spec = RunSpec.from_dict(TRAINED)
    folder, seen_so_far = tmp_path / spec.id, []
    folder.mkdir()
    for _ in paused_often(folder, spec, [STEP_0 + 100, 140, 300]):
        if read_status(folder).state != "done":
            seen_so_far.append(part_errors.read_part_errors(folder))
            trained = int(load_file(folder / "state.safetensors")["finished"])
            steps = [part.step for part in seen_so_far[-1]]
            assert steps == [45 * epoch for epoch in range(1, 25) if epoch % 10 and 45 * epoch <= trained][: len(steps)]
            assert {(part.train_images, part.test_images) for part in seen_so_far[-1]} == {(287, 200)}
            assert not [name for name in open_run(folder).records if "part" in name or "images" in name]
    assert len(seen_so_far) >= 2
    assert len(seen_so_far[-1]) > len(seen_so_far[0]) > 0
    assert seen_so_far[-1][: len(seen_so_far[0])] == seen_so_far[0]
    assert not (folder / part_errors.FILE).exists()
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder / "epochs.parquet"), pd.read_parquet(finished / "epochs.parquet")
    )


def test_the_errors_of_a_part_are_near_those_of_all():
    """Of the network before training and after an epoch; the part is the same each time and for every seed."""
    torch.set_num_threads(1)
    runs = [
        Training([spec], [apply_task(spec.train)])
        for seed in (0, 1)
        if (spec := RunSpec.from_dict(TRAINED | {"seed": seed}))
    ]
    first, other = ([split.labels.tolist() for split in one.members[0].parts] for one in runs)
    assert first == other
    training = runs[0]
    records = [record for _ in range(10) for _, record in training.epoch()]
    member = training.members[0]
    whole = outcome(member.net, member.train.images, member.train.labels)
    part = training.part_errors()[0]
    assert part.epoch == 10
    assert part.train_error == pytest.approx(whole.error, abs=4 * (whole.error * (1 - whole.error) / 287) ** 0.5 + 0.01)
    assert len(set(first[0])) == 10  # every class
    assert "train_error" in records[0]


def test_the_first_record_is_there_before_its_errors_are(tmp_path):
    """Interrupted in the first pass: the norms are shown, and replaced by the whole record of the same step."""
    spec = RunSpec.from_dict(TRAINED)
    folder = tmp_path / spec.id
    folder.mkdir()
    attempts = paused_often(folder, spec, [2, STEP_0 + 3])
    next(attempts)
    first = open_run(folder)
    assert first.records["step"].tolist() == [0]
    assert first.epochs.empty
    next(attempts)
    whole = open_run(folder)
    assert whole.records["step"].tolist() == whole.epochs["step"].tolist() == [0]
    assert whole.records["layers.0.frobenius"].tolist() == first.records["layers.0.frobenius"].tolist()


def test_resuming_does_not_start_again(tmp_path):
    spec, _ = interrupted(tmp_path)
    steps = []
    train_run(spec, tmp_path, progress=lambda step, total, record: steps.append(step))
    assert steps[0] > 12 * 45


def test_two_processes_do_not_train_the_same_run(tmp_path):
    spec = RunSpec.from_dict(TRAINED)
    refused = []

    def second(step, total, record):
        if not refused:
            with pytest.raises(RunError, match="is being trained by another process"):
                train_run(spec, tmp_path)
            refused.append(step)

    train_run(spec, tmp_path, progress=second)
    assert refused


def alive(pid):
    """Whether a process runs (and is no zombie waiting for its parent)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_sweep_takes_its_runs_along_and_goes_on_later(finished, tmp_path):
    spec = RunSpec.from_dict(TRAINED)
    (tmp_path / "grid.json").write_text(json.dumps([{"base": TRAINED}]))
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
    while process.poll() is None and read_status(folder).step < 100:
        time.sleep(0.01)
    assert process.poll() is None, "finished before it could be killed"
    worker = read_status(folder).pid
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 300
    while alive(worker):
        assert time.monotonic() < deadline, "the worker outlived its sweep"
        time.sleep(0.05)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder / "epochs.parquet"), pd.read_parquet(finished / "epochs.parquet")
    )


def test_a_sealed_run_is_not_touched(finished):
    before = {p.name: p.stat().st_mtime_ns for p in finished.iterdir()}
    assert train_run(RunSpec.from_dict(TRAINED), finished.parent) == finished
    assert {p.name: p.stat().st_mtime_ns for p in finished.iterdir()} == before
