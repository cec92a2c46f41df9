"""The sentence above a figure says what its curves do."""

import re

import pytest

from boundlab.analysis.curves import by_axis
from boundlab.analysis.tables import AXES, final_table
from boundlab.charts.theme import lead
from boundlab.specs.settings import CONVENTIONS, Settings
from boundlab.text import readable, times
from boundlab.words.headline import figure_headline

ONE = {0.0: ""}


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("dataset", ["mnist", "digits"])
@pytest.mark.parametrize("key", ["weight_decay", "channels", "depth"])
def test_it_is_true_of_every_view_and_short(pack, key, dataset, convention):
    axis, settings = AXES[key], Settings(convention)
    table = final_table([run for run in pack if run.spec.train.dataset == dataset], settings)
    still = [column for column in ("conv_layers", "channels", "weight_decay") if column != axis.column]
    seen = 0
    for _, part in table.groupby(still):
        curves = by_axis(part, axis)
        words = figure_headline(curves, axis, settings, ONE)
        rows = {name: own for name, own in curves.groupby("series")}
        if lead(rows) is None:
            assert words == "The sparse bound does not apply to these runs."
            continue
        seen += 1
        bound, test = rows[lead(rows)]["mean"], rows["test_error"]["mean"]
        first, last = bound.iloc[0], bound.iloc[-1]
        assert f"**{readable(last)}**" in words
        assert f"**{readable(test.iloc[-1], 'test_error')}**" in words
        assert ("(vacuous)" in words) == (last >= 1)
        assert ("(no guarantee)" in words) == (last < 1 and convention == "published")
        if len(bound) > 1 and abs(last / first - 1) >= 0.03:
            fold = f"falls {times(first / last)}-fold" if last < first else f"grows {times(last / first)}-fold"
            assert fold in words
        if len(test) > 1 and abs(test.iloc[-1] / test.iloc[0] - 1) >= 0.03:
            assert ("rises to" in words) == (test.iloc[-1] > test.iloc[0])
        assert len(re.findall(r"[^\W\d]{2,}", words)) <= 20
    assert seen > 2


def test_several_panels_have_a_clause_each(pack):
    axis, settings = AXES["weight_decay"], Settings()
    table = final_table(
        [run for run in pack if run.spec.train.dataset == "digits" and run.spec.arch.conv_layers == 3], settings
    )
    curves = by_axis(table, axis, panel="channels")
    panels = {value: f"H = {value:g}" for value in sorted(curves["panel"].unique())}
    words = figure_headline(curves, axis, settings, panels)
    assert all(re.search(rf"{re.escape(title)}( \([\d.]+ to [\d.]+\))?: ", words) for title in panels.values())
    assert words.count("-fold") == len(panels)


def test_panels_that_compare_different_ranges_say_which(pack):
    axis, settings = AXES["weight_decay"], Settings()
    table = final_table(
        [run for run in pack if run.spec.train.dataset == "digits" and run.spec.arch.conv_layers == 3], settings
    )
    first, second = sorted(table["channels"].unique())[:2]
    table = table[table["channels"].isin([first, second])]
    largest = table["weight_decay"].max()
    curves = by_axis(table[(table["channels"] == first) | (table["weight_decay"] < largest)], axis, panel="channels")
    shorter = curves[curves["panel"] == second]["weight_decay"].max()
    words = figure_headline(curves, axis, settings, {first: "narrow", second: "wide"})
    least = table["weight_decay"].min()
    assert f"narrow ({least:.3g} to {largest:.3g}): " in words
    assert f"wide ({least:.3g} to {shorter:.3g}): " in words
