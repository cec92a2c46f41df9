"""Norms as columns of a record, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from boundlab.quantities.norms import (
    BIAS_FIELDS,
    MARGIN_GRID,
    NORM_FIELDS,
    SCALED_GRID,
    Array,
    LayerNorms,
    MarginErrors,
    NetworkNorms,
)
from boundlab.specs.shapes import LayerShape

_LIST = (list, np.ndarray)


def norm_column(index: int, field: str) -> str:
    """Name of a norm in records and parquet files."""
    return f"layers.{index}.{field}"


def norm_columns_of(shapes: Sequence[LayerShape]) -> set[str]:
    """Every column that `from_columns` needs, and the position of the record."""
    norms = {norm_column(i, field) for i in range(len(shapes)) for field in NORM_FIELDS if field not in BIAS_FIELDS}
    return norms | {"step", "epoch", "path_l1"}


def from_columns(columns: Mapping[str, Any], shapes: Sequence[LayerShape]) -> NetworkNorms:
    """Norms from record columns, each a scalar, a list, or a column of them; missing values become NaN."""
    layers = tuple(
        LayerNorms(shape, **{field: _norm(columns, i, field, shape) for field in NORM_FIELDS})
        for i, shape in enumerate(shapes)
    )
    margins, searched = _margins(columns)
    return NetworkNorms(layers, _array(columns["path_l1"]), margins, searched)


def _norm(columns: Mapping[str, Any], index: int, field: str, shape: LayerShape) -> Array:
    if field not in BIAS_FIELDS or norm_column(index, field) in columns:
        return _array(columns[norm_column(index, field)])
    none_there = not shape.bias and (field != "centered_bias_norm" or shape.name == "output")
    return np.full(_array(columns[norm_column(index, "bias_norm")]).shape, 0.0 if none_there else np.nan)


def _margins(columns: Mapping[str, Any]) -> tuple[MarginErrors | None, MarginErrors | None]:
    """Errors at the margins of `MARGIN_GRID`, and at those that are searched."""
    known, ramp = _lists(columns.get("ramp"))
    if np.isnan(ramp).all():
        return None, None
    measured = None if known is None or known.all() else known

    def there(name: str) -> Array:
        return _array(columns.get(name))[... if measured is None else measured]

    margins = MarginErrors(MARGIN_GRID, ramp, _lists(columns["indicator"])[1], measured)
    scale = there("margin_scale")[..., None] if "margin_scale" in columns else np.array([np.nan])
    # records from before there was one
    old = np.isnan(scale)
    if old.all():
        return margins, margins
    searched = MarginErrors(
        np.where(old, MARGIN_GRID, scale * SCALED_GRID),
        np.where(old, ramp, there("scaled_ramp")),
        np.where(old, margins.indicator, there("scaled_indicator")),
        measured,
    )
    return margins, searched


def _array(column: Any) -> Array:
    """(rows,) numbers, or (rows, width) of a column of lists; NaN where there is nothing."""
    known, values = _lists(column)
    if known is None:
        return values
    whole = np.full((len(known), values.shape[-1]), np.nan)
    whole[known] = values
    return whole


def _lists(column: Any) -> tuple[Array | None, Array]:
    """(rows,) where a column of lists has one, and those; of anything else (None, it as numbers)."""
    if getattr(getattr(column, "dtype", None), "kind", "O") in "fiub":
        return None, np.asarray(column, dtype=np.float64)
    rows = column.tolist() if hasattr(column, "tolist") else column
    known = [isinstance(row, _LIST) for row in rows] if isinstance(rows, list) else []
    if not any(known):
        return None, np.asarray(np.nan if rows is None else rows, dtype=np.float64)
    return np.array(known), np.array([row for row in rows if isinstance(row, _LIST)], dtype=np.float64)
