"""The ranking's charts: every number once, where it belongs, in the order of the ranks."""

import numpy as np
import pandas as pd
import pytest

from boundlab.analysis.measures import measure_names
from boundlab.charts.ranking import STATISTICS, ranks, scatter_of, short_name

ROWS = pd.DataFrame(
    {
        "measure": ["path_norm", "sparse:strict", "random"],
        "name": ["path norm", "Theorem S", "random numbers"],
        "tau": [0.5, 0.2, -0.1],
        "low": [0.3, -0.1, -0.2],
        "high": [0.6, 0.3, 0.1],
        "psi": [0.1, 0.4, np.nan],
        "worst": [1.0, 0.6, 0.7],
        "runs": [9, 9, 9],
    }
)


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("dark", [False, True])
def test_best_first_and_each_at_its_number(statistic, dark):
    figure = ranks(ROWS, statistic, "sparse:strict", dark)
    dots, axis = figure.data[-1], figure.layout.yaxis
    known = ROWS.dropna(subset=[statistic])
    shown = dict(zip(dots.y, dots.x, strict=True))
    names = dict(
        zip(axis.tickvals, (text.removeprefix("<b>").removesuffix("</b>") for text in axis.ticktext), strict=True)
    )
    assert {names[place]: value for place, value in shown.items()} == {
        short_name(m): v for m, v in zip(known["measure"], known[statistic], strict=True)
    }
    down = [shown[place] for place in sorted(shown, reverse=True)]
    assert down == sorted(down, reverse=statistic != "worst")
    assert [text for text in axis.ticktext if text.startswith("<b>")] == ["<b>Theorem S</b>"]
    bars = [trace.x for trace in figure.data[:-1]]
    assert bars == ([(0.3, 0.6), (-0.1, 0.3), (-0.2, 0.1)] if statistic == "tau" else [])


def test_every_measure_has_a_short_name_of_its_own():
    for convention in ("published", "theorem", "strict"):
        names = [short_name(m) for m in measure_names() if ":" not in m or m.endswith(f":{convention}")]
        assert len(set(names)) == len(names)


def test_the_selected_are_ordered_again_at_the_same_places():
    among = ROWS.assign(tau=[-0.4, np.nan, 0.3], runs=4).drop(index=1)
    figure = ranks(ROWS, "tau", "path_norm", among=among)
    dots, lit = figure.data[-2:]
    where = {data[-1]: place for data, place in zip(dots.customdata, dots.y, strict=True)}
    assert where.keys() == set(ROWS["measure"])
    assert list(zip(lit.x, lit.y, strict=True)) == [(-0.4, where["path_norm"]), (0.3, where["random"])]
    assert [data[1] for data in lit.customdata] == [4, 4]
    assert "selected" in lit.hovertemplate
    assert ranks(ROWS, "tau", "path_norm", among=among[:0]).data[-1].name is None


def test_every_network_with_both_numbers_is_a_dot():
    table = pd.DataFrame(
        {
            "run": [f"x-{number:012x}" for number in range(0, 4 << 18, 1 << 18)],
            "path_norm": [1.0, 10.0, np.inf, 100.0],
            "gap": [0.01, 0.02, 0.03, np.nan],
            "weight_decay": [1e-3, 2e-3, 1e-3, 1e-3],
            "conv_layers": 3,
            "channels": 8,
            "seed": 0,
        }
    )
    figure = scatter_of(table, "path_norm", "Path norm", "gap")
    assert list(zip(figure.data[0].x, figure.data[0].y, strict=True)) == [(1.0, 1.0), (10.0, 2.0)]
    assert figure.layout.xaxis.type == "log"
    assert "L = 3, H = 8, λ = 0.001, seed 0" in figure.data[0].text[0]
    assert scatter_of(table.assign(path_norm=-1.0), "path_norm", "", "gap").layout.xaxis.type is None
    hint = [note.text for note in figure.layout.annotations]
    assert hint == ["drag over networks to select them"]
    assert set(figure.data[0].customdata) == {"AAAAA", "AAAAB"}
    lit = scatter_of(table, "path_norm", "", "gap", selected=[table["run"][1]])
    assert not lit.layout.annotations
    faint, ringed = lit.data[0].marker.opacity
    assert faint < ringed == 1
    assert lit.data[0].marker.line.width[1] > lit.data[0].marker.line.width[0]
