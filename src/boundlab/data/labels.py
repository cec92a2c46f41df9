"""Labels of any kind as classes, by one rule: the distinct values, in order, become the classes 0, 1, 2, ... No torch.

Numbers are in numerical order, words in Unicode's (NFC); a one-hot row is the number of its column; truth values are 0 and 1.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from boundlab.data.pictures import Array
from boundlab.text import quoted

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_LARGEST = 2**63 - 1


def label_values(given: Array, name: str) -> Array:
    """(n,) int64 or words, from (n,) or (n, 1) whole numbers, truth values or words, or (n, classes) one-hot rows.

    Floats that are whole and words that are whole numbers become numbers. Raises ValueError for what is no labels.
    """
    labels = given.reshape(-1) if given.shape[1:] == (1,) else given
    if labels.ndim == 2 and _one_hot(labels):
        return labels.argmax(axis=1).astype(np.int64)
    if labels.ndim != 1:
        raise _wrong(labels, name, "give each image one label, or a one-hot row")
    if labels.dtype.kind in "SU":
        return _words(labels, name)
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.round(labels)).all()):
        raise _wrong(labels, name, "labels that are not whole are no classes")
    if labels.dtype.kind not in "biuf":
        raise _wrong(labels, name, "convert them with astype(int) or astype(str)")
    if len(labels) and float(np.abs(labels.astype(np.float64)).max()) > _LARGEST:
        raise _wrong(labels, name, f"got labels up to {labels.max()}, number the classes from 0 on")
    return labels.astype(np.int64)


def numbered(parts: Sequence[Array]) -> tuple[tuple[str, ...], list[Array]]:
    """What the classes were called, and the parts' labels as their numbers; raises ValueError for words beside numbers."""
    if len({part.dtype.kind for part in parts}) > 1:
        raise ValueError("the labels of both parts should be of one kind, got numbers in one and words in the other")
    values, numbers = np.unique(np.concatenate(parts), return_inverse=True)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    return tuple(str(value) for value in values), [part.astype(np.int64) for part in np.split(numbers, ends)]


def outputs_of(names: Sequence[str], outputs: int) -> Array:
    """(len(names),) the output of a network that each class is about: labels that are numbers of outputs are left as they are,
    else there must be one label for each output, and the rule holds. Raises ValueError."""
    whole = [int(name) if _WHOLE.fullmatch(name) else -1 for name in names]
    if all(0 <= number < outputs for number in whole):
        return np.array(whole, np.int64)
    if len(names) == outputs:
        return np.arange(outputs)
    said = f"up to {names[-1]} from {names[0]}" if min(whole) >= 0 or "-1" in names else quoted(names)
    raise ValueError(
        f"the network has {outputs} classes, but got data with {len(names)} different labels, {said}; choose the data it was "
        "trained on, and number labels as its outputs, from 0 on"
    )


def mapping_words(names: Sequence[str]) -> str:
    """ "0 = cat, 1 = dog", "" where every class is called by its number."""
    if all(name == str(number) for number, name in enumerate(names)):
        return ""
    shown = [f"{number} = {' '.join(name.split())[:40]}" for number, name in enumerate(names)]
    return ", ".join(shown if len(shown) <= 20 else [*shown[:10], "...", shown[-1]])


def _words(labels: Array, name: str) -> Array:
    try:
        words = [word.decode() if isinstance(word, bytes) else word for word in labels.tolist()]
    except UnicodeDecodeError as error:
        raise _wrong(labels, name, "they are not UTF-8; number the classes from 0 on") from error
    if not all(word.strip() for word in words):
        raise _wrong(labels, name, "got empty ones among them; give every image a label")
    if all(_WHOLE.fullmatch(word) for word in words):
        return np.array([int(word) for word in words], np.int64)
    return np.array([unicodedata.normalize("NFC", word) for word in words])


def _one_hot(labels: Array) -> bool:
    if labels.dtype.kind not in "iufb" or labels.shape[1] < 2:
        return False
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all())


def _wrong(labels: Array, name: str, remedy: str) -> ValueError:
    return ValueError(
        f"{name} should be (n,) whole numbers or words, or one-hot rows, got {labels.shape} of dtype {labels.dtype}; {remedy}"
    )
