"""A data set of the reader's own as it is stored: KEY.npz of plain arrays, KEY.json of facts. No torch."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np

from boundlab.data.arrays import NAMES, accepted_names
from boundlab.data.npz import npz_arrays
from boundlab.data.pictures import Array, Part, Pictures
from boundlab.errors import DataError, RunError
from boundlab.specs.own_data import Catalogue, own_folder
from boundlab.system.files import read_json
from boundlab.validation import shown


def digest(pictures: Pictures) -> str:
    """sha256 over class names, and dtype, shape and bytes of every array of a split data set."""
    sha = hashlib.sha256(json.dumps(pictures.class_names).encode())
    for name, array in stored_arrays(pictures).items():
        sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
        sha.update(np.ascontiguousarray(array).data.cast("B"))
    return sha.hexdigest()


def stored_arrays(pictures: Pictures) -> dict[str, Array]:
    """The arrays of a split data set by the names under which they are stored."""
    train, test = pictures.train, pictures.test
    assert test is not None
    return dict(zip(NAMES, (train.pixels, train.labels, test.pixels, test.labels), strict=True))


def write_stored(path: Path, arrays: dict[str, Array]) -> None:
    """Write beside and rename, without a second copy in memory; raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with beside.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def recorded_digest(path: Path) -> str:
    """The whole sha256 in the facts beside the arrays at `path`, "" where there are none."""
    try:
        return str(read_json(path.with_suffix(".json"))["sha256"])
    except (RunError, KeyError, TypeError):
        return ""


def stored_file(known: Catalogue, key: str) -> Path:
    """Where the arrays of a data set of the reader's own lie; raises ValueError for an unknown key."""
    folder = own_folder(known.root)
    if key not in known.own:
        raise ValueError(f"dataset must be one of {sorted(known.own)} in {folder}, got {shown(key)}; add it first")
    return folder / f"{key.removeprefix('own-')}.npz"


def read_stored(path: Path, class_names: tuple[str, ...]) -> Pictures:
    """What `write_stored` wrote, with its test part; raises DataError for a damaged file."""
    try:
        arrays = npz_arrays(path, accepted_names)
        x, y, x_test, y_test = (arrays[name] for name in NAMES)
    except MemoryError:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise what they like on damaged bytes
        raise DataError(
            f"{path} should be the arrays of own-{path.stem}, got a damaged file ({error}); {_again(path)}"
        ) from error
    return Pictures(Part(x, y), Part(x_test, y_test), class_names)


def check_stored(path: Path, pictures: Pictures) -> tuple[Part, Part]:
    """(train, test) as read from `path`; raises DataError unless they have the sha256 that the facts beside it say."""
    if (got := digest(pictures)) != (expected := recorded_digest(path)):
        raise DataError(f"{path} should have contents of sha256 {expected}, got {got}; {_again(path)}")
    assert pictures.test is not None
    return pictures.train, pictures.test


def _again(path: Path) -> str:
    return f"`boundlab data remove own-{path.stem}`, then add it again"
