"""Bounds taken apart: the rows of an anatomy lead from 1 to the value, and every factor has words."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from boundlab.analysis.anatomy import anatomy, joined, published_to_strict
from boundlab.bounds import BY_KEY
from boundlab.bounds.base import Value, evaluate
from boundlab.bounds.factors import FACTORS, describe
from boundlab.specs.arch import ArchSpec
from boundlab.specs.settings import Settings
from tests.bounds.test_bounds import with_rho
from tests.cases import FORMULAS, NAMES, SMALL, mnist_like_sample, value
from tests.conftest import make_norms, make_sample


def one(arch=SMALL, seed=0, bound="sparse", convention="strict", **settings):
    return value(BY_KEY[bound], convention, make_norms(arch, seed), make_sample(arch), **settings)


@pytest.mark.parametrize(("bound", "convention"), FORMULAS, ids=NAMES)
@pytest.mark.parametrize("per_layer", [True, False], ids=["per-layer", "merged"])
def test_the_rows_lead_from_one_to_the_value(bound, convention, per_layer):
    result = value(bound, convention, make_norms(SMALL, 1), make_sample(SMALL))
    rows = anatomy(result, per_layer)
    steps = rows[rows["kind"] == "factor"]
    assert steps["start"].iloc[0] == 0
    assert steps["end"].to_numpy()[:-1] == pytest.approx(steps["start"].to_numpy()[1:])
    ends = rows.set_index("row")["end"]
    assert 2 ** ends["complexity"] == pytest.approx(float(result.complexity), rel=1e-12)
    assert 2 ** ends["value"] == pytest.approx(float(result.value), rel=1e-12)
    assert not rows["label"].str.contains("None|nan").any()


def test_every_factor_has_words_and_every_word_a_factor():
    used = set()
    others = (dataclasses.replace(SMALL, head="gap"), dataclasses.replace(SMALL, bias=True))
    for (bound, convention), arch in itertools.product(FORMULAS, (SMALL, *others)):
        for name in value(bound, convention, make_norms(arch, 1), make_sample(arch)).log_factors:
            factor, _ = describe(name)
            assert factor.label
            assert factor.meaning
            used.add(name.partition(".")[0])
    for changed in (dataclasses.replace(SMALL, bias=True), dataclasses.replace(SMALL, pool=("max2", ""))):
        found = value(BY_KEY["golowich"], "theorem", make_norms(changed, 1), make_sample(changed)).log_factors
        used |= {name.partition(".")[0] for name in found}
    assert used == set(FACTORS)


def test_a_bound_without_a_value_has_no_anatomy():
    with pytest.raises(ValueError, match="no biases"):
        anatomy(Value(None, reason="it assumes that there are no biases"))


def test_a_comparison_is_the_difference_of_the_logs_and_one_where_a_factor_is_missing():
    deep = dataclasses.replace(SMALL, conv_layers=3)
    first, second = anatomy(one()), anatomy(one(deep))
    table = joined(first, second).set_index("row")
    assert table.loc["frobenius.conv3", "first"] == 0
    factors = table[table["kind"] == "factor"]
    assert factors["difference"].sum() == pytest.approx(table.loc["complexity", "difference"])
    assert list(table.index[:4]) == [
        "frobenius.conv1",
        "frobenius.conv2",
        "frobenius.conv3",
        "frobenius_centered.output",
    ]
    assert (joined(first, first)["difference"] == 0).all()


def test_the_bridge_has_the_steps_of_the_reference_network():
    """BOUNDS.md section 9: CONV-3, raw inputs, rho = 2.8, margin 1, n = 60,000: 1.370 x 0.737 x 3.297 x 0.3005 x 13.456."""
    arch = ArchSpec(channels=4)
    net, sample = with_rho(make_norms(arch, 0), 2.8), mnist_like_sample()
    rows = published_to_strict(net, sample, Settings("strict", margin=1.0)).set_index("row")
    factor = 2 ** rows["log2"]
    assert factor["published"] * factor["n"] == pytest.approx(1.36968, rel=1e-4)
    assert factor["grid"] / math.exp(0.01) == pytest.approx(0.737, abs=5e-4)
    assert factor["classes"] == pytest.approx(3.297, abs=1e-3)
    assert factor["depth"] == pytest.approx(0.3005, abs=1e-4)
    assert factor["margin"] == pytest.approx(1)


@pytest.mark.parametrize("margin", [None, 1.0, 0.3])
def test_the_bridge_ends_at_theorem_s(margin):
    net, sample = make_norms(SMALL, 3), make_sample(SMALL)
    rows = published_to_strict(net, sample, Settings("strict", margin=margin)).set_index("row")
    proved = evaluate(BY_KEY["sparse"], net, sample, Settings("strict", margin=margin))
    plotted = evaluate(BY_KEY["sparse"], net, sample, Settings())
    assert 2 ** rows.loc["published", "end"] == pytest.approx(float(plotted.complexity), rel=1e-12)
    assert 2 ** rows.loc["complexity", "end"] == pytest.approx(float(proved.complexity), rel=1e-12)
    assert 2 ** rows.loc["value", "end"] == pytest.approx(float(proved.value), rel=1e-12)


def test_the_bridge_says_what_biases_cost():
    arch = dataclasses.replace(SMALL, bias=True)
    net, sample, settings = make_norms(arch, 0, biases=True), make_sample(arch), Settings("strict", margin=1.0)
    rows = published_to_strict(net, sample, settings).set_index("row")
    proved = evaluate(BY_KEY["sparse"], net, sample, settings)
    assert 2 ** rows.loc["complexity", "end"] == pytest.approx(float(proved.complexity), rel=1e-12)
    assert 2 ** rows.loc["value", "end"] == pytest.approx(float(proved.value), rel=1e-12)
    assert rows.loc["biases", "log2"] == pytest.approx(float(proved.log_factors["biases"]) / math.log(2))
    assert rows.loc["biases", "log2"] > 0
    assert "biases" not in published_to_strict(make_norms(SMALL, 0), sample, settings).set_index("row").index


def test_the_bridge_refuses_pooling():
    arch = dataclasses.replace(SMALL, pool=("max2", ""))
    with pytest.raises(ValueError, match="the released code has none"):
        published_to_strict(make_norms(arch, 0), make_sample(arch), Settings())


def test_a_dead_network_has_an_anatomy_that_ends_low():
    net = with_rho(make_norms(SMALL, 0), 0.0)
    rows = anatomy(value(BY_KEY["sparse"], "published", net, make_sample(SMALL))).set_index("row")
    assert np.isfinite(rows.loc["value", "end"])
    assert rows.loc["complexity", "end"] < rows.loc["value", "end"]
