"""Theorems S and S2 see norm / margin only: output weights times c leave their numbers and the errors as they were."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import boundlab
from boundlab.analysis.margin_tradeoff import trade_off
from boundlab.bounds import BY_KEY
from boundlab.bounds.base import evaluate, only
from boundlab.bounds.theorem_s import of_steps
from boundlab.data.splits import apply_task
from boundlab.evaluation import report
from boundlab.evaluation.report import report_on
from boundlab.networks.checkpoint import Checkpoint
from boundlab.networks.outcome import margin_errors
from boundlab.quantities.norms import MARGIN_GRID, SCALED_GRID
from boundlab.quantities.records import from_columns
from boundlab.runs.pack import read_pack
from boundlab.specs.arch import ArchSpec
from boundlab.specs.run import RunSpec, TrainSpec
from boundlab.specs.settings import Settings
from boundlab.training.loop import Training

STRICT = Settings("strict")
LINEAR = ArchSpec("mlp", (1, 8, 8), hidden=())
SCALES = st.floats(-6, 6).map(lambda x: 10.0**x)
SPEC = RunSpec.from_dict({"dataset": "digits", "epochs": 1, "arch": LINEAR.to_dict()})


@pytest.fixture(scope="module", autouse=True)
def without_theorem_d():
    """It has no margin, and takes seconds for each network."""

    def refuse(*_):
        raise ValueError("not asked for here")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "certify_coded", refuse)
        yield


@pytest.fixture(scope="module")
def data():
    return apply_task(TrainSpec("digits"))


@pytest.fixture(scope="module")
def weight(data) -> torch.Tensor:
    """(10, 64): least squares with a ridge, a classifier of digits as good as linear ones are."""
    x, y = data[0].images.flatten(1).double(), nn.functional.one_hot(data[0].labels).double()
    return torch.linalg.solve(x.T @ x + 50 * torch.eye(64), x.T @ y).T.float().contiguous()


def from_checkpoint(data, weight):
    found = report_on(Checkpoint(LINEAR, [weight], [None], None), data, "digits", STRICT)
    bounds = [found["bounds"]["sparse"]["value"], found["theorem_s2"]["value"]]
    return [*bounds, found["errors"]["train"], found["errors"]["test"]]


def from_library(data, weight):
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False))
    model[1].weight.data.copy_(weight)
    arrays = [part for split in data for part in (split.images.numpy(), split.labels.numpy())]
    found = boundlab.evaluate(model, arrays, "strict")
    bounds = [found["bounds"]["sparse"]["value"], found["theorem_s2"]["value"]]
    return [*bounds, found["errors"]["train"], found["errors"]["test"]]


def from_training(data, weight):
    training = Training([SPEC], [data], "cpu")
    member = training.members[0]
    with torch.no_grad():
        member.net[1].weight.copy_(weight)
    _, record = next(training.epoch())
    net = from_columns(pd.DataFrame([record]), LINEAR.shapes())
    bounds = [only(evaluate(BY_KEY[key], net, member.sample, STRICT).value) for key in ("sparse", "doubled")]
    return [*bounds, record["train_error"], record["test_error"]]


@pytest.mark.parametrize("measured", [from_checkpoint, from_library, from_training])
@settings(max_examples=12, deadline=None)
@given(scale=SCALES)
def test_output_weights_times_c_change_nothing(data, weight, measured, scale):
    assert measured(data, weight * scale) == pytest.approx(measured(data, weight), rel=1e-6)


def test_a_thousand_times_the_weights_of_a_shipped_network(mnist_root):
    """The network of the issue: 0.677 became 20.5."""
    from boundlab.networks.checkpoint import load_checkpoint
    from boundlab.runs.places import PACK

    run = next(r for r in read_pack() if "cert" in r.id and r.spec.arch.title == "LINEAR" and r.spec.arch.classes == 10)
    path = PACK / "checkpoints" / f"{run.id}.safetensors"
    given_, data = load_checkpoint(path, "mnist"), apply_task(TrainSpec("mnist"), mnist_root)
    larger = dataclasses.replace(given_, weights=[*given_.weights[:-1], given_.weights[-1] * 1000])
    values = [report_on(c, data, "mnist", STRICT)["theorem_s2"]["value"] for c in (given_, larger)]
    shipped = only(evaluate(BY_KEY["doubled"], run.norms(run.records.iloc[-1:]), run.sample, STRICT).value)
    assert values[1] == pytest.approx(values[0], rel=1e-6)
    assert values[0] == pytest.approx(shipped, abs=1e-2)  # another grid of margins
    assert values[0] < 1


def test_old_records_are_searched_where_they_were_measured():
    """A record with a scale beside one without: each has the number it has alone."""
    rng = np.random.default_rng(0)
    run = next(r for r in read_pack() if r.spec.arch.title == "LINEAR")
    old = run.final.to_dict()
    assert "margin_scale" not in old
    scale = 37.0
    ramp, indicator = margin_errors(rng.normal(20.0, 10.0, 500), scale * SCALED_GRID)
    new = old | {"margin_scale": scale, "scaled_ramp": ramp.tolist(), "scaled_indicator": indicator.tolist()}
    both = pd.DataFrame([old, new])
    rows = [both, both.iloc[:1], pd.DataFrame([new])]
    nets = [from_columns(frame, run.spec.arch.shapes()) for frame in rows]
    for key in ("sparse", "doubled"):
        both, *alone = (evaluate(BY_KEY[key], net, run.sample, STRICT) for net in nets)
        assert both.value.tolist() == [only(made.value) for made in alone]
        assert only(alone[0].margin) in MARGIN_GRID
        assert only(alone[1].margin) in scale * SCALED_GRID


def test_the_best_margin_is_the_smallest_of_the_trade_off():
    run = next(r for r in read_pack() if r.spec.arch.title == "LINEAR")
    net = from_columns({str(k): v for k, v in run.final.items()}, run.spec.arch.shapes())
    table = trade_off(net, run.sample, 0.001, "S2")
    assert table["total"].min() == pytest.approx(only(evaluate(BY_KEY["doubled"], net, run.sample, STRICT).value))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30), st.floats(0.1, 9), st.floats(1e-3, 1e3))
def test_beyond_the_largest_margin_a_larger_one_only_comes_closer_to_one(margins, complexity, scale):
    """What the page says where the best margin is the last: from there on the sum is 1 + constant / margin."""
    values = np.array(margins) * scale
    grid = np.geomspace(1, 100, 20) * max(values.max(), 1e-9)
    ramp, _ = margin_errors(values, grid)
    total = ramp + complexity * scale / grid
    assert (total - 1) * grid == pytest.approx((total[0] - 1) * grid[0], abs=1e-6 * (1 + abs(grid[-1])))


@pytest.mark.parametrize(
    "steps",
    [
        np.array([[3.0, -2.0], [3.0, 7.0]]),
        np.array([0.0, 1e9]),
        np.array([1.0, np.nan, np.inf]),
        np.array([-np.inf, 2.0, 2.0]),
        np.array([]),
        np.array(5.0),
    ],
    ids=["alike", "far apart", "not finite", "infinite below", "none", "one"],
)
def test_a_function_of_whole_numbers_is_what_it_is_of_each(steps):
    def function(t):
        return np.sqrt(np.log(1.5 * (np.abs(t) + 1) * (np.abs(t) + 2)))

    np.testing.assert_array_equal(of_steps(function, steps), function(steps))
