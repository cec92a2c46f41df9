"""Images in tables: CSV with a label and a pixel per column, and Parquet with pictures, as Hugging Face stores data sets. pyarrow, no torch."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from boundlab.data.labels import label_values
from boundlab.data.npz import said_of
from boundlab.data.picture_files import Packed
from boundlab.data.pictures import LARGEST_DATA, Array
from boundlab.errors import DataError

_LABELS = ("label", "labels", "class", "class_id", "target", "y", "fine_label")  # a label's column, in any case
_IMAGES = ("image", "img", "images", "picture")
_NUMBER = re.compile(rb"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


def parse_csv(content: bytes, what: str) -> tuple[Array, Array]:
    """(n, side, side) pixels and (n,) labels from a table with one row per image: its label, then its pixels row by row.

    A first row without numbers beside its first cell names the columns; the label's is `label`, `class`, `target` or `y`, else the first.
    Raises DataError.
    """
    content = content.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    first = content.split(b"\n", 1)[0].strip()
    mark = max(b",;\t", key=lambda byte: first.count(byte))
    cells = [cell.strip().strip(b'"') for cell in first.split(bytes([mark]))]
    side = math.isqrt(max(len(cells) - 1, 0))
    if side < 1 or side**2 != len(cells) - 1:
        raise DataError(
            f"{what} should have a label and the pixels of a square grey image in each row, so 1, 4, 9, ... columns beside the label, got "
            f"{len(cells) - 1}; leave out what is neither, or give colours and other shapes as an .npz file"
        )
    lower = [cell.decode("utf-8", "replace").lower() for cell in cells]
    named = [i for i, cell in enumerate(lower) if cell in _LABELS]
    header = bool(named) or not any(_NUMBER.fullmatch(cell) for cell in cells[1:])
    at = named[0] if named else 0
    columns = _columns(content, bytes([mark]).decode(), header, len(cells), at, what)
    with said_of(f"{what}: "):
        labels = label_values(columns[at], "the label column")
    return _grid([column for i, column in enumerate(columns) if i != at], what).reshape(-1, side, side), labels


def _columns(content: bytes, mark: str, header: bool, count: int, at: int, what: str) -> list[Array]:
    from pyarrow import ArrowInvalid, csv, float64

    names = [str(i) for i in range(count)]
    read = csv.ReadOptions(column_names=names, skip_rows=int(header), use_threads=False, block_size=2**24)
    floats = {name: float64() for i, name in enumerate(names) if i != at}
    # a column may begin with whole numbers and go on with others
    for types in ({}, floats):
        try:
            table = csv.read_csv(
                io.BytesIO(content), read, csv.ParseOptions(delimiter=mark), csv.ConvertOptions(column_types=types)
            )
            break
        except ArrowInvalid as error:
            reason = " ".join(str(error).split())[:200]
    else:
        raise DataError(f"{what} should be a table of labels and pixels, got: {reason}; mend that row")
    if not table.num_rows:
        raise DataError(f"{what} should have a row for each image, got none below its names")
    if empty := [i for i, column in enumerate(table.columns) if column.null_count]:
        raise DataError(f"{what} should have a value in every cell, got empty ones in column {empty[0] + 1}; fill them")
    return [np.asarray(column.to_pylist()) if i == at else column.to_numpy() for i, column in enumerate(table.columns)]


def _grid(columns: Sequence[Array], what: str) -> Array:
    """(n, columns), bytes or floats."""
    kinds = {column.dtype.kind for column in columns}
    if not kinds <= set("iuf"):
        raise DataError(f"{what} should have numbers as pixels, got words among them; leave out such columns")
    if kinds <= set("iu") and all(column.min() >= 0 and column.max() <= 255 for column in columns):
        return np.stack(columns, axis=1, dtype=np.uint8, casting="unsafe")
    return np.stack(columns, axis=1, dtype=np.float32 if "f" in kinds else np.int64, casting="unsafe")


def packed_pictures(paths: Sequence[Path]) -> tuple[list[Packed], Array, list[str]]:
    """The pictures in one part's files, their labels' values, and what the file calls the classes 0, 1, ... ([]: nothing).

    A column `image` with {bytes, path} or the bytes alone, a column `label`. Raises DataError.
    """
    pictures: list[Packed] = []
    labels: list[Any] = []
    names: list[str] = []
    for path in paths:
        columns, names = _rows(path)
        for number, (image, label) in enumerate(columns, 1):
            content = image.get("bytes") if isinstance(image, dict) else image
            if not isinstance(content, bytes):
                elsewhere = image.get("path") if isinstance(image, dict) else None
                got = f"only the path {str(elsewhere)[:80]!r}" if elsewhere else "none"
                raise DataError(
                    f"{path}: row {number} should hold a picture's bytes, got {got}; give the pictures in a folder"
                )
            if label is None:
                raise DataError(f"{path}: row {number} should have a label, got none; leave it out")
            pictures.append(Packed(f"{path}, row {number},", content))
            labels.append(label)
    if not pictures:
        raise DataError(f"{paths[0]} should hold pictures and labels, got no rows")
    with said_of(f"{paths[0]}: "):
        return pictures, label_values(np.asarray(labels), "the label column"), names


def _rows(path: Path) -> tuple[Iterator[tuple[Any, Any]], list[str]]:
    from pyarrow import ArrowException, parquet

    try:
        if (size := path.stat().st_size) > LARGEST_DATA:
            raise DataError(f"{path} has {size:,} bytes, more than any data set may have; take fewer images")
        with parquet.ParquetFile(path) as file:
            image, label = _named(file.schema_arrow, path)
            table = file.read(columns=[image, label], use_threads=False)
            names = _class_names(file.schema_arrow.metadata or {}, label)
    except (ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path} should be a Parquet file with pictures and labels, got: {reason}") from error
    return zip(table.column(image).to_pylist(), table.column(label).to_pylist(), strict=True), names


def _named(schema: Any, path: Path) -> tuple[str, str]:
    """The columns with pictures and with labels; raises DataError where it is not plain which they are."""
    from pyarrow import types

    def holds_bytes(kind: Any) -> bool:
        binary = types.is_binary(kind) or types.is_large_binary(kind)
        return binary or (types.is_struct(kind) and kind.get_field_index("bytes") >= 0)

    images = [field.name for field in schema if holds_bytes(field.type)]
    images = [name for name in images if name.lower() in _IMAGES] or images
    named = [field.name for field in schema if field.name.lower() in _LABELS]
    plain = [field.name for field in schema if types.is_integer(field.type) or types.is_string(field.type)]
    labels = [name for name in named if name.lower() == "label"] or named or plain
    if len(images) != 1 or len(labels) != 1:
        raise DataError(
            f"{path} should have one column of pictures (bytes, or {{bytes, path}}) and one of labels, called `label`, got "
            f"{', '.join(f'{field.name} ({str(field.type)[:40]})' for field in schema)[:200]}; rename or leave out others"
        )
    return images[0], labels[0]


def _class_names(metadata: dict[bytes, bytes], label: str) -> list[str]:
    """What Hugging Face's metadata says."""
    try:
        names = json.loads(metadata[b"huggingface"])["info"]["features"][label]["names"]
        return [str(name) for name in names] if isinstance(names, list) else []
    except (KeyError, ValueError, TypeError):
        return []
