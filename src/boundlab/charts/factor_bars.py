"""Which factor of one bound differs between networks: every factor relative to the first network's, in log2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.charts.networks import NETWORKS, named, place_networks
from boundlab.charts.theme import FONT, GRID_COLOUR, INK, axis_look, log2_axis
from boundlab.charts.waterfall import factor_text

_LANE = 25  # pixels per network and factor
_BETWEEN = 0.7


def factor_bars(table: pd.DataFrame, names: Sequence[str], dark: bool = False) -> go.Figure:
    """`table`: `comparison.factors_table` without its terms; the first network in it is the reference, at 1."""
    first, *others = table["network"].unique()
    every = table.drop_duplicates("row")  # a network may have factors that the first one has not
    rows = [*every[every["kind"] == "factor"]["row"], *every[every["kind"] != "factor"]["row"]]
    tops = {row: i * (len(others) + _BETWEEN) for i, row in enumerate(rows)}
    whole = len(rows) * (len(others) + _BETWEEN)
    known = table["difference"][np.isfinite(table["difference"])]
    low, high = min(-1.0, float(known.min())), max(1.0, float(known.max()))
    room = 0.22 * (high - low)
    data = []
    for lane, number in enumerate(others):
        part = table[table["network"] == number]
        colour = NETWORKS[number].colour(dark)
        lengths = part["difference"].to_numpy(float)
        same = np.abs(lengths) < 0.005
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": named(names[number], number),
                "x": np.where(same, 0.0, lengths),
                "width": 0.82,
            }
            | {"y": [tops[row] + lane for row in part["row"]], "marker": {"color": colour}, "cliponaxis": False}
            | {"text": [_text(number, x, s) for s, x in zip(same, lengths, strict=True)]}
            | {"textposition": "outside", "textfont": {"size": FONT - 1, "color": colour}, "hovertext": part["meaning"]}
            | {"hoverinfo": "text", "constraintext": "none"}
        )
    y_axis = axis_look("", dark, grid=False) | {"range": [whole - _BETWEEN - 0.3, -0.7]}
    y_axis |= {"tickvals": [top + (len(others) - 1) / 2 for top in tops.values()], "ticktext": _labels(table, rows)}
    rule = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "line": {"color": GRID_COLOUR[dark], "width": 1}}
    look = place_networks(int(_LANE * whole) + 112, dark, {"l": 178, "r": 12, "t": 44, "b": 62}) | {
        "xaxis": log2_axis(low - room, high + room, dark, f"÷ the same factor of {names[first]} (log₂ scale)"),
        "yaxis": y_axis,
        "shapes": [
            rule | {"y0": top - (1 + _BETWEEN) / 2, "y1": top - (1 + _BETWEEN) / 2} for top in [*tops.values()][1:]
        ],
    }
    look["shapes"].append({"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": 0, "x1": 0})
    look["shapes"][-1]["line"] = {"color": INK[dark], "width": 2}
    return go.Figure({"data": data, "layout": look})


def _text(number: int, length: float, same: bool) -> str:
    return f"{NETWORKS[number].glyph} " + ("the same" if same else factor_text(length))


def _labels(table: pd.DataFrame, rows: Sequence[str]) -> list[str]:
    words = table.drop_duplicates("row").set_index("row")
    bold = words["kind"] == "total"
    return [f"<b>{words.loc[row, 'label']}</b>" if bold[row] else str(words.loc[row, "label"]) for row in rows]
