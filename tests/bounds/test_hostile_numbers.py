"""Networks and data made to mislead: where rounding, zeros and overflows once gave a wrong number or a traceback."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import nn

import boundlab
from boundlab.analysis.comparison import factors_table
from boundlab.analysis.subject import Subject
from boundlab.charts.factor_bars import factor_bars
from boundlab.charts.waterfall import factor_text
from boundlab.errors import CheckpointError
from boundlab.networks.checkpoint import Checkpoint, save
from boundlab.networks.export import checkpoint_of
from boundlab.specs.arch import ArchSpec
from boundlab.specs.settings import Settings


def written(tmp_path, arch, weights):
    path = tmp_path / "net.safetensors"
    save(path, Checkpoint(arch, weights, [None] * len(weights), None))
    return path


def test_rounding_below_the_normal_numbers_is_no_certificate(tmp_path):
    """Activations that pass through float32's subnormal numbers once doubled at every third layer, so that margins were 2^21
    times those of the weights: Theorem S said 0.17 of a network that guesses."""
    rng, n, side = np.random.default_rng(0), 300, 24
    x = (rng.random((2 * n, side, side)) < 0.5).astype(np.float32)
    y = rng.integers(0, 2, 2 * n)
    arch = ArchSpec(in_shape=(1, side, side), channels=1, conv_layers=63, kernel_size=1, classes=2)
    cycle = [2.0**-149, 2.0**75, 0.5001 * 2.0**74]
    weights = [torch.full(s.weight_shape, cycle[i % 3]) for i, s in enumerate(arch.shapes()[:-1])]
    solved = np.linalg.lstsq(x[:n].reshape(n, -1).astype(float), 2.0 * y[:n] - 1, rcond=None)[0]
    weights.append(torch.tensor(np.stack([-solved, solved]), dtype=torch.float32))
    path = written(tmp_path, arch, weights)
    report = boundlab.evaluate(path, (x[:n], y[:n], x[n:], y[n:]), convention="strict")
    assert report["bounds"]["sparse"]["value"] >= report["errors"]["test"]
    assert report["errors"]["test"] > 0.3


def test_norms_beyond_every_float_are_refused(tmp_path):
    arch = ArchSpec(in_shape=(1, 4, 4), channels=1, conv_layers=20, kernel_size=1, classes=2)
    weights = [torch.full(s.weight_shape, 1e29) for s in arch.shapes()]
    x, y = np.random.default_rng(0).random((4, 4, 4)), [0, 1, 0, 1]
    with pytest.raises(CheckpointError, match="stand between the network's input and its output"):
        boundlab.evaluate(written(tmp_path, arch, weights), (x, y))


def test_large_weights_have_margins(tmp_path):
    arch = ArchSpec(in_shape=(1, 8, 8), channels=2, conv_layers=2, classes=10)
    weights = [torch.full(s.weight_shape, 1e29) for s in arch.shapes()]
    sparse = boundlab.evaluate(written(tmp_path, arch, weights), "digits", convention="strict")["bounds"]["sparse"]
    assert sparse["value"] >= 1


@pytest.mark.parametrize("convention", ["published", "theorem", "strict"])
def test_inputs_that_reach_nothing(tmp_path, convention):
    """The only pixel that this network sees is black in every digit."""
    arch = ArchSpec(in_shape=(1, 8, 8), channels=4, conv_layers=1, kernel_size=1, stride=8)
    path = written(tmp_path, arch, [torch.ones(s.weight_shape) for s in arch.shapes()])
    assert boundlab.evaluate(path, "digits", convention=convention)["errors"]["train"] == 1
    black = boundlab.evaluate(path, (np.zeros((4, 8, 8)), [0, 1, 2, 3]), convention=convention)
    assert all(bound["value"] is None for bound in black["bounds"].values())
    assert "not all of them black" in black["bounds"]["sparse"]["reason"]


def test_bars_of_networks_with_other_factors(whole_pack):
    runs = {run.spec.arch.title: run for run in whole_pack if run.spec.train.dataset == "mnist"}
    from boundlab.bounds import BY_KEY

    for first, second in (("LINEAR", "CONV-3-16"), ("CONV-3-16", "LINEAR"), ("MLP-64", "LC-3-4,4,3")):
        for convention in ("published", "strict"):
            table = factors_table(
                [Subject.of_run(runs[t]) for t in (first, second)], BY_KEY["sparse"], Settings(convention)
            )
            bars = factor_bars(table[table["kind"] != "term"], [first, second])
            assert len(json.loads(bars.to_json())["data"]) == 1
    assert factor_text(5000.0) == "× 2^5000"


def test_export_keeps_the_precision_of_mixed_models_and_refuses_what_cannot_be_read():
    mixed = nn.Sequential(nn.Flatten(), nn.Linear(16, 3).bfloat16(), nn.ReLU(), nn.Linear(3, 2))
    assert [w.dtype for w in checkpoint_of(mixed, (1, 4, 4)).weights] == [torch.float64] * 2
    large = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, bias=False))
    nn.init.constant_(large[1].weight, 1e31)
    with pytest.raises(ValueError, match="weights above 1e"):
        checkpoint_of(large, (1, 4, 4))
    hooked = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    hooked.register_forward_hook(lambda module, inputs, output: (output, 1))
    with pytest.raises(ValueError, match="returns a tuple, not one tensor"):
        checkpoint_of(hooked, (1, 4, 4))


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.ones((4, 4, 4), bool), "whole numbers from 0 to 255, or floats in .*, got dtype bool"),
        (np.ones((4, 4, 4), complex), "whole numbers from 0 to 255, or floats in .*, got dtype complex128"),
        (np.full((4, 4, 4), 256), "whole numbers from 0 to 255"),
        (np.full((4, 4, 4), 255.0), r"floats in \[0, 1\], got 255 to 255; divide by 255"),
        (np.full((4, 4, 4), -0.5), r"floats in \[0, 1\], got -0.5"),
    ],
)
def test_pixels_that_are_none(images, said):
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, bias=False))
    with pytest.raises(ValueError, match=said):
        boundlab.evaluate(model, (images, [0, 1, 0, 1]))


@pytest.mark.parametrize("common", [2.0**37, 2.0**56])
def test_a_row_common_to_all_classes_moves_no_margin(tmp_path, common):
    """It has no part in the centred norm that Theorems S and S2 charge for; with it, rounding made margins of 16 out of margins
    of 1e-4: they said 0.1 of a network that guesses."""
    rng, n, side = np.random.default_rng(0), 1000, 34
    x = (rng.random((2 * n, side, side)) > 0.5).astype(np.float32)
    y = rng.integers(0, 2, 2 * n)
    x[:, 0, 0] = 0.0
    fitted = np.linalg.lstsq(x[:n].reshape(n, -1).astype(float), 2.0 * y[:n] - 1, rcond=None)[0]
    x[:, 0, 0], fitted = 1.0, fitted / np.linalg.norm(fitted) / 2
    first = np.zeros((4, side * side))
    first[:2], first[2:, 0] = [-fitted, fitted], 1.0
    arch = ArchSpec(kind="mlp", in_shape=(1, side, side), hidden=(4,), classes=2)
    head = np.array([[1.0, 0.0, 2.0**13, common], [0.0, 1.0, 2.0**13, common]])
    plain = head * [1.0, 1.0, 0.0, 0.0]
    reports = []
    for output in (head, plain):
        weights = [torch.tensor(w, dtype=torch.float32) for w in (first / 1024, output)]
        path = written(tmp_path, arch, weights)
        reports.append(boundlab.evaluate(path, (x[:n], y[:n], x[n:], y[n:]), convention="strict"))
    for key in ("sparse", "theorem_s2"):
        with_row, without = ((report["bounds"] | {"theorem_s2": report["theorem_s2"]})[key] for report in reports)
        assert with_row["value"] == pytest.approx(without["value"], rel=1e-6)
        assert with_row["value"] >= 1
    assert min(report["errors"]["test"] for report in reports) > 0.4


def test_weights_whose_squares_vanish_are_refused(tmp_path):
    """The norm of a million weights of 1e-162 came out as that of the one visible one: Theorem S2 said 0.11 of a network that
    guesses."""
    arch = ArchSpec(kind="mlp", in_shape=(1, 4, 4), hidden=(3,), classes=2)
    weights = [torch.full(s.weight_shape, 1e-162, dtype=torch.float64) for s in arch.shapes()]
    x, y = np.random.default_rng(0).random((4, 4, 4)), [0, 1, 0, 1]
    with pytest.raises(CheckpointError, match="weights below 1e-100 that are not 0"):
        boundlab.evaluate(written(tmp_path, arch, weights), (x, y))


def measured(arch, weights, images, labels):
    from boundlab.data.splits import Split
    from boundlab.evaluation.report import measure_checkpoint

    data = Split(images, torch.as_tensor(labels))
    return measure_checkpoint(Checkpoint(arch, weights, [None] * len(weights), None), (data, None), "digits", "net")


def test_energies_are_those_of_the_numbers_that_are_fed():
    """Pixels that float32 rounds to 0 after the division: the energies were of what was left, the margins of all of it."""
    arch = ArchSpec(kind="mlp", in_shape=(1, 4, 4), hidden=(3,), classes=2, normalize=(0.0, 1e6))
    images = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 1e-39
    weights = [torch.full(s.weight_shape, 1e20) for s in arch.shapes()]
    subject, _ = measured(arch, weights, images, [0, 1] * 10)
    wanted = float((images.double() / 1e6).norm())
    assert subject.sample.fed.frobenius == pytest.approx(wanted, rel=1e-9)


def test_a_sum_over_overlapping_patches_does_not_overflow():
    """Kernels of norm 1 on overlapping patches: each layer multiplies by up to 5, 62 of them by more than float32 has."""
    arch = ArchSpec(in_shape=(1, 8, 8), channels=1, conv_layers=62, kernel_size=5, padding=2, classes=2)
    weights = [torch.full(s.weight_shape, 1 / s.kernel) for s in arch.shapes()[:-1]]
    weights.append(torch.stack([torch.ones(64), torch.zeros(64)]))
    _, seen = measured(arch, weights, torch.ones(4, 1, 8, 8), [0, 1, 0, 1])
    assert np.isfinite(seen.margins).all()
    assert np.abs(seen.margins).max() > 1e38


def test_errors_are_those_of_the_network_that_is_certified(tmp_path):
    """A number added to all output weights changes no decision but those that float32 loses."""
    rng = np.random.default_rng(0)
    arch = ArchSpec(kind="mlp", in_shape=(1, 8, 8), hidden=(16,), classes=10)
    first, output = (torch.from_numpy(rng.standard_normal(s.weight_shape)) for s in arch.shapes())
    reports = [
        boundlab.evaluate(written(tmp_path, arch, [first, output + row]), "digits", convention="strict")
        for row in (0.0, 2.0**20)
    ]
    assert reports[0]["errors"] == reports[1]["errors"]
    assert reports[0]["theorem_s2"]["value"] == pytest.approx(reports[1]["theorem_s2"]["value"], rel=1e-6)


def test_honest_networks_are_measured_in_float32():
    from boundlab.evaluation.precision import precision

    for arch in (
        ArchSpec(channels=16, conv_layers=8),
        ArchSpec(kind="mlp", hidden=(100, 100), normalize=(0.1307, 0.3081)),
    ):
        weights = [torch.randn(s.weight_shape) / s.fan_in**0.5 for s in arch.shapes()]
        images = torch.rand(3, *arch.in_shape, generator=torch.Generator().manual_seed(0))
        assert precision(Checkpoint(arch, weights, [None] * len(weights), None), images) == torch.float32


def test_weights_that_float32_rounds_up_are_not_rounded():
    """In float32 0.75e-45 is 1.4e-45: every such layer, scaled up again by the next two, made the margins 1.87 times as large."""
    arch = ArchSpec(in_shape=(1, 4, 4), channels=1, conv_layers=40, kernel_size=1, classes=2)
    sizes = [1e28, *[0.75e-45, 1e30, 1e15] * 13]
    weights = [
        torch.full(s.weight_shape, size, dtype=torch.float64) for s, size in zip(arch.shapes(), sizes, strict=False)
    ]
    weights.append(torch.tensor([[1.0], [-1.0]], dtype=torch.float64).expand(2, 16) / 4)
    subject, seen = measured(arch, weights, torch.ones(4, 1, 4, 4), [0, 1, 0, 1])
    rho_p = np.prod([float(layer.frobenius) for layer in subject.norms.layers[:-1]])
    assert seen.margins.max() == pytest.approx(2 * 4 * rho_p, rel=1e-5)


def chosen(arch, sizes, images):
    """The precision for a network whose layers have these Frobenius norms."""
    from boundlab.evaluation.precision import precision

    weights = [torch.zeros(s.weight_shape, dtype=torch.float64) for s in arch.shapes()]
    for weight, size in zip(weights, sizes, strict=True):
        weight.view(-1)[0] = size
    return precision(Checkpoint(arch, weights, [None] * len(weights), None), images)


def test_a_product_that_vanishes_is_no_zero_layer():
    """Below 1e-308 the product of the norms was taken for that of a dead network, for which any precision would do."""
    arch = ArchSpec(in_shape=(1, 2, 2), channels=1, conv_layers=5, kernel_size=1, classes=2)
    with pytest.raises(CheckpointError, match=r"numbers between 10\^-329 and 10\^0 stand"):
        chosen(arch, [2.0**-332, 2.0**-332, 2.0**-150, 2.0**-280, 1.0, 2.0], torch.ones(2, 1, 2, 2))
    assert chosen(arch, [1.0, 0.0, 1.0, 1.0, 1.0, 1.0], torch.ones(2, 1, 2, 2)) == torch.float32  # a dead network


def test_average_pooling_divides_the_scale_by_its_area():
    """Theorem S charges an average over one live position a p-th; the scale that chooses the precision did not."""
    arch = ArchSpec(in_shape=(1, 64, 64), channels=1, conv_layers=3, kernel_size=1, classes=2, pool="avg4")
    sizes, images = [1e-9, 1e-9, 1.0, 2.0], torch.ones(2, 1, 64, 64)
    assert chosen(arch, sizes, images) == torch.float64  # 1e-18 / 16^3
    assert chosen(dataclasses.replace(arch, pool=""), sizes, images) == torch.float32


@pytest.mark.parametrize("part", ["bias", "init", "weight"])
def test_a_number_whose_square_vanishes_is_refused_wherever_it_stands(tmp_path, part):
    arch = ArchSpec("mlp", (1, 8, 8), hidden=(), bias=True)
    weight, bias = torch.ones(10, 64, dtype=torch.float64), torch.ones(10, dtype=torch.float64)
    given = {"weight": weight.clone(), "bias": bias.clone(), "init": weight.clone()}
    given[part].view(-1)[3] = 1e-200
    path = tmp_path / "net.safetensors"
    save(path, Checkpoint(arch, [given["weight"]], [given["bias"]], [given["init"]]))
    with pytest.raises(CheckpointError, match="weights below 1e-100 that are not 0, or such biases"):
        boundlab.evaluate(path, "digits")
