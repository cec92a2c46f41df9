"""Networks made for Theorem D2: merged channels, the trained output layer and noise, and the command that keeps them."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from boundlab.bounds.coded import CodedCertificate
from boundlab.bounds.theorem_d import Pair, loss, mean_profile
from boundlab.cli.main import main
from boundlab.data.splits import Split
from boundlab.errors import RunError
from boundlab.evaluation.codable import hidden_tensors
from boundlab.evaluation.coded_network import output_of, rounded_network, run_over
from boundlab.evaluation.merging import can_merge, merged, widths, with_widths
from boundlab.evaluation.noise_scale import scores
from boundlab.evaluation.noise_shape import principal, shaped
from boundlab.evaluation.output_training import OutputTraining, reduced
from boundlab.evaluation.theorem_d import certify_coded
from boundlab.evaluation.trained_output import certify_trained
from boundlab.networks import build
from boundlab.networks.checkpoint import Checkpoint, load_checkpoint
from boundlab.quantities.weight_code import (
    Rounding,
    best_rounding,
    code_length,
    narrowed_length,
    narrowed_read,
    narrowed_written,
    read_back,
    written,
)
from boundlab.runs.coded import TRAINED, trained_network_file
from boundlab.runs.folder import open_run
from boundlab.runs.pack import part_folders, read_pack
from boundlab.runs.packing import pack
from boundlab.runs.places import PACK
from boundlab.specs.arch import ArchSpec
from boundlab.specs.grid import load_grid
from tests.evaluation.test_theorem_d import ARCHES, digits, random_checkpoint

DENSE = ArchSpec(in_shape=(1, 8, 8), channels=6, conv_layers=2, hidden=(7,), pool=("avg2", ""), bias=True)
GAP = ArchSpec(in_shape=(1, 8, 8), channels=6, conv_layers=2, head="gap", weight_norm=False)
MLP = ArchSpec(kind="mlp", in_shape=(1, 8, 8), hidden=(9, 8))


def outputs(checkpoint: Checkpoint, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(outputs, squared lengths of what the output layer sees), float64."""
    net = build.from_weights(checkpoint.arch, checkpoint.weights, checkpoint.biases).double()
    with torch.no_grad():
        return net(images.double()), net[:-1](images.double()).square().sum(dim=1)


def with_multiples(checkpoint: Checkpoint) -> Checkpoint:
    """In every hidden layer the last three channels become multiples of the first, one of them negative, and one vanishes."""
    weights, biases = (
        [w.clone() for w in checkpoint.weights],
        [None if b is None else b.clone() for b in checkpoint.biases],
    )
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        for part in (w, *([] if b is None else [b])):
            for channel, factor in ((-1, 2.5), (-2, 0.25), (-3, -1.0), (1, 0.0)):
                part[channel] = factor * part[0]
    return dataclasses.replace(checkpoint, weights=weights, biases=biases)


@pytest.mark.parametrize("arch", [DENSE, GAP, MLP, ARCHES["conv"], ARCHES["biases"]])
def test_merging_multiples_changes_neither_function_nor_lengths(arch):
    checkpoint = with_multiples(random_checkpoint(arch))
    small = merged(checkpoint, 1 - 1e-6)
    assert all(few <= many - 3 + (many == 4) for few, many in zip(widths(small.arch), widths(arch), strict=True))
    assert [tuple(w.shape) for w in small.weights] == [s.weight_shape for s in small.arch.shapes()]
    images = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    for one, other in zip(outputs(checkpoint, images), outputs(small, images), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    other = random_checkpoint(arch)
    assert widths(merged(other, 1 - 1e-6).arch) == widths(arch)
    assert not can_merge(ARCHES["local"])


def test_a_narrowed_network_is_read_back_from_its_code():
    """A decoder that knows the architecture alone, as fixed before the data, gets the very weights of the certified network."""
    arch = ARCHES["biases"]
    small = merged(with_multiples(random_checkpoint(arch)), 0.99)
    full, tensors = widths(arch), hidden_tensors(small)
    roundings = [best_rounding(t, 4) for t in tensors]
    code = narrowed_written(widths(small.arch), full) + written(tensors, roundings)
    lengths = [code_length(r.levels(t), r.bits) for r, t in zip(roundings, tensors, strict=True)]
    assert len(code) == narrowed_length(full) + sum(lengths)
    found, rest = narrowed_read(code, full)
    shapes = [
        shape
        for s in with_widths(arch, found).shapes()[:-1]
        for shape in (s.weight_shape, *([s.bias_shape] if s.bias else []))
    ]
    for one, other in zip(read_back(rest, shapes), hidden_tensors(rounded_network(small, roundings)), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("most", [(1,), (16, 16, 16), (1, 5, 8, 1000)])
def test_widths_are_a_prefix_of_their_own(most):
    for to in (most, tuple(1 for _ in most), tuple(max(1, w // 2) for w in most)):
        head = narrowed_written(to, most)
        assert len(head) == narrowed_length(most)
        assert narrowed_read(head + "0101", most) == (to, "0101")
    # no tensor begins so: its scale would be infinite
    plain = written([np.ones(3)], [Rounding(2, 1.0)])
    assert narrowed_read(plain, most) == (most, plain)


@pytest.fixture(scope="module")
def reduced_digits():
    checkpoint, data = random_checkpoint(ARCHES["biases"]), Split(*(part[:300] for part in vars(digits()[0]).values()))
    output = output_of(checkpoint, data)
    directions, shares = principal(checkpoint, output, data, 40)
    found = reduced(checkpoint, output, data, directions)
    less = np.zeros(found.basis.shape[1])
    less[: len(shares)] = shaped(directions, shares, 300.0).less
    return checkpoint, data, output, OutputTraining(found, output.weight * 20, less, 500, Pair(1.5, 4))


def test_training_sees_what_the_certificate_sees(reduced_digits):
    """Scores, loss and divergence against the exact path."""
    checkpoint, data, output, training = reduced_digits
    shape = training.shape()
    exact, _ = scores(run_over(checkpoint, output, data, shape.directions), shape.less)
    with torch.no_grad():
        np.testing.assert_allclose(training.scores(slice(None)), 20 * exact, rtol=1e-3, atol=1e-3)
        kl = float(training.divergence())
    assert kl == pytest.approx((20 * output.norm) ** 2 / 2 + (9 + 4) * shape.spread / 2, rel=1e-4)
    expected = loss(mean_profile(20 * exact), Pair(1.5, 4), 10)
    assert float(training.loss(slice(None)).detach()) == pytest.approx(expected, abs=1e-4)


def test_the_network_has_the_trained_output_layer_with_its_biases(reduced_digits):
    checkpoint, data, output, training = reduced_digits
    made = training.network(checkpoint, output.constant)
    again = output_of(made, data)
    assert again.constant == output.constant
    torch.testing.assert_close(again.weight, 20 * output.weight, rtol=1e-4, atol=1e-4)
    for one, other in zip(hidden_tensors(made), hidden_tensors(checkpoint), strict=True):
        assert np.array_equal(one, other)


def test_dead_and_degenerate_networks_are_said_to_be_so():
    checkpoint, data = random_checkpoint(MLP), Split(*(part[:50] for part in vars(digits()[0]).values()))
    dead = dataclasses.replace(checkpoint, weights=[0 * checkpoint.weights[0], *checkpoint.weights[1:]])
    small = merged(dead, 0.99)
    assert widths(small.arch)[0] == 1
    assert all(torch.isfinite(w).all() for w in small.weights)
    alike = dataclasses.replace(checkpoint, weights=[*checkpoint.weights[:-1], torch.ones(10, 8)])
    with pytest.raises(ValueError, match="rows differ"):
        certify_trained(alike, data, None)


def test_the_gradient_of_the_loss_against_differences(reduced_digits):
    training = reduced_digits[3]
    slope = torch.autograd.grad(training.loss(slice(None)), [training.means, training.quiet])
    for parameter, gradient in zip((training.means, training.quiet), slope, strict=True):
        direction = gradient.sign() * parameter.detach().abs().mean() * 0.02
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter += sign * direction
                values.append(float(training.loss(slice(None))))
                parameter -= sign * direction
        assert values[0] - values[1] == pytest.approx(2 * float((gradient * direction).sum()), rel=0.03)


def test_training_makes_the_certificate_smaller_and_it_is_of_the_network_that_is_kept():
    train, test = digits()
    few = Split(train.images[:600], train.labels[:600])
    net = with_multiples(random_checkpoint(ARCHES["conv"]))
    many = Split(few.images.repeat(20, 1, 1, 1), few.labels.repeat(20))  # enough of them to pay for anything
    before, made = certify_coded(net, many, test), certify_trained(net, many, test, epochs=10)
    d2 = {one.theorem: one for one in made.certificates}["D2"]
    assert d2.trained
    assert d2.value(0.001) < 0.8 * min(one.value(0.001) for one in before.certificates)
    assert d2.train_error < before.certificates[0].train_error
    output = output_of(made.network, many)
    assert d2.mu * output.norm == pytest.approx(d2.size)
    own, _ = outputs(made.network, (many.images - 0.3) / 0.5)
    assert d2.train_error == float((own.argmax(dim=1) != many.labels).double().mean())
    for tensor, rounding in zip(hidden_tensors(made.network), d2.roundings, strict=True):
        assert np.array_equal(rounding.rounded(tensor), tensor)


def test_the_command_keeps_the_network_beside_its_certificates(tmp_path, capsys):
    spec = {"dataset": "digits", "epochs": 20, "weight_decay": 1e-4, "arch": {"kind": "mlp", "hidden": []}}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(tmp_path)]) == 0
    home = next(path.parent for path in tmp_path.glob("*/status.json"))
    for more in ([], ["--train"]):
        assert main(["certify", home.name, "--theorem", "d", "--runs", str(tmp_path), *more]) == 0
    run = open_run(home)
    assert run.trouble is None
    assert [(one.theorem, one.trained) for one in run.coded] == [
        ("D", False),
        ("D2", False),
        ("D", True),
        ("D2", True),
    ]
    assert run.coded[3].value(0.05) < run.coded[1].value(0.05)
    kept = load_checkpoint(trained_network_file(home, home.name), "digits", 10)
    seen = run_over(kept, output_of(kept, digits()[0]), digits()[0])
    assert seen.error == run.coded[3].train_error
    assert f"{run.coded[3].value(0.001):.4f}" in capsys.readouterr().out
    # both travel into a part of a pack, and so does the network that is made for its certificate
    assert pack(tmp_path / "pack", tmp_path, []) == 1
    (packed,) = read_pack(tmp_path / "pack")
    assert packed.coded == run.coded
    made = trained_network_file(tmp_path / "pack", home.name)
    assert made.read_bytes() == trained_network_file(home, home.name).read_bytes()
    away = made.rename(tmp_path / "away")
    trained_network_file(home, home.name).rename(made)
    with pytest.raises(RunError, match="--theorem d --train"):
        pack(tmp_path / "another", tmp_path, [])
    assert not (tmp_path / "another").exists()
    away.rename(trained_network_file(home, home.name))
    # what is in the wrong file is left out, and the rest stays
    stored = json.loads((home / TRAINED).read_text())
    plain = [{k: v for k, v in one.items() if k != "trained"} for one in stored[home.name]]
    (home / TRAINED).write_text(json.dumps({home.name: plain}))
    damaged = open_run(home)
    assert len(damaged.coded) == 2
    assert TRAINED in damaged.trouble
    assert CodedCertificate.from_dict(stored[home.name][0]).to_dict() == stored[home.name][0]


def test_a_shipped_network_trained_for_theorem_d2_is_promised_little_error(whole_pack):
    (spec,) = load_grid(PACK.parent / "grid_coded.toml")
    (run,) = (run for run in whole_pack if run.id == spec.id)
    assert (run.spec.train.loss, run.at_plateau, run.trained) == ("certificate_d", True, True)
    for trained in (False, True):
        (d2,) = (one for one in run.coded if one.theorem == "D2" and one.trained is trained)
        assert d2.value(0.001) < (0.115 if trained else 0.125)
        assert d2.test_error < 0.02
        if not trained:  # the stored network is on its grid: rounding moves nothing
            assert d2.test_error == pytest.approx(run.final["test_error"], abs=1e-4)
            assert d2.train_error == pytest.approx(run.final["train_error"], abs=1e-4)


def test_shipped_networks_made_for_their_certificate_are_what_it_says(whole_pack):
    """Levels, code and scale of each, from the file that is offered; every one is smaller than that of the network it was made of."""
    made_for_it = [run for run in whole_pack if any(one.trained for one in run.coded)]
    assert made_for_it
    for run in made_for_it:
        places = [trained_network_file(folder, run.id) for folder in part_folders(PACK)]
        kept = load_checkpoint(next(p for p in places if p.is_file()), run.spec.train.dataset, run.spec.arch.classes)
        weight, tensors, full = kept.weights[-1].double(), hidden_tensors(kept), widths(run.spec.arch)
        norm = float((weight - weight.mean(dim=0)).norm())
        for one in (one for one in run.coded if one.trained):
            if run.spec.arch.bias is False:
                assert one.mu * norm == pytest.approx(one.size)
            for tensor, rounding in zip(tensors, one.roundings, strict=True):
                assert np.array_equal(rounding.rounded(tensor), tensor)
            lengths = [code_length(r.levels(t), r.bits) for r, t in zip(one.roundings, tensors, strict=True)]
            header = narrowed_length(full) if widths(kept.arch) != full else 0
            assert one.bits == sum(lengths) + header + 16 * run.spec.arch.bias
        values = {trained: min(o.value(0.001) for o in run.coded if o.trained is trained) for trained in (True, False)}
        assert values[True] < values[False]
