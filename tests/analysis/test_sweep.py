"""A sweep as it stands, straight from the records, against the tables that say the same the slow way."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from boundlab.analysis.curves import by_axis, last_known
from boundlab.analysis.sweep import (
    ERRORS,
    ROUNDED,
    SERIES_OF,
    SWEEP_DELTA,
    blank,
    epoch_reached,
    of_conventions,
    rounded_value,
    sweep_now,
    with_rounded_values,
)
from boundlab.analysis.tables import AXES, growing_table
from boundlab.runs.growing import Latest
from boundlab.runs.part_errors import PartErrors
from boundlab.specs.settings import Settings


@pytest.fixture(scope="module")
def runs(first_part):
    """Shipped runs of one network and sample at several weight decays."""
    first = next(run for run in first_part if run.spec.arch.title == "CONV-3-16" and run.spec.train.seed == 0)
    same = lambda run: (run.spec.arch, dataclasses.replace(run.spec.train, weight_decay=0.0))  # noqa: E731
    found = [run for run in first_part if same(run) == same(first)]
    assert len(found) > 3
    return sorted(found, key=lambda run: run.spec.train.weight_decay)


def stands(run, at):
    """The run as it stood at its record number `at`."""
    records = [row.to_dict() for _, row in run.records.iloc[: at + 1].iterrows()]
    whole = [record for record in records if not math.isnan(record["train_error"])]
    return Latest(run.spec, run.sample, records[-1], whole[-1] if whole else None)


def slow(runs, at):
    tables = {}
    for name in SERIES_OF:
        rows = [last_known(growing_table(run, run.records.iloc[: at + 1], Settings(name, SWEEP_DELTA))) for run in runs]
        table = pd.concat(rows, ignore_index=True)
        tables[name] = table[table["step"] == table.groupby("run", observed=True)["step"].transform("max")]
    curves = by_axis(of_conventions(tables), AXES["weight_decay"])
    return curves[~(curves["as_of"] == 0.0)]  # measured of the untrained networks


@pytest.mark.parametrize("at", [0, 1, 7, -1])
def test_it_is_what_the_tables_say(runs, at):
    at = at % min(len(run.records) for run in runs)
    order = ["series", "weight_decay"]
    fast = sweep_now([stands(run, at) for run in runs]).sort_values(order, ignore_index=True)
    other = slow(runs, at).assign(series=lambda t: t["series"].astype(str)).sort_values(order, ignore_index=True)
    assert list(fast["series"]) == list(other["series"])
    for column in ("weight_decay", "mean", "as_of"):
        np.testing.assert_allclose(fast[column].to_numpy(float), other[column].to_numpy(float), rtol=1e-12)


def test_what_was_measured_of_the_untrained_networks_is_not_carried_into_training(runs):
    series = lambda at: set(sweep_now([stands(run, at) for run in runs])["series"])  # noqa: E731
    of_margins = {*SERIES_OF["strict"], *ERRORS}
    assert of_margins <= series(0)
    assert not of_margins & series(1)
    assert {"sparse", "golowich"} <= series(1)
    assert of_margins <= series(min(len(run.records) for run in runs) - 1)


def test_newer_errors_of_a_part_take_the_place_of_older_ones(runs):
    first = stands(runs[0], 0)
    part, last, whole = (
        PartErrors(45, 3.0, 0.25, 100, 0.5, 90),
        first.last | {"epoch": 3.0},
        first.whole | {"epoch": 2.0},
    )
    now = dataclasses.replace(first, last=last, whole=whole, part=part)
    rows = sweep_now([now]).set_index("series")
    assert [rows.loc[name, "mean"] for name in ERRORS] == [0.5, 0.25]
    assert rows["as_of"][list(ERRORS)].isna().all()
    older = dataclasses.replace(now, part=PartErrors(0, -1.0, 0.25, 100, 0.5, 90))
    assert sweep_now([older]).set_index("series").loc["test_error", "mean"] == now.whole["test_error"]


def test_theorem_d2_stands_at_the_last_frame_alone(pack):
    run = next(run for run in pack if any(one.theorem == "D2" and not one.trained for one in run.coded))
    (certificate,) = [one for one in run.coded if one.theorem == "D2" and not one.trained]
    assert rounded_value(run) == certificate.value(SWEEP_DELTA)
    assert rounded_value(dataclasses.replace(run, coded=())) is None
    curves = blank([0.1, 0.2])
    curves = pd.concat([curves, curves.assign(frame=3.0)])
    both = with_rounded_values(curves, {0.2: 0.75})
    added = both[both["series"] == ROUNDED]
    assert added[["frame", "weight_decay", "mean", "low", "high"]].to_numpy().tolist() == [[3.0, 0.2, 0.75, 0.75, 0.75]]
    assert len(both) == len(curves) + 1
    assert with_rounded_values(curves, {}) is curves


def test_nothing_is_nothing(runs):
    assert sweep_now([]).empty
    unknown = blank([0.1, 0.2])
    assert set(unknown["weight_decay"]) == {0.1, 0.2}
    assert unknown["mean"].isna().all()
    assert epoch_reached([stands(runs[0], 0), stands(runs[1], -1 % len(runs[1].records))]) == 0
    assert not any(math.isinf(v) for v in sweep_now([stands(run, 0) for run in runs])["mean"])
