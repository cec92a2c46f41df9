"""Counterparts of a network, against every network there is in reach."""

import itertools

import pytest

from boundlab.specs.arch import ArchSpec
from boundlab.specs.counterparts import CLOSE, locally_connected, mlp, split_dataset, tree

ARCHS = {
    "digits": {"in_shape": [1, 8, 8], "channels": 6},
    "deep": {"in_shape": [1, 14, 14], "channels": 4, "conv_layers": 5, "bias": True},
    "lists": {"in_shape": [3, 12, 12], "channels": [6, 12, 3], "kernel_size": [3, 2, 2], "padding": [1, 0, 1]},
    "pooled": {"in_shape": [2, 12, 12], "channels": [8, 4], "kernel_size": 3, "pool": ["max2", ""], "head": "gap"},
    "dense": {
        "in_shape": [1, 8, 8],
        "channels": 5,
        "conv_layers": 2,
        "hidden": [7, 6],
        "dilation": 2,
        "weight_norm": False,
        "stride": 2,
    },
    "one": {"in_shape": [1, 6, 6], "channels": 1, "conv_layers": 1, "classes": 2},
}
MATCHED = {"locally connected": lambda arch: locally_connected(arch, matched=True), "tree": tree}


def arch(name: str) -> ArchSpec:
    return ArchSpec.from_dict(ARCHS[name])


@pytest.mark.parametrize("name", ARCHS)
def test_without_sharing_the_neurons_are_the_same(name):
    shared, free = arch(name), locally_connected(arch(name))
    assert free.kind == "lc"
    assert shared.to_dict() | {"kind": "lc"} == free.to_dict()
    for a, b in zip(shared.shapes(), free.shapes(), strict=True):
        assert (a.out_channels, a.out_size, a.fan_in, a.passed_size) == (b.out_channels, b.out_size, b.fan_in, b.passed_size)  # fmt: skip
    assert locally_connected(free) == free


@pytest.mark.parametrize("name", ARCHS)
@pytest.mark.parametrize("which", MATCHED)
def test_parameters_are_as_near_as_channels_allow(name, which):
    given = arch(name)
    found = MATCHED[which](given)
    shares = given.per_layer("channels")[: found.conv_layers]

    def away(channels: tuple[int, ...]) -> int:
        fields = found.to_dict() | {"channels": list(channels)}
        return abs(ArchSpec.from_dict(fields).parameters - given.parameters)

    own = abs(found.parameters - given.parameters)
    best = min(away(split_dataset(total, shares)) for total in range(1, 600))
    equal = min(away((width,) * len(shares)) for width in range(1, 200)) if len(set(shares)) == 1 else None
    assert own == (equal if equal is not None and equal <= CLOSE * given.parameters else best)


@pytest.mark.parametrize("name", ARCHS)
def test_an_mlp_of_as_many_layers_and_parameters(name):
    given = arch(name)
    found = mlp(given)
    assert (found.kind, len(found.hidden), len(set(found.hidden))) == ("mlp", len(given.shapes()) - 1, 1)
    kept = ("in_shape", "classes", "bias", "weight_norm", "normalize")
    assert [getattr(found, field) for field in kept] == [getattr(given, field) for field in kept]
    away = [
        abs(ArchSpec.from_dict(found.to_dict() | {"hidden": [width] * len(found.hidden)}).parameters - given.parameters)
        for width in range(1, 300)
    ]
    assert abs(found.parameters - given.parameters) == min(away)


@pytest.mark.parametrize("name", ARCHS)
def test_the_patches_of_a_tree_do_not_overlap(name):
    given, found = arch(name), tree(arch(name))
    side = 12 if name in ("lists", "pooled") else given.in_shape[1]
    for shape in found.shapes():
        if shape.spatial:
            assert (shape.stride, shape.padding, shape.dilation, shape.groups) == (shape.kernel, 0, 1, 1)
            side //= shape.kernel
            assert shape.out_size == (side, side)
    kernels = given.per_layer("kernel_size")
    assert found.conv_layers == given.conv_layers or side < kernels[found.conv_layers]
    assert (found.head, found.hidden, found.classes) == (given.head, given.hidden, given.classes)


def test_split():
    assert [split_dataset(total, (16, 16, 16)) for total in (3, 10, 11, 12)] == [
        (1, 1, 1),
        (4, 3, 3),
        (4, 4, 3),
        (4, 4, 4),
    ]
    assert split_dataset(6, (1, 2, 3)) == (1, 2, 3)
    for shares in ((5, 5), (1, 7, 3), (16,)):
        rows = [split_dataset(total, shares) for total in range(1, 60)]
        for one, other in itertools.pairwise(rows):
            assert all(a <= b for a, b in zip(one, other, strict=True))
            assert sum(other) <= sum(one) + len(shares)


def test_the_paper_networks_counterparts():
    conv = ArchSpec()  # CONV-3-16 on MNIST
    assert locally_connected(conv, matched=True).title == "LC-3-4,4,3"
    assert tree(conv).title == "CONV-3-107 stride 2"
    assert mlp(conv).title == "MLP-102-102-102"


def test_what_has_no_counterpart_says_so():
    dense = ArchSpec(kind="mlp", hidden=(5,))
    for make in (locally_connected, tree):
        with pytest.raises(ValueError, match="an mlp has no convolutions"):
            make(dense)
    with pytest.raises(ValueError, match="with groups has no locally connected counterpart"):
        locally_connected(ArchSpec(channels=4, groups=(1, 2, 2)))
    with pytest.raises(ValueError, match="the first kernel, 5, does not fit"):
        tree(ArchSpec(in_shape=(1, 4, 4), kernel_size=5, padding=2))
    assert mlp(dense).hidden == (5,)
    assert mlp(ArchSpec(kind="mlp", hidden=())).hidden == ()
