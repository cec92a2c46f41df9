"""The line that goes like 1 / √n."""

import numpy as np
import pandas as pd
import pytest

from boundlab.charts.canvas import Canvas
from boundlab.charts.guide import inverse_root


def rows(*means, series="sparse", panel=0.0):
    """One frame per mean, at n = 100, and half of it at 400."""
    return pd.DataFrame(
        [
            {"panel": panel, "frame": frame, "series": series, "n_train": n, "mean": mean * factor}
            for frame, mean in enumerate(means)
            for n, factor in ((100, 1.0), (400, 0.5))
        ]
    )


def test_it_passes_through_the_first_points_and_falls_by_half_when_n_is_four_times_as_large():
    canvas = Canvas((50, 800), (-3, 8), x_log=True)
    line, named = inverse_root(rows(2.0, 8.0), canvas)
    assert (line["x"][0], line["x"][-1]) == pytest.approx((50, 800))
    assert (named["x"], named["y"], named["mode"]) == ([50], [-3], "text")
    at = lambda n: np.interp(np.log(n), np.log(line["x"]), line["y"])  # noqa: E731
    assert at(100) == pytest.approx(2, abs=1e-3)  # log2 of 4, the geometric mean of the two frames
    assert at(400) - at(100) == pytest.approx(-1, abs=1e-3)


def test_on_a_linear_scale_it_has_the_values_themselves():
    line, _ = inverse_root(rows(4.0), Canvas((100, 400), (0, 5), scale="linear", x_log=True))
    assert (line["y"][0], line["y"][-1]) == pytest.approx((4, 2))


def test_every_panel_has_its_own_and_nothing_without_a_leading_bound():
    canvas = Canvas((100, 400), (0, 5), x_log=True, panels={16.0: "H = 16", 32.0: "H = 32"})
    both = pd.concat([rows(2.0, panel=16.0), rows(4.0, panel=32.0)])
    *lines, _ = inverse_root(both, canvas)
    assert [line["xaxis"] for line in lines] == ["x", "x2"]
    assert lines[1]["y"][0] - lines[0]["y"][0] == pytest.approx(1)
    assert inverse_root(rows(2.0, series="golowich"), canvas) == []
