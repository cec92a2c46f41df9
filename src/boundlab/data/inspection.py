"""What to know about a sample before believing an error or a promise on it: repeated images, other files, other sizes. No torch."""

from __future__ import annotations

import gzip
import hashlib
from collections import defaultdict
from pathlib import Path

import numpy as np

from boundlab.data.locate import locate
from boundlab.data.published import CONTENTS, FILES
from boundlab.errors import DataError

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
            path = locate(name, file, root)
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
