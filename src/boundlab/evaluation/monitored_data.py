"""What somebody's own training loop trains and tests on, as a data set that every page knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from boundlab.data import own
from boundlab.data.arrays import NAMES, read_arrays
from boundlab.data.labels import outputs_of
from boundlab.data.locate import missing
from boundlab.data.pictures import Part, Pictures
from boundlab.data.splits import Split, as_split, load_splits
from boundlab.evaluation.first_layer import channels_of, map_shape
from boundlab.evaluation.given_data import for_numpy, whole_dataset
from boundlab.specs.catalog import SHIPPED

_SAME = 1e-6  # pixels may be rounded otherwise


def read_pair(train: Any, test: Any, model: nn.Module, normalize: Sequence[float] | None) -> Pictures:
    """Training and test images as `model` takes them, of which each is given as (images, labels), a torch Dataset of such pairs, or a
    DataLoader, whose dataset is taken. `normalize`: what is undone where pixels are outside [0, 1]. Raises ValueError."""
    parts = [*_pair(train, "train_data"), *_pair(test, "test_data")]
    parts[::2] = [_pixels(for_numpy(images), normalize) for images in parts[::2]]
    pictures = read_arrays(dict(zip(NAMES, parts, strict=True)), channels_of(model), False, for_numpy)
    laid = map_shape(tuple(pictures.train.pixels.shape[1:]), model, None)
    if laid is None or pictures.test is None:
        return pictures
    train, test = (Part(p.pixels.reshape(-1, *laid), p.labels) for p in (pictures.train, pictures.test))
    return Pictures(train, test, pictures.class_names)


def as_dataset(pictures: Pictures, classes: int, name: str) -> tuple[str, Split, Split]:
    """The key of the data set that they are, and (train, test): a shipped one where the images are that one's, else one of the
    reader's own, stored as `boundlab data add` does. Raises ValueError or DataError."""
    number = outputs_of(pictures.class_names, classes)
    assert pictures.test is not None
    train, test = (Part(part.pixels, number[part.labels]) for part in (pictures.train, pictures.test))
    splits = as_split(train), as_split(test)
    names = [str(output) for output in range(classes)]
    for output, called in zip(number, pictures.class_names, strict=True):
        names[output] = called
    key = _shipped(*splits) or own.add_pictures(Pictures(train, test, tuple(names)), name).name
    return key, *splits


def _pair(given: Any, what: str) -> tuple[Any, Any]:
    """(images, labels)."""
    given = given.dataset if isinstance(given, DataLoader) else given
    if isinstance(given, Dataset):
        return whole_dataset(given)
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ValueError(
            f"{what} should be (images, labels), a torch Dataset of such pairs, or a DataLoader of one, got {type(given).__name__}"
        )
    return given[0], given[1]


def _pixels(images: Any, normalize: Sequence[float] | None) -> Any:
    """Images, with `normalize` undone where they are outside [0, 1]."""
    if normalize is None or not isinstance(images, np.ndarray):
        return images
    low, high = float(images.min()), float(images.max())
    return images if low >= -_SAME and high <= 1 + _SAME else images * normalize[1] + normalize[0]


def _shipped(train: Split, test: Split) -> str | None:
    """The shipped data set that these are, in its order; one that is not on this machine is not looked at."""
    for name, facts in SHIPPED.items():
        shape = tuple(train.images.shape[1:]) == facts.in_shape
        if shape and (len(train.labels), len(test.labels)) == (facts.train_size, facts.test_size) and not missing(name):
            pairs = zip((train, test), load_splits(name), strict=True)
            if all(torch.equal(a.labels, b.labels) and _close(a.images, b.images) for a, b in pairs):
                return name
    return None


def _close(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= _SAME)
