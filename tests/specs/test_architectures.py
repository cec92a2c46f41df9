"""Locally connected, grouped, dilated and pooled networks: each equals an obvious other network."""

import itertools

import numpy as np
import pytest
import torch

from boundlab.networks import build, layer_maps
from boundlab.networks.measure import layer_norms, norm_columns
from boundlab.quantities.norms import NORM_FIELDS
from boundlab.quantities.records import from_columns, norm_column
from boundlab.specs.arch import ArchSpec
from boundlab.specs.shapes import LayerShape

CASES = {
    "plain": {"kernel_size": 2},
    "padded": {"kernel_size": 3, "padding": 1},
    "strided and padded": {"kernel_size": 3, "stride": 2, "padding": 2},
    "dilated": {"kernel_size": 2, "dilation": 2, "padding": 1},
    "lists": {"kernel_size": [3, 2], "channels": [2, 3], "stride": [2, 1], "padding": [2, 0]},
    "pooled": {"kernel_size": 2, "pool": ["max2", ""], "head": "gap"},
    "averaged": {"kernel_size": 2, "pool": ["avg2", ""], "hidden": [5, 3]},
}
WHOLE_MAP = ("spectral_map",)  # by a search


def arch_of(kind: str = "conv", **fields) -> ArchSpec:
    return ArchSpec.from_dict(
        {"kind": kind, "in_shape": [2, 8, 7], "channels": 4, "conv_layers": 2, "classes": 3} | fields
    )


def random_weights(arch: ArchSpec, seed: int = 0) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(s.weight_shape, generator=rng, dtype=torch.float64) for s in arch.shapes()]


def untied(weights: list[torch.Tensor], arch: ArchSpec) -> list[torch.Tensor]:
    """The same network without sharing: every position has a copy of the kernel."""
    return [
        w.flatten(1).expand(s.weight_shape).contiguous() if s.kind == "local" else w
        for w, s in zip(weights, arch.shapes(), strict=True)
    ]


def ungrouped(weight: torch.Tensor, shape: LayerShape) -> torch.Tensor:
    """(out, in, k, k): a grouped kernel with the zeros written out."""
    full = torch.zeros(shape.out_channels, shape.in_channels, shape.kernel, shape.kernel, dtype=weight.dtype)
    out, into = shape.out_channels // shape.groups, shape.in_channels // shape.groups
    for o in range(shape.out_channels):
        start = o // out * into
        full[o, start : start + into] = weight[o]
    return full


def matrix_of(weight: torch.Tensor, shape: LayerShape) -> np.ndarray:
    """(out * oh * ow, in * h * w): a spatial layer written out entry by entry, by definition."""
    per_group, rows = shape.in_channels // shape.groups, shape.out_channels // shape.groups
    kernels = weight.reshape(-1, shape.out_channels, per_group, shape.kernel, shape.kernel).numpy()
    matrix = np.zeros((shape.out_channels, *shape.out_size, shape.in_channels, *shape.in_size))
    cells = itertools.product(range(shape.out_channels), range(shape.out_size[0]), range(shape.out_size[1]))
    for o, y, x in cells:
        own = kernels[y * shape.out_size[1] + x if shape.kind == "local" else 0]
        for c, i, j in itertools.product(range(per_group), range(shape.kernel), range(shape.kernel)):
            row = y * shape.stride + i * shape.dilation - shape.padding
            column = x * shape.stride + j * shape.dilation - shape.padding
            if 0 <= row < shape.in_size[0] and 0 <= column < shape.in_size[1]:
                matrix[o, y, x, o // rows * per_group + c, row, column] += own[o, c, i, j]
    return matrix.reshape(shape.out_channels * shape.positions, -1)


def layer_cases() -> list[tuple[str, LayerShape]]:
    found = [
        (f"{kind} {name}", s)
        for kind in ("conv", "lc")
        for name, f in CASES.items()
        for s in arch_of(kind, **f).shapes()
    ]
    found += [("grouped", s) for s in arch_of(groups=2, kernel_size=3, padding=1).shapes()]
    found += [("depthwise", s) for s in arch_of(channels=[2, 4], groups=[2, 2]).shapes()]
    return [(f"{name} {shape.name}", shape) for name, shape in found if shape.spatial]


@pytest.mark.parametrize(("name", "shape"), layer_cases(), ids=[name for name, _ in layer_cases()])
def test_a_layer_against_its_matrix(name, shape):
    rng = torch.Generator().manual_seed(1)
    weight = torch.randn(shape.weight_shape, generator=rng, dtype=torch.float64)
    matrix = matrix_of(weight, shape)
    x = torch.randn(2, shape.in_channels, *shape.in_size, generator=rng, dtype=torch.float64)
    assert layer_maps.apply_layer(x, weight, None, shape).flatten(1).numpy() == pytest.approx(
        x.flatten(1).numpy() @ matrix.T
    )
    y = torch.randn(2, shape.out_channels, *shape.out_size, generator=rng, dtype=torch.float64)
    assert layer_maps.adjoint(y, weight, shape).flatten(1).numpy() == pytest.approx(y.flatten(1).numpy() @ matrix)
    fields = layer_norms(weight, None, None, shape)
    norms = from_columns({norm_column(0, k): v for k, v in fields.items()} | {"path_l1": 0.0}, [shape]).layers[0]
    assert norms.map_frobenius == pytest.approx(np.linalg.norm(matrix), rel=1e-12)
    assert norms.spectral_map == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-6)
    if shape.padding == 0:
        assert shape.positions * norms.norm_row == pytest.approx(np.linalg.norm(matrix, axis=1).sum(), rel=1e-12)
    assert shape.multiply_adds >= np.count_nonzero(matrix)


@pytest.mark.parametrize("name", CASES)
def test_without_sharing_equal_kernels_are_the_convolution(name):
    shared, free = arch_of("conv", **CASES[name]), arch_of("lc", **CASES[name])
    weights = random_weights(shared)
    copies = untied(weights, free)
    x = torch.rand(3, 2, 8, 7, dtype=torch.float64)
    nothing: list[torch.Tensor | None] = [None] * len(weights)
    one, other = (build.from_weights(a, w, nothing).double() for a, w in ((shared, weights), (free, copies)))
    for net, tensors in ((one, weights), (other, copies)):
        for layer, tensor in zip(build.layers(net), tensors, strict=True):
            layer.weight.data.copy_(tensor)
    torch.testing.assert_close(one(x), other(x))
    norms = [
        from_columns(norm_columns(w, nothing, None, a.shapes()), a.shapes())
        for a, w in ((shared, weights), (free, copies))
    ]
    assert norms[0].path_l1 == pytest.approx(float(norms[1].path_l1), rel=1e-12)
    for a, b in zip(norms[0].layers, norms[1].layers, strict=True):
        for field in NORM_FIELDS:
            close = 1e-6 if field in WHOLE_MAP else 1e-12
            assert getattr(a, field) == pytest.approx(getattr(b, field), rel=close, nan_ok=True), field
        assert a.map_frobenius == pytest.approx(b.map_frobenius, rel=1e-12)


@pytest.mark.parametrize("groups", [2, 4])
def test_a_grouped_convolution_has_the_norms_of_the_one_with_zeros(groups):
    grouped = arch_of(channels=4, in_shape=[4, 6, 6], groups=groups, kernel_size=3).shapes()[0]
    plain = arch_of(channels=4, in_shape=[4, 6, 6], kernel_size=3).shapes()[0]
    weight = torch.randn(grouped.weight_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    one, other = layer_norms(weight, None, None, grouped), layer_norms(ungrouped(weight, grouped), None, None, plain)
    for field in one:
        if one[field] is not None:
            assert one[field] == pytest.approx(other[field], rel=1e-6 if field in WHOLE_MAP else 1e-12), field
    assert grouped.weights * groups == plain.weights


def test_a_dilated_convolution_is_the_larger_one_with_zeros():
    dilated, plain = arch_of(kernel_size=2, dilation=2).shapes()[0], arch_of(kernel_size=3).shapes()[0]
    weight = torch.randn(dilated.weight_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    full = torch.zeros(plain.weight_shape, dtype=torch.float64)
    full[:, :, ::2, ::2] = weight
    one, other = layer_norms(weight, None, None, dilated), layer_norms(full, None, None, plain)
    assert dilated.out_size == plain.out_size
    assert one["spectral_map"] == pytest.approx(other["spectral_map"], rel=1e-6)
    assert one["norm_21"] == pytest.approx(other["norm_21"], rel=1e-12)


def test_sizes_parameters_and_titles_of_a_list():
    arch = ArchSpec.from_dict(
        {
            "channels": [8, 16, 16],
            "kernel_size": [3, 3, 1],
            "groups": [1, 8, 1],
            "pool": ["max2", "", ""],
            "head": "gap",
            "hidden": [5],
        }
    )
    first, second, third, dense, output = arch.shapes()
    assert (first.out_size, first.passed_size, second.out_size, third.passed_size) == (
        (26, 26),
        (13, 13),
        (11, 11),
        (1, 1),
    )
    assert (second.weights, dense.in_channels, output.in_channels) == (16 * 1 * 9, 16, 5)
    assert arch.title == "CONV-3-8,16,16 k3,3,1 groups 1,8,1 max2,-,- GAP dense 5"
    assert ArchSpec.from_dict(arch.to_dict()) == arch
    assert ArchSpec(kind="lc").parameters == 3 + 16 * 4 * 729 + 16 * 16 * 4 * (676 + 625) + 16 * 625 * 10


def test_one_network_has_one_spec():
    assert ArchSpec(channels=(8, 8, 8), stride=(1, 1, 1)) == ArchSpec(channels=8)
    assert ArchSpec.from_dict({"channels": [8, 8]}) == ArchSpec(channels=8, conv_layers=2)
    assert not {"dilation", "groups", "pool", "head", "hidden"} & set(ArchSpec().to_dict())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"channels": [8, 16]} | {"conv_layers": 3}, "channels must be one value or 3, one per layer, got 2"),
        ({"groups": 3}, "groups 3 of convolution 1 of 2 must divide its 2 input and 4 output channels"),
        ({"kind": "lc", "groups": 2}, "1 where weights are not shared"),
        ({"pool": "median2"}, 'pool must be "" \\(none\\), or "max" or "avg" and a size from 2 to 64'),
        ({"pool": "max9"}, "max9 after convolution 1 of 2 does not fit on its 7x6 map"),
        ({"dilation": 9}, "convolution 1 of 2 with kernel 2 and dilation 9 does not fit on its 8x7 input"),
        ({"head": "mean"}, "head must be one of"),
        ({"channels": [[1], 2]}, "arch has a value of the wrong type|channels must be a whole number"),
        ({"padding": [2, 0]}, "padding must be a whole number from 0 to 1, got 2"),
    ],
)
def test_what_cannot_be_built_is_named(fields, said):
    with pytest.raises(ValueError, match=said):
        arch_of(**fields)


def test_without_sharing_every_position_trains_on_its_own():
    arch = arch_of("lc")
    net = build.build(arch)
    build.initialise(net, arch, "he", 0)
    net(torch.rand(4, 2, 8, 7)).square().sum().backward()
    gradient = build.layers(net)[0].parametrizations.weight.original1.grad
    assert gradient.shape == arch.shapes()[0].weight_shape
    assert len(torch.unique(gradient.flatten(1), dim=0)) == arch.shapes()[0].positions
