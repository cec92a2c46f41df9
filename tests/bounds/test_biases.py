"""Theorems S and S2 of networks with biases: against oracles, and what must not change them."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch

from boundlab.bounds import BY_KEY, biases
from boundlab.bounds.base import evaluate, only
from boundlab.bounds.theorem_s import frobenius_centered
from boundlab.networks.measure import norm_columns
from boundlab.quantities.norms import BIAS_FIELDS, NetworkNorms
from boundlab.quantities.paths import constant_paths, path_energy
from boundlab.quantities.records import from_columns, norm_column
from boundlab.specs.arch import ArchSpec
from boundlab.specs.settings import Settings
from tests.bound_oracles import ORACLES
from tests.bounds.test_architecture_bounds import CASES, arch_of, draw, measured, value
from tests.cases import SMALL
from tests.conftest import make_norms, make_sample
from tests.written_out import Case, constant_walks
from tests.written_out import path_energy as walked_energy

KEYS = ("sparse", "doubled")
STRICT = Settings("strict", margin=1.0)
SMALL_BIASED = dataclasses.replace(SMALL, bias=True)


def drawn_biases(arch: ArchSpec, seed: int, size: float) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [size * torch.randn(s.bias_shape, generator=rng, dtype=torch.float64) for s in arch.shapes()]


@pytest.mark.parametrize("name", CASES)
def test_path_energies_with_constants_against_walking_every_path(name):
    shapes, sample = arch_of(name, bias=True).shapes(), make_sample(arch_of(name), 700)
    counts = constant_paths(shapes)
    walks = constant_walks(shapes, sample.fed.pixel_energy.size)
    assert counts == pytest.approx(walks, rel=1e-12)
    case = Case(shapes, [torch.zeros(s.weight_shape).numpy() for s in shapes], [], [], sample)
    energies = np.random.default_rng(0).uniform(10, 1000, len(shapes)).tolist()
    energy = sample.fed.pixel_energy
    assert path_energy(energy, shapes, constants=energies) == pytest.approx(walked_energy(case, energies), rel=1e-12)
    linear = [path_energy(energy, shapes, linear=True, constants=c) for c in (energies, ())]
    more = sum(count * one for count, one in zip(walks, energies, strict=True))
    assert linear[0] - linear[1] == pytest.approx(more, rel=1e-9)


def test_the_constants_of_a_shipped_architecture():
    """CERTIFICATES, section 2: CONV-3 with 2 x 2 kernels on MNIST, n (625 x 21 + 1) more."""
    assert sum(constant_paths(ArchSpec(channels=16, bias=True).shapes())) == 625 * 21 + 1


@pytest.mark.parametrize("size", [0.01, 0.3, 5.0])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("key", KEYS)
def test_a_number_as_the_oracle_has_it(key, name, size):
    arch = arch_of(name, bias=True)
    weights, drawn = draw(arch, 3), drawn_biases(arch, 4, size)
    got = value(BY_KEY[key], "strict", arch, measured(arch, weights, weights, drawn))
    if name in ("lc max", "local under max"):
        assert "needs a norm per pool window" in got.reason
        return
    raw = [w.numpy() for w in weights]
    case = Case(arch.shapes(), raw, [], [], make_sample(arch, 700), [b.numpy() for b in drawn])
    rounding = math.exp(got.log_factors["scale_grid"]) if key == "doubled" else 1.0
    assert got.complexity / rounding == pytest.approx(ORACLES[key, "strict"](case), rel=1e-6)  # D on two grids


def complexity(key: str, net: NetworkNorms, arch: ArchSpec, **settings) -> float:
    got = evaluate(BY_KEY[key], net, make_sample(arch, 700), dataclasses.replace(STRICT, **settings))
    return float(got.complexity / np.exp(got.log_factors.get("scale_grid", 0.0)))


def of(arch: ArchSpec, weights, drawn) -> NetworkNorms:
    return from_columns(norm_columns(weights, drawn, None, arch.shapes()), arch.shapes())


@pytest.mark.parametrize("key", KEYS)
def test_zero_biases_cost_next_to_nothing_and_small_ones_little(key):
    """The flag decides that there is a constant; then its price is the smallest share of energy, and a thirtieth of delta."""
    plain, weights = SMALL, draw(SMALL, 1)
    without = complexity(key, of(plain, weights, [None] * 3), plain)
    found = [
        complexity(key, of(SMALL_BIASED, weights, drawn_biases(SMALL_BIASED, 2, s)), SMALL_BIASED)
        for s in (0, 1e-3, 0.1, 1)
    ]
    assert without < found[0] < without * 1.001
    assert found[0] < found[1] < found[2] < found[3]
    assert found[1] < without * 1.05
    got = [
        evaluate(BY_KEY[key], of(arch, weights, b), make_sample(arch, 700), dataclasses.replace(STRICT, delta=delta))
        for arch, b, delta in ((plain, [None] * 3, 0.001), (SMALL_BIASED, drawn_biases(SMALL_BIASED, 2, 0), 0.03))
    ]
    if key == "sparse":  # the same grid point
        assert got[0].confidence == pytest.approx(got[1].confidence, rel=1e-3)


@pytest.mark.parametrize("key", KEYS)
def test_output_biases_are_nearly_free_and_their_mean_is(key):
    weights = draw(SMALL_BIASED, 1)
    none, large = (drawn_biases(SMALL_BIASED, 2, size) for size in (0.0, 1.0))
    first, last = [large[0], *none[1:]], [*none[:-1], large[-1]]
    nets = [of(SMALL_BIASED, weights, some) for some in (none, last, first)]
    zero, output, hidden = (complexity(key, net, SMALL_BIASED) for net in nets)
    assert zero < output < 1.02 * zero
    assert 1.1 * zero < hidden
    shifted = of(SMALL_BIASED, weights, [*none[:-1], none[-1] + 100.0])
    assert complexity(key, shifted, SMALL_BIASED) == pytest.approx(zero, rel=1e-9)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("factor", [0.3, 4.0])
def test_the_same_function_has_the_same_number(key, factor):
    """A layer times c, its biases too, and the next layer's weights over c; inputs times c and the first weights over c."""
    arch = SMALL_BIASED
    w, b = draw(arch, 1), drawn_biases(arch, 2, 0.5)
    moved = of(arch, [w[0] * factor, w[1] / factor, w[2]], [b[0] * factor, *b[1:]])
    assert complexity(key, moved, arch) == pytest.approx(complexity(key, of(arch, w, b), arch), rel=1e-9)
    scaled = evaluate(BY_KEY[key], of(arch, [w[0] / factor, *w[1:]], b), make_sample(arch, 700, factor=factor), STRICT)
    rounding = np.exp(scaled.log_factors.get("scale_grid", 0.0))
    assert scaled.complexity / rounding == pytest.approx(complexity(key, of(arch, w, b), arch), rel=1e-9)


@pytest.mark.parametrize("key", KEYS)
def test_many_networks_at_once_are_what_each_is_alone(key):
    """Each chooses its own constants and its own margin."""
    nets = [make_norms(SMALL_BIASED, seed, biases=True) for seed in range(3)]
    columns = []
    for seed, size in enumerate((1e-3, 0.2, 5.0)):
        record = norm_columns(
            draw(SMALL_BIASED, seed), drawn_biases(SMALL_BIASED, seed, size), None, SMALL_BIASED.shapes()
        )
        columns.append(record | {name: getattr(nets[seed].margins, name).tolist() for name in ("ramp", "indicator")})
    columns[1] |= {"ramp": None, "indicator": None}
    many = from_columns(pd.DataFrame(columns), SMALL_BIASED.shapes())
    whole = evaluate(BY_KEY[key], many, make_sample(SMALL_BIASED, 700), Settings("strict"))
    for i in (0, 2):
        alone = evaluate(
            BY_KEY[key],
            from_columns(columns[i], SMALL_BIASED.shapes()),
            make_sample(SMALL_BIASED, 700),
            Settings("strict"),
        )
        assert float(whole.value[i]) == pytest.approx(float(alone.value), rel=1e-12)
    assert np.isnan(whole.value[1])
    assert len({float(x) for x in whole.log_factors["biases"]}) == 3


def test_the_constants_chosen_are_the_best_of_the_list():
    net, sample = of(SMALL_BIASED, draw(SMALL_BIASED, 1), drawn_biases(SMALL_BIASED, 2, 0.3)), make_sample(SMALL_BIASED)
    log_rho = np.asarray(sum(frobenius_centered(net).values()))
    found = []
    largest = biases.largest_energy(net.shapes, sample)
    for sizes in biases.SIZES:
        squares, counts = biases.constants(net.shapes, sample, sizes), constant_paths(net.shapes)
        energies = [n * c for n, c in zip(counts, squares, strict=True)]
        assert sum(energies) == pytest.approx(sizes.share * largest)
        assert energies[0] / energies[1] == pytest.approx((counts[0] / counts[1]) ** sizes.power)
        energy = path_energy(sample.fed.pixel_energy, net.shapes, constants=[sample.n * c for c in squares])
        squared = math.exp(2 * log_rho)
        squared += sum(
            float(norm) ** 2 / c * math.prod(float(f) ** 2 for f in after)
            for norm, c, after in zip(
                (net.layers[0].max_bias_norm, net.layers[1].max_bias_norm, net.layers[2].centered_bias_norm),
                squares,
                (
                    (net.layers[1].frobenius, net.layers[2].centered_frobenius),
                    (net.layers[2].centered_frobenius,),
                    (),
                ),
                strict=True,
            )
        )
        found.append(math.sqrt(squared * energy))
    without = math.exp(log_rho) * math.sqrt(path_energy(sample.fed.pixel_energy, net.shapes))
    got = only(evaluate(BY_KEY["sparse"], net, sample, STRICT).log_factors["biases"])
    assert math.exp(got) == pytest.approx(min(found) / without, rel=1e-12)
    assert 3 < found.index(min(found)) < len(found) - 3
    assert len(found) == 30


def test_without_sharing_the_largest_filter_and_the_largest_bias_count():
    arch = arch_of("lc", bias=True)
    shape = arch.shapes()[0]
    weights, drawn = draw(arch, 1), drawn_biases(arch, 2, 1.0)
    layer = of(arch, weights, drawn).layers[0]
    assert shape.copies > 1
    assert layer.max_bias_norm == pytest.approx(float(drawn[0].norm(dim=1).max()), rel=1e-12)
    assert layer.max_bias_norm < layer.bias_norm == pytest.approx(float(drawn[0].norm()), rel=1e-12)


@pytest.mark.parametrize("key", KEYS)
def test_records_from_before_have_the_norm_of_all_biases_in_its_place(key):
    arch = arch_of("lc", bias=True)
    columns = norm_columns(draw(arch, 1), drawn_biases(arch, 2, 0.5), None, arch.shapes())
    old = {name: value for name, value in columns.items() if "max_bias" not in name and "centered_bias" not in name}
    assert len(old) == len(columns) - len(arch.shapes()) - 1
    before, now = (from_columns(some, arch.shapes()) for some in (old, columns))
    assert complexity(key, before, arch) > complexity(key, now, arch)
    assert np.isnan(before.layers[0].max_bias_norm)
    assert (
        norm_columns(draw(SMALL, 1), [None] * 3, None, SMALL.shapes())
        .keys()
        .isdisjoint({norm_column(i, name) for i in range(3) for name in BIAS_FIELDS})
    )
    plain = from_columns(norm_columns(draw(SMALL, 1), [None] * 3, None, SMALL.shapes()), SMALL.shapes())
    assert [float(layer.max_bias_norm) for layer in plain.layers] == [0.0] * 3
    assert float(plain.layers[-1].centered_bias_norm) == 0.0


def test_a_network_that_no_pixel_reaches_has_a_number_of_theorem_s_all_the_same():
    arch = ArchSpec(
        in_shape=(1, 1, 1), channels=2, conv_layers=1, kernel_size=2, dilation=2, padding=1, classes=3, bias=True
    )
    got = evaluate(BY_KEY["sparse"], of(arch, draw(arch, 0), drawn_biases(arch, 1, 1.0)), make_sample(arch), STRICT)
    assert 0 < only(got.complexity) < 1e3
