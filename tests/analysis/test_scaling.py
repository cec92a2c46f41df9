"""Moves, powers of n and margins, by hand and against the table of measures."""

import numpy as np
import pandas as pd
import pytest

from boundlab.analysis.measures import measures_table
from boundlab.analysis.scaling import exponents, margins_of, moves


def curves(**series):
    """Rows of `curves.by_axis` over n = 100, 400, 1600."""
    rows = [
        {"n_train": n, "series": name, "mean": value}
        for name, values in series.items()
        for n, value in zip((100, 400, 1600), values, strict=True)
        if value is not None
    ]
    return pd.DataFrame(rows)


def test_from_the_first_point_to_the_last():
    found = moves(curves(sparse=(8, 3, 2), gap=(0.0, 0.1, 0.2), golowich=(1, 2, None)), "n_train")
    assert (found["sparse"].first, found["sparse"].last, found["sparse"].factor) == (8, 2, 0.25)
    assert np.isnan(found["gap"].factor)
    assert "golowich" not in found  # it has no last point


def test_the_power_of_n_is_the_one_that_was_put_in():
    n = np.array([100, 400, 1600])
    found = exponents(curves(sparse=3 / np.sqrt(n), gap=7.0 * n**0.25, graf=(5, 5, 5)), "n_train")
    assert found == pytest.approx({"sparse": -0.5, "gap": 0.25, "graf": 0}, abs=1e-12)


def test_least_squares_by_hand():
    """Logs to base 4 of 1, 2, 4: slopes of (0, 1/2, 1) over (0, 1, 2) is 1/2; with the middle one moved up it stays."""
    assert exponents(curves(sparse=(1, 9, 4)), "n_train")["sparse"] == pytest.approx(0.5)


def test_what_has_no_logarithm_has_no_power():
    assert exponents(curves(gap=(0.1, 0.0, 0.2), sparse=(1, None, None), graf=(1, np.inf, 2)), "n_train") == {}


def test_margins_are_those_of_the_measures(pack):
    runs = [run for run in pack if run.spec.train.dataset == "digits"][:40]
    found, table = margins_of(runs).set_index("run"), measures_table(runs).set_index("run")
    assert set(found.index) == {run.id for run in runs}
    expected = 1 / table.loc[found.index, "inverse_margin"]
    np.testing.assert_allclose(found["margin"], expected)
    np.testing.assert_allclose(found["normalised"], expected / table.loc[found.index, "product_frobenius"])
    assert found["margin"].notna().sum() > 20
    assert margins_of([]).empty
