"""One real image of a data set that ships here, and which class every shipped network chooses for it."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from boundlab.specs.beside import BESIDE

EXAMPLES = BESIDE / "data" / "examples.json"


@dataclass(frozen=True)
class Example:
    """`pixels`: (height, width) in [0, 1]; `number`: of the image among the test images, from 0; `chosen`: run id -> class."""

    pixels: np.ndarray
    number: int
    label: int
    chosen: dict[str, int]


def example_of(dataset: str) -> Example | None:
    """None where none ships; raises OSError or ValueError where the file cannot be read."""
    found = json.loads(EXAMPLES.read_text()).get(dataset)
    if found is None:
        return None
    pixels = np.array([list(bytes.fromhex(row)) for row in found["rows"]]) / found["white"]
    return Example(pixels, found["number"], found["label"], found["chosen"])
