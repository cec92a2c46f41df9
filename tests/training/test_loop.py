"""Training: deterministic, resumable after kill -9 without a trace, honest about networks that did not train."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from boundlab.data.splits import Split, apply_task
from boundlab.errors import Diverged
from boundlab.networks import build
from boundlab.networks.checkpoint import load_checkpoint
from boundlab.networks.measure import norm_columns
from boundlab.runs.folder import open_run
from boundlab.runs.status import read_status
from boundlab.specs.grid import load_grid
from boundlab.specs.run import RunSpec
from boundlab.training.attempts import plans
from boundlab.training.hooks import Hooks
from boundlab.training.loop import Training, epochs
from boundlab.training.steps import Steps
from boundlab.training.worker import train_run
from tests.cases import CERTIFIED, TRAINED
from tests.conftest import ROOT


def test_records_where_they_should_be(finished):
    result = open_run(finished)
    steps = result.records["step"].tolist()
    assert steps == sorted({*range(0, 24 * 45 + 1, 90), 10 * 45, 20 * 45, 24 * 45})
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
    checkpoint = load_checkpoint(finished / "network.safetensors", "digits")
    columns = norm_columns(checkpoint.weights, checkpoint.biases, None, checkpoint.arch.shapes())
    final = open_run(finished).final
    for name in ("layers.0.frobenius", "layers.1.spectral_map", "layers.2.norm_21", "path_l1"):
        assert columns[name] == pytest.approx(final[name], rel=1e-6)
    assert checkpoint.init is not None


def test_the_generator_gives_the_same_records(finished):
    spec = RunSpec.from_dict(TRAINED)
    torch.set_num_threads(1)
    records = pd.DataFrame(list(epochs(spec, apply_task(spec.train))))
    sealed = pd.read_parquet(finished / "epochs.parquet")
    for name in ("step", "loss", "layers.0.frobenius", "test_error"):
        np.testing.assert_array_equal(records[name].to_numpy(float), sealed[name].to_numpy(float))


def test_seeds_differ_and_specs_repeat():
    def first_record(seed):
        spec = RunSpec.from_dict({**TRAINED, "seed": seed})
        return next(Training([spec], [apply_task(spec.train)]).epoch())[1]["layers.0.frobenius"]

    assert first_record(0) == first_record(0) != first_record(1)


def test_divergence_is_an_error_that_says_so(tmp_path):
    spec = RunSpec.from_dict({**TRAINED, "preset": "paper", "epochs": 2, "lr": 100.0, "momentum": 0.99})
    with pytest.raises(Diverged, match=r"the loss is not finite after .* smaller lr"):
        train_run(spec, tmp_path)
    assert read_status(tmp_path / spec.id).state == "failed"
    assert "not finite" in read_status(tmp_path / spec.id).error


def test_a_weight_that_is_not_finite_is_an_error_that_says_so():
    spec = RunSpec.from_dict({**TRAINED, "epochs": 2})
    training = Training([spec], [apply_task(spec.train)])
    records = training.epoch()
    next(records)
    with torch.no_grad():
        training.members[0].net[-1].weight[0, 0] = torch.inf
    training.due = True
    with pytest.raises(Diverged, match=r"a weight is not finite after 0 steps; .* short clips gradients at norm 1"):
        list(training.epoch())


def test_weights_too_large_for_their_norms_are_an_error_that_says_so():
    """Finite in float32, and their path norm is not in float64."""
    deep = {"channels": 4, "conv_layers": 9, "kernel_size": 3, "padding": 1, "weight_norm": False}
    spec = RunSpec.from_dict({**TRAINED, "preset": "paper", "epochs": 2, "arch": deep})
    training = Training([spec], [apply_task(spec.train)])
    for rows in training.networks.parameters.values():
        rows.fill_(1e38)
    with pytest.raises(Diverged, match=r"is not finite after 0 steps; try .* paper does not clip gradients"):
        list(training.epoch())


def test_outputs_that_are_not_finite_are_an_error_that_says_so_and_what_was_recorded_opens(tmp_path, monkeypatch):
    """The weights grow between an epoch's last loss and its record: finite all of them, and what they yield is not."""
    real, losses = Steps.step, []

    def step(steps, *given):
        losses.append(real(steps, *given))
        if len(losses) == 45:
            with torch.no_grad():
                for weight in steps.networks.parameters.values():
                    weight *= 1e15
        return losses[-1]

    monkeypatch.setattr(Steps, "step", step)
    spec = RunSpec.from_dict({**TRAINED, "epochs": 1})
    with pytest.raises(Diverged, match=r"the train outputs are not finite after 45 steps; try a smaller lr"):
        train_run(spec, tmp_path)
    assert read_status(tmp_path / spec.id).state == "failed"
    assert open_run(tmp_path / spec.id).records["step"].tolist() == [0]


def test_norms_that_are_not_finite_are_an_error_that_says_so():
    deep = {"channels": 4, "conv_layers": 9, "kernel_size": 3, "stride": 1, "padding": 1, "weight_norm": False}
    training = Training([spec := RunSpec.from_dict({**TRAINED, "arch": deep})], [apply_task(spec.train)])
    with torch.no_grad():
        for weight in training.networks.parameters.values():
            weight.fill_(1e36)  # path norm: 1e360 and more
    with pytest.raises(Diverged, match=r"path_l1 is not finite after 0 steps; try a smaller lr"):
        list(training.epoch())
    training.left, training.due, training.finished = set(), True, 25
    with pytest.raises(Diverged, match=r"path_l1 is not finite after 25 steps"):
        list(training.epoch())


def in_float64(given, part):
    """State after one epoch in float64, minibatches in parts of `part` images; and the losses of its steps."""
    spec = RunSpec.from_dict(given)
    train, test = (Split(s.images.double(), s.labels) for s in apply_task(spec.train))
    losses = []

    def kept(step):
        return lambda *given: losses.append(step(*given)) or losses[-1]

    training = Training([spec], [(train, test)], part=part, hooks=Hooks(run_step=kept))
    training.due = False
    list(training.epoch())
    return training.state(0), torch.stack(losses)


@pytest.mark.parametrize("given", [TRAINED, CERTIFIED], ids=["mse", "certificate"])
@pytest.mark.parametrize("part", [8, 1, 5])
def test_a_step_in_parts_is_the_whole_step(given, part):
    whole, losses = in_float64(given, None)
    parts, theirs = in_float64(given, part)
    torch.testing.assert_close(theirs, losses, rtol=1e-9, atol=1e-11)
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-8, atol=1e-10)


def test_the_record_of_a_training_in_parts_is_the_whole_ones():
    spec = RunSpec.from_dict(TRAINED)
    whole, parts = (next(Training([spec], [apply_task(spec.train)], part=part).epoch())[1] for part in (None, 8))
    assert parts["train_error"] == whole["train_error"]
    np.testing.assert_allclose(parts["margin_quantiles"], whole["margin_quantiles"], rtol=1e-4, atol=1e-6)


def test_memory_that_is_too_small_is_met_with_smaller_parts(finished, tmp_path, monkeypatch):
    """PyTorch's own exception from a patched step; what a real GPU does when it is full is not tried here."""
    plain, parts = Steps.gradients, []

    def gradients(self, images, labels):
        parts.append(self.part)
        if len(parts) == 501:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(self, images, labels)

    monkeypatch.setattr(Steps, "gradients", gradients)
    spec = RunSpec.from_dict(TRAINED)
    folder = train_run(spec, tmp_path)
    assert read_status(folder).state == "done"
    assert read_status(folder).note == "the GPU's memory is too small for batches of 32: going on in parts of 8"
    assert parts == [None] * 501 + [8] * (1080 - 495)  # step 495: the last state that was saved
    one, other = open_run(folder), open_run(finished)
    assert one.records["step"].tolist() == other.records["step"].tolist()
    assert one.final["layers.0.frobenius"] == pytest.approx(other.final["layers.0.frobenius"], rel=1e-2)


def test_memory_that_is_too_small_for_everything_is_a_failure(tmp_path, monkeypatch):
    def gradients(self, images, labels):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Steps, "gradients", gradients)
    spec = RunSpec.from_dict(TRAINED)
    with pytest.raises(torch.OutOfMemoryError):
        train_run(spec, tmp_path)
    assert read_status(tmp_path / spec.id).state == "failed"
    assert "out of memory" in read_status(tmp_path / spec.id).error


def test_the_ways_out_of_a_full_gpu_end_on_the_cpu():
    assert [plan[:2] for plan in plans("cuda", 32)] == [("cuda", None), ("cuda", 8), ("cuda", 1), ("cpu", None)]
    assert [plan[:2] for plan in plans("cuda", 8)] == [("cuda", None), ("cuda", 1), ("cpu", None)]
    notes = [plan[2] for plan in plans("cuda", 500)]
    assert notes[0] is None
    assert notes[2] == "the GPU's memory is too small for batches of 500: going on one image at a time"


def test_a_network_that_did_not_train_is_flagged(tmp_path):
    """Crushing weight decay: rho goes to 0, the bound looks wonderful, the flag says why."""
    spec = RunSpec.from_dict({**TRAINED, "epochs": 3, "weight_decay": 2.0})
    result = open_run(train_run(spec, tmp_path))
    assert not result.trained
    assert float(result.norms(result.epochs).rho[-1]) < 0.01


def test_learning_rate_schedule():
    spec = RunSpec.from_dict({"dataset": "digits"})
    training = Training([spec], [apply_task(spec.train)]).members[0]
    assert training.rate(0) == pytest.approx(0.1 / 100)
    assert training.rate(99) == training.rate(5399) == pytest.approx(0.1)
    assert training.rate(5400) == pytest.approx(0.01)
    assert training.rate(7650) == pytest.approx(0.001)
    paper = RunSpec.from_dict({"dataset": "digits", "preset": "paper"})
    assert paper.drop_steps(45) == (2700, 5400, 7200)
    assert Training([paper], [apply_task(paper.train)]).members[0].rate(0) == 0.01


def test_mlp_trains_too(tmp_path):
    spec = RunSpec.from_dict({"dataset": "digits", "epochs": 15, "arch": {"kind": "mlp", "hidden": [32]}})
    assert open_run(train_run(spec, tmp_path)).trained


def test_a_linear_classifier_trains_too(tmp_path):
    spec = RunSpec.from_dict({"dataset": "digits", "epochs": 15, "arch": {"kind": "mlp", "hidden": []}})
    result = open_run(train_run(spec, tmp_path))
    assert result.trained
    assert load_checkpoint(tmp_path / spec.id / "network.safetensors", "digits").weights[0].shape == (10, 64)


def test_the_paper_grid_is_the_papers_and_its_records_are_few():
    specs = load_grid(ROOT / "data" / "grid_paper.toml")
    assert {(s.arch.conv_layers, s.arch.channels) for s in specs} == {
        *((layers, 200) for layers in range(3, 9)),
        *((3, channels) for channels in (400, 600, 1000)),
    }
    assert all(s.arch.bias and s.train.lr == 0.01 and s.train.epochs == 110 for s in specs)
    assert sorted(s.train.weight_decay for s in specs if s.arch.title == "CONV-3-200 bias") == [
        8e-4, 9e-4, 1e-3, 2e-3, 3e-3, 4e-3,
    ]  # fmt: skip


def test_the_certified_grid_is_read_from_toml_as_meant():
    specs = [s for s in load_grid(ROOT / "data" / "grid.toml") if s.train.loss == "certificate"]
    tasks = {None, ((0,), (1,)), ((0, 2, 4, 6, 8), (1, 3, 5, 7, 9))}
    assert {s.train.labels for s in specs} == tasks
    assert all(not s.arch.bias and not s.arch.weight_norm for s in specs if s.arch.kind == "conv")
    assert {(s.arch.in_shape[1], s.arch.normalize) for s in specs} == {
        (28, None),
        (28, (0.1307, 1.0)),
        (16, (0.33, 1.0)),
    }
    weights = {s.train.certificate_weight for s in specs if s.train.labels is None and s.arch.kernel_size == 4}
    assert weights == {0.01, 0.03, 0.1, 0.3, 0.7, 1.0}


def test_unit_initialisation_has_he_s_directions_and_norm_one():
    arch = RunSpec.from_dict(CERTIFIED).arch
    he, unit = (build.build(arch) for _ in range(2))
    build.initialise(he, arch, "he", 5)
    build.initialise(unit, arch, "unit", 5)
    for one, other in zip(build.weights(he), build.weights(unit), strict=True):
        assert float(other.norm()) == pytest.approx(1.0, rel=1e-6)
        torch.testing.assert_close(one / one.norm(), other)


def test_the_papers_recipe_at_small_scale(tmp_path):
    """What `sweep data/grid_paper.toml` does, on the digits: recorded every fifth epoch, every record with errors."""
    spec = RunSpec.from_dict({"dataset": "digits", "preset": "paper", "epochs": 12, "arch": {"channels": 4}})
    run_ = open_run(train_run(spec, tmp_path))
    assert run_.records["epoch"].tolist() == [0, 5, 10, 12]
    assert run_.records["train_error"].notna().all()
    assert run_.records["loss"].iloc[-1] < run_.records["loss"].iloc[1]
    assert run_.records["layers.0.bias_norm"].iloc[-1] > 0
