"""Arrays that somebody gave, checked: one reader for the library and for `boundlab data add`. No torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from boundlab.data.pictures import Array, Part, Pictures, check_classes, check_size

NAMES = ("x_train", "y_train", "x_test", "y_test")
_SPELLINGS = (NAMES, ("train_images", "train_labels", "test_images", "test_labels"), ("x", "y"), ("images", "labels"))
_UNUSED = ({"x_val", "y_val"}, {"val_images", "val_labels"})  # a validation pair is neither trained on nor tested on
WANTED = (
    "x_train and y_train, perhaps x_test and y_test (or train_images, train_labels, test_images, test_labels; or X, y; or "
    "images, labels)"
)
_ROUNDING = 1e-6  # so far outside [0, 1] a pixel is clipped
_LARGEST_LABEL = 2**31 - 1


def accepted_names(found: Collection[str]) -> tuple[str, ...]:
    """The names to read of those found: images and labels to train on, then perhaps to test on; raises ValueError.

    Upper case or lower case; a whole validation pair is left unread.
    """
    have = {str(name).lower(): name for name in found}
    wanted = set(have).difference(*(pair for pair in _UNUSED if pair <= set(have)))
    for names in (part for spelling in _SPELLINGS for part in (spelling[:2], spelling)):
        if len(have) == len(found) and wanted == set(names):
            return tuple(have[name] for name in names)
    raise ValueError(
        f"should hold {WANTED}, got {sorted(map(str, found))[:8]}; name the arrays so and leave out others"
    )


def read_arrays(
    given: Mapping[str, Any],
    channels: Collection[int],
    store: bool,
    convert: Callable[[Any], Any] = lambda found: found,
) -> Pictures:
    """Images (n, h, w), (n, c, h, w) or (n, h, w, c), whole numbers from 0 to 255 or floats in [0, 1], with (n,) or (n, 1)
    whole-number labels. Raises ValueError.

    `channels`: the c to look for; none: images are (n, c, h, w). `store`: they become a data set: its distinct labels, in
    order, become classes and their names, c must be unambiguous, and numbers and sizes are limited. Otherwise a label is the
    number of a network's output, and (n, features) will do. `convert`: what makes NumPy's of other arrays.
    """
    names = accepted_names(given)
    x = [_images(_array(given, name, convert), name, channels, store) for name in names[::2]]
    y = [_labels(_array(given, name, convert), name, store) for name in names[1::2]]
    for images, labels, image_name, label_name in zip(x, y, names[::2], names[1::2], strict=True):
        if len(images) != len(labels):
            raise ValueError(
                f"{image_name} and {label_name} should be of one length, got {len(images)} and {len(labels)}"
            )
    kinds = [(part.shape[1:], str(part.dtype)) for part in x]
    if len(set(kinds)) > 1:
        (a, b), (c, d) = kinds
        raise ValueError(f"both parts should have one shape and dtype, got {a} {b} and {c} {d}; make them alike")
    return _stored(x, y) if store else _pictures(x, y, ())


def _stored(x: list[Array], y: list[Array]) -> Pictures:
    """Labels numbered anew; raises DataError for what is no data set."""
    check_size(sum(map(len, x)), x[0].shape[1:])
    counts = [dict(zip(*_counted(labels), strict=True)) for labels in y]
    check_classes(counts[0], counts[1] if len(counts) > 1 else None, "its labels")
    names = [str(value) for value in np.unique(y[0])]
    return _pictures(x, [np.unique(labels, return_inverse=True)[1] for labels in y], tuple(names))


def _pictures(x: list[Array], y: list[Array], names: tuple[str, ...]) -> Pictures:
    parts = [Part(images, labels.astype(np.int64)) for images, labels in zip(x, y, strict=True)]
    return Pictures(parts[0], parts[1] if len(parts) > 1 else None, names)


def _counted(labels: Array) -> tuple[list[str], list[int]]:
    values, counts = np.unique(labels, return_counts=True)
    return [str(value) for value in values], counts.tolist()


def _array(given: Mapping[str, Any], name: str, convert: Callable[[Any], Any]) -> Array:
    try:
        found = convert(given[name])
        array = np.asarray(found)
    except Exception as error:  # NumPy, and the `__array__` of what others made, raise what they like
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{name} should be an array, or lists of one shape, got what is none: {reason}") from error
    if array.ndim == 0 and array.dtype.kind not in "iuf":
        raise ValueError(f"{name} should be an array, got {type(found).__name__}")
    if array.dtype.hasobject:
        raise ValueError(
            f"{name} should hold numbers, got Python objects (dtype {array.dtype}); convert it with astype(int) or "
            "astype(float)"
        )
    if np.ma.isMaskedArray(found) and np.ma.getmaskarray(found).any():
        raise ValueError(f"{name} should have a value everywhere, got masked ones; fill or remove them")
    return array


def _labels(given: Array, name: str, store: bool) -> Array:
    """(n,) whole numbers."""
    labels = given.reshape(-1) if given.shape[1:] == (1,) else given
    if labels.ndim == 2 and _one_hot(labels):
        raise ValueError(
            f"{name} should be (n,) whole numbers, got one-hot rows of shape {labels.shape}; take their argmax(axis=1)"
        )
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        convert = labels.ndim == 1 and labels.dtype.kind == "f" and (labels == np.round(labels)).all()
        remedy = "convert them with astype(int)" if convert else "number the classes from 0 on"
        raise ValueError(f"{name} should be (n,) whole numbers, got {labels.shape} of dtype {labels.dtype}; {remedy}")
    low, high = (int(labels.min()), int(labels.max())) if len(labels) else (0, 0)
    if not store and (low < 0 or high > _LARGEST_LABEL):
        raise ValueError(
            f"{name} should be whole numbers from 0 on, one for each output of the network, got labels up to {high} from {low}"
        )
    return labels


def _one_hot(labels: Array) -> bool:
    if labels.dtype.kind not in "iufb" or labels.shape[1] < 2:
        return False
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all())


def _images(given: Array, name: str, channels: Collection[int], store: bool) -> Array:
    """(n, c, h, w), contiguous, uint8 or float32."""
    if given.dtype.kind not in "iuf":
        raise ValueError(
            f"{name} should be whole numbers from 0 to 255, or floats in [0, 1], got dtype {given.dtype}; convert it with "
            "astype"
        )
    if given.ndim not in ((3, 4) if store else (2, 3, 4)) or min(given.shape) < 1:
        features = "" if store else " or (n, features)"
        raise ValueError(f"{name} should be (n, h, w), (n, h, w, c) or (n, c, h, w){features}, got shape {given.shape}")
    images = _channels_first(given, name, channels, store)
    return _bytes(images, name) if images.dtype.kind in "iu" else _floats(images, name, store)


def _channels_first(images: Array, name: str, channels: Collection[int], store: bool) -> Array:
    if images.ndim < 4:
        return images[:, None] if images.ndim == 3 else images[:, None, None]
    first, last = (images.shape[axis] in channels for axis in (1, 3))
    if not channels or (first and not (store and last)):
        return images
    if first == last:
        counts, reason = " or ".join(map(str, channels)), "both are possible" if first else "neither is"
        raise ValueError(
            f"{name} should have its {counts} channels second or last, got shape {images.shape}, of which {reason}"
        )
    return images.transpose(0, 3, 1, 2)


def _bytes(images: Array, name: str) -> Array:
    low, high = int(images.min()), int(images.max())
    if low < 0 or high > 255:
        raise ValueError(
            f"{name} should be whole numbers from 0 to 255, or floats in [0, 1], got {images.dtype} from {low} to {high}; "
            "rescale them to floats in [0, 1]"
        )
    return np.ascontiguousarray(images, np.uint8)


def _floats(images: Array, name: str, store: bool) -> Array:
    with np.errstate(all="ignore"):  # what overflows is found below
        pixels = np.ascontiguousarray(images, np.float32)
        low, high = float(pixels.min()), float(pixels.max())
    if np.isnan(low) or np.isnan(high):
        raise ValueError(
            f"{name} should be finite floats in [0, 1], got NaN among them; replace or remove those images"
        )
    if low >= -_ROUNDING and high <= 1 + _ROUNDING:
        return pixels if low >= 0 and high <= 1 else np.clip(pixels, 0, 1)
    subtracted = "give what was subtracted and divided as normalize=(mean, deviation)"
    remedy = "divide by 255" if low >= 0 and 1 < high <= 255 else "rescale them" if store else subtracted
    raise ValueError(f"{name} should be floats in [0, 1], got {low:g} to {high:g}; {remedy}")
