"""Tables with numbers written as everywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pandas as pd
from pandas.io.formats.style import Styler

from boundlab.text import readable


def formatted(table: pd.DataFrame, series: Mapping[str, str] | None = None) -> Styler:
    """A table whose numbers are written as everywhere else (11,740, 0.668, 3.2×10¹²), and still sort as numbers; `series`:
    column -> the series it holds, where that has a unit."""
    columns = [name for name in table if pd.api.types.is_float_dtype(table[name])]
    formats = {name: partial(readable, series=(series or {}).get(name, "")) for name in columns}
    whole = {name: "{:,}".format for name in table if pd.api.types.is_integer_dtype(table[name])}
    return table.style.format(formats | whole, na_rep="–")
