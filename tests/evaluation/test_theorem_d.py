"""Theorem D of networks: features and what they may be off by, shapes of noise, certificates and the command."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from boundlab.bounds.coded import CodedCertificate
from boundlab.bounds.theorem_d import divergence, error_limit, loss, mean_profile
from boundlab.cli.main import main
from boundlab.data.splits import Split, apply_task
from boundlab.evaluation.codable import hidden_net, hidden_tensors, pixels_fed
from boundlab.evaluation.coded_network import output_of, rounded_network, run_over
from boundlab.evaluation.noise_scale import ScaleSearch, scores
from boundlab.evaluation.noise_shape import NoiseShape, principal, shaped
from boundlab.evaluation.theorem_d import certify_coded
from boundlab.networks import build
from boundlab.networks.checkpoint import Checkpoint, load_checkpoint
from boundlab.quantities.weight_code import Rounding, best_rounding, read_back, written
from boundlab.runs.coded import CODED
from boundlab.runs.folder import open_run
from boundlab.specs.arch import ArchSpec
from boundlab.specs.run import RunSpec

ARCHES = {
    "conv": ArchSpec(in_shape=(1, 8, 8), channels=4, conv_layers=2, normalize=(0.3, 0.5)),
    "biases": ArchSpec(in_shape=(1, 8, 8), channels=4, conv_layers=2, kernel_size=3, bias=True, pool=("max2", "")),
    "linear": ArchSpec(kind="mlp", in_shape=(1, 8, 8), hidden=()),
    "linear with bias": ArchSpec(kind="mlp", in_shape=(1, 8, 8), hidden=(), bias=True),
    "local": ArchSpec(kind="lc", in_shape=(1, 8, 8), channels=2, conv_layers=1, stride=2),
}


def random_checkpoint(arch, seed=0):
    net = build.build(dataclasses.replace(arch, weight_norm=False))
    build.initialise(net, dataclasses.replace(arch, weight_norm=False), "torch", seed)
    biases = [None if b is None else b + 0.1 for b in build.biases(net)]
    return Checkpoint(dataclasses.replace(arch, weight_norm=False), build.weights(net), biases, None)


def digits():
    return apply_task(RunSpec.from_dict({"dataset": "digits"}).train)


@pytest.mark.parametrize("name", ARCHES)
def test_a_pass_over_the_data_against_the_network_itself(name):
    """Differences of outputs, lengths and projections, against torch's own float64 forward pass; and in float32, within what
    is said to be the most that rounding can do."""
    checkpoint, data = random_checkpoint(ARCHES[name]), Split(*(part[:60] for part in vars(digits()[0]).values()))
    output = output_of(checkpoint, data)
    directions = torch.linalg.qr(torch.randn(output.weight.shape[1], 5, dtype=torch.float64)).Q
    seen = run_over(checkpoint, output, data, directions)
    net = build.from_weights(checkpoint.arch, checkpoint.weights, checkpoint.biases).double()
    mean, deviation = checkpoint.arch.normalize or (0.0, 1.0)
    inputs = (data.images.double() - mean) / deviation
    with torch.no_grad():
        outputs, z = net(inputs), net[:-1](inputs)
    if output.constant is not None:
        z = torch.nn.functional.pad(z, (0, 1), value=output.constant)
    own = outputs.gather(1, data.labels[:, None])
    ahead = (own - outputs)[torch.arange(10) != data.labels[:, None]].reshape(60, 9)
    np.testing.assert_allclose(seen.ahead, ahead, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(seen.squares, z.square().sum(dim=1), rtol=1e-12)
    np.testing.assert_allclose(seen.projections, z @ directions, rtol=1e-9, atol=1e-12)
    assert seen.error == (outputs.argmax(dim=1) != data.labels).double().mean()
    rough = run_over(checkpoint, output, data, directions, torch.float32)
    moved = np.abs(rough.ahead - seen.ahead).max()
    assert 0 < moved <= rough.ahead_off
    assert seen.ahead_off < 1e-8 * rough.ahead_off * 10
    assert rough.ahead_off < 0.01 * np.abs(seen.ahead).max()


def test_blocks_of_images_give_what_all_at_once_gives():
    checkpoint, data = random_checkpoint(ARCHES["biases"]), Split(*(part[:250] for part in vars(digits()[0]).values()))
    output = output_of(checkpoint, data)
    directions = torch.linalg.qr(torch.randn(output.weight.shape[1], 5, dtype=torch.float64)).Q
    seen = run_over(checkpoint, output, data, directions)
    with torch.no_grad():
        z = output.features(hidden_net(checkpoint), pixels_fed(checkpoint, data.images, torch.float64))
    outputs = (z @ output.weight.T).numpy()
    own = outputs[np.arange(250), data.labels]
    ahead = (own[:, None] - outputs)[np.arange(10) != data.labels.numpy()[:, None]].reshape(250, 9)
    np.testing.assert_allclose(seen.ahead, ahead, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(seen.squares, z.square().sum(dim=1), rtol=1e-12)
    np.testing.assert_allclose(seen.projections, z @ directions, rtol=1e-12, atol=1e-12)


_PASS = """
import resource, torch
from boundlab.data.splits import Split
from boundlab.evaluation.coded_network import output_of, run_over
from tests.evaluation.test_theorem_d import WIDE, random_checkpoint
torch.set_num_threads(1)
checkpoint = random_checkpoint(WIDE)
data = Split(torch.rand(3000, 1, 16, 16), torch.zeros(3000, dtype=torch.int64))
output = output_of(checkpoint, data)
directions = torch.randn(output.weight.shape[1], 50, dtype=torch.float64)
run_over(checkpoint, output, Split(data.images[:300], data.labels[:300]), directions)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run_over(checkpoint, output, data, directions)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
WIDE = ArchSpec(in_shape=(1, 16, 16), channels=96, conv_layers=1, kernel_size=1)


def test_a_pass_over_many_images_needs_the_memory_of_one_block():
    """What is kept of every image must not lie in between what is used again: that kept 300 KB per image. In KiB."""
    found = subprocess.run([sys.executable, "-c", _PASS], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 60_000


def test_rough_limits_are_those_of_the_search():
    """In float32, against the limit that counts, and one pair after the other."""
    a = np.random.default_rng(0).normal(1.0, 1.0, (500, 9))
    for spread in (None, 30.0):
        search = ScaleSearch((a, np.zeros(500)), 2.0, 100, 500, spread)
        for size in (1.0, 5.0, 20.0):
            rough, exact = search.about(size), search.at(size)
            assert rough.pair == exact.pair
            assert rough.limit == pytest.approx(exact.limit, rel=1e-4)
            assert exact.limit == error_limit(exact.loss, exact.divergence, 100, 500, 0.001, exact.pair)


@pytest.mark.parametrize("name", ["conv", "biases", "local"])
def test_the_certified_network_is_what_the_code_says(name):
    checkpoint = random_checkpoint(ARCHES[name])
    tensors = hidden_tensors(checkpoint)
    roundings = [best_rounding(t, 3) for t in tensors]
    made = rounded_network(checkpoint, roundings)
    back = read_back(written(tensors, roundings), [t.shape for t in tensors])
    for one, other in zip(hidden_tensors(made), back, strict=True):
        assert np.array_equal(one, other)
    assert torch.equal(made.weights[-1], checkpoint.weights[-1])
    assert len(tensors) == (len(checkpoint.weights) - 1) * (2 if ARCHES[name].bias else 1)


def test_scaling_a_layer_by_a_power_of_two_changes_nothing():
    """Without biases; the output layer's scale is mu's business, a hidden layer's is that of the features."""
    checkpoint, data = random_checkpoint(ARCHES["conv"]), Split(*(part[:300] for part in vars(digits()[0]).values()))
    weights = [checkpoint.weights[0] * 8, checkpoint.weights[1] / 4, checkpoint.weights[2] * 1024]
    found = [
        certify_coded(c, data, None).certificates
        for c in (checkpoint, dataclasses.replace(checkpoint, weights=weights))
    ]
    for one, other in zip(*found, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=1e-9)
        assert (other.bits, other.pull, other.theta, other.rows) == (one.bits, one.pull, one.theta, one.rows)


def test_shaped_noise_against_the_whole_covariance():
    checkpoint, data = random_checkpoint(ARCHES["conv"]), Split(*(part[:200] for part in vars(digits()[0]).values()))
    output = output_of(checkpoint, data)
    directions, shares = principal(checkpoint, output, data, 20)
    net = build.from_weights(checkpoint.arch, checkpoint.weights, checkpoint.biases)[:-1].double()
    with torch.no_grad():
        z = net((data.images.double() - 0.3) / 0.5)
    unit = z / z.norm(dim=1, keepdim=True)
    values = torch.linalg.eigvalsh(unit.T @ unit / 200).flip(0)[:20]
    np.testing.assert_allclose(shares, values, rtol=1e-3, atol=1e-6)
    shape = shaped(directions, shares, 300.0)
    d, v = z.shape[1], directions.double().numpy()
    sigma = np.eye(d) - v @ np.diag(shape.less) @ v.T
    exact = np.trace(sigma) - d - np.linalg.slogdet(sigma)[1]
    assert exact <= shape.spread <= exact + 1e-4
    a, off = scores(run_over(checkpoint, output, data, directions), shape.less)
    slow = np.sqrt(np.einsum("ij,jk,ik->i", z.numpy(), sigma, z.numpy()))
    np.testing.assert_allclose(run_over(checkpoint, output, data).ahead / slow[:, None], a, rtol=1e-8)
    assert 0 < off.max() < 1e-8
    with pytest.raises(ValueError, match="positive definite"):
        _ = NoiseShape(directions, np.array([2.0, *shape.less[1:]])).spread


def test_features_that_may_be_zero_count_as_lost():
    checkpoint, data = random_checkpoint(ARCHES["conv"]), Split(*(part[:10] for part in vars(digits()[0]).values()))
    dead = dataclasses.replace(checkpoint, weights=[-w.abs() for w in checkpoint.weights[:1]] + checkpoint.weights[1:])
    output = output_of(dead, data)
    images = data.images.clamp_min(0.31)  # above the mean that is subtracted
    a, _ = scores(run_over(dead, output, Split(images, data.labels)), None)
    assert np.all(a == -np.inf)
    assert ScaleSearch((a, np.zeros(10)), output.norm, 0, 10, None).at(1.0).loss == 1.0


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A linear network of the digits, as a run folder."""
    out = tmp_path_factory.mktemp("runs")
    spec = {"dataset": "digits", "epochs": 60, "weight_decay": 1e-4, "arch": {"kind": "mlp", "hidden": []}}
    (out / "spec.json").write_text(json.dumps(spec))
    assert main(["train", str(out / "spec.json"), "--out", str(out)]) == 0
    return next(path.parent for path in out.glob("*/status.json"))


def test_the_command_stores_certificates_that_follow_from_the_network(trained, capsys):
    assert main(["certify", trained.name, "--theorem", "d", "--runs", str(trained.parent)]) == 0
    said = capsys.readouterr().out
    run = open_run(trained)
    assert run.trouble is None
    assert [one.theorem for one in run.coded] == ["D", "D2"]
    for one in run.coded:
        assert f"Theorem {one.theorem} {one.value(0.001):.4f}" in said
        assert CodedCertificate.from_dict(json.loads(json.dumps(one.to_dict()))) == one
        assert 0.02 < one.value(0.05) <= one.value(0.001) <= 1
        assert one.test_error <= one.value(0.001)
        assert one.divergence == divergence(one.size, 10, one.rows, one.spread)
    plain = run.coded[0]
    assert plain.bits == 0
    assert plain.train_error == pytest.approx(float(run.final["train_error"]), abs=1e-9)
    # its loss by hand, from the weights alone
    data, checkpoint = digits()[0], load_checkpoint(trained / "network.safetensors", "digits", 10)
    x, w = data.images.flatten(1).double().numpy(), checkpoint.weights[0].double().numpy()
    mean, deviation = checkpoint.arch.normalize or (0.0, 1.0)
    x = (x - mean) / deviation
    outputs = x @ (w - w.mean(axis=0)).T
    labels = data.labels.numpy()
    ahead = (outputs[np.arange(len(x)), labels][:, None] - outputs)[np.arange(10) != labels[:, None]].reshape(-1, 9)
    profile = mean_profile(plain.mu * ahead / np.linalg.norm(x, axis=1)[:, None])
    pair = next(
        p for p in __import__("boundlab.bounds.theorem_d", fromlist=["PAIRS"]).PAIRS if p == (plain.theta, None)
    )
    assert plain.loss == pytest.approx(loss(profile, pair, 10), abs=1e-7)


def test_a_damaged_certificate_is_left_out_alone(trained):
    assert main(["certify", trained.name, "--theorem", "d", "--runs", str(trained.parent)]) == 0
    path = trained / CODED
    good = json.loads(path.read_text())
    try:
        for change in (
            {"loss": 2.0},
            {"n": 5},
            {"size": 1e-3},
            {"bits": 10**9},
            {"theta": 0.7},
            {"theorem": "D2"},
            {"roundings": 3},
        ):
            entries = [good[trained.name][0] | change, good[trained.name][1]]
            path.write_text(json.dumps({trained.name: entries}))
            run = open_run(trained)
            assert [one.theorem for one in run.coded] == ["D2"], change
            assert str(path) in run.trouble
        path.write_text("[]")
        assert open_run(trained).coded == ()
    finally:
        path.write_text(json.dumps(good))


def test_roundings_are_in_the_order_of_the_tensors():
    """A certificate's roundings make the certified network again."""
    checkpoint, data = random_checkpoint(ARCHES["biases"]), Split(*(part[:200] for part in vars(digits()[0]).values()))
    made = certify_coded(checkpoint, data, None)
    again = rounded_network(checkpoint, [Rounding(*r) for r in made.certificates[0].to_dict()["roundings"]])
    for one, other in zip(hidden_tensors(again), hidden_tensors(made.network), strict=True):
        assert np.array_equal(one, other)
    assert made.certificates[0].constant is not None
    assert made.certificates[0].test_error is None


def test_directions_are_found_where_the_usual_method_gives_up(monkeypatch):
    """It did for a network of MNIST without weight sharing, most of whose features were dead."""
    checkpoint, data = random_checkpoint(ARCHES["conv"]), Split(*(part[:60] for part in vars(digits()[0]).values()))
    output = output_of(checkpoint, data)
    usual, shares = principal(checkpoint, output, data, 5)

    def fails(_):
        raise torch.linalg.LinAlgError("failed to converge")

    monkeypatch.setattr(torch.linalg, "eigh", fails)
    other, same = principal(checkpoint, output, data, 5)
    assert same == pytest.approx(shares, rel=1e-9)
    assert (usual.T @ other).abs().diagonal().numpy() == pytest.approx(np.ones(5), rel=1e-6)
