"""Runs trained together: each as it would be alone, none disturbed by another, resumable after kill -9 to the last digit."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch

from boundlab.data.splits import apply_task, seen_together
from boundlab.errors import Diverged
from boundlab.networks.checkpoint import read_tensors
from boundlab.runs import stacks
from boundlab.runs.folder import open_run, sealed
from boundlab.runs.heartbeat import Heartbeat, Interrupted
from boundlab.runs.status import read_request, read_status, write_request
from boundlab.specs.run import RunSpec
from boundlab.system.locks import held
from boundlab.training.attempts import Team, train_team
from boundlab.training.hooks import Hooks
from boundlab.training.loop import Training
from boundlab.training.session import Attempt
from boundlab.training.worker import train_run, train_runs

GIVEN = {"dataset": "digits", "epochs": 4, "arch": {"channels": 4, "conv_layers": 2}}
# What members may differ in, all of it.
MEMBERS = [
    {"weight_decay": 1e-3},
    {"weight_decay": 1e-2, "seed": 1},
    {"weight_decay": 1e-3, "lr": 0.05, "seed": 2},
    {"weight_decay": 1e-3, "label_noise": 0.5},
]
SPECS = [RunSpec.from_dict(GIVEN | one) for one in MEMBERS]


def records_of(specs, hooks=Hooks()):  # noqa: B008  # frozen
    """Per place its records, the last entry perhaps why it has no more."""
    torch.set_num_threads(1)
    training = Training(specs, seen_together(specs), hooks=hooks)
    found = {place: [] for place in range(len(specs))}
    with contextlib.suppress(Diverged):
        while not training.complete:
            for place, record in training.epoch():
                found[place].append(record)
    return found


def assert_near(one, other, tolerance):
    assert [r["step"] for r in one] == [r["step"] for r in other]
    for a, b in zip(one, other, strict=True):
        for name in ("loss", "layers.0.frobenius", "layers.2.spectral_map", "path_l1"):
            one, two = (np.nan if v is None else v for v in (a[name], b[name]))
            assert one == pytest.approx(two, rel=tolerance, nan_ok=True)


@pytest.fixture(scope="module")
def histories():
    """Of the four together, uninterrupted."""
    return records_of(SPECS)


@pytest.mark.parametrize("place", range(4))
def test_each_is_what_it_is_alone(histories, place):
    alone = records_of([SPECS[place]])[0]
    assert_near(histories[place], alone, 1e-4)
    assert [record.keys() for record in histories[place]] == [record.keys() for record in alone]
    last, other = histories[place][-1], alone[-1]
    assert abs(last["test_error"] - other["test_error"]) <= 2 / 360
    np.testing.assert_allclose(last["margin_quantiles"], other["margin_quantiles"], rtol=1e-3, atol=1e-4)


def test_sub_tasks_of_one_size_go_together():
    tasks = ([[0, 2, 4], [1, 3, 5]], [[6, 1], [3, 8]])
    specs = [RunSpec.from_dict(GIVEN | {"labels": labels, "n_train": 300}) for labels in tasks]
    both = records_of(specs)
    for place, spec in enumerate(specs):
        assert_near(both[place], records_of([spec])[0], 1e-4)


def test_different_numbers_of_images_are_refused():
    specs = [RunSpec.from_dict(GIVEN | {"n_train": n}) for n in (100, 101)]
    with pytest.raises(ValueError, match=r"need equally many images, got \[100, 101\]; train them apart"):
        Training(specs, [apply_task(spec.train) for spec in specs])


def test_one_that_diverges_or_leaves_changes_nothing_for_the_others(histories):
    """The second member's weights become infinite at step 30; the last one leaves at step 60."""
    training = Training(SPECS, seen_together(SPECS))

    def before_step(step):
        if step == 30:
            for rows in training.networks.parameters.values():
                rows[1] = torch.inf
        if step == 60:
            training.leave(3)

    training.hooks = Hooks(before_step=before_step)
    found = {place: [] for place in range(4)}
    while not training.complete:
        for place, record in training.epoch():
            found[place].append(record)
    assert found[0] == histories[0]
    assert found[2] == histories[2]
    assert isinstance(found[1][-1], Diverged)
    assert "not finite" in str(found[1][-1])
    assert [r["step"] for r in found[1][:-1]] == [0]
    assert [r["step"] for r in found[3]] == [r["step"] for r in histories[3] if r["step"] < 60]
    assert found[3] == histories[3][: len(found[3])]


def test_the_last_one_to_diverge_is_an_error():
    wild = [RunSpec.from_dict(GIVEN | {"preset": "paper", "lr": 100.0, "seed": seed}) for seed in (0, 1)]
    training = Training(wild, seen_together(wild))
    with pytest.raises(Diverged, match="not finite"):
        list(training.epoch())
    assert training.left == {0, 1}


def test_their_folders_are_those_of_any_run(tmp_path):
    folders = train_runs(SPECS, tmp_path)
    alone = train_run(SPECS[0], tmp_path / "alone")
    assert {p.name for p in folders[0].iterdir()} == {p.name for p in alone.iterdir()}
    for place, folder in enumerate(folders):
        run, environment = open_run(folder), json.loads((folder / "env.json").read_text())
        assert run.spec == SPECS[place]
        assert (environment["place"], environment["members"]) == (place, 4)
        assert environment["stack"] == stacks.stack_id([spec.id for spec in SPECS])
    assert "stack" not in json.loads((alone / "env.json").read_text())
    assert not list((tmp_path / ".stacks").iterdir())


def attempts(out, specs, watch=lambda place: lambda: None):
    """Attempts at these runs, by place, with what releases them."""
    found, ends = {}, contextlib.ExitStack()
    for place, spec in enumerate(specs):
        (out / spec.id).mkdir(parents=True, exist_ok=True)
        beat = ends.enter_context(Heartbeat(out / spec.id))
        found[place] = Attempt(out / spec.id, beat, watch(place), lambda *_: None, lambda: None)
    return found, ends


def test_one_that_is_paused_goes_on_alone_and_the_others_end_as_ever(histories, tmp_path):
    looks = iter(range(90))

    def watch(place):
        def look():
            if place == 1 and next(looks, None) is None:
                raise Interrupted("paused")

        return look

    found, ends = attempts(tmp_path, SPECS, watch)
    folder = stacks.join(tmp_path, [spec.id for spec in SPECS])
    with ends:
        train_team(Team(SPECS, found, folder), seen_together(SPECS), "cpu", time.monotonic())
    states = [read_status(tmp_path / spec.id).state for spec in SPECS]
    assert states == ["done", "paused", "done", "done"]
    for place in (0, 2, 3):
        assert open_run(tmp_path / SPECS[place].id).records["loss"].tolist()[1:] == [
            record["loss"] for record in histories[place][1:]
        ]
    paused = tmp_path / SPECS[1].id
    step = int(read_tensors(paused / "state.safetensors")["finished"])
    assert 0 < step < 4 * 45
    assert stacks.mates(paused) is None
    went_on = []
    train_run(SPECS[1], tmp_path, progress=lambda step, *_: went_on.append(step))
    assert went_on[0] > step - 1
    assert_near(open_run(paused).records.to_dict("records"), histories[1], 1e-4)


def test_a_pause_of_all_is_a_pause_and_they_go_on_together(histories, tmp_path):
    asked = []

    def pause_all(step, total, record):
        if step >= 60 and not asked:
            asked.append(step)
            for spec in SPECS:
                folder = tmp_path / spec.id
                request = read_request(folder)
                write_request(folder, type(request)(**{**request.__dict__, "action": "pause"}))

    train_runs(SPECS, tmp_path, progress=pause_all)
    assert [read_status(tmp_path / spec.id).state for spec in SPECS] == ["paused"] * 4
    assert not any(held(tmp_path, spec.id) for spec in SPECS)
    train_runs(SPECS, tmp_path)
    for place, spec in enumerate(SPECS):
        assert open_run(tmp_path / spec.id).records["loss"].tolist()[1:] == pytest.approx(
            [record["loss"] for record in histories[place][1:]], rel=1e-4
        )


KILLED = [RunSpec.from_dict(GIVEN | one | {"epochs": 30}) for one in MEMBERS]


def killed_at_random(out, kills, seed=0):
    """Train KILLED below `out` in forks of this process, with kill -9 at random moments, then to the end; how often it was killed."""
    chance, done = random.Random(seed), 0
    for _ in range(kills):
        wanted = max(_positions(out)) + chance.randrange(1, 80)
        child = _forked(out)
        while os.waitpid(child, os.WNOHANG) == (0, 0) and max(_positions(out)) < wanted:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.05)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):  # it had finished
            os.kill(child, signal.SIGKILL)
            done += os.waitpid(child, 0)[1] != 0
    os.waitpid(_forked(out), 0)
    return done


def _forked(out):
    if (child := os.fork()) == 0:
        try:
            train_runs(KILLED, out)
        finally:
            os._exit(0)
    return child


def _positions(out):
    """Of each run the step of its last record."""
    found = [0]
    for spec in KILLED:
        with contextlib.suppress(OSError, ValueError, IndexError):
            found.append(json.loads((out / spec.id / "records.jsonl").read_text().splitlines()[-1])["step"])
    return found


def test_a_stack_that_is_killed_twenty_times_has_the_history_of_one_that_was_not(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    killed.mkdir()
    train_runs(KILLED, whole)
    assert killed_at_random(killed, 20) >= 15  # near the end one may be finished before it is killed
    for spec in KILLED:
        assert sealed(killed / spec.id)
        one, other = (pd.read_parquet(out / spec.id / "epochs.parquet") for out in (whole, killed))
        pd.testing.assert_frame_equal(one, other)
        assert (whole / spec.id / "network.safetensors").read_bytes() == (
            killed / spec.id / "network.safetensors"
        ).read_bytes()
    assert not list((killed / ".stacks").iterdir())


def test_a_stack_that_is_killed_while_it_seals_seals_the_rest(tmp_path, monkeypatch):
    """The first member is sealed when the process ends; the same command finishes the others, from the same numbers."""
    from boundlab.training import session

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train_runs(SPECS, whole)
    real = session.Session.seal

    class Killed(BaseException):
        pass

    def seal(self, *given):
        if self.folder.name != SPECS[0].id:
            raise Killed
        real(self, *given)

    monkeypatch.setattr(session.Session, "seal", seal)
    with pytest.raises(Killed):
        train_runs(SPECS, killed)
    monkeypatch.setattr(session.Session, "seal", real)
    assert [sealed(killed / spec.id) for spec in SPECS] == [True, False, False, False]
    train_runs(SPECS, killed)
    for spec in SPECS:
        one, other = (pd.read_parquet(out / spec.id / "epochs.parquet") for out in (whole, killed))
        pd.testing.assert_frame_equal(one, other)


def end_without_a_word(out):
    """Train SPECS below `out` until step 100, and end as a killed process does: nothing is saved or said any more."""

    class Killed(BaseException):
        pass

    def stop(step, *_):
        if step > 100:
            raise Killed

    with pytest.raises(Killed):
        train_runs(SPECS, out, progress=stop)


@pytest.mark.parametrize("damage", [b"", b"x" * 100])
def test_a_stack_whose_state_is_damaged_begins_again(histories, tmp_path, damage):
    end_without_a_word(tmp_path)
    (state,) = (tmp_path / ".stacks").glob("*/state.safetensors")
    state.write_bytes(damage)
    train_runs(SPECS, tmp_path)
    for place, spec in enumerate(SPECS):
        assert open_run(tmp_path / spec.id).records["loss"].tolist()[1:] == [r["loss"] for r in histories[place][1:]]


def test_a_stack_one_of_which_was_deleted_begins_again_without_it(tmp_path):
    end_without_a_word(tmp_path)
    shutil.rmtree(tmp_path / SPECS[1].id)
    rest = [SPECS[0], *SPECS[2:]]
    folders = train_runs(rest, tmp_path)
    assert {json.loads((folder / "env.json").read_text())["members"] for folder in folders} == {3}
    assert not list((tmp_path / ".stacks").iterdir())


def test_a_sweep_trains_alike_runs_together_and_says_so(tmp_path, capfd):
    from boundlab.cli.main import main

    grid = [{"base": GIVEN | {"epochs": 2}, "axes": {"weight_decay": [1e-3, 2e-3, 3e-3], "seed": [0, 1]}}]
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    out = tmp_path / "runs"
    assert main(["sweep", str(tmp_path / "grid.json"), "--out", str(out), "--device", "cpu", "--workers", "2"]) == 0
    environments = [json.loads(path.read_text()) for path in out.glob("*/env.json")]
    assert len(environments) == 6
    assert {one["members"] for one in environments} == {3}
    assert len({one["stack"] for one in environments}) == 2
    capfd.readouterr()


def test_killing_the_sweep_leaves_stacks_that_go_on(tmp_path):
    grid = [{"base": GIVEN | {"epochs": 40}, "axes": {"seed": [0, 1, 2]}}]
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    out = tmp_path / "runs"
    command = [
        sys.executable,
        "-m",
        "boundlab",
        "sweep",
        str(tmp_path / "grid.json"),
        "--out",
        str(out),
        "--device",
        "cpu",
        "--workers",
        "1",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(out.glob(".stacks/*/state.safetensors")):
        time.sleep(0.01)
    assert process.poll() is None, "finished before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (folder,) = out.glob(".stacks/*")
    members = json.loads((folder / "stack.json").read_text())["members"]
    subprocess.run([*command[:-1], "2"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    environments = [json.loads((out / member / "env.json").read_text()) for member in members]
    assert {one["stack"] for one in environments} == {folder.name}  # the same stack, though there were two places now
