"""Bounds on layers written out as matrices: Bartlett, Neyshabur and Gonon again from raw weights, everything explicit."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch

from boundlab.bounds import BY_KEY
from boundlab.networks.measure import norm_columns
from boundlab.quantities.norms import MARGIN_GRID
from boundlab.quantities.records import from_columns
from boundlab.specs.arch import ArchSpec
from tests.cases import value
from tests.conftest import make_sample
from tests.oracles import conv_matrix

PLAIN = ArchSpec(in_shape=(2, 4, 4), channels=2, conv_layers=2, kernel_size=2, classes=3)
PADDED = ArchSpec(in_shape=(1, 3, 3), channels=2, conv_layers=2, kernel_size=3, padding=1, classes=3)
STRIDED = ArchSpec(in_shape=(1, 6, 6), channels=2, conv_layers=2, kernel_size=2, stride=2, padding=1, classes=2)
DENSE = ArchSpec(kind="mlp", in_shape=(1, 3, 3), hidden=(5, 4), classes=3)
ARCHS = {"plain": PLAIN, "padded": PADDED, "strided": STRIDED, "dense": DENSE}
N, MARGIN, DELTA = 700, float(MARGIN_GRID[40]), 0.01
each_arch = pytest.mark.parametrize("arch", ARCHS.values(), ids=ARCHS)


def draw(arch, seed):
    rng = np.random.default_rng(seed)
    return [
        rng.standard_normal(shape.weight_shape) / math.sqrt(math.prod(shape.weight_shape[1:]))
        for shape in arch.shapes()
    ]


def matrices(weights, arch):
    return [
        w if s.kind == "dense" else conv_matrix(w, s.in_size, s.stride, s.padding)
        for w, s in zip(weights, arch.shapes(), strict=True)
    ]


def measured(arch, weights, biases=None):
    shapes = arch.shapes()
    tensors = [torch.from_numpy(w) for w in weights]
    bias = [None] * len(shapes) if biases is None else [torch.from_numpy(b) for b in biases]
    ramp = np.linspace(0, 1, len(MARGIN_GRID)).tolist()
    return from_columns(norm_columns(tensors, bias, None, shapes) | {"ramp": ramp, "indicator": ramp}, shapes)


def evaluated(key, net, arch, **others):
    return value(BY_KEY[key], "theorem", net, make_sample(arch, N), margin=MARGIN, delta=DELTA, **others)


def row_norms(matrix):
    return sum(math.sqrt(sum(x * x for x in row)) for row in matrix)


@each_arch
def test_bartlett(arch):
    weights = draw(arch, 0)
    maps = matrices(weights, arch)
    s = [np.linalg.svd(a, compute_uv=False)[0] for a in maps]
    b = []
    for a, shape, w in zip(maps, arch.shapes(), weights, strict=True):
        whole = shape.positions * row_norms(w.reshape(shape.out_channels, -1))
        if shape.padding and shape.kind == "conv":  # rows at the border are cut short
            assert row_norms(a) < whole
        else:
            assert row_norms(a) == pytest.approx(whole, rel=1e-12)
        b.append(whole)
    widest = max(max(a.shape) for a in maps)
    frobenius = make_sample(arch, N).fed.frobenius
    complexity = 72 * math.log(N) * math.sqrt(math.log(2 * widest**2)) / (MARGIN * N) * frobenius * math.prod(s)
    complexity *= sum((x / y) ** (2 / 3) for x, y in zip(b, s, strict=True)) ** 1.5
    got = evaluated("bartlett", measured(arch, weights), arch)
    assert got.complexity == pytest.approx(complexity, rel=1e-6)  # spectral norms by a search
    assert got.confidence == pytest.approx(8 / N**1.5 + 3 * math.sqrt(math.log(1 / DELTA) / (2 * N)), rel=1e-12)
    assert got.empirical == pytest.approx(40 / 63)
    assert got.value == pytest.approx(got.complexity + got.confidence + got.empirical, rel=1e-12)


@each_arch
def test_neyshabur(arch):
    weights = draw(arch, 2)
    *hidden, output = matrices(weights, arch)
    depth, norms = len(weights), [math.sqrt((a**2).sum()) for a in hidden]
    norms.append(max(math.sqrt((row**2).sum()) for row in output))  # one class's network ends in one row
    rademacher = 2 ** (depth - 1) * math.prod(norms) * make_sample(arch, N).fed.frobenius / N
    got = evaluated("neyshabur", measured(arch, weights), arch)
    assert got.complexity == pytest.approx(4 * arch.classes / MARGIN * rademacher, rel=1e-12)
    assert got.confidence == pytest.approx(3 * math.sqrt(math.log(2 / DELTA) / (2 * N)), rel=1e-12)
    golowich = evaluated("golowich", measured(arch, weights), arch)
    ratio = 2 ** (depth - 1) / (1 + math.sqrt(2 * depth * math.log(2)))
    assert got.complexity / golowich.complexity == pytest.approx(ratio, rel=1e-12)


def test_classes_that_are_alike_gain_the_root_of_their_number_over_the_frobenius_norm():
    arch = dataclasses.replace(DENSE, classes=4)
    weights = draw(arch, 7)
    weights[-1] = np.repeat(weights[-1][:1], 4, axis=0)
    net = measured(arch, weights)
    for key in ("golowich", "neyshabur"):
        row = math.exp(evaluated(key, net, arch).log_factors["max_row.output"])
        assert row * 2 == pytest.approx(float(net.layers[-1].frobenius), rel=1e-12)


def path_norm(maps, biases):
    """Sum over every path, one by one, from an input (or a bias) to an output of the product of absolute weights."""
    total = 0.0
    for start in range(len(maps) + 1):  # 0: from an input; l: from a bias of layer l
        first = maps[start - 1].shape[0] if start else maps[0].shape[1]
        for path in itertools.product(range(first), *(range(a.shape[0]) for a in maps[start:])):
            product = abs(biases[start - 1][path[0]]) if start else 1.0
            for a, (here, there) in zip(maps[start:], itertools.pairwise(path), strict=True):
                product *= abs(a[there, here])
                if product == 0:
                    break
            total += product
    return total


def written_out(biases, arch):
    """One bias per unit: a filter's at each of its positions."""
    return [np.repeat(b, shape.positions) for b, shape in zip(biases, arch.shapes(), strict=True)]


@each_arch
@pytest.mark.parametrize("biased", [False, True])
def test_gonon(arch, biased):
    arch = dataclasses.replace(arch, bias=biased)
    weights = draw(arch, 3)
    sizes = [shape.out_channels for shape in arch.shapes()]
    biases = [np.random.default_rng(4).standard_normal(size) * biased for size in sizes]
    norm = path_norm(matrices(weights, arch), written_out(biases, arch))
    inputs = math.prod(arch.in_shape)
    root = math.sqrt(len(weights) * math.log(3) + math.log((inputs + 1) * arch.classes))
    for factor, limit in ((0.5, 1.0 if biased else 0.5), (2.0, 2.0)):  # a bias is a weight on an input of 1
        net, sample = measured(arch, weights, biases=biases if biased else None), make_sample(arch, N, factor)
        got = value(BY_KEY["gonon"], "theorem", net, sample, margin=MARGIN)
        wanted = 4 * limit / math.sqrt(N) * math.sqrt(2) / MARGIN * norm * root
        assert got.complexity == pytest.approx(wanted, rel=1e-12)
        assert got.confidence == 0
        assert got.value == pytest.approx(wanted + 40 / 63, rel=1e-12)


def test_biases_cost_something_where_a_bound_takes_them_and_where_it_does_not_it_says_so():
    arch = dataclasses.replace(PLAIN, bias=True)
    weights = draw(arch, 5)
    net = measured(arch, weights, biases=[np.ones(s.out_channels) for s in arch.shapes()])
    plain = measured(PLAIN, weights)
    for key in ("gonon", "golowich", "neyshabur", "bartlett"):
        assert evaluated(key, net, arch).value > evaluated(key, plain, PLAIN).value
    assert "no biases" in evaluated("ledent", net, arch).reason


@pytest.mark.parametrize("key", ["bartlett", "neyshabur", "gonon"])
def test_the_figures_do_not_plot_them(key):
    reason = value(BY_KEY[key], "published", measured(PLAIN, draw(PLAIN, 6)), make_sample(PLAIN)).reason
    assert reason == "the paper's figures do not plot this bound; choose theorem"
