"""Every symbol and factor of a formula has the number that the core computes with, for each bound in each convention."""

import math

import pytest

from boundlab.analysis.symbols import KNOWN, named_symbol, symbols
from boundlab.bounds import ALL, BY_KEY
from boundlab.bounds.base import evaluate, only
from boundlab.bounds.factors import FACTORS
from boundlab.specs.settings import CONVENTIONS, Settings


@pytest.fixture(scope="module")
def run(pack):
    return next(run for run in pack if run.id.startswith("mnist-conv-3-16-wd0.004-s0"))


PAIRS = [(bound, convention) for bound in ALL for convention in CONVENTIONS if convention in bound.formulas]


@pytest.mark.parametrize(("bound", "convention"), PAIRS, ids=lambda part: getattr(part, "key", part))
def test_factors_multiply_and_terms_add_to_the_value(run, bound, convention):
    net, settings = run.norms(run.epochs.iloc[-1:]), Settings(convention, 0.01)
    found = symbols(bound, net, run.sample, settings)
    assert len({one.name for one in found}) == len(found)
    value = evaluate(bound, net, run.sample, settings)
    assert named_symbol(found, "value").numbers == (("", only(value.value)),)
    letters = {known.name for known in KNOWN} | {"value"}
    labels = {factor.label for factor in FACTORS.values()}
    parts = [one for one in found if one.name not in letters]
    factors = [one for one in parts if one.name.removesuffix(" (factor)") in labels]
    product = math.prod(one.numbers[0][1] for one in factors)
    assert product == pytest.approx(only(value.complexity))
    terms = sum(one.numbers[0][1] for one in parts if one not in factors)
    assert product + terms == pytest.approx(only(value.value))
    for one in factors:
        if layers := [number for layer, number in one.numbers if layer]:
            assert math.prod(layers) == pytest.approx(one.numbers[0][1])


def test_letters_have_the_numbers_of_the_formula(run):
    net, settings = run.norms(run.epochs.iloc[-1:]), Settings("published", 0.01)
    found = {one.name: one.numbers for one in symbols(BY_KEY["sparse"], net, run.sample, settings)}
    assert found["n"] == (("", 50_000.0),)
    assert (found["C"], found["L"], found["δ"]) == ((("", 10.0),), (("", 4.0),), (("", 0.01),))
    assert found["ρ"][0][1] == pytest.approx(math.prod(number for _, number in found["‖W‖"]))
    assert found["a"] == (("conv1", 4.0), ("conv2", 4.0), ("conv3", 4.0), ("output", 1.0))
    rho, energy = found["ρ"][0][1], found["max E"][0][1]
    depth = 1 + math.sqrt(2 * (4 * math.log(2 * 4) + math.log(10)))
    area = math.sqrt(math.prod(a for _, a in found["a"]))
    confidence = 3 * math.sqrt(math.log(2 * (rho + 2) ** 2 / 0.01) / (2 * 50_000))
    by_hand = (rho + 1) / 50_000 * 2 * math.sqrt(2) * depth * area * math.sqrt(energy) + confidence
    assert found["value"][0][1] == pytest.approx(by_hand)


def test_the_letters_of_other_formulas_are_those_of_their_latex(run):
    net = run.norms(run.epochs.iloc[-1:])

    def letters(key, convention):
        known = {known.name for known in KNOWN}
        return {one.name for one in symbols(BY_KEY[key], net, run.sample, Settings(convention)) if one.name in known}

    assert letters("golowich", "published") == {"n", "C", "L", "δ", "‖X‖", "ρ_G", "‖W‖", "O"}
    assert letters("golowich", "theorem") == {"n", "C", "L", "δ", "γ", "‖X‖", "‖op(W)‖", "max ‖w‖"}
    assert letters("sparse", "strict") >= {"n", "δ", "γ", "ρ_P", "‖W‖"}
    assert "ρ" not in letters("sparse", "strict")
    assert letters("long_sedghi", "published") == {"n", "L", "δ", "ŝ"}


def test_a_bound_that_does_not_apply_has_its_letters_and_the_reason(whole_pack):
    unshared = next(run for run in whole_pack if run.spec.arch.kind == "lc")
    net = unshared.norms(unshared.epochs.iloc[-1:])
    first, *rest = symbols(BY_KEY["graf"], net, unshared.sample, Settings("published"))
    assert (first.name, first.numbers) == ("value", ())
    assert "filters are shared" in first.meaning
    assert {"n", "δ", "ŝ"} <= {one.name for one in rest}
