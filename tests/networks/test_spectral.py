"""Spectral norms of layers as maps: from below and from above, against the dense SVD, and of many networks against each alone."""

import math

import numpy as np
import pytest
import torch

from boundlab.networks.many_maps import ManyMaps
from boundlab.networks.measure import norm_columns, norm_columns_of_many, references, references_of_many
from boundlab.networks.spectral import spectral_map, spectral_map_upper
from boundlab.specs.arch import ArchSpec

# what is written out, and what is searched (more than 64 inputs and outputs)
SMALL, LARGE = (2, 6, 5), (4, 11, 10)
KINDS = {
    "plain": {"kernel_size": 2},
    "one tap": {"kernel_size": 1},
    "padded": {"kernel_size": 3, "padding": 1},
    "padded to the full": {"kernel_size": 3, "padding": 2},
    "strided": {"kernel_size": 2, "stride": 3},
    "strided and padded": {"kernel_size": 3, "stride": 2, "padding": 2},
    "dilated": {"kernel_size": 2, "dilation": 2, "padding": 1},
    "strided and dilated": {"kernel_size": 3, "stride": 2, "dilation": 2, "padding": 3},
    "grouped": {"kernel_size": 3, "padding": 1, "groups": 2},
    "more filters than numbers in a patch": {"kernel_size": 1, "channels": 12},
    "without sharing": {"kind": "lc", "kernel_size": 2},
    "without sharing, strided and padded": {"kind": "lc", "kernel_size": 3, "stride": 2, "padding": 2},
    "dense": {"kind": "mlp", "hidden": (90,)},
}


def first_layer(name, in_shape):
    fields = {"channels": 6, "conv_layers": 1} if KINDS[name].get("kind") != "mlp" else {}
    return ArchSpec(in_shape=in_shape, **fields | KINDS[name]).shapes()[0]


def drawn(shape, seed=0, sharp=1.0):
    """`sharp`: weight of a second part, of rank one, as training leaves it."""
    rng = torch.Generator().manual_seed(seed)
    weight = torch.randn(shape.weight_shape, generator=rng, dtype=torch.float64)
    parts = [torch.randn(side, generator=rng, dtype=torch.float64) for side in shape.weight_shape]
    rank_one = parts[0]
    for part in parts[1:]:
        rank_one = rank_one[..., None] * part
    return weight + sharp * rank_one


def dense_norm(weight, shape):
    """By LAPACK, of the matrix that `torch.autograd` finds from the layer alone."""
    from boundlab.networks.layer_maps import apply_layer

    inputs = torch.zeros(1, shape.in_channels, *shape.in_size, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda x: apply_layer(x, weight, None, shape), inputs)
    return float(np.linalg.svd(jacobian.reshape(-1, inputs.numel()).numpy(), compute_uv=False)[0])


@pytest.mark.parametrize("in_shape", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("name", KINDS)
def test_from_below_and_from_above_against_the_dense_svd(name, in_shape):
    shape = first_layer(name, in_shape)
    for seed in range(3):
        weight = drawn(shape, seed, sharp=seed / 2)
        true, found, upper = dense_norm(weight, shape), spectral_map(weight, shape), spectral_map_upper(weight, shape)
        assert found == pytest.approx(true, rel=1e-6)
        assert found <= true * (1 + 1e-12) <= upper * (1 + 1e-11)
        if shape.kind == "dense":
            assert upper == pytest.approx(true, rel=1e-10)


def test_the_upper_bound_is_tight_on_a_wide_map():
    """A section of a Toeplitz matrix has nearly its symbol's largest value."""
    shape = ArchSpec(in_shape=(3, 28, 28), channels=3, conv_layers=1, kernel_size=2).shapes()[0]
    for seed in range(3):
        weight = drawn(shape, seed)
        assert 1 <= spectral_map_upper(weight, shape) / spectral_map(weight, shape) < 1.01


def test_fewer_frequencies_give_a_larger_upper_bound(monkeypatch):
    """Riesz's correction: never below what all frequencies give."""
    shape = ArchSpec(in_shape=(2, 30, 31), channels=2, conv_layers=1, kernel_size=3, padding=1).shapes()[0]
    for seed in range(5):
        weight = drawn(shape, seed)
        monkeypatch.undo()
        whole = spectral_map_upper(weight, shape)
        monkeypatch.setattr("boundlab.networks.symbols._WORK", 1)
        coarse = spectral_map_upper(weight, shape)
        assert whole <= coarse <= 1.2 * whole


@pytest.mark.parametrize("name", KINDS)
def test_a_map_and_its_transpose(name):
    shape = first_layer(name, LARGE)
    maps = ManyMaps(torch.stack([drawn(shape, seed) for seed in range(3)]), shape)
    rng = torch.Generator().manual_seed(9)
    x = torch.randn(2, 3, shape.in_channels * math.prod(shape.in_size), generator=rng, dtype=torch.float64)
    y = torch.randn(2, 3, shape.out_channels * shape.positions, generator=rng, dtype=torch.float64)
    torch.testing.assert_close((maps.forwards(x) * y).sum(-1), (x * maps.backwards(y)).sum(-1))


@pytest.mark.parametrize("exponent", [-200, -120, -40, 0, 40, 120, 200])
@pytest.mark.parametrize("name", ["padded", "without sharing", "dense"])
def test_tiny_and_huge_weights(name, exponent):
    for in_shape in (SMALL, LARGE):
        shape = first_layer(name, in_shape)
        weight = drawn(shape)
        scale = 2.0**exponent * 10.0 ** (exponent / 2)
        for norm in (spectral_map, spectral_map_upper):
            assert norm(weight * scale, shape) == pytest.approx(norm(weight, shape) * scale, rel=1e-10)


@pytest.mark.parametrize("name", KINDS)
def test_no_weights_have_no_norm(name):
    shape = first_layer(name, LARGE)
    nothing = torch.zeros(shape.weight_shape)
    assert spectral_map(nothing, shape) == spectral_map_upper(nothing, shape) == 0.0


def test_a_kernel_whose_values_all_coincide():
    """The identity: nothing is the top vector, everything is."""
    shape = ArchSpec(in_shape=(3, 9, 9), channels=3, conv_layers=1, kernel_size=3, padding=1).shapes()[0]
    weight = torch.zeros(shape.weight_shape)
    weight[range(3), range(3), 1, 1] = 2.0
    assert spectral_map(weight, shape) == pytest.approx(2.0, rel=1e-12)
    assert spectral_map_upper(weight, shape) == pytest.approx(2.0, rel=1e-8)


def test_two_kernels_in_one_whose_frequencies_compete():
    """Filter 0 lets the mean through, filter 1 a checkerboard, almost as well."""
    shape = ArchSpec(in_shape=(2, 14, 14), channels=2, conv_layers=1, kernel_size=2).shapes()[0]
    weight = torch.zeros(shape.weight_shape, dtype=torch.float64)
    weight[0, 0] = 1.0
    for share in (0.999, 1.001):
        weight[1, 1] = share * torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
        assert spectral_map(weight, shape) == pytest.approx(dense_norm(weight, shape), rel=1e-6)


ARCHES = {
    "digits": ArchSpec(in_shape=(1, 8, 8), channels=8, bias=True),
    "grouped, pooled": ArchSpec(in_shape=(2, 12, 12), channels=4, conv_layers=2, groups=2, pool="max2", kernel_size=3),
    "without sharing": ArchSpec(kind="lc", in_shape=(2, 9, 9), channels=3, conv_layers=2, bias=True, pool="avg2"),
    "dense": ArchSpec(kind="mlp", in_shape=(1, 9, 9), hidden=(70, 5)),
}


def members_of(arch, count):
    weights = [
        torch.stack([drawn(s, 100 * i + j, 0.3 * j).float() for j in range(count)]) for i, s in enumerate(arch.shapes())
    ]
    biases = [
        torch.stack([torch.randn(s.bias_shape, generator=torch.Generator().manual_seed(j)) for j in range(count)])
        if s.bias
        else None
        for s in arch.shapes()
    ]
    init = references_of_many([w.flip(0) / 2 for w in weights], arch.shapes())
    return weights, biases, init


def close(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        if value is None:
            assert other[name] is None, name
        else:
            assert other[name] == pytest.approx(value, rel=2e-7 if "spectral_map" in name else 1e-12), name


@pytest.mark.parametrize("name", ARCHES)
def test_many_networks_measured_together_are_each_measured_alone(name):
    arch = ARCHES[name]
    weights, biases, init = members_of(arch, 5)
    init[2] = None  # its start is not known
    together = norm_columns_of_many(weights, biases, init, arch.shapes())
    for i, found in enumerate(together):
        own = [None if b is None else b[i] for b in biases]
        close(norm_columns([w[i] for w in weights], own, init[i], arch.shapes()), found)
    alone = references([w[1] / 2 for w in weights], arch.shapes())
    for one, other in zip(alone, init[3], strict=True):
        assert one.spectral_map == pytest.approx(other.spectral_map, rel=2e-7)
        assert torch.equal(one.weight, other.weight)


@pytest.mark.parametrize("name", ARCHES)
@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_a_member_that_is_not_finite_disturbs_nobody(name, broken):
    arch = ARCHES[name]
    weights, biases, init = members_of(arch, 3)
    before = norm_columns_of_many(weights, biases, init, arch.shapes())
    for weight in weights:
        weight[1].view(-1)[0] = broken
    after = norm_columns_of_many(weights, biases, init, arch.shapes())
    for i in (0, 2):
        close(before[i], after[i])
    for column in (
        "path_l1",
        "layers.0.frobenius",
        "layers.0.spectral_map",
        "layers.1.spectral_kernel",
        "layers.1.spectral_map_from_init",
    ):
        assert not np.isfinite(after[1][column]), column
