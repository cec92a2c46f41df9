"""Every formula a second time, written out term by term in plain Python."""

import dataclasses
import math

import numpy as np
import pytest

from boundlab.bounds import BY_KEY
from boundlab.bounds.theorem_s import depth_factor
from tests.cases import SMALL, value
from tests.conftest import make_norms, make_sample


def strict_by_hand(net, sample, margin, delta):
    """Theorem S written out, and the golden value 18.8645 of its pure formula below."""
    rho = math.prod(float(layer.frobenius) for layer in net.layers[:-1]) * float(net.layers[-1].centered_frobenius)
    energy = sample.fed.pixel_energy
    for layer in net.shapes[:-1]:
        padded = np.pad(energy, layer.padding)
        energy = np.array([
            [padded[y : y + layer.kernel, x : x + layer.kernel].sum() for x in range(layer.out_size[1])]
            for y in range(layer.out_size[0])
        ])  # fmt: skip
    kappa = (sample.classes - 2 + math.sqrt(sample.classes)) / math.sqrt(sample.classes - 1)
    leading = math.exp(0.01) * math.sqrt(2 * math.pi) * kappa * math.sqrt(depth_factor(len(net.layers) - 1))
    t = abs(math.ceil(math.log(rho / margin) / 0.01))
    omega = 1.5 * (t + 1) * (t + 2)
    return leading * rho / margin * math.sqrt(energy.sum()) / sample.n, math.sqrt(
        2 * math.log(omega / delta) / sample.n
    )


def test_strict_is_theorem_s():
    net, sample = make_norms(SMALL, 3), make_sample(SMALL)
    got = value(BY_KEY["sparse"], "strict", net, sample, margin=float(net.margins.grid[40]), delta=0.01)
    complexity, confidence = strict_by_hand(net, sample, net.margins.grid[40], 0.01)
    assert got.complexity == pytest.approx(complexity, rel=1e-9)
    assert got.confidence == pytest.approx(confidence, rel=1e-9)
    assert got.empirical == pytest.approx(net.margins.ramp[40])
    best = value(BY_KEY["sparse"], "strict", net, sample, delta=0.01).value
    tried = [
        sum(strict_by_hand(net, sample, g, 0.01)) + r for g, r in zip(net.margins.grid, net.margins.ramp, strict=True)
    ]
    assert best == pytest.approx(min(tried), rel=1e-9)


def test_published_graf_long_sedghi_and_ledent_written_out():
    net, sample = make_norms(SMALL, 5), make_sample(SMALL, n=700)
    n, delta, length = 700, 0.001, 3
    s, m = [float(la.spectral_kernel) for la in net.layers], [float(la.norm_21) for la in net.layers]
    product, radius = math.prod(s), sample.fed.max_norm
    widest = max(shape.parameters for shape in net.shapes)
    graf = sum((4 * radius * product * b / a) ** (2 / 3) for a, b in zip(s, m, strict=True)) ** 1.5
    graf = (
        3 * math.sqrt(math.log(2 / delta) / (2 * n))
        + 8 / n
        + 24 * math.log(n) * math.log(2 * widest) / math.sqrt(n) * graf
    )
    assert value(BY_KEY["graf"], "published", net, sample).value == pytest.approx(graf, rel=1e-10)
    parameters = sum(shape.parameters for shape in net.shapes)
    shape_only = length * product ** (1 / length) * math.sqrt(parameters / n) + math.sqrt(math.log(1 / delta) / n)
    assert value(BY_KEY["long_sedghi"], "published", net, sample).value == pytest.approx(shape_only, rel=1e-10)
    u, v = [a + 1 / length for a in s], [b + 1 / length for b in m]
    others = [math.prod(u) / a for a in u]
    r = length * (radius + 1) * sum((v[-1] * other) ** (2 / 3) for other in others) ** 1.5
    gamma = (radius + 1) * 3 * 8 * v[1] * others[1]  # last convolution: 3 channels on an 8 x 8 map enter it
    ledent = 8 / n + 3 * math.sqrt(math.log(2 / delta) / n) + math.sqrt(math.log(2) / n)
    ledent += 1536 / math.sqrt(n) * r * math.sqrt(math.log2(32 * gamma * n**2 + 7 * 192 * n)) * math.log(n)
    ledent += 3 * math.sqrt(math.log(1 + radius) / n + sum(b / length + 2 for b in m))
    assert value(BY_KEY["ledent"], "published", net, sample).value == pytest.approx(ledent, rel=1e-10)


def test_theorems_of_graf_and_ledent_written_out():
    net, sample = make_norms(SMALL, 6), make_sample(SMALL, n=500)
    n, margin = 500, 0.5
    s, m = [float(la.spectral_map) for la in net.layers], [float(la.norm_21) for la in net.layers]
    c = [4 / margin * sample.fed.frobenius / math.sqrt(n) * math.prod(s) * b / a for a, b in zip(s, m, strict=True)]
    harmonic = sum(1 / k for k in range(1, n))
    widest = max(shape.weights for shape in net.shapes)
    club = (
        8 / n
        + 24
        * harmonic
        / math.sqrt(n)
        * math.sqrt(math.log(2 * widest))
        * sum(math.ceil(x ** (2 / 3)) for x in c) ** 1.5
    )
    got = value(BY_KEY["graf"], "theorem", net, sample, margin=margin)
    assert got.complexity + got.confidence == pytest.approx(club + 3 * math.sqrt(math.log(2000) / (2 * n)), rel=1e-9)
    inside = sum(
        2 * shape.weights * (math.log(1 + math.ceil(9 * x * x)) + 2.7) for shape, x in zip(net.shapes, c, strict=True)
    )
    spade = value(BY_KEY["graf_params"], "theorem", net, sample, margin=margin)
    assert spade.complexity == pytest.approx(24 / math.sqrt(n) * math.sqrt(inside), rel=1e-9)
    b = [float(la.patch_norm) for la in net.layers] + [margin]
    reach = [*s[:-1], float(net.layers[-1].max_row)]
    alpha = [float(la.norm_row) for la in net.layers[:-1]] + [float(net.layers[-1].frobenius)]
    r = []
    for layer in range(3):
        onward = [
            math.sqrt(net.shapes[layer].positions) / b[i + 1] * math.prod(reach[layer + 1 : i + 1])
            for i in range(layer + 1, 3)
        ]
        r.append(b[layer] * (max(onward) if onward else 1 / margin) * alpha[layer])
    units = [shape.positions * shape.out_channels for shape in net.shapes]
    gamma = max(x * y for x, y in zip(r, units, strict=True))
    total = 1536 / math.sqrt(n) * sum(x ** (2 / 3) for x in r) ** 1.5
    total *= math.sqrt(math.log2(32 * gamma * n**2 + 7 * max(units) * n)) * math.log(n)
    assert value(BY_KEY["ledent"], "theorem", net, sample, margin=margin).complexity == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("scale", [0.0001, 1.0])
def test_long_sedghi_theorem_in_both_cases(scale):
    net, sample = make_norms(SMALL, 7), make_sample(SMALL, n=500)
    layers = [
        dataclasses.replace(
            la,
            spectral_map_from_init=la.spectral_map_from_init * scale,
            spectral_map_of_init=la.spectral_map_of_init * 0 + 1,
        )
        for la in net.layers
    ]
    net = dataclasses.replace(net, layers=tuple(layers))
    beta = sum(float(la.spectral_map_from_init) for la in layers)
    inner = sample.fed.max_norm * math.sqrt(2) * beta * (1 + beta / 3) ** 3
    weights = sum(shape.weights for shape in net.shapes)
    if inner < 5:
        wanted = inner * math.sqrt(weights / 500) + math.sqrt(math.log(1000) / 500)
    else:
        wanted = math.sqrt((weights * math.log(inner) + math.log(1000)) / 500)
    got = value(BY_KEY["long_sedghi"], "theorem", net, sample)
    assert (inner < 5) == (scale < 1)
    assert got.complexity + got.confidence == pytest.approx(wanted, rel=1e-9)
