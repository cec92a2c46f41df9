"""Arrays that somebody gave, checked: one reader for the library and for `boundlab data add`. No torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from boundlab.data.labels import label_values, numbered
from boundlab.data.pictures import Array, Part, Pictures, check_classes, check_size

NAMES = ("x_train", "y_train", "x_test", "y_test")
_SPELLINGS = (NAMES, ("train_images", "train_labels", "test_images", "test_labels"), ("x", "y"), ("images", "labels"))
# a network may have been chosen by its validation pair, which then is no test part
_VALIDATION = (("x_val", "y_val"), ("val_images", "val_labels"), ("x_valid", "y_valid"))
WANTED = (
    "x_train and y_train, perhaps x_test and y_test (or train_images, train_labels, test_images, test_labels; or X, y; or "
    "images, labels)"
)
_ROUNDING = 1e-6  # so far outside [0, 1] a pixel is clipped


def accepted_names(found: Collection[str], store: bool = False) -> tuple[str, ...]:
    """The names to read of those found: images and labels to train on, then perhaps to test on; raises ValueError.

    Upper case or lower case. A whole validation pair is left unread, but `store`d as the test part where there is none.
    """
    have = {str(name).lower(): name for name in found}
    validation = next((pair for pair in _VALIDATION if set(pair) <= set(have)), ())
    wanted = set(have) - set(validation)
    for names in (part for spelling in _SPELLINGS for part in (spelling[:2], spelling)):
        if len(have) == len(found) and wanted == set(names):
            held_out = validation if store and len(names) == 2 else ()
            return tuple(have[name] for name in (*names, *held_out))
    raise ValueError(
        f"should hold {WANTED}, got {sorted(map(str, found))[:8]}; name the arrays so and leave out others"
    )


def read_arrays(
    given: Mapping[str, Any],
    channels: Collection[int],
    store: bool,
    convert: Callable[[Any], Any] = lambda found: found,
) -> Pictures:
    """Images (n, h, w), (n, c, h, w) or (n, h, w, c), whole numbers from 0 to 255 or floats in [0, 1], with labels of any kind
    (`labels.py` has the rule). Raises ValueError.

    `channels`: the c to look for second or last: a shape that has it in both places or in neither is refused; none: images are
    (n, c, h, w). `store`: they become a data set, whose numbers and sizes are limited; else (n, features) will do, too.
    `convert`: what makes NumPy's of other arrays.
    """
    names = accepted_names(given, store)
    x = [_images(_array(given, name, convert), name, channels, store) for name in names[::2]]
    y = [label_values(_array(given, name, convert), name) for name in names[1::2]]
    for images, labels, image_name, label_name in zip(x, y, names[::2], names[1::2], strict=True):
        if len(images) != len(labels):
            raise ValueError(
                f"{image_name} and {label_name} should be of one length, got {len(images)} and {len(labels)}"
            )
    kinds = [(part.shape[1:], str(part.dtype)) for part in x]
    if len(set(kinds)) > 1:
        (a, b), (c, d) = kinds
        raise ValueError(f"both parts should have one shape and dtype, got {a} {b} and {c} {d}; make them alike")
    if store:
        check_size(sum(map(len, x)), x[0].shape[1:])
    return as_pictures(x, y, "its labels" if store else "")


def as_pictures(x: list[Array], y: list[Array], what: str) -> Pictures:
    """Parts of images with the values of their labels; `what` (a data set is made of them): whose classes must do."""
    names, labels = numbered(y)
    counts = [dict(zip(*_counted(part), strict=True)) for part in y]
    if what:
        check_classes(counts[0], counts[1] if len(counts) > 1 else None, what)
    train, *test = map(Part, x, labels)
    return Pictures(train, test[0] if test else None, names)


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
    if array.dtype.hasobject and array.size and all(isinstance(value, str) for value in array.flat):
        array = array.astype(str)
    if array.dtype.hasobject:
        raise ValueError(
            f"{name} should hold numbers, got Python objects (dtype {array.dtype}); convert it with astype(int) or "
            "astype(float)"
        )
    if np.ma.isMaskedArray(found) and np.ma.getmaskarray(found).any():
        raise ValueError(f"{name} should have a value everywhere, got masked ones; fill or remove them")
    return array


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
    images = _channels_first(given, name, channels)
    return _bytes(images, name) if images.dtype.kind in "iu" else _floats(images, name, store)


def _channels_first(images: Array, name: str, channels: Collection[int]) -> Array:
    if images.ndim < 4:
        return images[:, None] if images.ndim == 3 else images[:, None, None]
    first, last = (images.shape[axis] in channels for axis in (1, 3))
    if channels and first == last:
        counts, reason = " or ".join(map(str, channels)), "both are possible" if first else "neither is"
        remedy = "; give grey images as (n, h, w)" if first and 1 in channels else ""
        raise ValueError(
            f"{name} should have its {counts} channels second or last, got shape {images.shape}, of which {reason}{remedy}"
        )
    return images if first or not channels else images.transpose(0, 3, 1, 2)


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
    if not np.isfinite(pixels).all():
        odd = "NaN" if np.isnan(pixels).any() else "infinite values"
        raise ValueError(
            f"{name} should be finite floats in [0, 1], got {odd} among them; replace or remove those images"
        )
    if low >= -_ROUNDING and high <= 1 + _ROUNDING:
        return pixels if low >= 0 and high <= 1 else np.clip(pixels, 0, 1)
    subtracted = "give what was subtracted and divided as normalize=(mean, deviation)"
    remedy = (
        f"divide by {255 if high > 16 else high:g}"
        if low >= 0 and 1 < high <= 255
        else "rescale them"
        if store
        else subtracted
    )
    raise ValueError(f"{name} should be floats in [0, 1], got {low:g} to {high:g}; {remedy}")
