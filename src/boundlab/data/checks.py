"""Whether arrays that were read are those of a data set: what the catalogue and the published digests say."""

from __future__ import annotations

import numpy as np

from boundlab.data.pictures import Part
from boundlab.errors import DataError
from boundlab.specs.catalog import Dataset


def check_published(facts: Dataset, name: str, part: Part) -> Part:
    """`part`, the publishers' part `name`; raises DataError unless it has the catalogue's shape and images of each label."""
    counts = facts.train_counts if name == "train" else facts.test_counts
    expected = (sum(counts), *facts.in_shape[1:])
    got, labels = (len(part.pixels), *part.pixels.shape[2:]), part.labels
    if got != expected or labels.shape != expected[:1] or labels.max() >= facts.classes:
        raise DataError(
            f"{facts.title} ({name}) needs images {expected} and {expected[0]} labels below "
            f"{facts.classes}, got {got} and {labels.shape} up to {labels.max(initial=0)}"
        )
    if (found := tuple(np.bincount(labels, minlength=len(counts)).tolist())) != counts:
        raise DataError(
            f"{facts.title} ({name}) should have {counts} images of its labels, got {found}: these are other "
            "files; delete them and fetch them again"
        )
    return part
