"""Which measures order the networks, best first; and one of them against what it should order."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from boundlab.analysis.run_codes import run_code
from boundlab.charts.theme import (
    ALERT,
    FONT,
    GRID_COLOUR,
    INK,
    LEADER,
    SELECTED_COLOUR,
    VEIL,
    axis_look,
    styles,
    viridis,
)

_ROW = 23  # pixels
_AROUND = 62  # above and below the rows
# column of `ranking.ranked`: what the axis says, its range
STATISTICS: dict[str, tuple[str, tuple[float, float]]] = {
    "tau": ("Kendall's τ", (-1.0, 1.0)),
    "psi": ("Ψ, one variable moved", (-1.0, 1.0)),
    "worst": ("wrong pairs, worst case", (0.0, 1.0)),
}
_SHORT = {
    "parameters": "Parameters",
    "product_frobenius": "Π ‖W‖ Frobenius",
    "product_spectral": "Π ‖W‖ spectral",
    "path_norm": "Path norm",
    "inverse_margin": "1 / margin",
    "distance": "Distance from start",
    "train_loss": "Training loss",
    "small_weight_decay": "−λ",
    "random": "Random numbers",
}


def short_name(measure: str) -> str:
    """A measure of `measures.measure_names`, as a chart names it."""
    key, _, convention = measure.partition(":")
    return styles(convention)[key].short if convention else _SHORT[key]


def height(rows: int) -> int:
    """Of `ranks`, in pixels."""
    return _AROUND + _ROW * rows


def ranks(
    rows: pd.DataFrame,
    statistic: str,
    chosen: str,
    dark: bool = False,
    pixels: int | None = None,
    among: pd.DataFrame | None = None,
) -> go.Figure:
    """`rows`: of `ranking.ranked`, drawn from the top; of tau the bootstrap's interval too. `chosen`: a measure, in bold; `among`: rows
    like these, of the selected networks alone. A dot's customdata ends with its measure."""
    title, (low, high) = STATISTICS[statistic]
    rows = rows.dropna(subset=[statistic]).sort_values(statistic, ascending=statistic == "worst")
    names = [short_name(measure) for measure in rows["measure"]]
    colours = [_colour(measure, dark) for measure in rows["measure"]]
    places = list(range(len(rows)))[::-1]
    dots: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "x": rows[statistic].tolist(),
        "y": places,
        "marker": {"size": 13, "color": colours, "symbol": [_symbol(m) for m in rows["measure"]]},
        "customdata": np.stack([rows["name"], rows["runs"], rows["measure"]], axis=1),
        "hovertemplate": "%{customdata[0]}: %{x:.2f}, %{customdata[1]} networks<extra></extra>",
        "showlegend": False,
    }
    bars = _bars(rows, places, colours) if statistic == "tau" else []
    middle = 0.5 if statistic == "worst" else 0.0
    line = {"type": "line", "x0": middle, "x1": middle, "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    marked = [f"<b>{name}</b>" if m == chosen else name for name, m in zip(names, rows["measure"], strict=True)]
    layout: dict[str, Any] = {
        "height": pixels or height(len(rows)),
        "margin": {"l": 150, "r": 8, "t": 6, "b": 56},
        "xaxis": axis_look(title, dark) | {"range": [low - 0.04, high + 0.04], "dtick": 0.5 if low < 0 else 0.25},
        "yaxis": axis_look("", dark, grid=False)
        | {"tickvals": places, "ticktext": marked, "range": [-0.7, len(rows) - 0.3]},
        "shapes": [line | {"line": {"color": ALERT[dark], "width": 2, "dash": "dot"}}],
        "font": {"size": FONT, "color": INK[dark]},
    }
    layout["yaxis"]["tickfont"] = {"size": FONT - 2, "color": INK[dark]}
    lit = [] if among is None or among.empty else [_lit(rows, among, statistic, places, dark)]
    return go.Figure({"data": [*bars, dots, *lit], "layout": layout})


def _lit(rows: pd.DataFrame, among: pd.DataFrame, statistic: str, places: list[int], dark: bool) -> dict[str, Any]:
    """The same number of the selected networks alone."""
    here = among.set_index("measure")
    known = [(here.loc[m], place) for m, place in zip(rows["measure"], places, strict=True) if m in here.index]
    known = [(row, place) for row, place in known if np.isfinite(row[statistic])]
    look = {"symbol": "diamond-open", "size": 15, "color": SELECTED_COLOUR[dark], "line": {"width": 3}}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "selected",
        "x": [row[statistic] for row, _ in known],
        "y": [place for _, place in known],
        "marker": look,
        "customdata": [[row["name"], int(row["runs"]), row.name] for row, _ in known],
        "hovertemplate": "%{customdata[0]}: %{x:.2f} among the %{customdata[1]} selected<extra></extra>",
        "showlegend": False,
    }


def _bars(rows: pd.DataFrame, places: list[int], colours: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [row.low, row.high],
            "y": [place, place],
            "line": {"color": colour, "width": 4},
            "opacity": 0.55,
            "hoverinfo": "skip",
            "showlegend": False,
        }
        for row, place, colour in zip(rows.itertuples(), places, colours, strict=True)
    ]


def _colour(measure: str, dark: bool) -> str:
    key, _, convention = measure.partition(":")
    return styles(convention)[key].colour(dark) if convention else LEADER[dark]


def _symbol(measure: str) -> str:
    key, _, convention = measure.partition(":")
    return styles(convention)[key].symbol if convention else "circle"


def scatter_of(
    table: pd.DataFrame,
    measure: str,
    name: str,
    target: str,
    dark: bool = False,
    pixels: int = 430,
    selected: Collection[str] = (),
) -> go.Figure:
    """Every network of a `measures_table`: the measure (log scale where it is positive), and per 100 images what it should order;
    coloured by weight decay. A dot's customdata is the run's code; those of the runs `selected` are ringed, the others faint."""
    known = table[np.isfinite(table[measure]) & np.isfinite(table[target])]
    words = {"gap": "gap, in 100 images", "test_error": "wrong of 100 test images"}[target]
    x = known[measure].to_numpy(float)
    about = [_said(row) for row in known.itertuples()]
    decays = np.log10(known["weight_decay"].to_numpy(float).clip(1e-6))
    ticks = 10 ** np.unique(np.quantile(decays, (0, 0.5, 1), method="nearest")) if len(decays) else np.ones(1)
    bar = {
        "title": {"text": "λ", "font": {"size": FONT}},
        "tickvals": np.log10(ticks).tolist(),
        "ticktext": [f"{tick:g}" for tick in ticks],
        "thickness": 12,
        "outlinewidth": 0,
        "tickfont": {"size": FONT - 3, "color": INK[dark]},
    }
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": x.tolist(),
        "y": (100 * known[target]).tolist(),
        "text": about,
        "customdata": [run_code(run) for run in known["run"]],
        "hovertemplate": "%{text}<br>%{x:.4g}: %{y:.2f}<extra></extra>",
        "marker": {"size": 9, "color": decays.tolist(), "colorscale": viridis(7, dark), "colorbar": bar}
        | _marked(known["run"].isin(list(selected)).to_numpy(), dark),
        "showlegend": False,
    }
    log = len(x) > 0 and bool((x > 0).all()) and x.max() > 5 * x.min()
    layout = {
        "height": pixels,
        "margin": {"l": 64, "r": 8, "t": 6, "b": 56},
        "xaxis": axis_look(name, dark)
        | (
            {"type": "log", "exponentformat": "power"} | ({"dtick": 1} if x.max() > 30 * x.min() else {}) if log else {}
        ),
        "yaxis": axis_look(words, dark),
        "font": {"size": FONT, "color": INK[dark]},
        "dragmode": "select",
        "newselection": {"line": {"color": SELECTED_COLOUR[dark], "width": 2, "dash": "dot"}},
        "annotations": [] if selected else [_hint(dark)],
    }
    return go.Figure({"data": [dots], "layout": layout})


def _marked(selected: np.ndarray, dark: bool) -> dict[str, Any]:
    """The looks of dots, one by one where some are selected."""
    if not selected.any():
        return {"opacity": 0.85, "line": {"width": 1, "color": GRID_COLOUR[dark]}}
    line = {"width": np.where(selected, 3, 1).tolist()}
    line |= {"color": np.where(selected, SELECTED_COLOUR[dark], GRID_COLOUR[dark]).tolist()}
    return {"size": np.where(selected, 13, 8).tolist(), "opacity": np.where(selected, 1.0, 0.4).tolist(), "line": line}


def _hint(dark: bool) -> dict[str, Any]:
    place = {"xref": "paper", "yref": "paper", "x": 0.01, "xanchor": "left", "y": 0.99, "yanchor": "top"}
    look = {"showarrow": False, "font": {"size": FONT - 3, "color": INK[dark]}, "bgcolor": VEIL[dark]}
    return {"text": "drag over networks to select them"} | place | look


def _said(row: Any) -> str:
    return f"L = {row.conv_layers}, H = {row.channels}, λ = {row.weight_decay:g}, seed {row.seed}"
