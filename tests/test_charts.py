import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boundlab.charts.ladder import ladder
from boundlab.charts.theme import STYLES, log2_ticks, readable, spread, tick
from boundlab.charts.trend import Frame, trend
from boundlab.specs import Settings
from boundlab.tables import AXES, SERIES, by_axis, final_table, history_table, read_paper


def curves(pack, key):
    runs = [r for r in pack if r.spec.train.dataset == "mnist" and (key == "depth" or r.spec.arch.conv_layers == 3)]
    runs = [r for r in runs if key == "weight_decay" or r.spec.train.weight_decay == 4e-3]
    table = (history_table if key == "epoch" else final_table)(runs, Settings())
    return by_axis(table, AXES[key])


@pytest.mark.parametrize("key", list(AXES))
def test_a_trend_over_any_axis(pack, key):
    """Width and Depth need nothing but their entry in AXES."""
    axis = AXES[key]
    shown = ["golowich", "sparse", "test_error"]
    paper = read_paper(axis)
    paper = paper[paper["panel"] == paper["panel"].iloc[0]]
    figure = trend(curves(pack, key), axis, shown, Frame((1e-4, 10), (-10, 30), (1.0,)), paper)
    assert len(figure.data) == 6
    ours = figure.data[-2]
    assert ours.name == STYLES["sparse"].name
    rows = curves(pack, key)
    np.testing.assert_allclose(2 ** np.asarray(ours.y), rows[rows["series"] == "sparse"]["mean"])
    texts = [a.text for a in figure.layout.annotations]
    assert any("vacuous" in t for t in texts)
    assert sum("Sparse" in t for t in texts) == 1
    assert len(json.dumps(figure.to_plotly_json(), default=str)) < 200_000


def test_non_positive_gaps_are_left_out_of_a_log_axis(pack):
    rows = curves(pack, "weight_decay")
    gap = rows[rows["series"] == "gap"]
    figure = trend(rows, AXES["weight_decay"], ["gap"], Frame((1e-4, 1e-2), (-12, 5)))
    assert len(figure.data[0].y) == (gap["mean"] > 0).sum() < len(gap)
    assert np.isfinite(figure.data[0].y).all()


def test_the_ladder_places_every_value(pack):
    table = final_table(pack[-1:], Settings()).dropna(subset=["value"]).set_index("series")["value"]
    figure = ladder(table, ["golowich", "sparse", "test_error"], (-10, 30))
    np.testing.assert_allclose(2 ** np.asarray(figure.data[0].x), table[["golowich", "sparse", "test_error"]])
    assert list(figure.layout.yaxis.ticktext) == ["Golowich", "Sparse", "Test error"]


def test_every_series_has_its_own_look():
    assert set(STYLES) == set(SERIES)
    assert len({(s.symbol, s.light, s.dash) for s in STYLES.values()}) == len(STYLES)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=12), st.floats(0.1, 3))
def test_labels_keep_their_distance_and_order(places, gap):
    moved = spread(places, gap)
    order = np.argsort(places, kind="stable")
    assert (np.diff(np.array(moved)[order]) >= gap * (1 - 1e-9)).all()
    assert spread([0.0, 100.0], gap) == [0.0, 100.0]


def test_numbers_for_people():
    assert readable(42455.3) == "42,455"
    assert readable(3.69e6) == "3.7×10⁶"
    assert readable(1.107) == "1.11"
    assert readable(0.0409, "test_error") == "4.09 %"
    assert readable(float("inf")) == "infinite"
    assert (tick(8e-4), tick(200.0)) == ("8e-4", "200")
    assert log2_ticks(-12.0, 35.0) == (
        [-10, -5, 0, 5, 10, 15, 20, 25, 30, 35],
        ["2⁻¹⁰", "2⁻⁵", "1", "2⁵", "2¹⁰", "2¹⁵", "2²⁰", "2²⁵", "2³⁰", "2³⁵"],
    )
