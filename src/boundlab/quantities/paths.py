"""Path energies: how much input energy reaches the output layer along the network's computation paths.

No weights enter, only geometry and the sample's energy per pixel, so these are exact in plain numpy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from boundlab.quantities.norms import Array
from boundlab.specs.shapes import LayerShape, Pool


def _windows(energy: Array, layer: LayerShape) -> Array:
    """(kernel * kernel, out_h, out_w): the input value under each tap, 0 on the padding."""
    p, k, (height, width) = layer.padding, layer.kernel, layer.out_size
    padded = np.pad(energy, p)
    last_row, last_col = (height - 1) * layer.stride + 1, (width - 1) * layer.stride + 1
    starts = [(i * layer.dilation, j * layer.dilation) for i in range(k) for j in range(k)]
    return np.stack([padded[i : i + last_row : layer.stride, j : j + last_col : layer.stride] for i, j in starts])


def _pooled(value: Array, pool: Pool, linear: bool) -> Array:
    """V after pooling: (sum of sqrt(V))^2 over a window's positions, for averages (mean of sqrt(V))^2; `linear`: its
    upper bound by the positions' number times the sum of V, for averages the mean of V."""
    (height, width), (rows, columns) = value.shape, pool.size
    cut = value[: height - height % rows, : width - width % columns]
    windows = cut.reshape(height // rows, rows, width // columns, columns)
    if linear:
        mean: Array = windows.mean(axis=(1, 3))
        return mean if pool.kind == "avg" else mean * pool.area**2
    roots = np.sqrt(windows)
    total: Array = (roots.mean(axis=(1, 3)) if pool.kind == "avg" else roots.sum(axis=(1, 3))) ** 2
    return total


def path_energy(
    energy: Array, shapes: Sequence[LayerShape], linear: bool = False, constants: Sequence[float] = ()
) -> float:
    """P of Theorem S (bounds/theorem_s.md): sum of V over the positions entering the output layer.

    `energy`: (height, width), sum over samples and channels of squared inputs. V sums over real predecessors only;
    a dense layer sees every position; pooling as in `_pooled`. `linear`: P of Theorem S2, which is linear in `energy` and,
    with pooling, larger. `constants`: per layer, the output layer too, the energy of a constant input that every neuron of it sees
    beside its predecessors (summed over samples); none: the networks have no biases.
    """
    constants = constants or [0.0] * len(shapes)
    return float(_through(np.asarray(energy, dtype=np.float64), shapes[:-1], linear, constants).sum()) + constants[-1]


def constant_paths(shapes: Sequence[LayerShape]) -> tuple[float, ...]:
    """N per layer: paths by which a constant that its neurons see reaches the output layer, weighted by pooling as in the linear
    `path_energy`; 1 for the output layer's own."""
    counts = []
    for i, layer in enumerate(shapes[:-1]):
        passed = _pass(np.ones(layer.out_size), layer, linear=True)
        counts.append(float(_through(passed, shapes[i + 1 : -1], linear=True).sum()))
    return (*counts, 1.0)


def contrast_energy(energy: Array, patch_energy: Array, shapes: Sequence[LayerShape]) -> float:
    """Path energy (linear) of what is left of each patch of the first layer without its mean; Theorem S2.

    `energy`: (height, width) as in `path_energy`; `patch_energy`: `SampleStats.patch_energy`.
    """
    means = _pass(np.asarray(patch_energy, dtype=np.float64), shapes[0], linear=True)
    left = path_energy(energy, shapes, linear=True) - float(_through(means, shapes[1:-1], linear=True).sum())
    return max(0.0, left)


def _through(value: Array, layers: Sequence[LayerShape], linear: bool, constants: Sequence[float] = ()) -> Array:
    """V after `layers`."""
    for i, layer in enumerate(layers):
        value = _windows(value, layer).sum(axis=0) if layer.spatial else value.sum(keepdims=True)
        value = _pass(value + constants[i] if constants else value, layer, linear)
    return value


def _pass(value: Array, layer: LayerShape, linear: bool) -> Array:
    """V after the pooling of `layer`."""
    for pool in layer.pools:
        value = _pooled(value, pool, linear)
    return value


def max_path_energy(energy: Array, shapes: Sequence[LayerShape]) -> tuple[float, int]:
    """(max over paths of prod |pred| x pixel energy, largest |pred|): the sparse theorem's pixel term.

    Galanti et al. 2023; |pred| counts real, unpadded predecessor positions, the output layer's too. For networks without
    pooling.
    """
    value = np.asarray(energy, dtype=np.float64)
    degree = 1
    for layer in shapes:
        if layer.spatial:
            fan_in = _windows(np.ones_like(value), layer).sum(axis=0)
            value = fan_in * _windows(value, layer).max(axis=0)
            degree = max(degree, int(fan_in.max()))
        else:
            degree = max(degree, value.size)
            value = np.array([[value.size * value.max()]])
    return float(value.max()), degree


def spread_back(counts: Array, layer: LayerShape) -> Array:
    """(height, width) of the layer's input: the adjoint of the sum over `_windows`."""
    p, (rows, columns) = layer.padding, layer.in_size
    padded = np.zeros((rows + 2 * p, columns + 2 * p))
    last_row, last_col = ((size - 1) * layer.stride + 1 for size in layer.out_size)
    for i in range(0, layer.kernel * layer.dilation, layer.dilation):
        for j in range(0, layer.kernel * layer.dilation, layer.dilation):
            padded[i : i + last_row : layer.stride, j : j + last_col : layer.stride] += counts
    return padded[p : p + rows, p : p + columns]
