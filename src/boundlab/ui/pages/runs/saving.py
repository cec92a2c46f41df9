"""The runs of the table as files: CSV and Parquet, numbers as they are, under the columns' keys."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import pandas as pd
import streamlit as st

_HELP = "The selected runs, or, where none is selected, those of the table: numbers as they are (errors of 1), by run"


def save_runs(table: pd.DataFrame) -> None:
    """Two buttons; a file is written when it is asked for."""
    csv, parquet = partial(_csv, table), partial(_parquet, table)
    _button("CSV", csv, "boundlab-runs.csv", "text/csv")
    _button("Parquet", parquet, "boundlab-runs.parquet", "application/vnd.apache.parquet")


def _button(label: str, content: Callable[[], str] | Callable[[], bytes], file: str, kind: str) -> None:
    key = f"save_runs_{label.lower()}"
    st.download_button(label, content, file, kind, key=key, help=_HELP, type="tertiary", on_click="ignore")


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, float_format="%.10g")


def _parquet(table: pd.DataFrame) -> bytes:
    packed = io.BytesIO()
    table.to_parquet(packed, index=False)
    return packed.getvalue()
