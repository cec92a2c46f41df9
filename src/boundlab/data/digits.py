"""The digits that scikit-learn brings along, from its file: importing the package takes longer than some trainings."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np

from boundlab.data.pictures import Part
from boundlab.errors import DataError

# Rows of the file, training (first line) and test, as `train_test_split(range(1797), test_size=360, random_state=0,
# stratify=labels)` of scikit-learn orders them (a test asks)
_SPLIT = Path(__file__).with_name("digits_split.txt")
_SHAPE = (1797, 65)


@cache
def digits_file() -> Path:
    """Where scikit-learn keeps the digits (found, not imported); raises DataError where it is not installed."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise DataError("the digits come with scikit-learn, which is not installed; pip install scikit-learn")
    return Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"


def read_digits() -> tuple[Part, Part]:
    """Training and test images (n, 1, 8, 8), float32 in [0, 1], and their labels (int64); raises DataError for another file."""
    try:
        rows = np.loadtxt(digits_file(), delimiter=",")
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{digits_file()} cannot be read ({error}); install scikit-learn again") from error
    if rows.shape != _SHAPE:
        raise DataError(f"{digits_file()} should hold {_SHAPE} numbers, got {rows.shape}; install scikit-learn again")
    pixels, labels = (rows[:, :64] / 16.0).astype(np.float32).reshape(-1, 1, 8, 8), rows[:, 64].astype(np.int64)
    train, test = ([int(row) for row in line.split()] for line in _SPLIT.read_text().splitlines())
    return Part(pixels[train], labels[train]), Part(pixels[test], labels[test])
