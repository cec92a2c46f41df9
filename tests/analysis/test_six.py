"""Six bars: every factor is in exactly one, and together they are the bound."""

import numpy as np
import pytest

from boundlab.analysis.anatomy import anatomy
from boundlab.analysis.six import BARS, bar_of, six_bars
from boundlab.bounds import ALL
from boundlab.bounds.base import Value, evaluate
from boundlab.bounds.factors import FACTORS
from boundlab.specs.settings import Settings


def test_every_factor_is_in_a_bar_of_its_own_group():
    assert {bar_of(stem) for stem in FACTORS} == set(BARS)
    assert all(BARS[bar_of(stem)].group == factor.group for stem, factor in FACTORS.items())
    assert bar_of("frobenius.conv1") == "weights"


@pytest.mark.parametrize("bound", ALL, ids=lambda bound: bound.key)
def test_the_bars_are_the_factors_multiplied_by_kind(bound, pack):
    run = next(run for run in pack if run.id.startswith("digits-conv-3-16-wd0.002-s0"))
    for convention in bound.formulas:
        value = evaluate(bound, run.norms(run.epochs.iloc[-1:]), run.sample, Settings(convention))
        if value.value is None:
            continue
        bars, rows = six_bars(value).set_index("row"), anatomy(value)
        factors = rows[rows["kind"] == "factor"]
        for name in BARS:
            mine = factors[factors["row"].map(bar_of) == name]
            assert (name in bars.index) == bool(len(mine))
            if len(mine):
                assert bars.loc[name, "log2"] == pytest.approx(mine["log2"].sum())
        there = bars[bars["kind"] == "factor"]
        assert there["start"].tolist() == pytest.approx([0.0, *there["end"].iloc[:-1]])
        assert 2 ** bars.loc["value", "end"] == pytest.approx(float(np.asarray(value.value).item()))


def test_a_bound_without_a_value_has_no_bars():
    with pytest.raises(ValueError, match="has no anatomy"):
        six_bars(Value(None, reason="it assumes that there are no biases"))
