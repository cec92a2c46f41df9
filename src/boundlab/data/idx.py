"""IDX files, the format of MNIST's publishers: numbers of any of its six types, most significant byte first."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from boundlab.errors import DataError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}  # third byte of the magic


def decompressed(path: Path, most: int) -> bytes:
    """The contents of a file, plain or .gz; raises DataError for a broken gzip stream or more than `most` bytes."""
    try:
        with gzip.open(path) if is_gzip(path) else path.open("rb") as file:
            content = file.read(most + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is not a complete gzip file ({error}); delete it and fetch it again") from error
    if len(content) > most:
        raise DataError(f"{path} unpacks to more than {most:,} bytes: this is not one of the expected files")
    return content


def is_gzip(path: Path) -> bool:
    """Whether it is said, or begins, to be one."""
    with path.open("rb") as file:
        return path.suffix.lower() == ".gz" or file.read(2) == b"\x1f\x8b"


def is_idx(content: bytes) -> bool:
    """Whether the magic is one."""
    return content[:2] == b"\0\0" and content[2:3] != b"" and content[2] in _TYPES and content[3:4] > b"\0"


def parse_idx(content: bytes, path: Path | str, dims: int | None = None) -> np.ndarray:
    """The array in an IDX file's bytes, of unsigned bytes in `dims` dimensions where those are given (as MNIST's files are);
    raises DataError, which names `path`, when magic or size is wrong."""
    if dims is not None and content[:4] != (expected := bytes([0, 0, 8, dims])):
        raise DataError(
            f"{path} should begin with the IDX magic {expected.hex()}, got {content[:4].hex() or 'nothing'}"
        )
    if not is_idx(content):
        raise DataError(
            f"{path} should begin with an IDX magic, 0000, a type (08, 09, 0b, 0c, 0d, 0e) and the number of dimensions, got "
            f"{content[:4].hex() or 'nothing'}"
        )
    kind, count = np.dtype(_TYPES[content[2]]), content[3]
    shape = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(count)]
    body = len(content) - 4 - 4 * count
    if body != int(np.prod(shape, dtype=object)) * kind.itemsize:
        unit = "bytes" if kind.itemsize == 1 else f"numbers of {kind.itemsize} bytes"
        raise DataError(f"{path} announces {' x '.join(map(str, shape))} {unit} but holds {max(body, 0)}: wrong size")
    return np.frombuffer(content, kind, offset=4 + 4 * count).reshape(shape)
