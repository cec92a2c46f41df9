"""Rows to curves: means and ranges over seeds, relative curves, differences to the paper; by hand on small tables."""

import numpy as np
import pandas as pd
import pytest

from boundlab.analysis.curves import by_axis, drawn, last_known, relative
from boundlab.analysis.paper import minus_paper, relative_paper
from boundlab.analysis.tables import AXES

LAMBDA = AXES["weight_decay"]


def rows(**columns):
    """One series, two λ, three seeds; the second λ's third run is flagged."""
    table = pd.DataFrame(
        {
            "run": list("abcdef"),
            "weight_decay": [1e-3] * 3 + [4e-3] * 3,
            "seed": [0, 1, 2] * 2,
            "value": [4.0, 5.0, 9.0, 1.0, 2.0, 3.0],
            "trained": [True] * 5 + [False],
            "at_plateau": True,
            "series": "sparse",
            "epoch": 5.0,
            "step": 10,
            "margin": 1.0,
            "empirical": 0.0,
            "channels": 16,
        }
    )
    return table.assign(**columns)


def test_mean_range_and_number_of_seeds():
    got = by_axis(rows(), LAMBDA).set_index("weight_decay")
    assert got.loc[1e-3, ["mean", "low", "high", "seeds"]].tolist() == [6.0, 4.0, 9.0, 3]
    assert got.loc[4e-3, ["mean", "low", "high", "seeds"]].tolist() == [2.0, 1.0, 3.0, 3]
    assert got["flagged"].tolist() == [False, True]
    assert got["panel"].unique().tolist() == got["frame"].unique().tolist() == [0.0]


def test_panels_and_frames_are_kept_apart():
    table = pd.concat([rows(), rows(epoch=1.0, value=7.0), rows(channels=8, value=3.0)])
    got = by_axis(table, LAMBDA, frame="epoch", panel="channels")
    assert got.groupby(["panel", "frame"])["mean"].first().to_dict() == {(8, 5.0): 3.0, (16, 1.0): 7.0, (16, 5.0): 6.0}


def test_a_relative_curve_starts_at_one_and_keeps_its_range():
    got = relative(by_axis(rows(), LAMBDA), LAMBDA)
    np.testing.assert_allclose(got["mean"], [1.0, 1 / 3])
    np.testing.assert_allclose(got["high"], [1.5, 0.5])


def test_a_curve_that_starts_at_or_below_zero_has_no_relative_form():
    assert relative(by_axis(rows(value=[-1.0] * 3 + [2.0] * 3), LAMBDA), LAMBDA).empty


def test_errors_stand_still_between_epoch_ends():
    table = pd.DataFrame({"run": ["a"] * 4 + ["b"], "series": "test_error", "step": [0, 1, 2, 3, 0]})
    table["epoch"] = table["step"] / 10
    table["value"] = [0.9, np.nan, 0.5, np.nan, np.nan]
    for name in ("log2_value", "complexity", "confidence", "empirical", "margin"):
        table[name] = np.nan
    got = last_known(table.sample(frac=1, random_state=0)).sort_values(["run", "step"])
    values = got["value"].to_numpy()
    np.testing.assert_array_equal(values, [0.9, 0.9, 0.5, 0.5, np.nan])  # b has nothing to carry on, least of all a's
    np.testing.assert_array_equal(got["as_of"], [np.nan, 0.0, np.nan, 0.2, np.nan])


@pytest.fixture
def paper():
    columns = {"panel": "CONV-3-200", "series": "sparse", "x": [1e-3, 2e-3], "log2_value": [3.0, 2.0]}
    return pd.DataFrame(columns | {"approx_error_log2": 0.1, "paper_x": [1e-3, 2e-3]})


def test_ours_minus_the_papers_only_where_both_have_a_point(paper):
    got = minus_paper(by_axis(rows(), LAMBDA), paper, LAMBDA)
    assert got["x"].tolist() == [1e-3]
    assert got["difference"].item() == pytest.approx(np.log2(6.0) - 3.0)
    assert got["reading_error"].item() == 0.1


def test_the_papers_relative_curve_starts_at_one(paper):
    assert relative_paper(paper.iloc[::-1])["log2_value"].tolist() == [0.0, -1.0]


def test_the_csv_has_a_row_per_point_and_says_whose_it_is(paper):
    got = drawn(by_axis(rows(), LAMBDA), paper, LAMBDA, {"n": 60000}, {"source": "paper's figure 4", "n": 50000})
    assert got["source"].tolist() == ["our runs"] * 2 + ["paper's figure 4"] * 2
    assert got["mean"].tolist() == [6.0, 2.0, 8.0, 4.0]
    assert got["x"].tolist() == [1e-3, 4e-3, 1e-3, 2e-3]
    assert got["n"].tolist() == [60000] * 2 + [50000] * 2


def test_what_is_carried_on_is_what_pandas_carries_on():
    """Against groupby and ffill, on rows in any order, each column with holes of its own."""
    rng = np.random.default_rng(0)
    numbers = ["value", "log2_value", "complexity", "confidence", "empirical", "margin"]
    keys = pd.MultiIndex.from_product([["b", "a", "c"], ["s", "r"], range(25)], names=["run", "series", "step"])
    table = keys.to_frame(index=False)
    table["epoch"] = table["step"] / 7
    for name in numbers:
        table[name] = np.where(rng.random(len(table)) < 0.6, np.nan, rng.normal(size=len(table)))
    for rows in (table, table.sample(frac=1, random_state=1), table.astype({"run": "category"}).iloc[::-1], table[:0]):
        known = rows.assign(epoch=rows["epoch"].where(rows["value"].notna())).sort_values("step", kind="stable")
        known = known.groupby(["run", "series"], sort=False, observed=True)[[*numbers, "epoch"]].ffill()
        carried = rows["value"].isna() & known["value"].notna()
        wanted = rows.assign(**known[numbers], as_of=known["epoch"].where(carried))
        pd.testing.assert_frame_equal(last_known(rows), wanted)
