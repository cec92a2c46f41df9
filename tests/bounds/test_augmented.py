"""Biases in bounds of others: the augmented matrices built one by one in float64, and everything again from them."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from boundlab.bounds import ALL, BY_KEY
from boundlab.bounds.augmented import carried
from boundlab.bounds.base import BIASES_IGNORED, evaluate
from boundlab.bounds.biases import has_constant
from boundlab.quantities.norms import NetworkNorms
from boundlab.specs.arch import ArchSpec
from boundlab.specs.settings import Settings
from tests.bound_oracles import DELTA, MARGIN, averaged, norm_21, plain_kernels
from tests.bounds.test_architecture_bounds import arch_of, draw, measured
from tests.conftest import make_sample
from tests.written_out import Case, matrix

N = 700
NAMES = (
    "plain",
    "padded",
    "lists",
    "tree",
    "dilated",
    "grouped",
    "dense",
    "mlp",
    "lc",
    "lc padded",
    "avg",
    "gap",
    "max",
    "max gap",
)
each = pytest.mark.parametrize("name", NAMES)


class Biased:
    """A network with biases: its norms as measured, and its layers as matrices with a column of biases."""

    def __init__(self, name: str, size: float = 0.7):
        self.arch = dataclasses.replace(arch_of(name), bias=True)
        rng, shapes = np.random.default_rng(len(name)), self.arch.shapes()
        self.weights, self.init = draw(self.arch, 1), draw(self.arch, 2)
        self.biases = [torch.from_numpy(size * rng.standard_normal(s.bias_shape)) for s in shapes]
        self.net = measured(self.arch, self.weights, self.init, self.biases)
        self.sample = make_sample(self.arch, N)
        raw = [w.numpy() for w in self.weights]
        self.case = Case(shapes, raw, [w.numpy() for w in self.init], [], self.sample)
        self.columns = [
            b.T.flatten().numpy() if s.kind == "local" else np.repeat(b.numpy(), s.positions)
            for b, s in zip(self.biases, shapes, strict=True)
        ]

    def value(self, key: str):
        return evaluate(BY_KEY[key], self.net, self.sample, Settings("theorem", DELTA, margin=MARGIN))

    def augmented(self, maps: list[np.ndarray], constants: np.ndarray) -> list[np.ndarray]:
        """[[A, b / k_before], [0, k_after / k_before]] of every layer, the output layer without its last row."""
        found = []
        for i, (a, b) in enumerate(zip(maps, self.columns, strict=True)):
            whole = np.block([[a, b[:, None] / constants[i]], [np.zeros((1, a.shape[1])), np.ones((1, 1))]])
            whole[-1, -1] = constants[i + 1] / constants[i] if i + 1 < len(maps) else 0.0
            found.append(whole if i + 1 < len(maps) else whole[:-1])
        return found


def smallest(total, count: int) -> float:
    """Of `total` over log constants, by a search that knows nothing of its form."""
    starts = [np.zeros(count), np.full(count, 2.0), np.full(count, -2.0)]
    if not count:
        return float(total(np.zeros(0)))
    found = [
        minimize(
            total,
            start,
            method="Nelder-Mead",
            options={"maxiter": 20000, "maxfev": 20000, "xatol": 1e-10, "fatol": 1e-13},
        )
        for start in starts
    ]
    return float(min(one.fun for one in found))


@each
@pytest.mark.parametrize("key", ["golowich", "neyshabur"])
def test_peeled_bounds_are_those_of_the_augmented_matrices(key, name):
    one = Biased(name)
    maps, price = averaged(one.case)
    depth = len(maps)
    data = math.sqrt(one.sample.fed.frobenius**2 + N * 1.0)
    factor = 1 + math.sqrt(2 * depth * math.log(2)) if key == "golowich" else 2.0 ** (depth - 1)

    def total(logs: np.ndarray) -> float:
        *hidden, output = one.augmented(maps, np.exp([0.0, *logs]))
        # the last row: the largest of the weights, and all of the biases, whose norm is what is measured
        row = math.sqrt(max((r**2).sum() for r in output[:, :-1]) + (output[:, -1] ** 2).sum())
        return math.log(row) + sum(0.5 * math.log((a**2).sum()) for a in hidden)

    wanted = 4 * one.arch.classes / MARGIN * math.exp(smallest(total, depth - 1)) * price * factor * data / N
    assert one.value(key).complexity == pytest.approx(wanted, rel=1e-6)
    rows = max((r**2).sum() for r in one.augmented(maps, np.ones(depth))[-1])  # a network of one class has one row
    assert rows <= max((r**2).sum() for r in maps[-1]) + (one.columns[-1] ** 2).sum()


@each
def test_bartlett_is_at_least_that_of_the_augmented_matrices(name):
    one = Biased(name)
    widest = max(max(a.shape) for a in one.case.maps) + 1
    before = [1.0]
    for s in one.arch.shapes()[:-1]:
        before.append(math.sqrt(math.prod(p.area for p in s.pools if p.kind == "avg")))
    maps = [a / p for a, p in zip(one.case.maps, before, strict=True)]
    inputs = math.prod(one.arch.in_shape)
    spectral = [np.log(np.linalg.norm(a, 2)) for a in maps]
    columns = [np.log(np.linalg.norm(b)) for b in one.columns]
    constants = np.exp(np.array(carried(spectral, columns, 0.5 * math.log(inputs)).constant))
    assert constants[0] == pytest.approx(math.sqrt(inputs))
    found = one.augmented(maps, constants)

    def complexity(norms, rows) -> float:
        ratio = sum((r / s) ** (2 / 3) for r, s in zip(rows, norms, strict=True)) ** 1.5
        logs = math.log(N) * math.sqrt(math.log(2 * widest**2))
        data = math.sqrt(one.sample.fed.frobenius**2 + N * inputs)
        return 72 * logs / (MARGIN * N) * data * math.prod(norms) * ratio

    true = complexity([np.linalg.norm(a, 2) for a in found], [np.linalg.norm(a, axis=1).sum() for a in found])
    blocks, rows = [], []
    for a, whole, s in zip(maps, found, one.arch.shapes(), strict=True):
        column, carrier = np.linalg.norm(whole[: len(a), -1]), whole[-1, -1] if len(whole) > len(a) else 0.0
        blocks.append(np.linalg.norm(np.array([[np.linalg.norm(a, 2), column], [0.0, carrier]]), 2))
        own = (
            s.positions
            / s.copies
            * sum(
                np.linalg.norm(row)
                for t in one.case.filters(one.case.weights[len(rows)], s)
                for row in t.reshape(len(t), -1)
            )
        )
        rows.append(own / before[len(rows)] + math.sqrt(len(a)) * column + carrier)
    got = one.value("bartlett").complexity
    assert got == pytest.approx(complexity(blocks, rows), rel=1e-5)
    for norm, whole, row in zip(blocks, found, rows, strict=True):
        assert np.linalg.norm(whole, 2) <= norm * (1 + 1e-12)
        assert np.linalg.norm(whole, axis=1).sum() <= row * (1 + 1e-12)
    assert got > true * 0.999999  # it grows with every norm


@pytest.mark.parametrize("name", [name for name in NAMES if "max" not in name])  # maxima are no matrices
def test_the_augmented_network_is_the_network(name):
    """Run both over random inputs; average pooling merged, maxima apart."""
    one = Biased(name)
    maps, _ = averaged(one.case)
    constants = np.exp(np.random.default_rng(0).standard_normal(len(maps)))
    found = one.augmented(maps, constants)
    x = np.random.default_rng(1).standard_normal((5, maps[0].shape[1]))
    plain, whole = x.T, np.vstack([x.T, np.full((1, 5), constants[0])])
    for i, (a, b, c) in enumerate(zip(maps, one.columns, found, strict=True)):
        plain, whole = a @ plain + b[:, None], c @ whole
        if i + 1 < len(maps):
            plain, whole = np.maximum(plain, 0), np.maximum(whole, 0)
            np.testing.assert_allclose(whole[-1], constants[i + 1], rtol=1e-12)
    np.testing.assert_allclose(whole, plain, rtol=1e-9, atol=1e-12)


CHANNELS = ("plain", "padded", "tree", "dilated", "dense", "mlp")


def with_channel(one: Biased, constants: np.ndarray) -> tuple[list, list[np.ndarray]]:
    """(shapes, weights) of the network with one more channel, of ones times constants[0], and no biases."""
    shapes, weights, before = [], [], 1  # constants that a dense layer reads
    for i, (w, b, s) in enumerate(zip(one.case.weights, one.biases, one.arch.shapes(), strict=True)):
        last = i + 1 == len(constants)
        more = dataclasses.replace(
            s, in_channels=s.in_channels + before, out_channels=s.out_channels + (not last), bias=False
        )
        whole = np.zeros(more.weight_shape)
        at = int(np.flatnonzero(s.real_taps().all(axis=0))[0]) if s.spatial else 0
        flat = whole.reshape(len(whole), more.in_channels, -1)
        flat[: len(w), : s.in_channels] = w.reshape(len(w), s.in_channels, -1)
        flat[: len(w), s.in_channels, at] = b.numpy() / constants[i]
        if not last:
            flat[-1, s.in_channels, at] = constants[i + 1] / constants[i]
            before = s.positions if s.spatial and not one.arch.shapes()[i + 1].spatial else 1
        shapes.append(more)
        weights.append(whole)
    return shapes, weights


@pytest.mark.parametrize("name", CHANNELS)
def test_graf_is_at_least_that_of_the_network_with_a_channel_of_ones(name):
    one, n = Biased(name), N
    spectral = [np.linalg.norm(a, 2) for a in one.case.maps]
    norms = [b.norm().item() for b in one.biases]
    constants = np.exp(np.array(carried(list(map(np.log, spectral)), list(map(np.log, norms)), 0.0).constant))
    shapes, weights = with_channel(one, constants)
    maps = [matrix(w, s) for w, s in zip(weights, shapes, strict=True)]
    pixels = math.prod(one.arch.shapes()[0].in_size)
    x = np.random.default_rng(1).standard_normal((4, one.case.maps[0].shape[1]))
    plain, whole = x.T, np.vstack([x.T, np.full((pixels, 4), constants[0])])
    for i, (a, c, b) in enumerate(zip(one.case.maps, maps, one.columns, strict=True)):
        plain, whole = a @ plain + b[:, None], c @ whole
        if i + 1 < len(maps):
            plain, whole = np.maximum(plain, 0), np.maximum(whole, 0)
    np.testing.assert_allclose(whole, plain, rtol=1e-9, atol=1e-12)  # it is the network

    data = math.sqrt((one.sample.fed.frobenius**2 + n * pixels) / n)
    sizes = plain_kernels(dataclasses.replace(one.case, shapes=tuple(shapes)))

    def bounds(s: list[float], b: list[float]) -> tuple[float, float]:
        c = [4 / MARGIN * data * math.prod(s) * y / x for x, y in zip(s, b, strict=True)]
        harmonic = sum(1 / k for k in range(1, n))
        first = (
            24
            * harmonic
            / math.sqrt(n)
            * math.sqrt(math.log(2 * max(sizes)))
            * sum(math.ceil(x ** (2 / 3)) for x in c) ** 1.5
        )
        inside = sum(2 * w * (math.log(1 + math.ceil((len(s) * x) ** 2)) + 2.7) for w, x in zip(sizes, c, strict=True))
        return first, 24 / math.sqrt(n) * math.sqrt(inside)

    carriers = [*(constants[1:] / constants[:-1]), 0.0]
    columns = [x / k for x, k in zip(norms, constants, strict=True)]
    blocks = [
        np.linalg.norm(np.array([[s, c], [0.0, t]]), 2) for s, c, t in zip(spectral, columns, carriers, strict=True)
    ]
    own = [norm_21(one.case.filters(w, s)[0]) for w, s in zip(one.case.weights, one.arch.shapes(), strict=True)]
    kernels = [
        x + math.sqrt(s.out_channels) * c + t
        for x, s, c, t in zip(own, one.arch.shapes(), columns, carriers, strict=True)
    ]
    got = [float(one.value(key).complexity) for key in ("graf", "graf_params")]
    assert got == pytest.approx(bounds(blocks, kernels), rel=1e-4)
    true_s = [np.linalg.norm(a, 2) for a in maps]
    true_b = [norm_21(w.reshape(len(w), s.in_channels, -1)) for w, s in zip(weights, shapes, strict=True)]
    assert all(x <= y * (1 + 1e-9) for x, y in zip([*true_s, *true_b], [*blocks, *kernels], strict=True))
    assert all(x >= y * 0.9999 for x, y in zip(got, bounds(true_s, true_b), strict=True))


@pytest.mark.parametrize("name", [*CHANNELS, "max", "gap", "lc"])
def test_long_sedghi_counts_biases_by_their_distance_from_zero(name):
    one, depth = Biased(name), len(arch_of(name).shapes())
    start = [matrix(w, s) for w, s in zip(one.case.init, one.case.shapes, strict=True)]
    beta = 0.0
    for a, a0, b in zip(one.case.maps, start, one.biases, strict=True):
        beta += math.sqrt(np.linalg.norm(a - a0, 2) ** 2 + float((b**2).sum()))
    most = max(1.0, *(np.linalg.norm(a0, 2) for a0 in start))  # what carries the ones on has weights of 1
    pixels = math.prod(one.arch.shapes()[0].in_size)
    inner = (
        math.sqrt(one.sample.fed.max_norm**2 + pixels) * math.sqrt(2) / MARGIN * beta * (most + beta / depth) ** depth
    )
    assert inner > 5
    numbers = sum(w.size for w in one.case.weights) + sum(b.numel() for b in one.biases)
    wanted = math.sqrt((numbers * math.log(inner) + math.log(1 / DELTA)) / N)
    got = one.value("long_sedghi")
    assert got.complexity + got.confidence == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("name", CHANNELS)
def test_a_channel_of_ones_moves_the_layer_s_map_by_no_more_than_the_biases(name):
    one = Biased(name)
    shapes, weights = with_channel(one, np.ones(len(one.biases)))
    plain = Biased(name, 0.0)
    plain.case.weights = one.case.init
    _, start = with_channel(plain, np.ones(len(one.biases)))
    for w, w0, s, b, a, a0, first in zip(
        weights, start, shapes, one.biases, one.case.maps, one.case.init, one.arch.shapes(), strict=True
    ):
        moved = np.linalg.norm(matrix(w - w0, s), 2)
        assert moved <= math.hypot(np.linalg.norm(a - matrix(a0, first), 2), float(b.norm())) * (1 + 1e-9)
        assert np.linalg.norm(matrix(w0, s), 2) <= max(1.0, np.linalg.norm(matrix(a0, first), 2)) * (1 + 1e-9)


def test_where_every_tap_leaves_the_image_somewhere_no_channel_of_ones_can_be_passed_on():
    for key in ("graf", "graf_params", "long_sedghi"):
        assert "a channel of ones can be passed on" in Biased("lists").value(key).reason
    assert "no biases" in Biased("plain").value("ledent").reason


def test_without_the_flag_nothing_is_added_and_zero_biases_cost_only_the_constant_input():
    arch = arch_of("plain")
    weights, init = draw(arch, 1), draw(arch, 2)
    plain, flagged = measured(arch, weights, init), dataclasses.replace(arch, bias=True)
    zero = measured(flagged, weights, init, [torch.zeros(s.bias_shape, dtype=torch.float64) for s in flagged.shapes()])
    assert not has_constant(plain.shapes)
    assert has_constant(zero.shapes)
    sample = make_sample(arch, N)
    for bound in ALL:
        result = evaluate(bound, plain, sample, Settings("theorem", DELTA, margin=MARGIN))
        assert "biases" not in result.terms.log_factors
    for key in ("golowich", "neyshabur"):
        one, other = (
            evaluate(BY_KEY[key], net, sample, Settings("theorem", margin=MARGIN)).complexity for net in (plain, zero)
        )
        assert other / one == pytest.approx(math.sqrt(1 + N / sample.fed.frobenius**2), rel=1e-9)


@pytest.mark.parametrize("key", ["golowich", "ledent", "graf", "long_sedghi", "sparse"])
def test_published_is_of_the_network_without_its_biases_and_says_so(key):
    small, large = Biased("plain", 0.0), Biased("plain", 9.0)
    settings = Settings("published", DELTA)
    one, other = (evaluate(BY_KEY[key], b.net, b.sample, settings) for b in (small, large))
    assert float(one.value) == float(other.value)
    assert "biases" not in one.terms.log_factors
    bare = measured(arch_of("plain"), small.weights, small.init)
    without = float(evaluate(BY_KEY[key], bare, small.sample, settings).value)
    if key in ("graf", "long_sedghi"):  # they count trainable numbers
        assert without < float(one.value) < 1.1 * without
    else:
        assert without == float(one.value)
    if key != "sparse":
        assert BIASES_IGNORED in BY_KEY[key].formulas["published"].note


def test_a_carrier_s_scale_and_rescaled_layers_change_nothing():
    """W_1, b_1 times c, W_2 divided by c: the same function, the same bound."""
    one = Biased("mlp")
    c = 7.3
    weights = [one.weights[0] * c, one.weights[1] / c, *one.weights[2:]]
    biases = [one.biases[0] * c, *one.biases[1:]]
    moved = measured(one.arch, weights, one.init, biases)
    settings = Settings("theorem", DELTA, margin=MARGIN)
    for key in ("golowich", "neyshabur", "bartlett"):
        a, b = (evaluate(BY_KEY[key], net, one.sample, settings).complexity for net in (one.net, moved))
        assert a == pytest.approx(b, rel=1e-6)


def test_many_networks_at_once_are_each_alone():
    nets = [Biased("plain", size) for size in (0.1, 1.0, 30.0)]
    layers = []
    for i in range(len(nets[0].net.layers)):
        first = nets[0].net.layers[i]
        arrays = {
            f.name: np.stack([getattr(n.net.layers[i], f.name) for n in nets])
            for f in dataclasses.fields(first)
            if f.name != "shape"
        }
        layers.append(dataclasses.replace(first, **arrays))
    many = NetworkNorms(tuple(layers), np.stack([n.net.path_l1 for n in nets]))
    for key in ("golowich", "neyshabur", "bartlett"):
        together = evaluate(BY_KEY[key], many, nets[0].sample, Settings("theorem", DELTA, margin=MARGIN)).complexity
        assert together == pytest.approx([float(n.value(key).complexity) for n in nets], rel=1e-9)
        assert together[0] < together[1] < together[2]


def test_a_dead_layer_gives_a_number():
    arch = ArchSpec(kind="mlp", in_shape=(1, 3, 3), hidden=(4,), classes=3, bias=True)
    weights = [torch.zeros(s.weight_shape, dtype=torch.float64) for s in arch.shapes()]
    biases = [torch.ones(s.bias_shape, dtype=torch.float64) for s in arch.shapes()]
    net = measured(arch, weights, draw(arch, 2), biases)
    for key in ("golowich", "neyshabur", "bartlett"):
        got = evaluate(BY_KEY[key], net, make_sample(arch, N), Settings("theorem", DELTA, margin=MARGIN))
        assert np.isfinite(got.complexity)
        assert got.complexity > 0
