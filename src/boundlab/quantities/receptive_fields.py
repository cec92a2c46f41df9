"""Which input pixels every layer's neurons see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from boundlab.quantities.norms import Array
from boundlab.quantities.paths import spread_back
from boundlab.specs.shapes import LayerShape


class Field(NamedTuple):
    """What one feature sees of the image: first and last row and column, and how many pixels among those."""

    top: int
    left: int
    bottom: int
    right: int
    pixels: int


def path_counts(shapes: Sequence[LayerShape], size: tuple[int, int]) -> Array:
    """(height, width) of an image of that `size`: computation paths from each pixel to the positions that enter the dense
    layers, pi of Theorem S; every channel has as many.

    The adjoint of `path_energy`'s sums. A pool has a path from every position of its window.
    """
    spatial = [layer for layer in shapes if layer.spatial]
    return _back(np.ones(spatial[-1].passed_size if spatial else size), spatial)


def receptive_fields(shapes: Sequence[LayerShape], size: tuple[int, int]) -> tuple[Field, ...]:
    """What one feature of every spatial layer (after its pooling) sees: of the last layer the middle one, of each before
    it the middle one of those that the next one sees. Without spatial layers a neuron's one field, the whole image."""
    spatial = [layer for layer in shapes if layer.spatial]
    if not spatial:
        return (_field(np.ones(size)),)
    fields: list[Field] = []
    at = _middle(np.ones(spatial[-1].passed_size))
    for depth in range(len(spatial), 0, -1):
        one = np.zeros(spatial[depth - 1].passed_size)
        one[at] = 1.0
        fields.append(_field(_back(one, spatial[:depth])))
        at = _middle(_back(one, spatial[depth - 1 : depth]))
    return tuple(fields[::-1])


def fields_of_last(shapes: Sequence[LayerShape], size: tuple[int, int]) -> tuple[Field, ...]:
    """What the middle feature of the last spatial layer sees of the image, of the first layer's map, and so on to its own,
    where it is one position. Without spatial layers: the whole image alone."""
    spatial = [layer for layer in shapes if layer.spatial]
    if not spatial:
        return (_field(np.ones(size)),)
    one = np.zeros(spatial[-1].passed_size)
    one[_middle(np.ones(spatial[-1].passed_size))] = 1.0
    return tuple(_field(_back(one, spatial[depth:])) for depth in range(len(spatial) + 1))


def _middle(counts: Array) -> tuple[int, int]:
    """The middle of the positions that are not 0, which form a grid; (0, 0) where there is none."""
    rows, columns = (np.unique(along) for along in np.nonzero(counts))
    return (int(rows[len(rows) // 2]), int(columns[len(columns) // 2])) if len(rows) else (0, 0)


def _field(counts: Array) -> Field:
    rows, columns = np.nonzero(counts)
    if len(rows) == 0:  # a dilated kernel with all its taps on the padding
        return Field(0, 0, -1, -1, 0)
    return Field(int(rows.min()), int(columns.min()), int(rows.max()), int(columns.max()), len(rows))


def _back(counts: Array, layers: Sequence[LayerShape]) -> Array:
    """Paths from each input position to the last layer's, weighted by `counts` there."""
    for layer in reversed(layers):
        for pool in reversed(layer.pools):
            counts = np.kron(counts, np.ones(pool.size))
        left = [have - used for have, used in zip(layer.out_size, counts.shape, strict=True)]  # dropped by a pool
        counts = spread_back(np.pad(counts, ((0, left[0]), (0, left[1]))), layer)
    return counts
