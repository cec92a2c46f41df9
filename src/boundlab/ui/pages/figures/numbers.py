"""The numbers of a figure: what is drawn as CSV, and the single runs behind it as a table."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from boundlab.analysis.curves import drawn
from boundlab.analysis.tables import Axis
from boundlab.charts.theme import styles
from boundlab.specs.settings import CONVENTIONS
from boundlab.ui.pages.figures.view import Overlay
from boundlab.ui.tables import formatted
from boundlab.words.glossary import explained

_PLATEAU_COLUMN = "plateau number"
_PLATEAU_HELP = (
    f"{explained('plateau')} The number: steps before the learning rate first falls × lr / (1 − momentum) × λ, 4 or more at the "
    "plateau; below, the run is marked and left out."
)


def csv(curves: pd.DataFrame, over: Overlay, axis: Axis, shared: dict[str, object], own: pd.DataFrame) -> str:
    """The points of one picture, of the reader's `own` runs and of the paper's curves over it; `shared`: what is the same for all
    of ours."""
    paper = {"scale": shared["scale"]} | over.shared
    return drawn(curves, over.curves, axis, shared, paper, own).to_csv(index=False, float_format="%.10g")


def numbers_section(table: pd.DataFrame, axis: Axis) -> None:
    """`table`: `wide_table` at the handle's position."""
    looks = {style.name: name for convention in CONVENTIONS for name, style in styles(convention).items()}
    st.dataframe(
        formatted(table, {column: looks[column] for column in table if column in looks}),
        hide_index=True,
        alt=f"Values of every run against {axis.title}",
        column_config={_PLATEAU_COLUMN: st.column_config.Column(help=_PLATEAU_HELP)},
    )


def wide_table(rows: pd.DataFrame, axis: Axis, shown: list[str], panel: str | None = None) -> pd.DataFrame:
    """One row per run and point, one column per line, and each run's plateau number."""
    looks = styles("strict" if "strict" in set(rows["convention"]) else "")
    index = [*([panel] if panel else []), axis.column, "seed"]
    wide = rows.pivot_table(index=index, columns="series", values="value")
    wide = wide[[name for name in shown if name in wide]].rename(columns={name: looks[name].name for name in shown})
    plateau = rows.groupby(index)["plateau_number"].first().rename(_PLATEAU_COLUMN)
    return wide.join(plateau).reset_index().rename(columns={axis.column: axis.title})
