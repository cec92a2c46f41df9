"""What to know about a sample before believing an error or a promise on it: repeated images, other files, other sizes. No torch."""

from __future__ import annotations

import gzip
import hashlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from boundlab.checks import numbers, shown, whole
from boundlab.errors import DataError
from boundlab.sources import FILES, find

CONTENTS = "sha256 of the contents"  # the digests (mirrors.CHECKS) that hold for a file however it was packed
COUNTS = ("repeated", "contradicting", "test_in_train")
_MOST_IMAGES = 10**12
_IDX_HEADER = 16  # bytes before the images


def repeated(train: np.ndarray, labels: np.ndarray, test: np.ndarray | None) -> dict[str, int]:
    """Images that are equal pixel for pixel, as columns of a record.

    `train`, `test`: (n, channels, height, width). `repeated`: training images that equal an earlier one. `contradicting`:
    those with an equal one of another label. `test_in_train`: test images that equal a training image, of `tested`.
    """
    seen: dict[bytes, list[int]] = defaultdict(list)
    for key, label in zip(_keys(train), labels.tolist(), strict=True):
        seen[key].append(label)
    tested = [] if test is None else _keys(test)
    return {
        "repeated": len(train) - len(seen),
        "contradicting": sum(len(found) for found in seen.values() if len(set(found)) > 1),
        "test_in_train": sum(key in seen for key in tested),
        "tested": len(tested),
    }


def _keys(images: np.ndarray) -> list[bytes]:
    """128 bits for each image: that two different ones share them will not happen."""
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    return [hashlib.blake2b(row.data, digest_size=16).digest() for row in rows]


def altered(name: str, root: str | Path | None = None) -> list[str]:
    """A sentence for every file of images or labels whose contents are not those published; [] where nothing is known."""
    words = []
    for file, archive in FILES.get(name, {}).items():
        if archive.check != CONTENTS:
            continue
        try:
            path = find(name, file, root)
            content = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
        except (OSError, EOFError, DataError) as error:
            words.append(f"{file} could not be compared with what is published ({error}).")
            continue
        if hashlib.sha256(content).hexdigest() != archive.digest:
            how = "; its images are transposed, rows for columns" if _transposed(content) == archive.digest else ""
            words.append(
                f"{path.name} does not hold what is published under this name{how}: errors and bounds are about other data."
            )
    return words


def _transposed(content: bytes) -> str:
    """sha256 with rows and columns of every image swapped, "" for what is no square images."""
    side = int.from_bytes(content[8:12], "big")
    images = np.frombuffer(content, np.uint8, offset=min(len(content), _IDX_HEADER))
    if content[3:4] != b"\3" or side < 1 or images.size % side**2 or content[8:12] != content[12:16]:
        return ""
    swapped = np.ascontiguousarray(images.reshape(-1, side, side).swapaxes(1, 2))
    return hashlib.sha256(content[:_IDX_HEADER] + swapped.tobytes()).hexdigest()


def doubts(record: Mapping[str, Any], in_shape: tuple[int, ...]) -> list[str]:
    """Sentences about the sample of a `record` that has the columns of `repeated`, `altered` and `image_shape`; [] for one
    without. `in_shape`: what the network takes."""
    return [*_sizes(record, in_shape), *_copies(record), *record.get("altered", ())]


def check_doubts(record: Mapping[str, Any]) -> None:
    """Raises ValueError unless those columns, where a record has them, hold counts, sentences and a size of images."""
    for name in (*COUNTS, "tested"):
        if name in record:
            whole(name, record[name], 0, _MOST_IMAGES)
    words = record.get("altered", [])
    if not isinstance(words, list) or not all(isinstance(text, str) for text in words):
        raise ValueError(f"altered should be a list of sentences, got {shown(words)}")
    if "image_shape" in record:
        for size in numbers("image_shape", record["image_shape"], ("channels", "height", "width")):
            whole("image_shape", size, 1, _MOST_IMAGES)


def _sizes(record: Mapping[str, Any], in_shape: tuple[int, ...]) -> list[str]:
    images = tuple(record.get("image_shape", in_shape))
    if images == tuple(in_shape):
        return []
    (height, width), (_, h, w) = images[1:], in_shape
    return [
        f"The network takes {h}×{w} pixels, so it was measured on the middle {h}×{w} of images of {height}×{width}: if it was "
        "trained on other data, its errors and bounds mean nothing here."
    ]


def _copies(record: Mapping[str, Any]) -> list[str]:
    words = []
    if found := record.get("test_in_train"):
        words.append(
            f"{_images(found, 'test')} of {record['tested']:,} {_equal(found)} a training image pixel for pixel: test error and "
            "hold-out limit are not about new examples alone."
        )
    if found := record.get("contradicting"):
        words.append(
            f"{_images(found, 'training')} {_equal(found)} one with another label: no network can be right on all of them."
        )
    if found := record.get("repeated"):
        words.append(
            f"{_images(found, 'training')} {_equal(found)} an earlier one: if they are copies, the examples are not independent, "
            "as every bound and promise takes them to be."
        )
    return words


def _images(count: int, part: str) -> str:
    return f"{count:,} {part} image{'s' * (count != 1)}"


def _equal(count: int) -> str:
    return "equals" if count == 1 else "equal"
