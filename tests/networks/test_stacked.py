"""Networks computed together against each of them alone, in float64: outputs and the gradients of every parameter."""

import pytest
import torch

from boundlab.networks import build
from boundlab.networks.stacked import StackedNetworks
from boundlab.specs.arch import ArchSpec

ARCHS = {
    "conv": {},
    "bias": {"bias": True},
    "no weight norm": {"weight_norm": False},
    "padded, strided, dilated": {"kernel_size": 3, "padding": 2, "stride": 2, "dilation": 2},
    "max pooling": {"conv_layers": 2, "kernel_size": 3, "padding": 1, "pool": "max2"},
    "average pooling": {"conv_layers": 2, "kernel_size": 3, "padding": 1, "pool": "avg2"},
    "grouped": {"conv_layers": 2, "groups": [1, 3]},
    "several inputs": {"in_shape": [3, 8, 8]},
    "local": {"kind": "lc", "conv_layers": 2, "bias": True},
    "dense": {"kind": "mlp", "hidden": [7, 5], "bias": True},
    "linear": {"kind": "mlp", "hidden": []},
    "local and shared": {"local": [True, False], "conv_layers": 2, "bias": True},
    "leaky": {"negative_slope": 0.2, "conv_layers": 2, "pool": ["max2", ""]},
}


def networks(given, members):
    """float64 networks of different weights; the biases, which begin at 0, too."""
    arch = ArchSpec.from_dict({"in_shape": [1, 8, 8], "classes": 4, "channels": 3} | given)
    nets = []
    for seed in range(members):
        net = build.build(arch)
        build.initialise(net, arch, "torch", seed)
        nets.append(net.double())
    return arch, nets


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("given", ARCHS.values(), ids=ARCHS)
def test_outputs_and_gradients_are_those_of_each_network(given, members):
    arch, nets = networks(given, members)
    x = torch.rand(members, 6, *arch.in_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = [net(own) for net, own in zip(nets, x, strict=True)]
    pull = torch.rand(members, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    slopes = [
        torch.autograd.grad((out * p).sum(), list(net.parameters()))
        for net, out, p in zip(nets, expected, pull, strict=True)
    ]
    stack = StackedNetworks(nets, arch.shapes())
    parameters = {name: rows.clone().requires_grad_() for name, rows in stack.parameters.items()}
    side_by_side = x.transpose(0, 1).flatten(1, 2)  # (batch, members * channels, height, width)
    out = stack.outputs(side_by_side, stack.weights(parameters), stack.biases(parameters))
    torch.testing.assert_close(out, torch.stack(expected), rtol=1e-10, atol=1e-12)
    got = torch.autograd.grad((out * pull).sum(), list(parameters.values()))
    for place, own in enumerate(slopes):
        for rows, slope in zip(got, own, strict=True):
            torch.testing.assert_close(rows[place], slope, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("given", [ARCHS["conv"], ARCHS["no weight norm"], ARCHS["bias"]])
def test_each_network_sees_what_is_done_to_its_row(given):
    arch, nets = networks(given, 2)
    stack = StackedNetworks(nets, arch.shapes())
    for rows in stack.parameters.values():
        rows[1] *= 3
    for name, parameter in nets[1].named_parameters():
        assert torch.equal(parameter, stack.parameters[name][1])
    weights = stack.weights(stack.parameters)
    for place, net in enumerate(nets):
        for rows, own in zip(weights, build.weights(net), strict=True):
            torch.testing.assert_close(rows[place], own, rtol=1e-12, atol=0)


def test_a_member_that_is_not_finite_leaves_the_others_what_they_are():
    arch, nets = networks({}, 3)
    stack = StackedNetworks(nets, arch.shapes())
    x = torch.rand(6, 3, 8, 8, dtype=torch.float64)

    def outputs():
        return stack.outputs(x, stack.weights(stack.parameters), stack.biases(stack.parameters))

    before = outputs()
    for rows in stack.parameters.values():
        rows[1] = torch.nan
    after = outputs()
    assert torch.equal(after[[0, 2]], before[[0, 2]])
    assert after[1].isnan().all()
