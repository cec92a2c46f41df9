"""A data set as arrays: what it may be, scaling and greying. Pillow, no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from boundlab.errors import DataError

Array = np.ndarray
LARGEST_DATA = 2 * 2**30  # bytes of a data set as float32
LONGEST = 4096  # pixels; of ArchSpec
_MOST_CLASSES = 1000
_SMALLER = "take fewer, smaller or grey images (pictures in a folder can be scaled with --size and --grey)"


@dataclass(frozen=True)
class Part:
    """(n, channels, height, width) pixels, uint8 or float32 in [0, 1], and (n,) labels from 0 on, int64."""

    pixels: Array
    labels: Array


@dataclass(frozen=True)
class Pictures:
    """A data set before its test part is split off (None), or with it; class i has the name `class_names[i]`."""

    train: Part
    test: Part | None
    class_names: tuple[str, ...]


def check_size(n: int, shape: Sequence[int]) -> None:
    """Raise DataError when n images of this shape are too many values, or one of them is larger than a network takes."""
    looks = "×".join(map(str, shape))
    if max(shape) > LONGEST:
        raise DataError(f"images should be at most {LONGEST} pixels on a side, got {looks}; {_SMALLER}")
    if (size := 4 * n * math.prod(shape)) > LARGEST_DATA:
        raise DataError(
            f"{n:,} images of {looks} are {size / 2**30:.1f} GiB as float32, and "
            f"{LARGEST_DATA / 2**30:.0f} GiB is the most; {_SMALLER}"
        )


def check_classes(train: dict[str, int], test: dict[str, int] | None, what: str) -> None:
    """Raise DataError unless the numbers of images per class name, of a whole where `test` is None, will do."""
    if not 2 <= len(train) <= _MOST_CLASSES:
        raise DataError(f"{what} should have 2 to {_MOST_CLASSES} classes, got {len(train) or 'nothing in it'}")
    if test is not None and set(train) != set(test):
        odd = sorted(set(train) ^ set(test))
        raise DataError(
            f"{what} should have the same classes in both parts, got {odd[:5]} in one of them only; complete it"
        )
    need, of = (2, "training images") if test is not None else (3, "images (2 to train, 1 to test)")
    if scarce := [name for name, count in train.items() if count < need]:
        raise DataError(f"{what} should have at least {need} {of} per class, got {train[scarce[0]]} of {scarce[0]!r}")
    if bare := [name for name, count in (test or {}).items() if count < 1]:
        raise DataError(f"{what} should have at least 1 test image per class, got none of {bare[0]!r}")


def scaled(pixels: Array, size: tuple[int, int]) -> Array:
    """(n, channels, height, width) pixels at another (height, width), bilinear."""
    made = np.empty((*pixels.shape[:2], *size), pixels.dtype)
    for index in np.ndindex(pixels.shape[:2]):
        made[index] = np.asarray(Image.fromarray(pixels[index]).resize(size[::-1], Image.Resampling.BILINEAR))
    return made


def greyed(pixels: Array) -> Array:
    """(n, 1, height, width) from (n, 3, height, width): weights of ITU-R 601, for uint8 rounded as Pillow does."""
    if pixels.shape[1] == 1:
        return pixels
    made = np.empty((len(pixels), 1, *pixels.shape[2:]), pixels.dtype)
    for place, image in zip(made[:, 0], pixels, strict=True):
        weighed = np.tensordot((19595, 38470, 7471), image.astype(np.float64), 1)
        place[...] = (weighed + 32768) // 65536 if pixels.dtype == np.uint8 else weighed / 65536
    return made
