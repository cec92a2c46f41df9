import dataclasses

import numpy as np
import pandas as pd
import pytest

from boundlab.analysis.tables import history_table
from boundlab.runs.part import open_part, write_part
from boundlab.runs.thinning import on_common_records, thinned
from boundlab.specs.settings import Settings


def records(length, every):
    """Records with errors at every so many, and at the last."""
    errors = np.arange(length) % every == 0
    errors[-1] = True
    return pd.DataFrame({"step": np.arange(length), "train_error": np.where(errors, 0.5, np.nan)})


@pytest.mark.parametrize("length", [1, 2, 3, 7, 40, 41, 42, 145, 361])
@pytest.mark.parametrize("every", [1, 2, 8, 18, 500])
@pytest.mark.parametrize("most", [3, 4, 11, 21, 43])
def test_few_records_are_left_first_and_last_among_them(length, every, most):
    whole = records(length, every)
    thin = thinned(whole, most)
    steps, with_errors = thin["step"], thin["train_error"].notna()
    assert len(thin) == min(length, most) or (len(thin) < most and whole["train_error"].notna().mean() > 0.5)
    assert thin.equals(whole.loc[thin.index])
    assert steps.is_monotonic_increasing
    assert steps.iloc[0] == 0
    assert steps.iloc[-1] == length - 1
    assert 1 <= with_errors.sum() <= max((most + 1) // 2 + 1, len(whole) if length <= most else 0)
    if whole["train_error"].notna().sum() <= (most + 1) // 2:
        assert with_errors.sum() == whole["train_error"].notna().sum()


def test_a_run_on_digits_keeps_every_second_record_with_errors_and_one_between():
    """By hand: 361 records, every 18th with errors."""
    assert thinned(records(361, 18), 21)["step"].tolist() == sorted([*range(0, 361, 36), *range(17, 361, 36)])


def test_a_run_on_mnist_keeps_all_its_records():
    assert len(thinned(records(41, 8))) == 41


def test_of_one_or_two_the_last_is_one():
    assert thinned(records(41, 8), 1)["step"].tolist() == [40]
    assert thinned(records(41, 8), 2)["step"].tolist() == [0, 40]
    with pytest.raises(ValueError, match="at least one record of a run must be kept, got 0"):
        thinned(records(41, 8), 0)


def test_a_thinned_part_holds_the_numbers_as_they_were(pack, tmp_path):
    """Read back through the checks that all records pass, and equal bit for bit."""
    runs = [run for run in pack if run.id.startswith(("digits-conv-6-16-wd0.002", "mnist-conv-8-16-wd0.004"))]
    assert len(runs) == 6
    write_part([dataclasses.replace(run, records=thinned(run.records, 21)) for run in runs], tmp_path)
    found = open_part(tmp_path)
    assert found.left_out == {}
    for one, other in zip(found.runs, sorted(runs, key=lambda run: run.id), strict=True):
        assert len(one.records) == 21
        whole = other.records[other.records["step"].isin(one.records["step"])]
        for name in set(whole) - {"run"}:
            for a, b in zip(one.records[name], whole[name], strict=True):
                np.testing.assert_array_equal(a, b)


def test_runs_of_which_different_records_were_kept_are_drawn_at_the_same_epochs(pack):
    runs = [run for run in pack if run.id.startswith(("digits-conv-3-16-wd0.002", "mnist-conv-3-16-wd0.004"))]
    few = dataclasses.replace(runs[1], records=thinned(runs[1].records, 21))
    fewer = dataclasses.replace(runs[2], records=thinned(runs[2].records, 11))
    mixed = on_common_records((runs[0], few, fewer, *runs[3:]))
    steps = set(few.records["step"]) & set(fewer.records["step"])
    assert {0, 9000} < steps
    for run, whole in zip(mixed[:3], runs[:3], strict=True):
        assert set(run.records["step"]) == steps
        assert run.records.equals(whole.records.loc[run.records.index])
    assert all(run is whole for run, whole in zip(mixed[3:], runs[3:], strict=True))
    table = history_table(mixed[:3], Settings(), 12)
    assert (table.groupby(["series", "step"])["run"].nunique() == 3).all()
    again = on_common_records((runs[0], few, fewer, *runs[3:]))
    assert all(one is other for one, other in zip(mixed, again, strict=True))
    assert on_common_records(()) == ()
