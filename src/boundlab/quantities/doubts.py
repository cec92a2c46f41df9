"""What to know about a sample before believing an error or a guarantee on it, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boundlab.validation import numbers, shown, whole

COUNTS = ("repeated", "contradicting", "test_in_train")

_MOST_IMAGES = 10**12


def doubts(record: Mapping[str, Any], in_shape: tuple[int, ...]) -> list[str]:
    """Sentences about the sample of a `record` with the counts of `data.inspection.repeated`, the sentences `altered` and
    `image_shape`, any of them or none; [] where there is nothing to doubt. `in_shape`: (channels, height, width) that the
    network takes."""
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
