"""A heat map's figure: what is where, in which colour, and that every label stands out from its cell."""

import math

import numpy as np
import pandas as pd
import pytest

from boundlab.charts.heat_colours import Scale, luminance
from boundlab.charts.heat_map import LABEL, CellAxis, heat_map, short
from boundlab.charts.theme import ALERT, INK, SELECTED_COLOUR
from tests.charts.test_colours import contrast

X, Y = (
    CellAxis("weight_decay", (1e-3, 2e-3, 4e-3), "weight decay λ"),
    CellAxis("channels", (8.0, 16.0), "channels H per layer"),
)
MEANS = [0.5, 2.0, math.nan, 30.0, math.nan, 0.9]


def grid(means=MEANS, **columns):
    whole = pd.DataFrame(
        {
            "weight_decay": [*X.values] * 2,
            "channels": np.repeat(Y.values, 3),
            "mean": means,
            "low": means,
            "high": means,
            "seeds": [0 if math.isnan(m) else 2 for m in means],
            "trained": [True, False, True, True, True, True],
            "at_plateau": True,
            "selected": False,
            "left_out": [False, False, False, False, True, False],
        }
    )
    return whole.assign(**columns)


def figure(series="sparse", dark=False, scale=None, means=MEANS):
    names = [f"network {number}" for number in range(6)]
    return heat_map(grid(means), X, Y, series, scale or Scale(0.5, 30.0, series == "sparse"), names, dark, "published")


def named(fig, name):
    return [trace for trace in fig.data if trace.name == name]


def test_every_value_is_in_its_cell_with_its_label():
    fig = figure()
    z = np.array(fig.data[0].z, float)
    assert z.shape == (2, 3)
    np.testing.assert_allclose(10 ** z[0, :2], [0.5, 2.0])
    np.testing.assert_allclose(10 ** z[1, [0, 2]], [30.0, 0.9])
    assert np.isnan(z[0, 2])
    labels = {(x, y): text for t in named(fig, "values") for x, y, text in zip(t.x, t.y, t.text, strict=True)}
    assert labels == {(0, 0): "0.50", (1, 0): "2.0", (0, 1): "30", (2, 1): "0.90"}
    assert LABEL >= 14
    assert list(fig.layout.xaxis.ticktext) == ["0.001", "0.002", "0.004"]
    assert list(fig.layout.yaxis.ticktext) == ["8", "16"]
    assert fig.data[0].customdata[0][0] == (
        "network 0<br>Sparse (Galanti 2023) <b>0.5</b><br>mean of 2 seeds: 0.5 to 0.5"
    )


def test_cells_without_a_value_are_empty_and_say_why():
    fig = figure()
    for name, place, words in (("not trained", (2, 0), "click to train it"), ("left out", (1, 1), "did not train or")):
        mark, square = named(fig, name)
        for trace in (mark, square):
            assert (*trace.x, *trace.y) == place
            assert trace.unselected.marker.opacity == 1  # a click fades nothing
        assert words in square.customdata[0]


@pytest.mark.parametrize("dark", [False, True])
def test_what_did_not_train_is_framed_in_red_and_the_border_at_1_is_drawn(dark):
    shapes = figure(dark=dark).layout.shapes
    frames = [shape for shape in shapes if shape.type == "rect"]
    assert {(round(s.x0 + s.x1) / 2, round(s.y0 + s.y1) / 2) for s in frames} == {(1, 0)}
    assert {s.line.color for s in frames} == {"#FFFFFF", ALERT[False]}
    lines = [(s.x0, s.x1, s.y0, s.y1) for s in shapes if s.type == "line"]
    # 0.5 | 2 beside each other, 0.5 below 30; 0.9 has no neighbour with a value
    assert sorted(lines) == [(-0.5, 0.5, 0.5, 0.5), (0.5, 0.5, -0.5, 0.5)]
    assert {s.line.color for s in shapes if s.type == "line"} == {INK[dark]}
    assert not [s for s in figure("test_error").layout.shapes if s.type == "line"]


def colour(scale, value):
    """Red, green, blue of a value on the colour axis of a figure."""
    axis = figure("sparse" if scale.bound else "test_error", scale=scale).layout.coloraxis
    place = (scale.drawn(value) - axis.cmin) / (axis.cmax - axis.cmin)
    stops = [(at, [float(part) for part in text[4:-1].split(",")]) for at, text in axis.colorscale]
    places, parts = [at for at, _ in stops], np.array([rgb for _, rgb in stops])
    return [float(np.interp(place, places, channel)) for channel in parts.T]


@pytest.mark.parametrize("reach", [(0.3, 20.0), (0.9, 1e12), (1e-3, 1.2), (3.0, 9e5), (0.01, 0.8)])
def test_below_1_is_blue_and_above_it_orange(reach):
    scale = Scale(*reach, bound=True)
    for value in np.geomspace(*reach, 40):
        red, _, blue = colour(scale, value)
        if abs(math.log10(value)) > 0.03:
            assert (blue > red) == (value < 1), value


@pytest.mark.parametrize("scale", [Scale(0.3, 20.0, True), Scale(3.0, 9e5, True), Scale(0.012, 0.4, False)], ids=str)
def test_every_label_stands_out_from_its_cell(scale):
    series = "sparse" if scale.bound else "test_error"
    for value in np.geomspace(scale.low, scale.high, 30):
        fig = figure(series, scale=scale, means=[value, *[math.nan] * 5])
        (letters,) = [t.textfont.color for t in named(fig, "values") if len(t.x)]
        ink = [int(letters[i : i + 2], 16) for i in (1, 3, 5)]
        assert contrast(ink, [round(part) for part in colour(scale, value)]) >= 4.5
        assert fig.data[1].unselected.textfont.color == fig.data[1].textfont.color


def test_the_ticks_of_the_colours_are_plain_numbers():
    bar = figure(scale=Scale(0.04, 3e4, True)).layout.coloraxis.colorbar
    assert list(bar.ticktext) == ["0.1", "<b>1</b>", "10", "100", "1,000", "10,000"]
    assert list(bar.tickvals) == [-1, 0, 1, 2, 3, 4]
    bar = figure(scale=Scale(0.6, 8.0, True)).layout.coloraxis.colorbar
    assert list(bar.ticktext) == ["<b>1</b>", "2", "5"]
    bar = figure("test_error", scale=Scale(0.012, 0.052, False)).layout.coloraxis.colorbar
    assert list(bar.ticktext) == ["2", "3", "4", "5"]
    assert "10⁸" in figure(scale=Scale(1e3, 1e12, True)).layout.coloraxis.colorbar.ticktext


@pytest.mark.parametrize(
    ("reach", "words"),
    [((0.3, 20.0), "blue: below 1"), ((3.0, 9.0), "nowhere below 1"), ((0.1, 0.8), "everywhere below 1")],
)
def test_the_heading_says_what_the_colours_mean(reach, words):
    (heading,) = figure(scale=Scale(*reach, bound=True)).layout.annotations
    assert heading.text.startswith("<b>Sparse</b>, ")
    assert words in heading.text


@pytest.mark.parametrize(
    ("value", "bound", "label"),
    [
        (0.31, True, "0.31"),
        (0.999, True, "0.999"),
        (0.99996, True, "0.999"),
        (1.0, True, "1.0"),
        (12.34, True, "12"),
        (9999.0, True, "9999"),
        (12345.0, True, "1e4"),
        (3.2e11, True, "3e11"),
        (0.0001, True, "1e-4"),
        (math.nan, True, ""),
        (math.inf, True, "∞"),
        (0.0, True, "0"),
        (0.0, False, "0"),
        (0.0249, False, "2.5"),
        (0.452, False, "45"),
        (-0.001, False, "-0.10"),
    ],
)
def test_labels_are_short(value, bound, label):
    assert short(value, bound) == label


def test_one_value_alone_has_a_scale_too():
    fig = figure(scale=Scale(2.0, 2.0, True), means=[2.0, *[math.nan] * 5])
    assert fig.layout.coloraxis.cmin < fig.layout.coloraxis.cmax
    assert luminance(np.array([1.0, 1.0, 1.0])) == pytest.approx(1.0)


def test_a_bound_that_is_0_or_infinite_looks_like_the_end_of_the_scale():
    scale = Scale.over(pd.Series([0.0, 0.5, 30.0, math.inf, math.nan]), bound=True)
    assert (scale.low, scale.high) == (0.5, 30.0)
    z = np.array(figure(scale=scale, means=[0.0, math.inf, 2.0, *[math.nan] * 3]).data[0].z, float)
    np.testing.assert_allclose(10 ** z[0], [0.5, 30.0, 2.0])
    assert Scale.over(pd.Series([-0.01, 0.2]), bound=False).low == -0.01
    assert Scale.over(pd.Series([math.nan]), bound=True).ends[0] < Scale.over(pd.Series([math.nan]), bound=True).ends[1]


def test_cells_with_selected_runs_are_framed_and_said_so():
    there = grid(selected=[True, False, False, False, False, True])
    fig = heat_map(there, X, Y, "sparse", Scale(0.5, 30.0, True), [""] * 6, False, "published")
    frames = {(s.x0 + s.x1, s.y0 + s.y1) for s in fig.layout.shapes if s.line.color == SELECTED_COLOUR[False]}
    assert frames == {(0, 0), (4, 2)}
    assert [a.text for a in fig.layout.annotations if "you selected" in a.text]
    hovers = np.array(fig.data[0].customdata)
    assert ["you selected" in text for text in hovers.ravel()] == [True, False, False, False, False, True]
    bare = heat_map(grid(selected=False), X, Y, "sparse", Scale(0.5, 30.0, True), [""] * 6, False, "published")
    assert not [a for a in bare.layout.annotations if "you selected" in a.text]
    assert SELECTED_COLOUR[False] not in {shape.line.color for shape in bare.layout.shapes}
