"""Norms as columns of a record, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from boundlab.quantities.norms import (
    MARGIN_GRID,
    NORM_FIELDS,
    SCALED_GRID,
    Array,
    LayerNorms,
    MarginErrors,
    NetworkNorms,
)
from boundlab.specs.shapes import LayerShape


def norm_column(index: int, field: str) -> str:
    """Name of a norm in records and parquet files."""
    return f"layers.{index}.{field}"


def norm_columns_of(shapes: Sequence[LayerShape]) -> set[str]:
    """Every column that `from_columns` needs, and the position of the record."""
    norms = {norm_column(i, field) for i in range(len(shapes)) for field in NORM_FIELDS}
    return norms | {"step", "epoch", "path_l1"}


def from_columns(columns: Mapping[str, Any], shapes: Sequence[LayerShape]) -> NetworkNorms:
    """Norms from record columns, each a scalar, a list, or a column of them; missing values become NaN."""

    def array(name: str) -> Array:
        values = columns[name]
        rows = values.tolist() if hasattr(values, "tolist") else values
        if not isinstance(rows, list) or not rows or not any(isinstance(row, list | np.ndarray) for row in rows):
            return np.asarray(np.nan if rows is None else rows, dtype=np.float64)
        width = max(len(row) for row in rows if isinstance(row, list | np.ndarray))
        blank = [np.nan] * width  # a record without this quantity
        return np.array([row if isinstance(row, list | np.ndarray) else blank for row in rows], dtype=np.float64)

    layers = tuple(
        LayerNorms(shape, **{field: array(norm_column(i, field)) for field in NORM_FIELDS})
        for i, shape in enumerate(shapes)
    )
    if "ramp" not in columns:
        return NetworkNorms(layers, array("path_l1"))
    margins = MarginErrors(MARGIN_GRID, array("ramp"), array("indicator"))
    scale = array("margin_scale")[..., None] if "margin_scale" in columns else np.array([np.nan])
    old = np.isnan(scale)  # records from before there was one
    if old.all():
        return NetworkNorms(layers, array("path_l1"), margins, margins)
    searched = MarginErrors(
        np.where(old, MARGIN_GRID, scale * SCALED_GRID),
        np.where(old, margins.ramp, array("scaled_ramp")),
        np.where(old, margins.indicator, array("scaled_indicator")),
    )
    return NetworkNorms(layers, array("path_l1"), margins, searched)
