"""Files that a reader never sees half of: written beside and renamed; and their readers' clear errors."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from boundlab.errors import RunError


def make_folder(path: Path) -> None:
    """Make a folder and its parents; raises RunError where a file is in the way."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        blocked = next((p for p in (path, *path.parents) if p.is_file()), path)
        raise RunError(f"{blocked} is a file where a folder of runs should be; give another --out") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, waiting for it; it goes with the process, however that ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_atomic(path: Path, text: str) -> None:
    """Write beside and rename: a reader never sees half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Zstandard; floats split by byte, which packs slowly changing norms well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(
        table,
        temporary,
        compression="zstd",
        compression_level=15,
        use_dictionary=False,
        column_encoding=_encodings(table),
    )
    temporary.replace(path)


def _encodings(table: pa.Table) -> dict[str, str]:
    def path(field: pa.Field) -> str:
        return f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name

    def floats(kind: pa.DataType) -> bool:
        return pa.types.is_floating(kind.value_type if pa.types.is_list(kind) else kind)

    return {path(f): "BYTE_STREAM_SPLIT" for f in table.schema if floats(f.type)}


def read_json(path: Path) -> Any:
    """Parsed JSON; raises RunError naming the file."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} cannot be read as JSON ({error})") from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Records written so far; a half-written last line is left out."""
    lines = path.read_text().split("\n") if path.exists() else []
    return [json.loads(line) for line in lines[:-1]]
