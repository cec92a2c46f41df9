"""A slope to compare with: what goes like 1 / √n."""

from __future__ import annotations

import numpy as np
import pandas as pd

from boundlab.charts.canvas import Canvas
from boundlab.charts.theme import FONT, INK, LEADER, lead
from boundlab.charts.traces import Trace, heights, rounded


def inverse_root(curves: pd.DataFrame, canvas: Canvas) -> list[Trace]:
    """The line through the first point of the leading bound that goes like 1 / √x, in every panel; it begins where the points of
    all frames do in the geometric mean. `curves`: rows of `curves.by_axis` over n, on the canvas' scale. None where no bound leads."""
    first = lead(curves["series"].unique())
    if first is None:
        return []
    rows, x = curves[(curves["series"] == first) & (curves["mean"] > 0)], np.geomspace(*canvas.x, 32)
    traces: list[Trace] = []
    for number, panel in enumerate(canvas.panels, 1):
        mine = rows[(rows["panel"] == panel)]
        mine = mine[mine["n_train"] == mine["n_train"].min()]
        if mine.empty:
            continue
        y = np.exp(np.log(mine["mean"]).mean()) * np.sqrt(mine["n_train"].iloc[0] / x)
        traces.append(
            {
                "type": "scatter",
                "xaxis": "x" if number == 1 else f"x{number}",
                "mode": "lines",
                "name": "1 / √n",
                "x": x.tolist(),
                "y": rounded(heights(y, canvas)),
                "line": {"color": LEADER[canvas.dark], "width": 2, "dash": "longdash"},
                "hoverinfo": "skip",
            }
        )
    return [*traces, *([_named(canvas)] if traces else [])]


def _named(canvas: Canvas) -> Trace:
    """What the dashes are, in the lower left corner of the first panel."""
    return {
        "type": "scatter",
        "mode": "text",
        "name": "1 / √n, named",
        "x": [canvas.x[0]],
        "y": [canvas.y[0]],
        "text": [" – –  like 1 / √n"],
        "textposition": "top right",
        "textfont": {"size": FONT - 2, "color": INK[canvas.dark]},
        "hoverinfo": "skip",
    }
