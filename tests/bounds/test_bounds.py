"""Every bound against reference values, hand-written formulas and the symmetries it must have. Tests walk ALL."""

import dataclasses
import math
import re

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from boundlab.analysis.tables import final_table
from boundlab.bounds import ALL, BY_KEY, LITERATURE
from boundlab.bounds.base import log_sum
from boundlab.bounds.theorem_s import class_factor, depth_factor
from boundlab.networks.measure import norm_columns
from boundlab.quantities.records import from_columns
from boundlab.specs.arch import ArchSpec
from boundlab.specs.settings import CONVENTIONS, Settings
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
    # with all of the output layer counted; the theorem needs one class's row of it
    row = float(net.layers[-1].max_row / net.layers[-1].frobenius)
    assert 1 / math.sqrt(10) < row < 0.4
    golowich = value(BY_KEY["golowich"], "theorem", with_rho(net, 1.2865), mnist_like_sample())
    assert golowich.complexity == pytest.approx(3.46e5 * row, rel=2e-3)
    neyshabur = value(BY_KEY["neyshabur"], "theorem", with_rho(net, 1.2865), mnist_like_sample())
    assert neyshabur.complexity == pytest.approx(8.25e5 * row, rel=2e-3)


@pytest.mark.parametrize(("path_norm", "wanted"), [(376, 90), (2502, 596)])
def test_golden_gonon_numbers(path_norm, wanted):
    """The path norm enters alone, and not the width: two measured networks, bound per path norm."""
    net = dataclasses.replace(make_norms(ArchSpec(channels=4), 0), path_l1=np.asarray(float(path_norm)))
    sample = mnist_like_sample()
    sample = dataclasses.replace(sample, fed=dataclasses.replace(sample.fed, max_abs=(1 - 0.1307) / 0.3081))
    assert value(BY_KEY["gonon"], "theorem", net, sample).complexity == pytest.approx(wanted, rel=6e-3)


def test_bartlett_of_a_shipped_network_is_of_the_golden_size(pack):
    """4.1e6 at rho = 1.2865; the shipped CONV-3-8 nearest to it has the same spectral norms within a few per cent."""
    nets = [run for run in pack if run.spec.arch.title == "CONV-3-8" and run.spec.train.dataset == "mnist"]
    run = min(nets, key=lambda run: abs(float(run.norms(run.epochs.iloc[-1:]).rho[0]) - 1.2865))
    got = value(BY_KEY["bartlett"], "theorem", run.norms(run.epochs.iloc[-1:]), run.sample)
    assert 4.1e6 / 1.5 < got.complexity[0] < 4.1e6 * 1.5


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
        for pools in range(1, m + 1):  # 2^(1/p) in place of (1 + 2^(1/p)) / 2 for each layer with a max-pool

            def pooled(p, m=m, pools=pools):
                return factor(p, m - pools) * 2 ** (2 * pools / p)

            assert depth_factor(m, pools) == pytest.approx(min(pooled(p) for p in np.arange(2, 24, 0.02)), rel=1e-4)
            assert depth_factor(m, pools) > depth_factor(m, pools - 1)


def test_theorem_s_pure_formula():
    gaussian, kappa = class_factor(10)
    assert 2 * gaussian * kappa * math.sqrt(depth_factor(3)) * 2 * 300 / (0.5 * 1000) == pytest.approx(
        18.8645, rel=1e-5
    )


@pytest.mark.parametrize("bound", ALL, ids=lambda b: b.key)
def test_every_convention_has_a_formula_or_a_reason(bound):
    assert set(bound.formulas) | set(bound.refusals) == set(CONVENTIONS)
    assert not set(bound.formulas) & set(bound.refusals)
    assert bound.source
    assert all(formula.latex for formula in bound.formulas.values())


@pytest.mark.parametrize("bound", ALL, ids=lambda b: b.key)
def test_the_bibtex_entry_is_that_of_the_source(bound):
    entry, year = bound.bibtex, re.findall(r"\b(?:19|20)\d\d\b", bound.title + bound.source)
    assert re.match(r"@(inproceedings|article|misc)\{[a-z]+\d{4}\w*,\n", entry)
    assert entry.count("{") == entry.count("}")
    fields = dict(re.findall(r"^ +(\w+) += \{(.*)\},?$", entry, flags=re.MULTILINE))
    assert {"title", "author", "year"} <= set(fields)
    assert {"booktitle", "journal", "howpublished"} & set(fields)
    assert fields["year"] in year
    authors = [author.split(",")[0] for author in fields["author"].split(" and ")]
    assert bound.source.startswith(", ".join(authors))
    assert re.findall(r"arXiv (\d{4}\.\d{5})", bound.source) in ([], [fields.get("eprint")])


def test_refusals_are_reasons():
    biased = dataclasses.replace(SMALL, bias=True)
    net = make_norms(biased, 0, biases=True)
    result = value(BY_KEY["sparse"], "theorem", net, make_sample(biased))
    assert result.value is None
    assert "no biases" in result.reason
    for convention in ("published", "strict"):
        assert value(BY_KEY["sparse"], convention, net, make_sample(biased)).value > 0
    other_n = value(BY_KEY["sparse"], "strict", make_norms(SMALL, 0), make_sample(SMALL), n=5000)
    assert "size of the sample" in other_n.reason
    for bound in LITERATURE:
        if bound.key != "sparse":
            assert "Theorems S and S2" in value(bound, "strict", make_norms(SMALL, 0), make_sample(SMALL)).reason


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


@pytest.mark.parametrize("hidden", [(16, 8), ()], ids=["two hidden layers", "linear"])
def test_an_mlp_has_every_bound(hidden):
    arch = ArchSpec(kind="mlp", in_shape=(1, 8, 8), hidden=hidden, classes=4)
    net, sample = make_norms(arch, 0), make_sample(arch)
    for bound, convention in FORMULAS:
        assert value(bound, convention, net, sample).value > 0
    strict = value(BY_KEY["sparse"], "strict", net, sample)
    assert strict.log_factors["paths"] == pytest.approx(0.0, abs=1e-12)  # every input is seen once


def test_in_strict_nothing_but_the_sparse_bound_is_a_number(pack):
    table = final_table(pack[:3], Settings(convention="strict"))
    keys = {bound.key for bound in ALL}
    assert set(table.loc[table["value"].notna() & table["series"].isin(keys), "series"]) == {"sparse", "doubled"}


def test_every_formula_says_in_its_docstring_where_it_is_from():
    for bound in ALL:
        for convention, formula in bound.formulas.items():
            words = " ".join((formula.terms.__doc__ or "").split())
            origin = {"published": "authors' code", "theorem": r"\b(19|20)\d\d\b", "strict": "of this project"}[
                convention
            ]
            assert re.search(origin, words), (
                f"{bound.key}: the docstring of {convention} should name its source and year"
            )


def test_log_sum_is_logaddexp():
    rng = np.random.default_rng(0)
    for logs in (rng.normal(0, 300, (5, 40)), rng.normal(0, 1e-3, (2, 40)), rng.normal(-900, 1, (3, 40))):
        got = log_sum(list(logs))
        np.testing.assert_allclose(got, np.logaddexp.reduce(logs, axis=0), rtol=1e-14, atol=1e-15)
    odd = [np.inf, -np.inf, np.nan, 0.0, 800.0, -800.0]
    first, second = (np.ravel(part) for part in np.meshgrid(odd, odd))
    for other in (second, 0.0):
        with np.errstate(invalid="ignore"):
            wanted = np.logaddexp(first, other)
        np.testing.assert_allclose(log_sum([first, other]), wanted, rtol=1e-15)
    assert log_sum([np.asarray(1.0), 2.0]) == pytest.approx(np.logaddexp(1.0, 2.0), rel=1e-15)
