"""The numbers under a figure: what is drawn as CSV, and the single runs behind it as a table."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from boundlab.charts.theme import STYLES
from boundlab.curves import drawn
from boundlab.specs import Settings
from boundlab.tables import MEASURED, Axis
from boundlab.ui.paper import Overlay

PLATEAU_COLUMN = "plateau number"
PLATEAU_HELP = (
    "Steps before the learning rate first falls × lr / (1 − momentum) × λ. From 4 on the norms have come down as far as "
    "they will; below, the run is marked and left out (an empirical rule)."
)


def numbers(
    panel: str | None,
    axis: Axis,
    rows: pd.DataFrame,
    curves: pd.DataFrame,
    over: Overlay,
    shown: list[str],
    scale: str,
    settings: Settings,
) -> None:
    """`rows`: single runs at the handle's position; `curves`: what is drawn there."""
    settled = rows.dropna(subset=["n"])
    about = {"scale": scale, "convention": settings.convention, "delta": settings.delta, "n": settled["n"].max()}
    about |= {
        c: rows[c].iloc[0] for c in ("dataset", "conv_layers", "channels", "weight_decay") if rows[c].nunique() == 1
    }
    picture = drawn(curves[curves["series"].isin(shown)], over.curves, axis, about, over.source)
    st.download_button(
        "CSV of what is drawn",
        picture.rename(columns={"panel": panel or "panel"}).to_csv(index=False),
        f"boundlab-{axis.key}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    single = rows[rows["series"].isin(shown)].dropna(subset=["value"])
    st.dataframe(
        wide_table(single, axis, shown, panel),
        hide_index=True,
        alt=f"Values of every run against {axis.title}",
        column_config={STYLES[name].name: st.column_config.NumberColumn(format=_digits(name)) for name in shown}
        | {PLATEAU_COLUMN: st.column_config.NumberColumn(format="%.1f", help=PLATEAU_HELP)},
    )


def _digits(series: str) -> str:
    return "%.4f" if series in MEASURED else "%.3e"


def wide_table(rows: pd.DataFrame, axis: Axis, shown: list[str], panel: str | None = None) -> pd.DataFrame:
    """One row per run and point, one column per line, and each run's plateau number."""
    index = [*([panel] if panel else []), axis.column, "seed"]
    wide = rows.pivot_table(index=index, columns="series", values="value")
    wide = wide[[name for name in shown if name in wide]].rename(columns={name: STYLES[name].name for name in shown})
    plateau = rows.groupby(index)["plateau_number"].first().rename(PLATEAU_COLUMN)
    return wide.join(plateau).reset_index().rename(columns={axis.column: axis.title})
