"""Slow and obvious: every fast method has its second way here."""

import itertools

import numpy as np


def conv_matrix(weight: np.ndarray, in_size: tuple[int, int], stride: int, padding: int) -> np.ndarray:
    """(out * oh * ow, in * h * w): a convolution written out as a matrix, tap by tap."""
    out, channels, kernel, _ = weight.shape
    height, width = in_size
    oh, ow = ((side + 2 * padding - kernel) // stride + 1 for side in in_size)
    matrix = np.zeros((out, oh, ow, channels, height, width))
    for o, y, x, c, i, j in itertools.product(*map(range, (out, oh, ow, channels, kernel, kernel))):
        row, column = y * stride + i - padding, x * stride + j - padding
        if 0 <= row < height and 0 <= column < width:
            matrix[o, y, x, c, row, column] += weight[o, c, i, j]
    return matrix.reshape(out * oh * ow, -1)


def predecessors(layer, y: int, x: int) -> list[tuple[int, int]]:
    """Real input positions that output position (y, x) sees."""
    if layer.kind == "dense":
        return list(itertools.product(range(layer.in_size[0]), range(layer.in_size[1])))
    cells = itertools.product(range(layer.kernel), range(layer.kernel))
    seen = [(y * layer.stride + i - layer.padding, x * layer.stride + j - layer.padding) for i, j in cells]
    return [(r, c) for r, c in seen if 0 <= r < layer.in_size[0] and 0 <= c < layer.in_size[1]]


def paths(energy: np.ndarray, layers) -> list[tuple[float, float]]:
    """(product of |pred| along the path, energy of its pixel) of every path from a pixel to a last position."""
    found = []

    def walk(depth: int, y: int, x: int, product: float) -> None:
        if depth < 0:
            found.append((product, float(energy[y, x])))
            return
        seen = predecessors(layers[depth], y, x)
        for row, column in seen:
            walk(depth - 1, row, column, product * len(seen))

    last = layers[-1]
    for y, x in itertools.product(range(last.out_size[0]), range(last.out_size[1])):
        walk(len(layers) - 1, y, x, 1.0)
    return found


def seen_by(layer, y: int, x: int) -> list[tuple[int, int]]:
    """Real input positions of a spatial layer that position (y, x) after its pooling sees, once per way to get there."""
    at = [(y, x)]
    for pool in reversed(layer.pools):
        cells = list(itertools.product(range(pool.size[0]), range(pool.size[1])))
        at = [(r * pool.size[0] + i, c * pool.size[1] + j) for r, c in at for i, j in cells]
    taps = [i * layer.dilation - layer.padding for i in range(layer.kernel)]
    ways = [(r * layer.stride + i, c * layer.stride + j) for r, c in at for i in taps for j in taps]
    return [(r, c) for r, c in ways if 0 <= r < layer.in_size[0] and 0 <= c < layer.in_size[1]]


def pixels_seen(layers, y: int, x: int) -> list[tuple[int, int]]:
    """Pixels that position (y, x) after the last of the spatial layers sees, once per path."""
    if not layers:
        return [(y, x)]
    return [pixel for r, c in seen_by(layers[-1], y, x) for pixel in pixels_seen(layers[:-1], r, c)]


def margins(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.array([row[y] - max(np.delete(row, y)) for row, y in zip(outputs, labels, strict=True)])


def ramp(values: np.ndarray, margin: float) -> float:
    return float(np.mean([min(1.0, max(0.0, 1.0 - v / margin)) for v in values]))
