import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boundlab.analysis.curves import by_axis, last_known, relative
from boundlab.analysis.paper import read_paper
from boundlab.analysis.sweep import ROUNDED
from boundlab.analysis.tables import AXES, SERIES, final_table, history_table
from boundlab.bounds import BY_KEY
from boundlab.charts.canvas import Canvas
from boundlab.charts.ladder import ladder
from boundlab.charts.margins_of_run import trade_off_chart
from boundlab.charts.theme import STYLES, log2_ticks, spread
from boundlab.charts.trend import trend
from boundlab.specs.settings import Settings
from boundlab.text import readable, tick

SHOWN = ["golowich", "sparse", "test_error"]
CANVAS = Canvas((1e-4, 10), (-10, 30), (1.0,))


def chosen(pack, key):
    runs = [r for r in pack if r.spec.train.dataset == "mnist" and r.spec.arch.channels == 16]
    runs = [r for r in runs if key == "depth" or r.spec.arch.conv_layers == 3]
    return [r for r in runs if key == "weight_decay" or r.spec.train.weight_decay == 4e-3]


def curves(pack, key):
    table = (history_table if key == "epoch" else final_table)(chosen(pack, key), Settings())
    return by_axis(table, AXES[key])


def moved(pack):
    """λ on the axis, epochs as frames."""
    return by_axis(
        last_known(history_table(chosen(pack, "weight_decay"), Settings(), 12)), AXES["weight_decay"], "epoch"
    )


def named(figure, name):
    return next(trace for trace in figure.data if trace.name == STYLES[name].name)


@pytest.mark.parametrize("key", list(AXES))
def test_a_trend_over_any_axis(pack, key):
    axis = AXES[key]
    paper = read_paper(axis)
    paper = paper[paper["panel"] == paper["panel"].iloc[0]].assign(paper_x=paper["x"], difference=np.nan)
    figure = trend(curves(pack, key), axis, SHOWN, CANVAS, paper).figure
    rows = curves(pack, key)
    expected = np.log2(rows[rows["series"] == "sparse"]["mean"])
    np.testing.assert_allclose(np.asarray(named(figure, "sparse").y, float), expected, atol=1e-4)
    assert sum("CONV" in trace.name for trace in figure.data) == 3
    names = next(trace for trace in figure.data if trace.name == "names")
    assert names.text[1] == "<b> Sparse</b>"
    assert any("says nothing" in a.text for a in figure.layout.annotations)


def test_a_frame_is_what_the_figure_drawn_at_that_position_shows(pack):
    rows = moved(pack)
    whole = trend(rows, AXES["weight_decay"], SHOWN, CANVAS)
    assert len(whole.frames) == rows["frame"].nunique() > 10
    for k in (0, 3, len(whole.frames) - 1):
        there = trend(rows, AXES["weight_decay"], SHOWN, CANVAS, base=k).figure.to_plotly_json()["data"]
        for index, part in zip(whole.moving, whole.frames[k], strict=True):
            for name, value in part.items():
                assert list(there[index][name]) == list(value)
    first, last = whole.frames[0], whole.frames[-1]
    assert first != last


def test_frames_stay_small(pack):
    shown = [name for name in SERIES if name not in BY_KEY or "published" in BY_KEY[name].formulas]
    picture = trend(moved(pack), AXES["weight_decay"], shown, CANVAS)
    per_frame = len(json.dumps(picture.frames)) / len(picture.frames)
    assert per_frame * 43 < 200_000  # the pages send at most 43 frames of six points
    assert len(picture.figure.to_json()) < 50_000


def test_the_stamp_tells_frames_apart_and_the_canvas_does_not_follow_the_data(pack):
    rows = moved(pack)
    one, same = (trend(rows, AXES["weight_decay"], SHOWN, CANVAS, base=k) for k in (0, 5))
    other = trend(rows.assign(mean=2 * rows["mean"]), AXES["weight_decay"], SHOWN, CANVAS)
    assert one.stamp == same.stamp != other.stamp
    assert one.figure.layout.meta["base"] == 0
    assert same.figure.layout.meta["base"] == 5
    assert one.figure.layout.meta["canvas"] == other.figure.layout.meta["canvas"]


def test_several_seeds_have_a_band_and_one_seed_has_none(pack):
    rows = curves(pack, "weight_decay")
    single = trend(rows.assign(seeds=1), AXES["weight_decay"], ["sparse"], CANVAS).figure
    assert [t.name for t in single.data] == [STYLES["sparse"].name, "leaders", "names"]
    three = trend(
        rows.assign(seeds=3, low=rows["mean"] / 2, high=2 * rows["mean"]), AXES["weight_decay"], ["sparse"], CANVAS
    )
    band, line = three.figure.data[:2]
    middle = np.asarray(line.y, float)
    np.testing.assert_allclose(np.asarray(band.y, float), [*(middle + 1), *(middle[::-1] - 1)], atol=1e-3)
    assert " to " in line.customdata[0]


def test_flagged_runs_are_ringed(pack):
    rows = curves(pack, "weight_decay")
    flags = rows["weight_decay"] == 1e-3
    figure = trend(rows.assign(flagged=flags), AXES["weight_decay"], SHOWN, CANVAS).figure
    ring = next(trace for trace in figure.data if trace.name == "flagged")
    assert list(ring.x) == [1e-3] * 3
    assert "flagged" not in [t.name for t in trend(rows, AXES["weight_decay"], SHOWN, CANVAS).figure.data]


def test_panels_share_the_value_axis(pack):
    table = final_table(chosen(pack, "weight_decay"), Settings())
    rows = by_axis(table.assign(half=(table["weight_decay"] > 1e-3) * 1.0), AXES["weight_decay"], panel="half")
    canvas = Canvas((1e-4, 10), (-10, 30), (1e-3,), panels={0.0: "small", 1.0: "large"})
    figure = trend(rows, AXES["weight_decay"], ["sparse"], canvas).figure
    lines = [trace for trace in figure.data if trace.name == STYLES["sparse"].name]
    assert [t.xaxis for t in lines] == ["x", "x2"]
    assert all(t.yaxis in (None, "y") for t in lines)
    assert sum(len(t.x) for t in lines) == 7
    assert {"<b>small</b>", "<b>large</b>"} <= {a.text for a in figure.layout.annotations}


def test_every_panel_has_names_of_its_own_and_those_of_the_last_are_seen(pack):
    table = final_table(chosen(pack, "weight_decay"), Settings())
    rows = by_axis(table.assign(half=(table["weight_decay"] > 1e-3) * 1.0), AXES["weight_decay"], panel="half")
    canvas = Canvas((1e-4, 10), (-10, 30), (1e-3,), panels={0.0: "small", 1.0: "large"})
    figure = trend(rows, AXES["weight_decay"], ["sparse"], canvas).figure
    for part in ("names", "leaders"):
        first, last = (trace for trace in figure.data if trace.name == part)
        assert [(t.meta, t.visible) for t in (first, last)] == [(1, False), (2, True)]
    ends = [np.asarray(t.y, float)[-1] for t in figure.data if t.name == STYLES["sparse"].name]
    names = [t.y[0] for t in figure.data if t.name == "names"]
    np.testing.assert_allclose(names, ends, atol=1e-3)
    panels = figure.layout.meta["panels"]
    assert [title for title, _ in panels] == ["small", "large"]
    assert [tuple(domain) for _, domain in panels] == [figure.layout.xaxis.domain, figure.layout.xaxis2.domain]


def test_a_line_off_the_picture_is_named_at_its_edge(pack):
    figure = trend(curves(pack, "weight_decay"), AXES["weight_decay"], SHOWN, Canvas((1e-4, 10), (-3, 3))).figure
    names = next(trace for trace in figure.data if trace.name == "names")
    assert list(names.text) == [" Golowich ↑", "<b> Sparse</b>", " Test error ↓"]
    assert -3 < min(names.y) < max(names.y) < 3


def test_the_linear_scale_draws_values_and_keeps_a_negative_gap(pack):
    rows = curves(pack, "weight_decay")
    gap = rows[rows["series"] == "gap"]["mean"]
    assert (gap < 0).any()
    canvas = Canvas((1e-4, 1e-2), (-1, 5), scale="linear")
    line = named(trend(rows, AXES["weight_decay"], ["gap"], canvas).figure, "gap")
    np.testing.assert_allclose(np.asarray(line.y, float), gap, atol=1e-4)


def test_non_positive_gaps_are_left_out_of_a_log_axis(pack):
    rows = curves(pack, "weight_decay")
    gap = rows[rows["series"] == "gap"]
    line = named(trend(rows, AXES["weight_decay"], ["gap"], CANVAS).figure, "gap")
    drawn = [y for y in line.y if y is not None and np.isfinite(y)]
    assert len(drawn) == (gap["mean"] > 0).sum() < len(gap)


def test_relative_curves_start_at_the_same_height(pack):
    rows = relative(curves(pack, "weight_decay"), AXES["weight_decay"])
    figure = trend(rows, AXES["weight_decay"], SHOWN, Canvas((1e-4, 1e-2), (-5, 5), scale="relative")).figure
    assert {named(figure, name).y[0] for name in SHOWN} == {0.0}
    assert not any("says nothing" in a.text for a in figure.layout.annotations)
    assert "leftmost" in figure.layout.yaxis.title.text


def test_the_ladder_places_every_value(pack):
    table = final_table(pack[-1:], Settings()).dropna(subset=["value"]).set_index("series")["value"]
    figure = ladder(table, ["golowich", "sparse", "test_error"], (-10, 30))
    np.testing.assert_allclose(2 ** np.asarray(figure.data[0].x), table[["golowich", "sparse", "test_error"]])
    assert list(figure.layout.yaxis.ticktext) == ["Golowich", "Sparse", "Test error"]


def test_every_series_has_its_own_look():
    assert set(STYLES) == {*SERIES, ROUNDED}
    assert len({s.symbol for s in STYLES.values()}) == len(STYLES)
    assert len({(s.light, s.dark, s.dash) for s in STYLES.values()}) == len(STYLES)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=12), st.floats(0.1, 3))
def test_labels_keep_their_distance_and_order(places, gap):
    moved = spread(places, gap)
    order = np.argsort(places, kind="stable")
    assert (np.diff(np.array(moved)[order]) >= gap * (1 - 1e-9)).all()
    assert spread([0.0, 100.0], gap) == [0.0, 100.0]


@given(st.lists(st.floats(0, 20), min_size=1, max_size=10))
def test_labels_stay_inside(places):
    moved = np.array(spread([min(max(p, 0.5), 19.5) for p in places], 1.0, 0.0, 20.0))
    assert (moved >= 0.5 - 1e-9).all()
    assert (moved <= 19.5 + 1e-9).all()
    assert (np.diff(np.sort(moved)) >= 1 - 1e-9).all()


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


def test_what_was_measured_at_an_earlier_epoch_is_starred_and_dated(pack):
    rows = moved(pack)
    picture = trend(rows, AXES["weight_decay"], ["sparse", "test_error"], CANVAS, base=1)  # between epochs 0 and 1
    names = next(trace for trace in picture.figure.data if trace.name == "names")
    assert names.text[1] == " Test error*"
    assert named(picture.figure, "test_error").customdata[0].endswith(", epoch 0")
    assert "epoch" not in named(picture.figure, "sparse").customdata[0]
    assert "*" not in "".join(picture.frames[-1][-1]["text"])


def test_a_leader_goes_from_the_end_of_each_line_to_its_name_at_every_position(pack):
    rows = moved(pack)
    whole = trend(rows, AXES["weight_decay"], SHOWN, CANVAS)
    for k in (0, 5, len(whole.frames) - 1):
        data = trend(rows, AXES["weight_decay"], SHOWN, CANVAS, base=k).figure.data
        leaders, names = (next(t for t in data if t.name == name) for name in ("leaders", "names"))
        parts = np.split(np.asarray(leaders.y, float), np.flatnonzero(np.isnan(np.asarray(leaders.y, float))))
        parts = [part[np.isfinite(part)] for part in parts][: len(SHOWN)]
        for name, part, place in zip(SHOWN, parts, names.y, strict=True):
            line = next(t for t in data if t.name == STYLES[name].name)
            if CANVAS.y[0] <= line.y[-1] <= CANVAS.y[1]:
                assert part[0] == pytest.approx(line.y[-1], abs=0.05)
                assert part[-1] == pytest.approx(place, abs=0.05)


def test_a_lone_point_is_drawn_larger_than_a_point_of_a_line(pack):
    rows = curves(pack, "weight_decay")
    sizes = [
        named(trend(part, AXES["weight_decay"], ["sparse"], CANVAS).figure, "sparse").marker.size
        for part in (rows, rows[rows["weight_decay"] == 4e-3])
    ]
    assert sizes[1] > sizes[0]


@pytest.mark.parametrize("best", [0.5, 10.0, 2180.0])
def test_the_smallest_value_of_a_trade_off_is_on_the_axis_with_the_margins_below_it(best):
    margins = best * np.geomspace(1e-4, 1, 50)
    line = 1 + best / margins
    table = pd.DataFrame({"margin": margins, "ramp": 0.5, "indicator": 0.6, "complexity": line - 1, "total": line})
    figure = trade_off_chart(table, best, 4.0, "S2")
    low, high = figure.layout.xaxis.range
    (star,) = (trace.x[0] for trace in figure.data if trace.marker.symbol == "star")
    assert low < star < high
    assert high - low == pytest.approx(3)
    assert len(figure.layout.xaxis.tickvals) >= 5
    assert all(low <= tick <= high for tick in figure.layout.xaxis.tickvals)
