"""The reader's own data sets: added (checked once, then stored below the data root), listed and removed. No torch.

The key of a data set ends in 8 hex digits of the sha256 of its contents, so that a run's id always names the data it saw.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from boundlab.data.folders import resolved
from boundlab.data.inspection import repeated
from boundlab.data.pictures import LONGEST, Array, Part, Pictures, check_size
from boundlab.data.sources import read_source
from boundlab.data.stored import digest, recorded_digest, stored_arrays, write_stored
from boundlab.errors import DataError
from boundlab.specs.catalog import Dataset
from boundlab.specs.own_data import OWN_KEY, own_dataset, own_datasets, own_folder
from boundlab.system.files import write_atomic
from boundlab.validation import number, shown, whole

_TEST = 0.2  # fraction that becomes the test part where there is none
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_NAME = 32


def _named(name: str | None, source: Path | None) -> str:
    """`name` checked, or made from the source's; raises ValueError."""
    given = name
    if name is None and source is not None:
        name = re.sub("[^a-z0-9]+", "-", resolved(source).stem.lower()).strip("-")[:_LONGEST_NAME].strip("-")
    if not name or len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise ValueError(
            f"a data set's name must be 1 to {_LONGEST_NAME} lower-case letters a to z, digits and single hyphens, "
            f"got {shown(name if given is None else given)}; give another one (--name)"
        )
    return name


def held_out_mask(labels: Array, fraction: float = _TEST) -> Array:
    """(n,) True where an image becomes a test image: of each class the nearest number to `fraction`, drawn with seed 0,
    but at least 1, and all but at least 2."""
    rng, test = np.random.default_rng(0), np.zeros(len(labels), bool)
    for label in np.unique(labels):
        images = np.flatnonzero(labels == label)
        some = min(max(1, round(fraction * len(images))), len(images) - 2)
        test[rng.permutation(images)[:some]] = True
    return test


def _divided(pictures: Pictures, test: float | None) -> Pictures:
    if pictures.test is not None:
        if test is not None:
            raise ValueError(f"this data has a test part of its own, got --test {test:g}; leave that out")
        return pictures
    whole = pictures.train
    out = held_out_mask(whole.labels, _TEST if test is None else test)
    train, held_out = (Part(whole.pixels[chosen], whole.labels[chosen]) for chosen in (~out, out))
    return Pictures(train, held_out, pictures.class_names)


def add(
    source: Path | bytes,
    name: str | None = None,
    test: float | None = None,
    size: tuple[int, int] | None = None,
    grey: bool = False,
    root: str | Path | None = None,
) -> Dataset:
    """Check and store a data set: whatever `read_source` reads.

    `test`: fraction that becomes the test part (0.2), stratified, where the source has none. `size`: (height, width) to
    scale to. Adding the same again changes nothing. Raises ValueError for arguments, DataError for data or a full disk.
    """
    name = _named(name, source if isinstance(source, Path) else None)
    if test is not None:
        number("--test", test, 0.001, 0.999)
    for side in size or ():
        whole("--size", side, 1, LONGEST)
    given = read_source(source, size=size, grey=grey)
    pictures = _divided(given, test)
    facts = _facts(name, pictures, stratified=given.test is None)
    return _stored(name, pictures, facts, own_folder(root))


def add_pictures(pictures: Pictures, name: str, root: str | Path | None = None) -> Dataset:
    """Store a data set with its test part, whose labels are the numbers of a network's outputs; the same again changes nothing.
    Raises ValueError for a name, DataError for a class without images or a full disk."""
    assert pictures.test is not None
    for part, images in (("train", pictures.train), ("test", pictures.test)):
        without = sorted(set(range(len(pictures.class_names))) - set(images.labels.tolist()))
        if without:
            raise DataError(
                f"the {part} data should have images of each of the {len(pictures.class_names)} classes, got none of {without[:8]}"
            )
    check_size(len(pictures.train.labels) + len(pictures.test.labels), pictures.train.pixels.shape[1:])
    name = _named(name, None)
    return _stored(name, pictures, _facts(name, pictures, stratified=False), own_folder(root))


def _stored(name: str, pictures: Pictures, facts: dict[str, Any], folder: Path) -> Dataset:
    sha = facts["sha256"]
    stem = f"{name}-{sha[:8]}"
    if (before := recorded_digest(folder / f"{stem}.npz")).startswith(sha[:8]) and before != sha:
        raise DataError(f"own-{stem} should name these contents, but names others already; give another name (--name)")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_stored(folder / f"{stem}.npz", stored_arrays(pictures))
        write_atomic(folder / f"{stem}.json", json.dumps(facts, indent=1) + "\n")  # last: it says that all is there
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{folder} cannot be written ({reason}); make room, or set BOUNDLAB_DATA elsewhere") from error
    return own_dataset(f"own-{stem}", facts)


def _facts(title: str, pictures: Pictures, stratified: bool) -> dict[str, Any]:
    """What is stored beside the arrays of a split data set, and `own_dataset` reads."""
    arrays, classes = stored_arrays(pictures), len(pictures.class_names)
    return {
        "title": title,
        "sha256": digest(pictures),
        "in_shape": pictures.train.pixels.shape[1:],
        "class_names": pictures.class_names,
        "train_counts": np.bincount(arrays["y_train"], minlength=classes).tolist(),
        "test_counts": np.bincount(arrays["y_test"], minlength=classes).tolist(),
        "stratified": stratified,
        "copies": repeated(arrays["x_train"], arrays["y_train"], arrays["x_test"]),
    }


def _stems(root: str | Path | None) -> list[str]:
    """Names of whatever lies in the folder of own data sets, whole or not."""
    folder = own_folder(root)
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted({path.stem for path in files if OWN_KEY.fullmatch(f"own-{path.stem}")})


def broken_keys(root: str | Path | None = None) -> list[str]:
    """Keys of own data sets that cannot be used: their facts are unreadable, or a file is missing."""
    usable = own_datasets(root)
    return [f"own-{stem}" for stem in _stems(root) if f"own-{stem}" not in usable]


def remove(name: str, root: str | Path | None = None) -> str:
    """Delete an own data set, given by key or by a name that only one has; returns its key. Raises DataError."""
    keys = [f"own-{stem}" for stem in _stems(root)]
    found = [key for key in keys if name in (key, key.removeprefix("own-"), key[len("own-") : -len("-12345678")])]
    if len(found) != 1:
        choices = f"one of {found or keys}" if keys else "one that was added, and there is none"
        raise DataError(f"the data set to remove must be {choices}, got {shown(name)}; see `boundlab data list`")
    for ending in (".json", ".npz"):  # facts first: without them it is no longer offered
        try:
            (own_folder(root) / f"{found[0].removeprefix('own-')}{ending}").unlink(missing_ok=True)
        except OSError as error:
            raise DataError(f"{error.filename} cannot be deleted ({error.strerror}); delete it by hand") from error
    return found[0]
