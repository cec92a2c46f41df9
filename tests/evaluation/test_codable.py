"""Theorem D of a graph of layers: the same as of the chain that it is, and rounding never does more than is charged for it."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from boundlab.data.splits import Split
from boundlab.evaluation.codable import absolute_net, hidden_net, hidden_tensors, output_layer, with_hidden
from boundlab.evaluation.coded_network import output_of, run_over
from boundlab.evaluation.theorem_d import certify_coded
from boundlab.networks.branched import branched
from boundlab.networks.export import checkpoint_of
from tests.networks.test_graph import SHAPE, Inception, Odd, Preactivated, ResNet
from tests.networks.test_tracing import trained


def sample(classes: int, n: int = 400) -> Split:
    """Classes that differ by where the image is bright."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(0, classes, (n,), generator=rng)
    images = 0.4 * torch.rand(n, *SHAPE, generator=rng)
    for i, label in enumerate(labels.tolist()):
        images[i, 0, label % 8, :] += 0.6
    return Split(images, labels)


def made(model):
    torch.manual_seed(1)
    return branched(trained(model()), SHAPE)


def test_a_chain_read_as_a_graph_has_the_chains_certificate():
    data = sample(4)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 4))
    optimiser = torch.optim.SGD(net.parameters(), 0.5)
    for _ in range(150):
        optimiser.zero_grad()
        F.cross_entropy(net(data.images), data.labels).backward()
        optimiser.step()
    chain = certify_coded(checkpoint_of(net, SHAPE), data, data).certificates
    graph = certify_coded(branched(net, SHAPE), data, data).certificates
    for one, other in zip(chain, graph, strict=True):
        assert one.value(0.001) == pytest.approx(other.value(0.001), rel=1e-5)
        assert (one.bits, one.train_error, one.test_error) == (other.bits, other.train_error, other.test_error)
    assert chain[1].value(0.001) < 1


@pytest.mark.parametrize("model", [ResNet, Inception])
def test_float32_is_off_by_no_more_than_is_charged(model):
    network = made(model)
    data = sample(network.inputs.classes, 100)
    output = output_of(network, data)
    directions = torch.zeros(output.weight.shape[1], 0)
    exact = run_over(network, output, data, directions)
    rough = run_over(network, output, data, directions, torch.float32)
    assert 0 < abs(exact.ahead - rough.ahead).max() <= rough.ahead_off < 1
    assert abs(exact.squares**0.5 - rough.squares**0.5).max() <= rough.features_off
    assert exact.ahead_off < rough.ahead_off / 1e6


@pytest.mark.parametrize("model", [ResNet, Inception])
def test_the_network_of_absolute_weights_is_never_below(model):
    network = made(model)
    x = torch.randn(20, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert (absolute_net(network)(x.abs()) >= hidden_net(network)(x).abs() - 1e-12).all()


def test_hidden_weights_are_replaced_and_the_output_layer_stays():
    network = made(ResNet)
    halved = with_hidden(network, [tensor / 2 for tensor in hidden_tensors(network)])
    for one, other in zip(hidden_tensors(network), hidden_tensors(halved), strict=True):
        assert other == pytest.approx(one / 2, rel=1e-6)
    assert torch.equal(output_layer(network)[0], output_layer(halved)[0])


def test_a_network_without_a_last_dense_layer_is_refused():
    with pytest.raises(ValueError, match="ends with a dense layer"):
        certify_coded(made(Preactivated), sample(5), None)


def test_a_leaky_rectifier_that_enlarges_is_refused():
    network = branched(Odd(lambda s, x: s.dense(F.leaky_relu(x, 3.0).flatten(1))), SHAPE)
    with pytest.raises(ValueError, match="slope of a LeakyReLU"):
        certify_coded(network, sample(10), None)
