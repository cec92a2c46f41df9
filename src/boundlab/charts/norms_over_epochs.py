"""Frobenius norm of every layer of one run over epochs, and rho, their product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.charts.progress import RIGHT_MARGIN, behind_line, drop_line, last_point, over_epochs_layout, x_range
from boundlab.charts.theme import HEIGHT, INK, LEADER, log2_axis, names_at_end, viridis
from boundlab.charts.traces import Trace
from boundlab.text import readable

_MOST_NAMES = 12  # at line ends, rho included; of more layers only some are named
_RHO = "rho"


def _looks(table: pd.DataFrame, dark: bool) -> dict[str, tuple[str, float]]:
    """Column -> colour and width, rho last and on top; the first layers are the widest, since norms of several layers often
    agree and one line then lies on another."""
    layers = [name for name in table if name not in ("epoch", _RHO)]
    looks = zip(viridis(len(layers), dark), np.linspace(9.0, 3.0, len(layers)).tolist(), strict=True)
    return dict(zip(layers, looks, strict=True)) | {_RHO: (INK[dark], 5.0)}


def _log2(values: pd.Series) -> np.ndarray:
    given = values.to_numpy(float)
    return np.log2(np.where((given > 0) & np.isfinite(given), given, np.nan))


def _line(table: pd.DataFrame, name: str, look: tuple[str, float]) -> Trace:
    texts = [readable(value) for value in table[name]]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": table["epoch"].to_numpy(),
        "y": _log2(table[name]),
        "line": {"color": look[0], "width": look[1]},
        "customdata": texts,
        "hovertemplate": f"{_words(name)} <b>%{{customdata}}</b> at epoch %{{x:.4~g}}<extra></extra>",
    }


def _words(name: str) -> str:
    return "ρ, the product" if name == _RHO else name


def _named(names: Sequence[str]) -> list[str]:
    """Which lines are named at their ends: all, or of many layers some, the first and the last among them."""
    layers = [name for name in names if name != _RHO]
    places = np.linspace(0, len(layers) - 1, min(len(layers), _MOST_NAMES - 1)).round().astype(int)
    return [*(layers[i] for i in dict.fromkeys(places.tolist())), _RHO]


def layers_chart(
    table: pd.DataFrame,
    span: float,
    y: tuple[float, float],
    drops: Sequence[float],
    other: pd.DataFrame | None,
    dark: bool,
) -> go.Figure:
    """`table`, `other`: `tables.layers_table` of one run each; `span`: epochs of the training; `y`: range in log2; `drops`:
    epochs at which the learning rate falls by 10."""
    looks = _looks(table, dark)
    if other is None:
        ends = _log2(table[list(looks)].iloc[-1])
        data = [_leaders(np.full(len(ends), table["epoch"].iloc[-1]), ends, x_range(span)[1], dark)]
    else:
        data = [
            behind_line(other["epoch"].to_numpy(float), _log2(other[name]), look[0], name, look[1] / 2)
            for name, look in _looks(other, dark).items()
        ]
    data += [_line(table, name, look) for name, look in looks.items()]
    data += [last_point(table["epoch"], _log2(table[name]), look[0]) for name, look in looks.items()]
    layout = over_epochs_layout(span, dark, RIGHT_MARGIN) | {
        "yaxis": log2_axis(*y, dark, "Frobenius norm (log₂ scale)"),
        "shapes": [drop_line(at, dark) for at in drops],
        "annotations": _names(table, looks, y, dark),
    }
    return go.Figure({"data": data, "layout": layout})


def _names(table: pd.DataFrame, looks: dict[str, tuple[str, float]], y: tuple[float, float], dark: bool) -> list[Trace]:
    """At the right, as high as the lines end, moved apart where they meet."""
    names = _named(list(looks))
    ends = [float(np.nan_to_num(_log2(table[name])[-1], nan=y[0])) for name in names]
    words = [f"<b>{_words(name)}</b>" if name == _RHO else name for name in names]
    return names_at_end(ends, words, [looks[name][0] for name in names], y, HEIGHT - 96, dark)


def _leaders(x: np.ndarray, y: np.ndarray, end: float, dark: bool) -> Trace:
    """Faint level lines from the points to the right edge of the picture."""
    apart = np.full(len(x), np.nan)
    across, level = np.stack([x, np.full(len(x), end), apart], 1).ravel(), np.stack([y, y, apart], 1).ravel()
    line = {"color": LEADER[dark], "width": 1.5, "dash": "dot"}
    look = {"type": "scatter", "mode": "lines", "name": "leaders", "line": line, "hoverinfo": "skip"}
    return look | {"x": across.tolist(), "y": level.tolist()}
