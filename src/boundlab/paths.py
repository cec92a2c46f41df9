"""Path energies: how much input energy reaches the output layer along the network's computation paths.

No weights enter, only geometry and the sample's energy per pixel, so these are exact in plain numpy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from boundlab.shapes import LayerShape, Pool

Array = np.ndarray


def _windows(energy: Array, layer: LayerShape) -> Array:
    """(kernel * kernel, out_h, out_w): the input value under each tap, 0 on the padding."""
    p, k, (height, width) = layer.padding, layer.kernel, layer.out_size
    padded = np.pad(energy, p)
    last_row, last_col = (height - 1) * layer.stride + 1, (width - 1) * layer.stride + 1
    starts = [(i * layer.dilation, j * layer.dilation) for i in range(k) for j in range(k)]
    return np.stack([padded[i : i + last_row : layer.stride, j : j + last_col : layer.stride] for i, j in starts])


def _pooled(value: Array, pool: Pool) -> Array:
    """V after pooling: (sum of sqrt(V))^2 over a window's positions, for averages (mean of sqrt(V))^2."""
    (height, width), (rows, columns) = value.shape, pool.size
    cut = np.sqrt(value[: height - height % rows, : width - width % columns])
    roots = cut.reshape(height // rows, rows, width // columns, columns)
    total: Array = (roots.mean(axis=(1, 3)) if pool.kind == "avg" else roots.sum(axis=(1, 3))) ** 2
    return total


def path_energy(energy: Array, shapes: Sequence[LayerShape]) -> float:
    """P of Theorem S (bounds/theorem_s.md): sum of V over the positions entering the output layer.

    `energy`: (height, width), sum over samples and channels of squared inputs. V sums over real predecessors only;
    a dense layer sees every position; pooling as in `_pooled`.
    """
    value = np.asarray(energy, dtype=np.float64)
    for layer in shapes[:-1]:
        value = _windows(value, layer).sum(axis=0) if layer.spatial else value.sum(keepdims=True)
        for pool in layer.pools:
            value = _pooled(value, pool)
    return float(value.sum())


def max_path_energy(energy: Array, shapes: Sequence[LayerShape], output_fan_in: bool) -> tuple[float, int]:
    """(max over paths of prod |pred| x pixel energy, largest |pred|): the sparse theorem's pixel term.

    Galanti et al. 2023; |pred| counts real, unpadded predecessor positions. `output_fan_in` counts the output layer. For
    networks without pooling.
    """
    value = np.asarray(energy, dtype=np.float64)
    degree = 1
    for layer in shapes[: None if output_fan_in else -1]:
        if layer.spatial:
            fan_in = _windows(np.ones_like(value), layer).sum(axis=0)
            value = fan_in * _windows(value, layer).max(axis=0)
            degree = max(degree, int(fan_in.max()))
        else:
            degree = max(degree, value.size)
            value = np.array([[value.size * value.max()]])
    return float(value.max()), degree
