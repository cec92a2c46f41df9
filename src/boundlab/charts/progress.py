"""One run while it trains: bounds and errors, and the loss, on axes that span the whole training from the start.

Traces keep their number and order while the run grows, and the axes only grow, in steps. Streamlit draws a changed figure
as a new chart, which flashes and forgets the reader's zoom: so a page sends the first figure again and again, and with it
what is new (`update_of`), which the browser puts into the chart that is there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.analysis.tables import AXES
from boundlab.charts.canvas import Canvas
from boundlab.charts.frame import remote
from boundlab.charts.theme import ALERT, FONT, GRID_COLOUR, HEIGHT, INK, LEADS, STYLES, axis_look, faded
from boundlab.charts.traces import Trace, heights
from boundlab.charts.trend import trend
from boundlab.text import readable

_MARKED = 12  # parts of the training between two markers of a line: a marker, once there, stays
_COMPARED = ", compared"  # end of the names of traces that stand still
_OTHER = "3px,4px"  # dashes of the run compared with
RIGHT_MARGIN = 132


def whole_steps(low: float, high: float, step: float, known: tuple[float, float] | None = None) -> tuple[float, float]:
    """The range in whole steps around `low` to `high` and `known`, the range so far: an axis that grows now and then and
    never shrinks."""
    low, high = math.floor(low / step) * step, max(math.ceil(high / step), math.floor(low / step) + 1) * step
    return (low, high) if known is None else (min(low, known[0]), max(high, known[1]))


def x_range(span: float) -> tuple[float, float]:
    """All epochs of the training, with room for the leaders from the last to the names."""
    return -0.02 * span, 1.06 * span


def bounds_chart(curves: pd.DataFrame, shown: Sequence[str], canvas: Canvas, other: pd.DataFrame | None) -> go.Figure:
    """`curves`, `other`: `curves.of_one_run` rows, over epochs, the second drawn thin and dashed behind;
    `canvas`: x from `x_range`."""
    behind = [] if other is None else _other_bounds(other, shown, canvas)
    figure = trend(curves, AXES["epoch"], shown, canvas, behind=behind).figure
    for trace in figure.data[len(behind) : len(behind) + len(shown)]:
        size = 9 if trace.line.width > 3 else 7
        trace.marker.size = _sizes(np.asarray(trace.x, float), canvas.x[1], size)
    return figure


def alive(figure: go.Figure, canvas: str, stamp: str) -> go.Figure:
    """The figure with what `ui/player` needs to move it; `canvas`: changes where the reader's zoom should not be kept;
    `stamp`: which picture it is, news of another is not for it."""
    figure.layout.update(updatemenus=[remote()], meta={"stamp": stamp, "base": 0, "canvas": canvas})
    return figure


def update_of(figure: go.Figure) -> dict[str, Any]:
    """What Plotly's `update` needs to make an older figure of the same traces this one: `traces`, `data`, `layout`, and the
    y axis apart, since it is sent only when it grows."""
    traces = [i for i, trace in enumerate(figure.data) if not (trace.name or "").endswith(_COMPARED)]
    moving = [figure.data[i].to_plotly_json() for i in traces]
    data = {name: [_plain(trace.get(name)) for trace in moving] for name in ("x", "y", "customdata", "text")}
    data["marker.size"] = [_plain(trace.get("marker", {}).get("size")) for trace in moving]
    layout = figure.layout.to_plotly_json()
    y = {f"yaxis.{name}": _plain(layout["yaxis"].get(name)) for name in ("range", "tickvals", "ticktext")}
    return {
        "traces": traces,
        "data": data,
        "layout": {k: layout[k] for k in ("annotations", "shapes") if k in layout},
        "y": y,
    }


def _plain(values: Any) -> Any:
    """As JSON has it: no arrays, None for what is not finite, four digits behind the point."""
    if not isinstance(values, list | tuple | np.ndarray):
        return values
    return [
        (round(float(v), 4) if math.isfinite(v) else None) if isinstance(v, float | np.floating) else v for v in values
    ]


def _sizes(x: np.ndarray, end: float, size: int) -> list[int]:
    """A marker at the first point of every twelfth of the training, and at the newest point."""
    part = np.floor(x / end * _MARKED)
    first = np.diff(part, prepend=-1) > 0
    first[-1:] = True
    return np.where(first, size, 0).tolist()


def _other_bounds(other: pd.DataFrame, shown: Sequence[str], canvas: Canvas) -> list[Trace]:
    series = other["series"].to_numpy()
    x, y = other["epoch"].to_numpy(float), heights(other["mean"].to_numpy(float), canvas)
    looks = [(name, canvas.styles[name], series == name) for name in shown]
    return [
        behind_line(x[here], y[here], style.colour(canvas.dark), style.name, 2.5 if name in LEADS else 1.2)
        for name, style, here in looks
    ]


def behind_line(x: np.ndarray, y: np.ndarray, colour: str, name: str, width: float = 1.5) -> Trace:
    """A line of the run compared with: thin, dashed, dimmed, without a hover of its own."""
    known = np.isfinite(y)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{name}{_COMPARED}",
        "x": x[known].tolist(),
        "y": y[known].round(4).tolist(),
        "line": {"color": faded(colour, 0.55), "width": width, "dash": _OTHER},
        "hoverinfo": "skip",
    }


def loss_chart(
    loss: pd.DataFrame,
    span: float,
    y: tuple[float, float],
    drops: Sequence[float],
    other: pd.DataFrame | None,
    dark: bool,
) -> go.Figure:
    """`loss`, `other`: epoch and loss (mean over minibatches) of one run each; `y`: range in log10; `drops`: epochs at which
    the learning rate falls by 10."""
    colour = STYLES["train_error"].colour(dark)
    data: list[Trace] = []
    if other is not None:
        data.append(behind_line(other["epoch"].to_numpy(float), _log10(other["loss"]), INK[dark], "loss", 2))
    logs = _log10(loss["loss"])
    texts = [readable(value) for value in loss["loss"]]
    data += [
        {"type": "scatter", "mode": "lines", "name": "loss", "x": loss["epoch"].tolist(), "y": logs.tolist()}
        | {"line": {"color": colour, "width": 4}, "customdata": texts}
        | {"hovertemplate": "epoch %{x:.4~g}: loss <b>%{customdata}</b><extra></extra>"},
        last_point(loss["epoch"], logs, colour),
    ]
    ticks = list(range(math.ceil(y[0]), math.floor(y[1]) + 1))
    words = [f"{10.0**t:g}" if t > -4 else f"1e{t}" for t in ticks]
    layout = over_epochs_layout(span, dark) | {
        "yaxis": axis_look("loss on the minibatches (log scale)", dark)
        | {"range": list(y), "tickvals": ticks, "ticktext": words},
        "shapes": [drop_line(at, dark) for at in drops],
        "annotations": [_drop_name(at, dark) for at in drops],
    }
    return go.Figure({"data": data, "layout": layout})


def _log10(values: pd.Series) -> np.ndarray:
    given = values.to_numpy(float)
    return np.log10(np.where(given > 0, given, np.nan))


def last_point(x: pd.Series, y: np.ndarray, colour: str) -> Trace:
    """The newest point, so that one sees where training stands."""
    marker = {"size": 13, "color": colour}
    place = {"x": x.iloc[-1:].tolist(), "y": y[-1:].tolist()}
    return {"type": "scatter", "mode": "markers", "name": "now", "marker": marker, "hoverinfo": "skip", **place}


def over_epochs_layout(span: float, dark: bool, right: int = 24) -> dict[str, Any]:
    """What every picture over epochs has in common; the caller sets the y axis."""
    return {
        "height": HEIGHT,
        "margin": {"l": 78, "r": right, "t": 34, "b": 62},
        "showlegend": False,
        "hovermode": "closest",
        "font": {"size": FONT, "color": INK[dark]},
        "hoverlabel": {"font": {"size": FONT - 2}},
        "xaxis": axis_look("epoch", dark, grid=False) | {"range": list(x_range(span))},
    }


def drop_line(at: float, dark: bool) -> dict[str, Any]:
    """A vertical line where the learning rate falls."""
    line = {"color": GRID_COLOUR[dark], "width": 3, "dash": "dot"}
    return {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "line": line, "layer": "below"}


def _drop_name(at: float, dark: bool) -> dict[str, Any]:
    place = {"x": at, "y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False}
    return {"text": "learning rate ÷ 10", "font": {"size": FONT - 3, "color": ALERT[dark]}} | place
