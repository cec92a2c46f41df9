"""Every bound against reference values, hand-written formulas and the symmetries it must have. Tests walk ALL."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from boundlab.bounds import ALL, BY_KEY
from boundlab.bounds.sparse import class_factor, depth_factor
from boundlab.measure import norm_columns
from boundlab.norms import from_columns
from boundlab.specs import CONVENTIONS, ArchSpec, Settings
from boundlab.tables import final_table
from tests.cases import FORMULAS, SMALL, mnist_like_sample, value
from tests.conftest import make_norms, make_sample, reference_weights


@pytest.mark.parametrize(
    ("channels", "seed", "rho", "expected"),
    [
        (16, 1016, 22.16885, {"sparse": 10.05667, "golowich": 631882.4, "ledent": 7896476, "long_sedghi": 5.003969, "graf": 202884.0}),
        (64, 1064, 172.7238, {"sparse": 75.18083, "golowich": 4923165, "ledent": 13851950, "long_sedghi": 12.29397, "graf": 1332997}),
    ],
)  # fmt: skip
def test_reference_rows(channels, seed, rho, expected):
    arch = ArchSpec(channels=channels, bias=True, normalize=(0.1307, 0.3081))
    weights = [torch.from_numpy(w) for w in reference_weights(arch, seed)]
    zero = [torch.zeros(s.out_channels) for s in arch.shapes()]
    net = from_columns(norm_columns(weights, zero, None, arch.shapes()), arch.shapes())
    assert float(net.rho) == pytest.approx(rho, rel=5e-5)
    for key, wanted in expected.items():
        assert value(BY_KEY[key], "published", net, mnist_like_sample()).value == pytest.approx(wanted, rel=5e-5)


def with_rho(net, rho):
    """The same network with its first layer scaled so that rho is as given."""
    first = net.layers[0]
    factor = rho / net.rho
    scaled = dataclasses.replace(first, frobenius=first.frobenius * factor, tap_frobenius=first.tap_frobenius * factor)
    return dataclasses.replace(net, layers=(scaled, *net.layers[1:]))


def test_golden_sparse_numbers():
    arch = ArchSpec(channels=4)
    net = with_rho(make_norms(arch, 0), 2.8)
    for n, leading, confidence in ((60000, 1.36968, 0.0284), (50000, 1.6436, 0.0311)):
        got = value(BY_KEY["sparse"], "published", net, mnist_like_sample(), n=n)
        assert got.complexity == pytest.approx(leading, rel=1e-4)
        assert got.confidence == pytest.approx(confidence, abs=6e-5)
    counted = value(BY_KEY["sparse"], "theorem", with_rho(net, 1.2865), mnist_like_sample())
    assert counted.complexity == pytest.approx(90.8, rel=2e-3)
    golowich = value(BY_KEY["golowich"], "theorem", with_rho(net, 1.2865), mnist_like_sample())
    assert golowich.complexity == pytest.approx(3.46e5, rel=2e-3)


def test_theorem_s_constants():
    wanted = [1, 1.4571, 2.1166, 2.8411, 3.5535, 4.2599, 4.9626, 5.6631, 6.3620]
    assert [depth_factor(m) for m in range(9)] == pytest.approx(wanted, abs=6e-5)
    kappas = {2: 1.41421, 3: 1.93185, 10: 3.72076, 100: 10.8544, 1000: 32.5758}
    assert {c: class_factor(c)[1] for c in kappas} == pytest.approx(kappas, rel=1e-5)
    assert 2 * math.prod(class_factor(2)) == pytest.approx(2 * math.sqrt(2))
    assert 2 * math.prod(class_factor(10)) == pytest.approx(9.3266, rel=1e-5)


def test_depth_factor_against_the_gaussian_integral():
    def factor(p, m):
        moment = quad(lambda g: 2 * g**p * math.exp(-g * g / 2) / math.sqrt(2 * math.pi), 0, 40)[0]
        return moment ** (2 / p) * (0.5 + 0.5 * 2 ** (1 / p)) ** (2 * m)

    for m in (1, 3, 6):
        assert depth_factor(m) == pytest.approx(min(factor(p, m) for p in np.arange(2, 12, 0.02)), rel=1e-4)


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


def test_theorem_s_pure_formula():
    gaussian, kappa = class_factor(10)
    assert 2 * gaussian * kappa * math.sqrt(depth_factor(3)) * 2 * 300 / (0.5 * 1000) == pytest.approx(
        18.8645, rel=1e-5
    )


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


@pytest.mark.parametrize("bound", ALL, ids=lambda b: b.key)
def test_every_convention_has_a_formula_or_a_reason(bound):
    assert set(bound.formulas) | set(bound.refusals) == set(CONVENTIONS)
    assert not set(bound.formulas) & set(bound.refusals)
    assert bound.source
    assert all(formula.latex for formula in bound.formulas.values())


def test_refusals_are_reasons():
    biased = dataclasses.replace(SMALL, bias=True)
    net = make_norms(biased, 0, biases=True)
    for convention in ("theorem", "strict"):
        result = value(BY_KEY["sparse"], convention, net, make_sample(biased))
        assert result.value is None
        assert "no biases" in result.reason
    assert value(BY_KEY["sparse"], "published", net, make_sample(biased)).value > 0
    other_n = value(BY_KEY["sparse"], "strict", make_norms(SMALL, 0), make_sample(SMALL), n=5000)
    assert "size of the sample" in other_n.reason
    fresh = value(
        BY_KEY["graf"], "theorem", make_norms(SMALL, 0, with_init=False), make_sample(SMALL), reference="init"
    )
    assert "initial weights" in fresh.reason
    for bound in ALL:
        if bound.key != "sparse":
            assert "Theorem S" in value(bound, "strict", make_norms(SMALL, 0), make_sample(SMALL)).reason


def test_without_margins_a_theorem_has_a_complexity_but_no_value():
    net = dataclasses.replace(make_norms(SMALL, 0), margins=None)
    for convention in ("theorem", "strict"):
        result = value(BY_KEY["sparse"], convention, net, make_sample(SMALL))
        assert np.isnan(result.value)
        assert np.isfinite(result.complexity)


def test_margin_errors_round_up():
    errors = make_norms(SMALL, 0).margins
    between = math.sqrt(errors.grid[10] * errors.grid[11])
    assert errors.at(between, "ramp") == errors.ramp[11] >= errors.ramp[10]
    assert errors.at(11.0, "ramp") == 1.0
    assert errors.at(float(errors.grid[10]), "indicator") == errors.indicator[10]


def test_published_n_is_the_authors_only_for_their_whole_data_set():
    sample = mnist_like_sample()
    assert sample.published_n == 50000
    assert dataclasses.replace(sample, n=1000).published_n == 1000
    assert dataclasses.replace(sample, dataset="digits", n=1437).published_n == 1437


def test_an_mlp_has_every_bound():
    arch = ArchSpec(kind="mlp", in_shape=(1, 8, 8), hidden=(16, 8), classes=4)
    net, sample = make_norms(arch, 0), make_sample(arch)
    for bound, convention in FORMULAS:
        assert value(bound, convention, net, sample).value > 0
    strict = value(BY_KEY["sparse"], "strict", net, sample)
    assert strict.log_factors["paths"] == pytest.approx(0.0, abs=1e-12)  # every input is seen once


def test_in_strict_nothing_but_the_sparse_bound_is_a_number(pack):
    table = final_table(pack[:3], Settings(convention="strict"))
    keys = {bound.key for bound in ALL}
    assert set(table.loc[table["value"].notna() & table["series"].isin(keys), "series"]) == {"sparse"}
