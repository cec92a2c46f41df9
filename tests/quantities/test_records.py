"""Columns of records to norms: many records at once are what each of them is alone."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from boundlab.quantities.norms import MARGIN_GRID, NORM_FIELDS, SCALED_GRID, MarginErrors, log
from boundlab.quantities.records import from_columns

KINDS = ("ramp", "indicator")


@pytest.fixture(scope="module")
def records(whole_pack) -> tuple[pd.DataFrame, tuple]:
    """The first records of a run, most of them without errors, the last of those with errors measured at a scale too."""
    run = next(run for run in whole_pack if run.spec.arch.title == "CONV-3-8")
    rows = run.records.iloc[:60].copy()
    assert 1 < rows["train_error"].notna().sum() < len(rows)
    last = rows["train_error"].last_valid_index()
    rng = np.random.default_rng(0)
    rows["margin_scale"] = np.where(rows.index == last, 0.37, np.nan)
    for kind in KINDS:
        errors = np.sort(rng.uniform(size=len(SCALED_GRID)))
        rows[f"scaled_{kind}"] = [errors if index == last else None for index in rows.index]
    return rows, run.spec.arch.shapes()


def test_many_records_are_what_each_is_alone(records):
    rows, shapes = records
    whole = from_columns(rows, shapes)
    for place in range(len(rows)):
        one = from_columns(rows.iloc[place].to_dict(), shapes)
        for layer, alone in zip(whole.layers, one.layers, strict=True):
            for name in NORM_FIELDS:
                np.testing.assert_array_equal(getattr(layer, name)[place], getattr(alone, name), err_msg=name)
        for kind in KINDS:
            for margin in (0.005, 0.01, 0.3, 1.0, 10.0, 11.0):
                np.testing.assert_array_equal(whole.error_at(margin, kind)[place], one.error_at(margin, kind))
            each = np.linspace(0.02, 9.0, len(rows))
            np.testing.assert_array_equal(whole.error_at(each, kind)[place], one.error_at(float(each[place]), kind))


def test_errors_are_kept_of_measured_records_alone(records):
    rows, shapes = records
    whole, known = from_columns(rows, shapes), rows["train_error"].notna().to_numpy()
    assert whole.margins.ramp.shape == (known.sum(), len(MARGIN_GRID))
    np.testing.assert_array_equal(whole.margins.measured, known)
    np.testing.assert_array_equal(np.isnan(whole.error_at(1.0, "ramp")), ~known)
    every = from_columns(rows[known], shapes)
    assert every.margins.measured is None
    np.testing.assert_array_equal(every.error_at(1.0, "ramp"), whole.error_at(1.0, "ramp")[known])


def test_records_without_any_errors_have_no_margins(records):
    rows, shapes = records
    bare = rows[rows["train_error"].isna()]
    for columns in (bare, bare.drop(columns="ramp"), bare.iloc[0].to_dict()):
        norms = from_columns(columns, shapes)
        assert norms.margins is norms.searched is None
        assert np.isnan(norms.error_at(1.0, "ramp")).all()


def test_the_margin_asked_for_last_is_no_other(records):
    norms = from_columns(*records)
    fresh = from_columns(*records)
    for margin in (1.0, 0.1, 1.0, 0.1):
        for kind in KINDS:
            wanted = dataclasses.replace(fresh).error_at(margin, kind)
            np.testing.assert_array_equal(norms.error_at(margin, kind), wanted)


def test_logs_are_those_of_the_norms(records):
    for layer in from_columns(*records).layers:
        for name in ("frobenius", "map_frobenius", "norm_21"):
            np.testing.assert_array_equal(layer.log(name), log(getattr(layer, name)))
            assert layer.log(name) is layer.log(name)


def test_errors_with_a_grid_of_their_own_each():
    """By hand: three margins, two records, of three the second has none."""
    grid = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    ramp = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    errors = MarginErrors(grid, ramp, ramp + 0.1, np.array([True, False, True]))
    np.testing.assert_array_equal(errors.at(2.0, "ramp"), [0.2, np.nan, 0.4])
    np.testing.assert_array_equal(errors.at(2.5, "ramp"), [0.3, np.nan, 0.4])
    np.testing.assert_array_equal(errors.at(np.array([4.0, 5.0, 30.0]), "ramp"), [1.0, np.nan, 0.6])
