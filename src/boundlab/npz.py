"""x_train, y_train and perhaps x_test, y_test from an .npz file that somebody sent; nothing in it is ever unpickled."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from boundlab.errors import DataError
from boundlab.images import LARGEST, Array, Part, Pictures, check_classes, check_size

_TRAIN, _TEST = ("x_train", "y_train"), ("x_test", "y_test")
_WANTED = "x_train and y_train, and perhaps x_test and y_test"


def read_npz(source: Path | bytes) -> Pictures:
    """Images of shape (n, h, w), (n, h, w, c) or (n, c, h, w), uint8 or floats in [0, 1], with integer labels.

    c is 1 or 3. The distinct labels, in order, become the classes and their names. Raises DataError.
    """
    what = str(source) if isinstance(source, Path) else "the file"
    try:
        with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as archive:
            names = _names(archive, what)
            for name in names:
                _check_header(archive, name, what)
            arrays = {name: _array(archive, name) for name in names}
            return _pictures(arrays, what)
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(f"{what} does not fit into this machine's memory; take fewer or smaller images") from error
    except Exception as error:  # zipfile, zlib and numpy raise what they like on damaged bytes
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{what} should be an .npz file (np.savez) with {_WANTED}, got: {reason}") from error


def _names(archive: zipfile.ZipFile, what: str) -> tuple[str, ...]:
    found = {name.removesuffix(".npy") for name in archive.namelist()}
    names = _TRAIN + _TEST if found & set(_TEST) else _TRAIN
    if found != set(names):
        raise DataError(
            f"{what} should hold {_WANTED}, got {sorted(found)[:8]}; name the arrays so and leave out others"
        )
    return names


def _check_header(archive: zipfile.ZipFile, name: str, what: str) -> None:
    """Raise DataError for an array that must not even be read."""
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    if dtype.hasobject:
        raise DataError(f"{what}: {name} should hold numbers, got Python objects (dtype {dtype}), which are never read")
    if name.startswith("y"):
        if dtype.kind not in "iu" or shape[1:] not in ((), (1,)):
            raise DataError(f"{what}: {name} should be (n,) whole numbers, got {shape} of dtype {dtype}")
    elif dtype != np.uint8 and (dtype.kind != "f" or dtype.itemsize > 8):
        raise DataError(
            f"{what}: {name} should be uint8, or floats in [0, 1], got dtype {dtype}; convert it with astype"
        )
    elif len(shape) not in (3, 4) or min(shape) < 1:
        raise DataError(f"{what}: {name} should be (n, h, w), (n, h, w, c) or (n, c, h, w), got shape {shape}")
    else:
        check_size(shape[0], shape[1:])
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > 2 * LARGEST:
        raise DataError(f"{what}: {name} of shape {shape} is larger than any data set may be; take fewer images")


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(f"{name}.npy") as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):
            raise ValueError(f"more bytes in {name} than its shape says")
    return array


def _channels_first(pixels: Array, what: str) -> Array:
    if pixels.ndim == 3:
        return pixels[:, None]
    first, last = (pixels.shape[axis] in (1, 3) for axis in (1, 3))
    if first == last:
        reason = "both are possible" if first else "neither is"
        raise DataError(
            f"{what} should have its 1 or 3 channels second or last, got shape {pixels.shape}, of which {reason}"
        )
    return pixels if first else pixels.transpose(0, 3, 1, 2)


def _pixels(given: Array, what: str) -> Array:
    """(n, c, h, w), contiguous, uint8 or float32, checked."""
    pixels = _channels_first(given, what)
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    with np.errstate(all="ignore"):  # what overflows is found below
        pixels = np.ascontiguousarray(pixels, np.float32)
        low, high = float(pixels.min()), float(pixels.max())
    if np.isnan(low) or np.isnan(high):
        raise DataError(f"{what} should be floats in [0, 1], got NaN among them; replace or remove those images")
    if low < 0 or high > 1:
        raise DataError(
            f"{what} should be floats in [0, 1], got {low:g} to {high:g}; rescale them, or store them as uint8"
        )
    return pixels


def _pictures(arrays: dict[str, Array], what: str) -> Pictures:
    x = {name: _pixels(array, f"{what}: {name}") for name, array in arrays.items() if name.startswith("x")}
    y = {name: array.reshape(-1) for name, array in arrays.items() if name.startswith("y")}
    for images, labels in (_TRAIN, _TEST)[: len(x)]:
        if len(x[images]) != len(y[labels]):
            raise DataError(
                f"{what}: {images} and {labels} should be of one length, got {len(x[images])} and {len(y[labels])}"
            )
    kinds: dict[str, Any] = {name: (array.shape[1:], str(array.dtype)) for name, array in x.items()}
    if len(set(kinds.values())) > 1:
        (a, b), (c, d) = kinds.values()
        raise DataError(f"{what}: both parts should have one shape and dtype, got {a} {b} and {c} {d}; make them alike")
    check_size(sum(map(len, x.values())), x["x_train"].shape[1:])
    names = [str(value) for value in np.unique(y["y_train"])]
    counts = [dict(zip(*_counted(labels), strict=True)) for labels in y.values()]
    check_classes(counts[0], counts[1] if len(counts) > 1 else None, what)
    parts = [Part(x[i], np.unique(y[j], return_inverse=True)[1].astype(np.int64)) for i, j in (_TRAIN, _TEST)[: len(x)]]
    return Pictures(parts[0], parts[1] if len(parts) > 1 else None, tuple(names))


def _counted(labels: Array) -> tuple[list[str], list[int]]:
    values, counts = np.unique(labels, return_counts=True)
    return [str(value) for value in values], counts.tolist()
