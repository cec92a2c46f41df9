"""The numbers of any chart as a table: every point once, named ticks by name."""

import numpy as np
import plotly.graph_objects as go

from boundlab.charts.points import points_of


def test_every_point_is_a_row_and_words_are_none():
    figure = go.Figure(
        [
            go.Scatter(x=[1, 2], y=[3.5, None], name="one"),
            go.Bar(x=np.array([4.0, 5.0]), y=[0, 1], base=[1.0, 2.0], orientation="h", name="two"),
            go.Scatter(x=[1], y=[1], text=["a name"], mode="text", name="names"),
        ]
    )
    table = points_of(figure)
    assert table["trace"].tolist() == ["one", "one", "two", "two"]
    assert table["x"].tolist() == [1, 2, 4.0, 5.0]
    assert table["base"].tolist()[2:] == [1.0, 2.0]
    assert table["y"].isna().tolist() == [False, True, False, False]
    assert "text" not in table


def test_places_on_an_axis_of_names_are_those_names():
    figure = go.Figure([go.Bar(x=[4.0, 5.0], y=[0, 1], orientation="h")])
    figure.update_layout(yaxis={"tickvals": [0, 1], "ticktext": ["<b>depth</b>", "width"]})
    assert points_of(figure)["y"].tolist() == ["depth", "width"]
    figure.data[0].y = [0, 0.5]
    assert points_of(figure)["y"].tolist() == [0, 0.5]


def test_a_heat_map_is_a_row_per_cell():
    table = points_of(go.Figure([go.Heatmap(z=[[1, 2, 3], [4, 5, None]], name="cells")]))
    assert table[["x", "y"]].to_numpy().tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]]
    assert table["z"].tolist()[:5] == [1, 2, 3, 4, 5]
    assert np.isnan(table["z"].iloc[5])


def test_a_figure_without_points_is_an_empty_table():
    assert points_of(go.Figure()).empty
