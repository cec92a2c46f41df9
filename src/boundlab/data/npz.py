"""The arrays of an .npz file: one set of rules for what somebody sent and for what is stored; nothing is ever unpickled."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from boundlab.data.arrays import WANTED, accepted_names, read_arrays
from boundlab.data.pictures import LARGEST_DATA, Array, Pictures, check_size
from boundlab.errors import DataError

CHANNELS = (1, 3)  # channels that pictures may have
HeaderCheck = Callable[[str, tuple[int, ...], np.dtype[Any]], None]  # name, shape and dtype of an array not read yet


def npz_arrays(
    source: Path | bytes,
    choose: Callable[[list[str]], Sequence[str]],
    check: HeaderCheck = lambda name, shape, dtype: None,
) -> dict[str, Array]:
    """Name -> array of those that `choose` picks of the names in a file or its bytes.

    Every header is looked at before any array is read: none may hold objects, and `check` may refuse more. Raises
    DataError for objects, and on damaged bytes whatever zipfile, zlib and NumPy like.
    """
    with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as archive:
        names = choose([name.removesuffix(".npy") for name in archive.namelist()])
        for name in names:
            shape, dtype = _header(archive, name)
            if dtype.hasobject:
                raise DataError(
                    f"{_called(source)}: {name} should hold numbers, got Python objects (dtype {dtype}), which are never read"
                )
            check(name, shape, dtype)
        return {name: _array(archive, name) for name in names}


def read_npz(source: Path | bytes, channels: Collection[int] = CHANNELS, store: bool = True) -> Pictures:
    """What `read_arrays` makes of an .npz file. `store`: what is too large is refused before it is read. Raises DataError."""
    what = _called(source)

    def choose(found: list[str]) -> Sequence[str]:
        with said_of(f"{what} "):
            return accepted_names(found, store)

    try:
        arrays = npz_arrays(source, choose, *([partial(_check_stored_size, what)] if store else []))
        with said_of(f"{what}: "):
            return read_arrays(arrays, channels, store)
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(f"{what} does not fit into this machine's memory; take fewer or smaller images") from error
    except Exception as error:  # zipfile, zlib and numpy raise what they like on damaged bytes
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{what} should be an .npz file (np.savez) with {WANTED}, got: {reason}") from error


@contextmanager
def said_of(what: str) -> Iterator[None]:
    """What is wrong with the arrays, as a DataError about the file."""
    try:
        yield
    except (ValueError, DataError) as error:
        raise DataError(f"{what}{error}") from error


def _called(source: Path | bytes) -> str:
    return str(source) if isinstance(source, Path) else "the file"


def _check_stored_size(what: str, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise DataError for an array that no data set can have."""
    if len(shape) > 2 and min(shape) > 0:
        check_size(shape[0], shape[1:])
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > 2 * LARGEST_DATA:
        raise DataError(f"{what}: {name} of shape {shape} is larger than any data set may be; take fewer images")


def _header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    return shape, dtype


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(f"{name}.npy") as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):
            raise ValueError(f"more bytes in {name} than its shape says")
    return array
