"""Loss "certificate_d": against Theorem D2's own numbers, its rounding, and what it trains."""

import json
import math

import numpy as np
import pytest
import torch

from boundlab.bounds.coded import best
from boundlab.bounds.theorem_d import Pair, error_limit, loss, mean_profile
from boundlab.cli.main import main
from boundlab.evaluation.coded_network import hidden_tensors
from boundlab.networks.checkpoint import load_checkpoint
from boundlab.networks.stacked import StackedNetworks
from boundlab.quantities.weight_code import Rounding, best_rounding, code_length
from boundlab.runs.folder import open_run
from boundlab.specs.arch import ArchSpec
from boundlab.specs.run import RunSpec
from boundlab.training.loop import Training
from boundlab.training.noise_loss import CodedObjective, NoiseLoss, integral, on_grid
from tests.evaluation.test_theorem_d import digits

SMALL = {"dataset": "digits", "preset": "coded", "epochs": 3, "arch": {"channels": 3, "conv_layers": 1, "pool": "max2"}}


def states_equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def objective(n, members=2, features=(3, 5, 5)):
    """An objective at its end, and float64 features, outputs, labels and weights of `members` networks."""
    arch = ArchSpec(in_shape=(1, 11, 11), channels=3, conv_layers=1, pool="max2", weight_norm=False)
    shapes, random = arch.shapes(), torch.Generator().manual_seed(4)
    assert shapes[-1].in_channels == math.prod(features)
    maps = torch.rand(40, members * features[0], *features[1:], generator=random, dtype=torch.float64)
    weights = [torch.randn(members, *s.weight_shape, generator=random, dtype=torch.float64) for s in shapes]
    z = maps.view(40, members, -1).transpose(0, 1)
    made = CodedObjective(shapes, [n] * members, maps)
    made.at(1.0)
    made.see(len(shapes) - 1, maps)
    labels = torch.randint(10, (members, 40), generator=random)
    return made, z, z @ weights[-1].mT, labels, weights, shapes


def test_its_value_is_the_theorems():
    """The same loss, divergence and code by the theorem's own functions and dense matrices."""
    n, pair = 60_000, Pair(1.5, 2)
    made, z, out, labels, weights, shapes = objective(n)
    values = made(out, labels, weights)
    for k, value in enumerate(values.tolist()):
        unit = z[k] / z[k].norm(dim=1, keepdim=True)
        sigma = torch.linalg.inv(torch.eye(75, dtype=torch.float64) + 1e4 * unit.T @ unit / 40).numpy()
        spread = np.trace(sigma) - 75 - np.linalg.slogdet(sigma)[1]
        size = 10 * float((weights[-1][k] - weights[-1][k].mean(dim=0)).norm())
        s = np.sqrt(np.einsum("ni,ij,nj->n", z[k].numpy(), sigma, z[k].numpy()))
        own = out[k].gather(1, labels[k][:, None])
        ahead = np.array(
            [[(own[i, 0] - out[k][i, c]).item() for c in range(10) if c != labels[k][i]] for i in range(40)]
        )
        exact = loss(mean_profile(10 * ahead / s[:, None]), pair, 10)
        kl = size**2 / 2 + (9 + 2) * spread / 2
        bits = sum(20 + 3 * shape.weights for shape in shapes[:-1])
        assert value == pytest.approx(error_limit(exact, kl, bits, n, 0.001, pair), rel=1e-4)


def test_the_gradient_of_the_limit_against_differences():
    """In the outputs, with everything that the noise's shape follows held."""
    made, _, out, labels, weights, _ = objective(60_000, members=1)
    out = 0.2 * out
    (slope,) = torch.autograd.grad(made(out.requires_grad_(), labels, weights).sum(), out)
    way = torch.randn(out.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    high, low = (float(made(out + e * way, labels, weights).detach()) for e in (1e-3, -1e-3))
    assert (high - low) / 2e-3 == pytest.approx(float((slope * way).sum()), rel=1e-3)


def test_with_fewer_images_than_features_it_is_the_same():
    """By the small matrix of scalar products, or by the large one."""
    made, z, out, labels, weights, _ = objective(1000)
    both = []
    for more in (0, 200):
        padded = torch.nn.functional.pad(z, (0, more))
        made.see(1, padded)
        both.append(made(out, labels, weights))
    torch.testing.assert_close(*both, rtol=1e-4, atol=1e-4)


def test_before_the_theorem_it_is_cross_entropy_of_the_scores():
    made, _, out, labels, weights, _ = objective(1000)
    made.at(0.1)
    values = made(out, labels, weights)
    assert torch.isfinite(values).all()
    made.at(0.25)
    mixed = made(out, labels, weights)
    made.at(1.0)
    torch.testing.assert_close(mixed, (values + made(out, labels, weights)) / 2)


def test_the_gradient_of_the_loss_against_differences():
    a = torch.randn(5, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    places = integral(Pair(1.5, 2), 10, 9)
    assert torch.autograd.gradcheck(lambda x: NoiseLoss.apply(x, *places), (a,), atol=1e-6)


def test_weights_on_their_grid_are_found_there_by_the_certificates_rounding():
    weights = torch.randn(2, 6, 1, 5, 5, generator=torch.Generator().manual_seed(1))
    found = on_grid(weights)
    for one in found.double().numpy():
        rounding = best_rounding(one, 3)
        assert np.array_equal(rounding.rounded(one), one)
        assert code_length(rounding.levels(one), 3) <= 20 + 3 * one.size
    torch.testing.assert_close(on_grid(7 * weights).sign(), found.sign())
    assert torch.equal(on_grid(weights[1:])[0], found[1])
    assert not on_grid(torch.zeros(1, 3, 2, 2)).any()


def test_a_grid_without_its_outermost_level_is_found_too():
    levels = np.array([3.0, -2, 1, 0, 0, 1, -3])
    assert best_rounding(levels * 0.25, 3) in (Rounding(3, 0.25), Rounding(3, -0.25))


@pytest.mark.parametrize("weight_norm", [True, False])
def test_it_is_measured_and_kept_with_rounded_weights_and_goes_on_from_its_own(weight_norm):
    spec = RunSpec.from_dict(SMALL | {"arch": SMALL["arch"] | {"weight_norm": weight_norm}})
    train, test = digits()
    training = Training([spec], [(train, test)])
    list(training.epoch())
    before = training.state(0)
    with training.steps.kept_weights():
        during = [w.clone() for w in training.networks.weights(training.networks.parameters)]
        assert states_equal(training.state(0), before)
    after = training.networks.weights(training.networks.parameters)
    torch.testing.assert_close(during[0], on_grid(after[0]))
    torch.testing.assert_close(during[1], after[1])
    assert not torch.equal(during[0], after[0])
    assert states_equal(training.state(0), before)


def test_a_layers_effective_weights_can_be_put():
    spec = RunSpec.from_dict(SMALL)
    training = Training([spec, spec], [digits()] * 2)
    networks: StackedNetworks = training.networks
    wanted = [torch.randn_like(w) for w in networks.weights(networks.parameters)]
    for place, weight in enumerate(wanted):
        networks.put(place, weight)
    for one, other in zip(networks.weights(networks.parameters), wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_training_lowers_the_certificate_and_the_stored_network_is_on_its_grid(tmp_path):
    """By the commands that a reader would use; the grid is found again, so that rounding moves nothing."""
    values = []
    for epochs in (1, 60):
        spec, runs = SMALL | {"epochs": epochs, "batch_size": 100}, tmp_path / str(epochs)
        (tmp_path / "spec.json").write_text(json.dumps(spec))
        assert main(["train", str(tmp_path / "spec.json"), "--quiet", "--out", str(runs)]) == 0
        home = next(path.parent for path in runs.glob("*/status.json"))
        assert main(["certify", home.name, "--theorem", "d", "--runs", str(runs)]) == 0
        (tensor,) = hidden_tensors(load_checkpoint(home / "network.safetensors", "digits", 10))
        assert np.array_equal(best_rounding(tensor, 3).rounded(tensor), tensor)
        run = open_run(home)
        assert run.trouble is None
        found = best(run.coded, 0.001)
        values.append(found.value(0.001))
        if found.roundings[0].bits >= 3:
            assert found.train_error == pytest.approx(run.final["train_error"])
    assert values[1] < 0.9 * values[0]
    assert values[1] < 0.95
