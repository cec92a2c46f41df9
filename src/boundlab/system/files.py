"""Files that a reader never sees half of: written beside and renamed; and their readers' clear errors."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from boundlab.errors import RunError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


T = TypeVar("T")
Signature = tuple[int, int, int]


def signature(path: Path) -> Signature | None:
    """Inode, time of change (ns) and size, which a file written anew changes; None where there is no file."""
    try:
        now = os.stat(path)
    except OSError:
        return None
    return (now.st_ino, now.st_mtime_ns, now.st_size)


def cached_reader(read: Callable[[Path], T], most: int = 4096) -> Callable[[Path], T]:
    """`read`, called again for a path only once its file has changed; the last `most` values are kept, and shared.

    Nothing is kept of a file that is not there, nor of one for which `read` raises.
    """

    @lru_cache(maxsize=most)
    def kept(path: Path, now: Signature) -> T:
        return read(path)

    def latest(path: Path) -> T:
        now = signature(path)
        return read(path) if now is None else kept(path, now)

    return latest


def make_folder(path: Path) -> None:
    """Make a folder and its parents; raises RunError where a file is in the way."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        blocked = next((p for p in (path, *path.parents) if p.is_file()), path)
        raise RunError(f"{blocked} is a file where a folder of runs should be; give another --out") from error


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write beside and rename: a reader never sees half a file. Raises OSError, and then leaves nothing behind."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            # The file that was meant; a write names none.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Zstandard; floats split by byte, which packs slowly changing norms well, but lists of few different ones as a dictionary:
    shares of n images are k / n."""
    import pyarrow as pa  # here: processes that write no parquet start 0.4 s sooner
    import pyarrow.parquet as pq

    table, packed = pa.Table.from_pandas(frame, preserve_index=False), io.BytesIO()
    split, few = _encodings(table)
    pq.write_table(
        table, packed, compression="zstd", compression_level=15, use_dictionary=few or False, column_encoding=split
    )
    write_atomic(path, packed.getvalue())


def read_parquet(path: Path) -> pa.Table:
    """A parquet file, read once: it may be replaced meanwhile. Raises OSError, pyarrow.ArrowException."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.read_table(pa.BufferReader(path.read_bytes()))


def _encodings(table: pa.Table) -> tuple[dict[str, str], list[str]]:
    """The columns of floats that are split by byte, and those of lists with a dictionary."""
    import pyarrow as pa
    import pyarrow.compute as pc

    split, few = {}, []
    for field in table.schema:
        if pa.types.is_list(field.type) and pa.types.is_floating(field.type.value_type):
            values, path = pc.list_flatten(table[field.name]), f"{field.name}.list.element"
            if 4 * pc.count_distinct(values).as_py() < len(values):
                few.append(path)
            else:
                split[path] = "BYTE_STREAM_SPLIT"
        elif pa.types.is_floating(field.type):
            split[field.name] = "BYTE_STREAM_SPLIT"
    return split, few


def read_json(path: Path) -> Any:
    """Parsed JSON; raises RunError naming the file."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} cannot be read as JSON ({error})") from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Records written so far, the last one of each step; a half-written last line is left out."""
    try:
        lines = path.read_text().split("\n")
    except FileNotFoundError:
        return []
    return list({record["step"]: record for record in map(json.loads, lines[:-1])}.values())
