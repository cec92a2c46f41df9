"""Theorems S and S2 of networks with biases against what they bound: toy classes, every sign and every sample, gradient ascent from below.

The constants are made so large here that leaving them out of the path energies would be wrong, and is seen to be.
"""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch

from boundlab.bounds import BY_KEY, biases, sparse_doubled, theorem_s
from boundlab.bounds.base import evaluate, only
from boundlab.bounds.biases import Sizes
from boundlab.networks.measure import norm_columns
from boundlab.networks.sample_stats import sample_stats
from boundlab.quantities.norms import NetworkNorms
from boundlab.quantities.paths import path_energy
from boundlab.quantities.records import from_columns
from boundlab.quantities.sample import SampleStats
from boundlab.specs.arch import ArchSpec
from boundlab.specs.settings import Settings
from tests.bounds.test_theorem_s import ascended, on_the_sphere, toy

TOYS = {
    "one convolution": toy(),
    "two convolutions": toy(conv_layers=2),
    "padded and strided": toy(in_shape=(1, 6, 6), conv_layers=2, kernel_size=3, stride=2, padding=1),
    "two classes": toy(classes=2),
    "locally connected": toy(kind="lc"),
    "average pooling": toy(pool="avg2"),
    "max-pooling": toy(pool="max2"),
    "a dense layer after": toy(hidden=(4,)),
    "a perceptron": ArchSpec(kind="mlp", in_shape=(1, 4, 4), hidden=(4,), classes=3),
    "linear": ArchSpec(kind="mlp", in_shape=(1, 4, 4), hidden=(), classes=3),
}
LARGE = Sizes(200.0, 0.0)
EACH_SIZE = pytest.mark.parametrize("sizes", [Sizes(0.1, 0.5), Sizes(2.0, 1.0), LARGE], ids=str)


def of_the_class(arch: ArchSpec, tau: float, squares: tuple[float, ...]) -> NetworkNorms:
    """Norms of a network whose layers, constants counted, have norm 1, the output layer tau: then rho' is tau."""
    rng, sizes = (
        torch.Generator().manual_seed(0),
        [s.weight_shape for s in arch.shapes()] + [s.bias_shape for s in arch.shapes()],
    )
    drawn = [torch.randn(1, *size, generator=rng, dtype=torch.float64) for size in sizes]
    for i, shape in enumerate((*arch.shapes(), *arch.shapes())):
        if shape.kind == "local":  # the same at every position
            drawn[i] = drawn[i][:, :1].expand_as(drawn[i])
    whole = [w[0] for w in on_the_sphere(drawn, arch, tau)]
    own = [b * math.sqrt(c) for b, c in zip(whole[len(squares) :], squares, strict=True)]
    return from_columns(norm_columns(whole[: len(squares)], own, None, arch.shapes()), arch.shapes())


def toy_data(arch: ArchSpec, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(1)
    return torch.from_numpy(rng.uniform(0, 1, (n, *arch.in_shape))), torch.arange(n) % arch.classes


@pytest.fixture
def one_size(monkeypatch):
    """These constants for all networks."""

    def only_this(sizes: Sizes) -> None:
        for module in (biases, theorem_s, sparse_doubled):
            monkeypatch.setattr(module, "SIZES", (sizes,))

    for kept in (theorem_s._more_paths, sparse_doubled._weightless):
        kept.cache_clear()
    yield only_this
    for kept in (theorem_s._more_paths, sparse_doubled._weightless):
        kept.cache_clear()


def proved(key: str, arch: ArchSpec, sample: SampleStats, sizes: Sizes) -> float:
    """The complexity of the class with tau 1, to which it is proportional, without the price of the grid of scales."""
    net = of_the_class(arch, 1.0, biases.constants(arch.shapes(), sample, sizes))
    value = evaluate(BY_KEY[key], net, sample, Settings("strict", margin=1.0))
    return only(value.complexity) / math.exp(only(value.log_factors["scale_grid"]))


@EACH_SIZE
@pytest.mark.parametrize("name", TOYS)
def test_theorem_s_is_never_below_what_it_bounds(name, sizes, one_size):
    """Every sign vector: twice the Rademacher complexity of the ramp class, without an error of drawing."""
    arch, n = dataclasses.replace(TOYS[name], bias=True), 4
    images, labels = toy_data(arch, n)
    sample = sample_stats(images, arch, "digits")
    one_size(sizes)
    per_tau = proved("sparse", arch, sample, sizes)
    squares = biases.constants(arch.shapes(), sample, sizes)
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=n))).double() / n
    truth = 2 * ascended(signs, arch, images, labels, 1 / per_tau, [math.sqrt(c) for c in squares])
    assert truth > 0.03  # the ascent found something
    assert truth <= 1.0
    if sizes == LARGE:
        whole = path_energy(sample.fed.pixel_energy, arch.shapes(), constants=[n * c for c in squares])
        assert truth > math.sqrt(path_energy(sample.fed.pixel_energy, arch.shapes()) / whole)  # without the constant


@EACH_SIZE
@pytest.mark.parametrize("name", TOYS)
def test_theorem_s2_is_never_below_the_gap_that_it_bounds(name, sizes, one_size, monkeypatch):
    """Every sample of four from a population of three: the expected largest gap, against the complexity with the population's own
    energies in place of their limits."""
    arch, n, size = dataclasses.replace(TOYS[name], bias=True), 4, 3
    images, labels = toy_data(arch, size)
    population = sample_stats(images, arch, "digits")
    one_size(sizes)
    monkeypatch.setattr(sparse_doubled, "energy_limit", lambda mean, largest, n, delta: mean)
    price = math.sqrt(2 * size / n) / (1 - 1 / math.sqrt(math.pi * n))
    monkeypatch.setattr(sparse_doubled, "doubling_factor", lambda _: price)
    sparse_doubled._limits.cache_clear()
    per_tau = proved("doubled", arch, population, sizes)
    squares = biases.constants(arch.shapes(), population, sizes)
    samples = [np.bincount(drawn, minlength=size) for drawn in itertools.product(range(size), repeat=n)]
    counts, times = np.unique(samples, axis=0, return_counts=True)
    gaps = torch.from_numpy((1 / size - counts / n) * (times / times.sum() * len(times))[:, None])
    gap = ascended(gaps, arch, images, labels, 1 / per_tau, [math.sqrt(c) for c in squares])
    sparse_doubled._limits.cache_clear()
    assert gap > 0.02  # the ascent found something
    assert gap <= 1.0
    if sizes == LARGE:
        largest = biases.largest_energy(arch.shapes(), population)
        mean = path_energy(population.fed.pixel_energy, arch.shapes(), linear=True) / size
        assert gap > math.sqrt(mean / (mean + sizes.share * largest))  # without the constant
