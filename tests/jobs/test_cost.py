"""Costs: counts against the training loop itself, times against runs that were measured, and the ETA by simulation."""

import dataclasses
import json
import math
import shutil

import numpy as np
import pytest

from boundlab.jobs import cost
from boundlab.jobs.cost import Measured, epochs_for_plateau, estimate, read_measured
from boundlab.jobs.time_left import remaining
from boundlab.specs.run import PLATEAU, RunSpec
from boundlab.specs.work import sample_size, work
from boundlab.text import in_words

SPECS = [
    {"dataset": "digits", "epochs": 7},
    {"dataset": "digits", "epochs": 20, "n_train": 100, "batch_size": 7, "arch": {"channels": 4, "padding": 1}},
    {"dataset": "digits", "epochs": 12, "preset": "paper", "labels": [[0], [1, 2]], "arch": {"channels": 2}},
    {"dataset": "digits", "epochs": 11, "preset": "certified", "arch": {"kind": "mlp", "hidden": [8, 4]}},
]
# Seconds of training: of MNIST whole runs (`env.json`), medians of 6 to 18, two side by side on two cores; of digits processor time of
# one run beside others.
TIMED = [
    ({"dataset": "digits", "epochs": 40, "arch": {"channels": 8}}, 4.1),
    ({"dataset": "digits", "epochs": 40, "arch": {"channels": 16}}, 4.4),
    ({"dataset": "digits", "epochs": 40, "arch": {"channels": 32}}, 6.0),
    ({"dataset": "digits", "epochs": 40, "arch": {"channels": 64}}, 12.0),
    ({"dataset": "digits", "epochs": 40, "arch": {"conv_layers": 4}}, 5.8),
    ({"dataset": "digits", "epochs": 40, "arch": {"conv_layers": 6}}, 7.2),
    ({"dataset": "mnist", "arch": {"channels": 8}}, 82.2),
    ({"dataset": "mnist", "arch": {"channels": 16}}, 121.3),
    ({"dataset": "mnist", "arch": {"channels": 32}}, 386.6),
    ({"dataset": "mnist", "arch": {"channels": 64}}, 945.4),
    ({"dataset": "mnist", "arch": {"conv_layers": 8}}, 249.1),
    ({"dataset": "mnist", "preset": "certified", "arch": {"kind": "mlp", "hidden": []}}, 10.2),
    (
        {
            "dataset": "mnist",
            "preset": "certified",
            "labels": [[0], [1]],
            "arch": {"channels": 16, "conv_layers": 1, "kernel_size": 4, "stride": 4},
        },
        3.5,
    ),
]


def make(given: dict) -> RunSpec:
    return RunSpec.from_dict(given)


@pytest.mark.parametrize("given", SPECS)
def test_counts_are_those_of_the_training_loop(given):
    from boundlab.data.splits import seen
    from boundlab.training.schedule import Schedule

    spec = make(given)
    data = seen(spec)
    schedule = Schedule(spec, len(data[0].labels))
    steps = spec.train.epochs * schedule.steps_per_epoch
    due = [step for step in range(1, steps + 1) if schedule.errors_due(step)]
    counted = work(spec)
    assert sample_size(spec) == len(data[0].labels)
    assert counted.steps == steps
    assert counted.images == spec.train.epochs * len(data[0].labels)
    assert counted.evaluations == len(due)
    assert counted.evaluated == len(due) * (len(data[0].labels) + len(data[1].labels))
    assert counted.records == 1 + sum(schedule.record_due(step) for step in range(1, steps + 1))


@pytest.mark.parametrize("given", SPECS)
def test_multiply_adds_are_those_that_torch_counts(given):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from boundlab.networks import build

    spec = make(given)
    net = build.build(dataclasses.replace(spec.arch, weight_norm=False))
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(3, *spec.arch.in_shape)).sum().backward()
    assert 3 * work(spec).multiply_adds // work(spec).images == counter.get_total_flops() // 2


@pytest.mark.parametrize(("given", "seconds"), TIMED)
def test_shipped_runs_are_met_within_a_factor(given, seconds):
    spec = make(given)
    found = estimate(spec, "cpu")
    assert 1 / 1.5 < found.seconds_per_epoch * spec.train.epochs / seconds < 1.5
    assert found.seconds > found.seconds_per_epoch * spec.train.epochs
    assert found.basis == "from a model fitted on another machine with one CPU thread"


def test_a_gpu_is_arithmetic():
    spec = make({"dataset": "mnist", "preset": "paper", "epochs": 110, "arch": {"channels": 200}})
    found = estimate(spec, "cuda (NVIDIA H100)")
    assert 60 < found.seconds_per_epoch * 110 < 90
    assert found.spread == (1 / 3, 3.0)
    assert "not from a measurement" in found.basis
    assert estimate(spec, "cpu").seconds > 3600
    with pytest.raises(ValueError, match="device must be one of"):
        estimate(spec, "tpu")


def test_runs_of_this_machine_correct_the_model():
    specs = [make({"dataset": "digits", "epochs": 50, "arch": {"channels": c}}) for c in (4, 8, 16, 32)]
    slow = [Measured(s, "cpu", 3 * estimate(s, "cpu").seconds_per_epoch * 50) for s in specs]
    asked = make({"dataset": "digits", "epochs": 70, "arch": {"channels": 12}})
    plain, found = estimate(asked, "cpu"), estimate(asked, "cpu", slow)
    assert found.seconds_per_epoch == pytest.approx(3 ** (4 / 5) * plain.seconds_per_epoch)
    assert found.basis == "from 4 runs on this machine"
    assert found.spread == (0.8, 1.25)
    assert estimate(asked, "cpu", slow[:1]).spread == cost.FEW
    assert estimate(asked, "cuda", slow) == estimate(asked, "cuda")
    outlier = [*slow, Measured(asked, "cpu", 1e-3 * plain.seconds)]  # such as a resumed run's last part
    assert estimate(asked, "cpu", outlier).seconds_per_epoch == pytest.approx(found.seconds_per_epoch, rel=0.2)


def test_like_runs_count_more():
    small, large = ({"dataset": "mnist", "arch": {"channels": c}} for c in (4, 64))
    runs = [
        Measured(make(s), "cpu", f * 5 * estimate(make(s), "cpu").seconds_per_epoch)
        for s, f in ((small, 1), (large, 4))
    ]
    for given, factor in ((small, 1), (large, 4)):
        ratio = estimate(make(given), "cpu", runs).seconds_per_epoch / estimate(make(given), "cpu").seconds_per_epoch
        assert ratio == pytest.approx(factor ** (2 / 3), rel=0.3)


def test_measured_runs_are_read_and_broken_folders_left_out(tmp_path, finished):
    out = tmp_path / "runs"
    for name in ("good", "no spec", "no time", "list", "unsealed", "half"):
        shutil.copytree(finished, out / name)
    (out / "no spec" / "spec.json").unlink()
    (out / "no time" / "env.json").write_text(json.dumps({"device": "cpu", "seconds": None}))
    (out / "list" / "env.json").write_text("[]")
    (out / "unsealed" / "epochs.parquet").unlink()
    (out / "half" / "env.json").write_text('{"seconds"')
    (run,) = read_measured(out)
    written = json.loads((finished / "env.json").read_text())
    assert (run.spec.id, run.device, run.seconds) == (finished.name, "cpu", written["seconds"])
    assert read_measured(tmp_path / "nothing") == []


# Images per second of training on MNIST, batch 32, one quiet thread.
SPEEDS = [
    ({}, 2033),
    ({"kind": "lc"}, 459),
    ({"kind": "lc", "channels": [4, 4, 3]}, 1549),
    ({"channels": 107, "stride": 2}, 2099),
    ({"kind": "mlp", "hidden": [102, 102, 102]}, 28362),
]


@pytest.mark.parametrize(("arch", "measured"), SPEEDS, ids=[str(arch) for arch, _ in SPEEDS])
def test_architectures_of_every_kind_cost_what_they_did_within_a_factor_2(arch, measured):
    """A run of one step more: what is over is 32 images of training and of the evaluation, which costs less than half."""
    one, other = (
        estimate(make({"dataset": "mnist", "epochs": 1, "n_train": n, "arch": arch}), "cpu") for n in (32_032, 32_064)
    )
    per_step = other.seconds - one.seconds
    assert per_step / 1.5 / 2 < 32 / measured < per_step * 2


def test_memory_grows_with_data_and_network():
    def size(**given):
        return estimate(make(given), "cpu").memory

    assert 4e8 < size(dataset="digits") < 7e8
    assert size(dataset="mnist") - size(dataset="digits") > 2 * 70000 * 784 * 4 * 0.95
    assert size(dataset="mnist", arch={"channels": 1000}) > size(dataset="mnist") + 6 * 4 * 8e6


def test_remaining_is_near_from_the_first_step_on():
    steps, pace, setup = 1000, 0.2, 8.0
    for step in (1, 5, 30, 100, 500, 999):
        left = remaining(step, steps, setup + pace * step, expected=100.0)  # half of the truth
        assert 0.45 < left / (pace * (steps - step)) < 2.0
    assert remaining(500, steps, 100.0, expected=100.0) == pytest.approx(100.0, rel=0.1)
    assert remaining(0, steps, 0.0, expected=100.0) == 100.0
    assert remaining(steps, steps, 200.0, expected=100.0) == 0.0


def test_remaining_of_a_resumed_run_looks_at_this_attempt():
    assert remaining(900, 1000, 0.0, expected=100.0, start=900) == pytest.approx(10.0)
    assert remaining(950, 1000, 10.0, expected=200.0, start=900) == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "about 5 s"),
        (38, "about 40 s"),
        (57, "about 55 s"),
        (58, "about 1 minute"),
        (100, "about 2 minutes"),
        (179, "about 3 minutes"),
        (17 * 60, "about 15 minutes"),
        (59 * 60, "about 1 hour"),
        (7000, "about 2 hours"),
        (47 * 3600, "about 47 hours"),
        (3.1 * 86400, "about 3 days"),
        (1e8, "about 1157 days"),
    ],
)
def test_words(seconds, words):
    assert in_words(seconds) == words


def test_words_never_go_back():
    units = {"s": 1, "minute": 60, "hour": 3600, "day": 86400}
    values = []
    for seconds in np.geomspace(1, 1e7, 3000):
        _, count, unit = in_words(seconds).split()
        values.append(int(count) * units[unit.removesuffix("s") or "s"])
        assert max(values[-1], 5) / max(seconds, 5) == pytest.approx(1, abs=0.5)
    assert values == sorted(values)
    with pytest.raises(ValueError, match="seconds must be"):
        in_words(math.nan)


@pytest.mark.parametrize(
    "given",
    [
        {"dataset": "digits"},
        {"dataset": "digits", "n_train": 100, "weight_decay": 3e-4},
        {"dataset": "mnist", "weight_decay": 8e-4, "labels": [[0], [1]]},
        {"dataset": "mnist", "preset": "paper", "weight_decay": 3e-3},
    ],
)
def test_epochs_for_plateau_is_the_least(given):
    spec = make(given)
    least = epochs_for_plateau(spec)
    for epochs, reached in ((least, True), (least - 1, False)):
        at = make(given | {"epochs": epochs})
        assert (at.plateau_number(sample_size(at)) >= PLATEAU) is reached


@pytest.mark.parametrize(
    "given",
    [
        {"dataset": "digits", "weight_decay": 0.0},
        {"dataset": "digits", "preset": "paper", "weight_decay": 1e-5},
        {"dataset": "digits", "preset": "certified"},
    ],
)
def test_no_number_of_epochs_reaches_a_plateau(given):
    assert epochs_for_plateau(make(given)) is None
