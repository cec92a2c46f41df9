"""What a chart is said to show is what is drawn: its ends, and every line's smallest and largest value."""

import re

import pandas as pd
import pytest

from boundlab.analysis.curves import by_axis
from boundlab.analysis.tables import AXES, final_table
from boundlab.charts.theme import styles
from boundlab.specs.settings import Settings
from boundlab.text import readable
from boundlab.words.alternative import figure_words


@pytest.fixture(scope="module")
def rows(pack):
    runs = [run for run in pack if run.spec.train.dataset == "mnist" and run.spec.arch.conv_layers == 3]
    return final_table([run for run in runs if run.spec.train.preset == "short"], Settings("theorem"))


@pytest.mark.parametrize("key", ["weight_decay", "channels"])
def test_the_numbers_are_the_drawn_ones(rows, key):
    axis, shown = AXES[key], ["sparse", "golowich", "test_error"]
    curves = by_axis(rows, axis, None, None)
    words = figure_words(curves, axis, shown, "theorem")
    for series in shown:
        values = [float(value) for name, value in zip(curves["series"], curves["mean"], strict=True) if name == series]
        line = next(part for part in words.split(": ", 1)[1].split("; ") if styles("theorem")[series].name in part)
        assert readable(min(values), series) in line
        assert readable(max(values), series) in line
    assert "Bartlett" not in words  # not shown
    ends = re.search(r"from (\S+) to ([^\s:,]+)", words).groups()
    assert [float(end.replace(",", "")) for end in ends] == pytest.approx(
        [rows[axis.column].min(), rows[axis.column].max()]
    )


def test_a_line_that_stands_still_and_one_that_is_not_there(rows):
    axis = AXES["channels"]
    curves = by_axis(rows, axis, None, None)
    still = curves.assign(mean=curves["mean"].where(curves["series"] != "sparse", 2.0))
    words = figure_words(still, axis, ["sparse", "ledent"], "theorem", "weight decay")
    assert f"{styles('theorem')['sparse'].name} 2;" in words + ";" or f"{styles('theorem')['sparse'].name} 2." in words
    assert "over all positions of the handle, weight decay" in words
    assert "none" in figure_words(pd.DataFrame(curves[:0]), axis, ["sparse"], "theorem")
