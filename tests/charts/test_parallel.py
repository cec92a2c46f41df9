"""Parallel coordinates: every run that has all numbers is a line, at the places of its numbers."""

import numpy as np
import pandas as pd
import pytest

from boundlab.analysis.run_columns import RunColumn
from boundlab.charts.parallel import can_be_drawn, parallel
from boundlab.charts.theme import SELECTED_COLOUR

DECAY, ERROR, DEPTH = (
    RunColumn("wd", "λ", "number"),
    RunColumn("err", "Test error", "share"),
    RunColumn("L", "Layers", "whole"),
)
TABLE = pd.DataFrame(
    {
        "run": ["a", "b", "c", "d"],
        "wd": [1e-4, 1e-3, 1e-2, 1e-1],
        "err": [0.01, 0.02, np.nan, 0.04],
        "L": [1.0, 2.0, 2.0, 1.0],
    }
)


@pytest.mark.parametrize("dark", [False, True])
def test_a_line_per_run_with_all_numbers(dark):
    (lines,) = parallel(TABLE, [DECAY, ERROR, DEPTH], [], dark).data
    decay, error, depth = lines.dimensions
    assert decay.values == pytest.approx([-4, -3, -1], abs=1e-6)  # two decades and more: a log axis
    assert error.values == pytest.approx([1, 2, 4])  # of 100, within a decade
    assert list(depth.values) == [1, 2, 1]
    assert [axis.label for axis in lines.dimensions] == ["λ", "Test error, %", "Layers"]
    assert lines.tickfont.size >= 16
    assert lines.labelfont.size >= 16


def test_ticks_say_the_value_at_their_place():
    (lines,) = parallel(TABLE, [DECAY, ERROR], []).data
    decay, error = lines.dimensions
    assert [10**v for v in decay.tickvals] == pytest.approx([float(text) for text in decay.ticktext])
    assert list(error.tickvals) == pytest.approx([float(text) for text in error.ticktext])
    many = pd.DataFrame(
        {"run": map(str, range(90)), "wd": np.geomspace(3e-5, 0.7, 90), "err": np.linspace(0.12, 0.88, 90)}
    )
    (lines,) = parallel(many, [DECAY, ERROR], []).data
    decay, error = lines.dimensions
    assert [float(text) for text in decay.ticktext] == [1e-4, 1e-3, 1e-2, 1e-1]
    assert [float(text) for text in error.ticktext] == [20, 40, 60, 80]


def test_selected_runs_stand_out_and_come_last():
    (lines,) = parallel(TABLE, [DECAY, DEPTH], ["a"]).data
    assert lines.line.color.tolist() == [0, 0, 0, 1]
    assert lines.dimensions[0].values[-1] == pytest.approx(-4)
    assert lines.line.colorscale[1][1] == SELECTED_COLOUR[0]


def test_only_numbers_that_differ_have_an_axis():
    word, seed, same = (
        RunColumn("run", "Id", "word"),
        RunColumn("seed", "Seed", "whole"),
        RunColumn("one", "One", "number"),
    )
    table = TABLE.assign(seed=[0.0, 1, 2, 3], one=1.0)
    assert can_be_drawn(table, [word, DECAY, seed, same, DEPTH]) == [DECAY, DEPTH]
    many = [RunColumn(f"c{i}", f"c{i}", "number") for i in range(12)]
    assert len(can_be_drawn(pd.DataFrame({c.key: [1.0, 2.0] for c in many}), many)) == 7


def test_what_is_0_stands_below_the_others_of_a_log_axis():
    (lines,) = parallel(TABLE.assign(wd=[0.0, 1e-3, 1e-2, 1e-1]), [DECAY, DEPTH], []).data
    decay = lines.dimensions[0]
    assert decay.values == pytest.approx([-3.5, -3, -2, -1])
    assert dict(zip(decay.ticktext, decay.tickvals, strict=True))["0"] == -3.5


def test_bounds_are_called_as_on_the_other_charts():
    (lines,) = parallel(
        TABLE.assign(wd=[1.0, 2, 3, 4]).rename(columns={"wd": "sparse:strict"}),
        [RunColumn("sparse:strict", "long", "number")],
        [],
    ).data
    assert lines.dimensions[0].label == "Theorem S"
