"""Cells of a heat map against a slow, obvious loop, on made-up tables and on what ships."""

import math

import numpy as np
import pandas as pd
import pytest

from boundlab.analysis.cells import CELL, cells, ends
from boundlab.analysis.tables import final_table
from boundlab.specs.settings import Settings


def slowly(table, x, y, series, x_values, y_values):
    """One cell after the other, one row after the other."""
    out = []
    for v in y_values:
        for u in x_values:
            here = [
                row
                for row in table.to_dict("records")
                if row[x] == u and row[y] == v and row["series"] == series and not math.isnan(row["value"])
            ]
            values = [row["value"] for row in here]
            out.append(
                {
                    x: u,
                    y: v,
                    "mean": sum(values) / len(values) if values else math.nan,
                    "low": min(values) if values else math.nan,
                    "high": max(values) if values else math.nan,
                    "seeds": len({row["seed"] for row in here}),
                    "trained": all(row["trained"] for row in here),
                    "at_plateau": all(row["at_plateau"] for row in here),
                    "selected": any(row.get("selected", False) for row in here),
                }
            )
    return pd.DataFrame(out)


def made_up(seed):
    """Some of a grid of λ, widths and seeds, two series, some values missing, some runs dead."""
    random = np.random.default_rng(seed)
    rows = [
        {
            "weight_decay": decay,
            "channels": float(channels),
            "seed": number,
            "series": series,
            "value": math.nan if random.random() < 0.1 else float(random.lognormal()),
            "trained": bool(random.random() < 0.8),
            "at_plateau": bool(random.random() < 0.8),
            "selected": bool(random.random() < 0.2),
        }
        for decay in (1e-3, 2e-3, 4e-3)
        for channels in (8, 16, 32)
        for number in range(3)
        for series in ("sparse", "test_error")
        if random.random() < 0.6
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("seed", range(5))
def test_cells_are_what_a_loop_finds(seed):
    table = made_up(seed)
    given = ("weight_decay", "channels", "sparse", (1e-3, 2e-3, 3e-3, 4e-3), (8.0, 16.0, 32.0, 64.0))
    got = cells(table, *given)
    assert list(got) == ["weight_decay", "channels", *CELL]
    pd.testing.assert_frame_equal(got, slowly(table, *given), check_dtype=False, rtol=1e-12)
    assert (got["seeds"] == 0).sum() >= 7  # the row and the column that nothing was trained at


@pytest.mark.parametrize("dataset", ["mnist", "digits"])
@pytest.mark.parametrize(("x", "y"), [("weight_decay", "channels"), ("channels", "conv_layers")])
def test_cells_of_what_ships(pack, dataset, x, y):
    (third,) = {"weight_decay", "channels", "conv_layers"} - {x, y}
    table = final_table([run for run in pack if run.spec.train.dataset == dataset], Settings())
    values = [sorted(table[column].unique()) for column in (x, y)]
    for _, part in table.groupby(third):
        for series in ("sparse", "golowich", "gap"):
            part = part[part["recipe"] == "short"]
            got = cells(part, x, y, series, *values)
            pd.testing.assert_frame_equal(
                got, slowly(part, x, y, series, *values), check_dtype=False, rtol=1e-12, atol=1e-15
            )


def grid(**values):
    """Cells of width by depth: {"8-3": 1.0} is channels 8, layers 3."""
    places = [(float(name.split("_")[1]), float(name.split("_")[2])) for name in values]
    return pd.DataFrame(
        {"channels": [h for h, _ in places], "conv_layers": [n for _, n in places], "mean": [*values.values()]}
    )


def test_ends_are_as_far_apart_as_one_line_has_both():
    table = grid(a_8_3=1.0, a_32_3=2.0, a_8_4=3.0, a_16_4=5.0, a_32_4=math.nan, a_64_5=7.0)
    first, last, both = ends(table, "channels", "conv_layers")
    assert (first, last) == (8, 32)
    assert both.index.tolist() == [3]
    assert both.to_numpy().tolist() == [[1.0, 2.0]]
    first, last, both = ends(table, "conv_layers", "channels")
    assert (first, last) == (3, 4)
    assert both.to_dict("index") == {8: {"first": 1.0, "last": 3.0}}


def test_no_two_values_on_one_line_have_no_ends():
    assert ends(grid(a_8_3=1.0, a_16_4=2.0), "channels", "conv_layers") is None
