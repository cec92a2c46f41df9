"""Theorem S2, step by step: each against what it bounds, by enumeration or quadrature where the toys allow it."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import binom

from boundlab.bounds import BY_KEY, sparse_doubled
from boundlab.bounds.base import evaluate, only
from boundlab.bounds.concentration import kl_inverse
from boundlab.bounds.theorem_s import class_factor
from boundlab.networks.measure import norm_columns
from boundlab.networks.sample_stats import sample_stats
from boundlab.quantities.norms import NetworkNorms
from boundlab.quantities.records import from_columns
from boundlab.specs.arch import ArchSpec
from boundlab.specs.settings import Settings
from tests.bounds.test_theorem_s import CLASSES, ascended, on_the_sphere


def classes_of_functions():
    """(functions, atoms) values in [0, 1] on a small population: drawn, all 0-1 functions, one function and none."""
    rng = np.random.default_rng(0)
    yield from (rng.uniform(size=(size, 3)) for size in (2, 4, 8))
    yield from (rng.integers(0, 2, (size, 3)).astype(float) for size in (2, 5))
    yield np.array(list(itertools.product([0.0, 1.0], repeat=3)))
    yield np.array([[0.2, 0.9, 0.9], [0.0, 0.0, 0.0]])


def balanced_signs(n: int) -> np.ndarray:
    return np.array([s for s in itertools.product([-1, 1], repeat=2 * n) if sum(s) == 0])


@pytest.mark.parametrize("n", [2, 3])
def test_b1_the_gap_is_at_most_twice_the_complexity_of_two_samples(n):
    """Every sample, every sign vector: no estimate."""
    signs = np.array(list(itertools.product([-1, 1], repeat=2 * n)))
    closest = math.inf
    for values in classes_of_functions():
        atoms = values.shape[1]
        samples = np.array(list(itertools.product(range(atoms), repeat=n)))
        gap = np.mean([(values.mean(axis=1) - values[:, s].mean(axis=1)).max() for s in samples])
        pairs = np.array(list(itertools.product(range(atoms), repeat=2 * n)))
        sums = [(signs @ values[:, z].T).max(axis=1).mean() / n for z in pairs]
        price = sparse_doubled.doubling_factor(n) / math.sqrt(2)
        assert gap <= price * np.mean(sums)
        closest = min(closest, np.mean(sums) / max(gap, 1e-12))
    assert closest < 2  # the toys come near enough for the constant to matter


@pytest.mark.parametrize("n", [2, 3, 4])
def test_b1_independent_signs_lean_towards_balanced_ones(n):
    """alpha = 1 - binom(2n, n) / 4^n by turning surplus signs at random, written out; and it is what the formula allows."""
    total = 0.0
    for xi in itertools.product([-1, 1], repeat=2 * n):
        total += 2 * n - 2 * abs(sum(x > 0 for x in xi) - n)  # sum of xi_j s_j, whichever signs are turned
    alpha = total / 4**n / (2 * n)
    assert alpha == pytest.approx(1 - math.comb(2 * n, n) / 4**n)
    assert math.sqrt(2) / sparse_doubled.doubling_factor(n) <= alpha


@pytest.mark.parametrize("classes", [2, 3, 4, 10])
def test_b2_directions(classes):
    """E |<theta, v>| = ||v|| / s by drawing, for theta on the sphere of radius sqrt(C - 1) orthogonal to the ones."""
    rng, d = np.random.default_rng(0), classes - 1
    theta = rng.standard_normal((200_000, classes))
    theta -= theta.mean(axis=1, keepdims=True)
    theta *= math.sqrt(d) / np.linalg.norm(theta, axis=1, keepdims=True)
    v = rng.standard_normal(classes)
    v -= v.mean()
    assert np.abs(theta @ v).mean() == pytest.approx(
        np.linalg.norm(v) / sparse_doubled.direction_factor(classes), rel=0.01
    )
    assert 1 - 1e-12 < sparse_doubled.direction_factor(classes) < math.sqrt(math.pi / 2)


def margin_loss(outputs: np.ndarray, label: int) -> np.ndarray:
    others = np.delete(outputs, label, axis=-1).max(axis=-1)
    return np.clip(1 - (outputs[..., label] - others), 0, 1)


@pytest.mark.parametrize("seed", range(6))
def test_b2_signs_of_losses_against_directions_of_outputs(seed):
    """Three classes: theta is on a circle, whose mean over two examples is a double sum over angles."""
    rng, s = np.random.default_rng(seed), sparse_doubled.direction_factor(3)
    outputs = rng.standard_normal((4, 2, 3)) * rng.choice([0.3, 1.0])  # (functions, examples, classes)
    labels = rng.integers(0, 3, 2)
    losses = np.stack([margin_loss(outputs[:, i], labels[i]) for i in range(2)], axis=1)
    signs = np.array(list(itertools.product([-1, 1], repeat=2)))
    left = (signs @ losses.T).max(axis=1).mean()
    basis = np.linalg.svd(np.ones((1, 3)))[2][1:]  # of the plane orthogonal to the ones
    angles = np.arange(360) * 2 * math.pi / 360
    theta = math.sqrt(2) * np.stack([np.cos(angles), np.sin(angles)], axis=1) @ basis
    terms = []
    for i, y in enumerate(labels):
        u = np.eye(3)[y] - np.eye(3)[[c for c in range(3) if c != y]]
        values, vectors = np.linalg.eigh(u.T @ u / 2)
        root = np.sqrt(np.maximum(values, 0))
        sigma = root.sum() * (vectors * root) @ vectors.T
        assert np.trace(sigma) == pytest.approx(((3 - 2 + math.sqrt(3)) / math.sqrt(2)) ** 2)
        half = (vectors * np.sqrt(root.sum() * root)) @ vectors.T
        terms.append(s * theta @ half @ outputs[:, i].T)  # (angles, functions)
    right = (terms[0][:, None, :] + terms[1][None, :, :]).max(axis=2).mean()
    assert left <= right


@pytest.mark.parametrize("p", [2.0, 2.5, 3.0, 4.0])
@pytest.mark.parametrize("d", [2, 3, 9])
def test_a6_sums_of_directions_have_smaller_moments_than_gaussians(d, p):
    rng = np.random.default_rng(0)
    gaussian = 2 ** (p / 2) * math.gamma((p + 1) / 2) / math.sqrt(math.pi)
    for b in ([1.0], [1.0, 1.0], [1.0, 0.5, 0.2]):
        theta = rng.standard_normal((100_000, len(b), d))
        theta *= math.sqrt(d) / np.linalg.norm(theta, axis=2, keepdims=True)
        moment = (np.abs(theta[:, :, 0] @ b) ** p).mean()
        assert moment <= gaussian * np.linalg.norm(b) ** p * 1.01


def patches(kind: str, rng: np.random.Generator) -> np.ndarray:
    """(images, 2) of two pixels each."""
    if kind == "bright":
        return np.outer(rng.uniform(0, 1, 12), [1, 1]) + 0.05 * rng.standard_normal((12, 2))
    if kind == "contrast":
        return np.outer(rng.standard_normal(12), [1, -1])
    return rng.standard_normal((12, 2)) if kind == "any" else rng.uniform(0, 1, (12, 2))


@pytest.mark.parametrize("kind", ["any", "positive", "bright", "contrast"])
def test_b3_one_layer(kind):
    """E sup_w (sum h relu(<w, u>))^2, over a fine grid of directions w, against the first layer's factor at p = 2."""
    rng = np.random.default_rng(1)
    u = patches(kind, rng)
    angles = np.linspace(0, 2 * math.pi, 720, endpoint=False)
    w = np.stack([np.cos(angles), np.sin(angles)])
    features = np.maximum(u @ w, 0)  # (images, directions)
    h = rng.standard_normal((20_000, len(u)))
    truth = ((h @ features) ** 2).max(axis=1).mean()
    energy, mean = (u**2).sum(), (u.sum(axis=1) ** 2).sum() / 2
    nu = (energy - mean) / energy
    factor = (0.5 + 0.5 * math.sqrt(1 + nu)) ** 2
    assert factor == pytest.approx(sparse_doubled.depth_factor(nu, 1, 0, True), rel=1e-12)
    assert truth <= factor * energy * 1.02
    if kind == "bright":  # here the step pays: close to the truth, which is the energy
        assert factor < 1.02 < truth / energy * 1.05


@pytest.mark.parametrize(("n", "mean"), [(100, 0.02), (1000, 0.001), (1000, 0.3), (12_665, 0.11)])
def test_b4_the_limit_on_the_energy_covers(n, mean):
    """Images either black or as bright as can be, the worst case: exact, by summing the binomial distribution."""
    for delta in (0.2, 0.01, 5e-5):
        counts = np.arange(n + 1)
        limits = kl_inverse(counts / n, math.log(1 / delta) / n)
        assert binom.pmf(counts[limits < mean], n, mean).sum() <= delta
        for count in (0, n // 10):
            assert sparse_doubled.energy_limit(3.0 * count / n, 3.0, n, delta) == pytest.approx(3 * limits[count])


@pytest.mark.parametrize("name", CLASSES)
def test_it_is_never_below_the_gap_that_it_bounds(name, monkeypatch):
    """The expected largest gap between a population and samples of it, from below by gradient ascent, against the
    complexity with the population's own energies in place of their limits."""
    arch, n, tau = CLASSES[name]
    tau *= 2  # pixels in [0, 1] are smaller than those of Theorem S's test
    rng, size = np.random.default_rng(1), 3 * n
    images = torch.from_numpy(rng.uniform(0, 1, (size, *arch.in_shape)))
    labels = torch.from_numpy(rng.integers(0, arch.classes, size))
    counts = torch.from_numpy(rng.multinomial(n, np.full(size, 1 / size), 10)).double()
    gap = ascended(1 / size - counts / n, arch, images, labels, tau)
    weights = [w[0] for w in on_the_sphere([torch.rand(1, *s.weight_shape).double() for s in arch.shapes()], arch, tau)]
    net = from_columns(norm_columns(weights, [None] * len(weights), None, arch.shapes()), arch.shapes())
    population = sample_stats(images, arch, "digits")
    with monkeypatch.context() as patch:
        patch.setattr(sparse_doubled, "energy_limit", lambda mean, largest, n, delta: mean)
        patch.setattr(
            sparse_doubled, "doubling_factor", lambda _: math.sqrt(2 * size / n) / (1 - 1 / math.sqrt(math.pi * n))
        )
        value = evaluate(BY_KEY["doubled"], net, population, Settings("strict", margin=1.0))
    bound = only(value.complexity) / math.exp(only(value.log_factors["scale_grid"]))
    assert gap > 0.05  # the ascent found something
    assert gap <= bound


STRICT = Settings("strict", margin=1.0)


def drawn(arch: ArchSpec) -> NetworkNorms:
    weights = [torch.rand(s.weight_shape, dtype=torch.float64) for s in arch.shapes()]
    return from_columns(norm_columns(weights, [None] * len(weights), None, arch.shapes()), arch.shapes())


def test_pixels_outside_their_range_are_refused():
    arch = CLASSES["one convolution"][0]
    images = torch.full((8, *arch.in_shape), 1.5)
    value = evaluate(BY_KEY["doubled"], drawn(arch), sample_stats(images, arch, "digits"), STRICT)
    assert value.reason == "it assumes that pixels lie in [0, 1]"


def test_where_no_pixel_is_seen_or_all_that_are_seen_are_black():
    """A network that no pixel reaches is refused; a sample that lies beside what it sees has the limits' complexity."""
    arch = ArchSpec(in_shape=(1, 1, 1), channels=2, conv_layers=1, kernel_size=2, dilation=2, padding=1, classes=3)
    value = evaluate(BY_KEY["doubled"], drawn(arch), sample_stats(torch.ones(5, 1, 1, 1), arch, "digits"), STRICT)
    assert value.reason == "it assumes that some pixel reaches the output layer"
    arch = ArchSpec(in_shape=(1, 4, 4), channels=2, conv_layers=1, kernel_size=1, stride=2, classes=3)
    images = torch.zeros(5, 1, 4, 4)
    images[:, :, 1::2, 1::2] = 1.0
    sample, net = sample_stats(images, arch, "digits"), drawn(arch)
    value = evaluate(BY_KEY["doubled"], net, sample, STRICT)
    limit = sparse_doubled.energy_limit(0.0, 4.0, 5, 0.05 * 0.001)  # four pixels are seen
    rho = only(net.layers[0].frobenius) * only(net.layers[1].centered_frobenius)
    factors = (
        sparse_doubled.doubling_factor(5)
        * sparse_doubled.direction_factor(3)
        * class_factor(3)[1]
        * (0.5 + math.sqrt(0.5))
    )
    rounding = math.exp(only(value.log_factors["scale_grid"]))
    assert only(value.complexity) == pytest.approx(factors * rounding * rho * math.sqrt(limit / 5), rel=1e-6)


@pytest.mark.parametrize("delta", [0.1, 0.001])
def test_it_is_below_theorem_s_for_every_shipped_network(whole_pack, delta):
    """The pages say so; it is no theorem (few examples or pooling can turn it around)."""
    for run in whole_pack:
        net, settings = run.norms(run.epochs.iloc[-1:]), Settings("strict", delta)
        sharper, plain = (evaluate(BY_KEY[key], net, run.sample, settings) for key in ("doubled", "sparse"))
        assert only(sharper.value) < only(plain.value), run.id
