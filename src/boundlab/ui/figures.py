"""The figure page: controls, chart, what to notice, table. One implementation for every axis."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from boundlab.catalog import DATASETS
from boundlab.charts.theme import STYLES
from boundlab.charts.trend import Frame, trend
from boundlab.specs import Settings
from boundlab.tables import AXES, MEASURED, Axis, by_axis, read_paper
from boundlab.ui import prose
from boundlab.ui.controls import VARIABLES, Controls
from boundlab.ui.explain import explain
from boundlab.ui.page import is_dark, table

_PAPER_OFF = "off"
PLATEAU_COLUMN = "plateau number"
PLATEAU_HELP = (
    "Steps before the learning rate first falls × lr / (1 − momentum) × λ. From 4 on the norms have come down as far as "
    "they will; below, the run is marked and left out (an empirical rule)."
)


@st.fragment
def explore(axis: Axis) -> None:
    """Controls above, chart, then words and numbers; a moved control reruns only this."""
    controls = Controls()
    top = st.container(horizontal=True)
    with top:
        dataset = controls.pick(
            "Data", list(DATASETS), "dataset", help="MNIST: 60,000 images. digits: 1,437 images of 8×8."
        )
    with st.container(horizontal=True):
        settings = controls.settings()
        panel = _paper_control(axis, controls)
    whole = controls.trusted(table(dataset, settings, history=axis.key == "epoch"))
    if whole.empty:
        st.info(
            "No run of this data set trained and reached the plateau: include the others above, or pick other data."
        )
        return
    with top:
        chosen = controls.narrow(whole, [column for column in VARIABLES if column != axis.column])
    picture = st.container()
    shown = controls.series(settings.convention)
    with picture:
        _picture(whole, chosen, axis, shown, panel, settings)
    _numbers(chosen, axis, shown, settings)


def _paper_control(axis: Axis, controls: Controls) -> str:
    panels = [_PAPER_OFF, *sorted(read_paper(axis)["panel"].unique(), key=lambda p: (len(p), p))]
    return controls.pick(
        "Overlay the paper's own curves", panels, "paper", help="Read off the published figures, ± the reading error."
    )


def _frame(whole: pd.DataFrame, chosen: pd.DataFrame, axis: Axis, paper: pd.DataFrame | None) -> Frame:
    """Axis ranges that hold still: over this network at every weight decay, and over every network's final values."""
    same = (whole["conv_layers"] == chosen["conv_layers"].iloc[0]) & (whole["channels"] == chosen["channels"].iloc[0])
    values = [whole["log2_value"][same | (whole["step"] == whole.groupby("run")["step"].transform("max"))]]
    values += [paper["log2_value"]] if paper is not None else []
    x = sorted({*whole[axis.column], *([] if paper is None else paper["x"])})
    low, high = float(x[0]), float(x[-1])
    y = pd.concat(values).dropna()
    pad = (high / low) ** 0.04 if axis.log else 0.03 * (high - low)
    x_range = (low / pad, high * pad) if axis.log else (low - pad, high + pad)
    ticks = [t for t in x if t != 9e-4] if axis.key != "epoch" else ()  # 9e-4 has no room beside 8e-4 and 1e-3
    return Frame(x_range, (float(np.floor(y.min())) - 0.5, float(np.ceil(y.max())) + 2.5), tuple(ticks), is_dark())


def _paper(axis: Axis, panel: str, chosen: pd.DataFrame) -> pd.DataFrame | None:
    """One panel of the paper's figure; epochs are shrunk so that its whole training lies over ours."""
    if panel == _PAPER_OFF:
        return None
    paper = read_paper(axis)
    paper = paper[paper["panel"] == panel].copy()
    paper["told"] = paper["x"]
    if axis.key == "epoch":
        paper["x"] *= chosen["epoch"].max() / paper["x"].max()
    return paper


def _paper_note(axis: Axis, panel: str) -> str:
    drawn = "Its 500 epochs are shrunk to the length of our training. " if axis.key == "epoch" else ""
    fixed = "" if axis.key == "weight_decay" else ", λ = 0.003"
    return (
        f"Faint dashed lines with crosses: the paper's {panel} on MNIST, read off its figure {axis.paper_figure} (published "
        f"convention, n = 50,000, 500 epochs{fixed}). {drawn}Everything else: our own runs."
    )


def _picture(
    whole: pd.DataFrame, chosen: pd.DataFrame, axis: Axis, shown: list[str], panel: str, settings: Settings
) -> None:
    curves, paper = by_axis(chosen, axis), _paper(axis, panel, chosen)
    words = prose.notice(curves, axis, settings)
    st.caption(prose.subject(chosen, settings))
    st.plotly_chart(
        trend(curves, axis, shown, _frame(whole, chosen, axis, paper), paper),
        key=f"chart_{axis.key}",
        config={
            "displaylogo": False,
            "toImageButtonOptions": {"format": "png", "scale": 2, "filename": f"boundlab-{axis.key}"},
        },
        alt=f"Bounds, test and train error against {axis.title}. {words}",
    )
    if paper is not None and paper["series"].isin(shown).any():
        st.caption(_paper_note(axis, panel))
    st.markdown(words)


def _numbers(chosen: pd.DataFrame, axis: Axis, shown: list[str], settings: Settings) -> None:
    """What the convention means, what is not drawn and why, and exactly what is drawn as a table and a CSV."""
    explain(settings.convention, shown)
    for line in prose.not_drawn(chosen[chosen["series"].isin(shown) | chosen["reason"].notna()]):
        st.caption(line)
    drawn = chosen[chosen["series"].isin(shown)].drop(columns="reason").dropna(subset=["value"])
    st.dataframe(
        wide_table(drawn, axis, shown),
        hide_index=True,
        alt=f"Values of every line against {axis.title}",
        column_config={STYLES[name].name: st.column_config.NumberColumn(format=_digits(name)) for name in shown}
        | {PLATEAU_COLUMN: st.column_config.NumberColumn(format="%.1f", help=PLATEAU_HELP)},
    )
    st.download_button(
        "Download CSV of these runs",
        drawn.to_csv(index=False),
        f"boundlab-{axis.key}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _digits(series: str) -> str:
    return "%.4f" if series in MEASURED else "%.3e"


def wide_table(drawn: pd.DataFrame, axis: Axis, shown: list[str]) -> pd.DataFrame:
    """One row per point, one column per line, and each run's plateau number."""
    index = [axis.column, "seed"]
    wide = drawn.pivot_table(index=index, columns="series", values="value")
    wide = wide[[name for name in shown if name in wide]].rename(columns={name: STYLES[name].name for name in shown})
    plateau = drawn.groupby(index)["plateau_number"].first().rename(PLATEAU_COLUMN)
    return wide.join(plateau).reset_index().rename(columns={axis.column: axis.title})


def explore_axis(key: str) -> None:
    """The figure page of one of `tables.AXES`."""
    explore(AXES[key])
