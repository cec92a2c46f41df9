"""Networks written out, by definition and slowly: layers as matrices, who sees whom, paths one by one."""

import dataclasses
import itertools
import math
from functools import cached_property

import numpy as np
import torch

from boundlab.quantities.sample import SampleStats
from boundlab.specs.shapes import LayerShape
from tests.specs.test_architectures import matrix_of


def matrix(weight: np.ndarray, shape: LayerShape) -> np.ndarray:
    return weight if shape.kind == "dense" else matrix_of(torch.from_numpy(weight), shape)


def pool_matrix(shape: LayerShape) -> np.ndarray:
    """(what is passed on, output units): the layer's pooling, with sums in place of maxima."""
    total = np.eye(shape.out_channels * shape.positions)
    size = shape.out_size
    for pool in shape.pools:
        rows, columns = size[0] // pool.size[0], size[1] // pool.size[1]
        step = np.zeros((shape.out_channels, rows, columns, shape.out_channels, *size))
        cells = itertools.product(*map(range, (shape.out_channels, rows, columns, *pool.size)))
        for c, y, x, i, j in cells:
            entry = 1.0 if pool.kind == "max" else 1.0 / pool.area
            step[c, y, x, c, y * pool.size[0] + i, x * pool.size[1] + j] = entry
        size = (rows, columns)
        total = step.reshape(shape.out_channels * rows * columns, -1) @ total
    return total


def seen(shape: LayerShape, positions: int) -> list[list[int]]:
    """For each output position the real input positions that it sees."""
    if shape.kind == "dense":
        return [list(range(positions))]
    bare = dataclasses.replace(shape, kind="conv", in_channels=1, out_channels=1, groups=1, pools=())
    return [np.flatnonzero(row).tolist() for row in matrix(np.ones(bare.weight_shape), bare)]


@dataclasses.dataclass
class Case:
    shapes: tuple[LayerShape, ...]
    weights: list[np.ndarray]
    init: list[np.ndarray]
    patches: list[float]  # largest norm of an input patch, per layer
    sample: SampleStats
    biases: list[np.ndarray] | None = None  # (out,), without sharing (positions, out); None: no layer has any

    @cached_property
    def maps(self) -> list[np.ndarray]:
        return [matrix(w, s) for w, s in zip(self.weights, self.shapes, strict=True)]

    @cached_property
    def merged(self) -> list[np.ndarray]:
        """Each layer's matrix with the pooling before it."""
        pools = [np.eye(self.maps[0].shape[1]), *map(pool_matrix, self.shapes[:-1])]
        return [a @ p for a, p in zip(self.maps, pools, strict=True)]

    @property
    def n(self) -> int:
        return self.sample.n

    def filters(self, weight: np.ndarray, shape: LayerShape) -> np.ndarray:
        """(tensors, out, in per group, taps)."""
        return weight.reshape(shape.copies, shape.out_channels, -1, shape.area)

    def norms(self, measure) -> list[float]:
        """`measure` of each layer's own tensors (out, in, taps), the largest where every position has its own."""
        pairs = zip(self.weights, self.shapes, strict=True)
        return [max(map(measure, self.filters(w, s))) for w, s in pairs]

    @property
    def rho(self) -> float:
        return math.prod(self.norms(lambda t: math.sqrt((t**2).sum())))


def path_energy(case: Case, constants: list[float] | None = None) -> float:
    """`constants`: per layer, the energy of what every neuron of it sees beside its predecessors."""
    value = case.sample.fed.pixel_energy.flatten().tolist()
    *hidden, last = constants or [0.0] * len(case.shapes)
    for s, constant in zip(case.shapes[:-1], hidden, strict=True):
        value = [sum(value[j] for j in row) + constant for row in seen(s, len(value))]
        for rows, _ in pools_of(s):
            value = [sum(w * math.sqrt(v) for w, v in zip(row, value, strict=True)) ** 2 for row in rows]
    return sum(value) + last


def constant_walks(shapes: tuple[LayerShape, ...], size: int) -> list[float]:
    """Per layer the paths from a constant that all its neurons see to the output layer, walked one by one; a path through a
    window of averages counts 1 / its positions, through a maximum as many times as those. `size`: pixels of an image."""
    graph, pools, found = [], [], [0.0] * (len(shapes) - 1) + [1.0]
    for s in shapes[:-1]:
        graph.append(seen(s, size))
        passes = np.eye(len(graph[-1]))
        for pool, price in pools_of(s):
            passes = price * pool @ passes
        pools.append(passes)
        size = len(passes)

    def walk(depth: int, at: int, weight: float) -> None:
        if depth < 0:
            return
        for position in np.flatnonzero(pools[depth][at]):
            passed = weight * float(pools[depth][at, position])
            found[depth] += passed
            for before in graph[depth][position]:
                walk(depth - 1, before, passed)

    for at in range(size):
        walk(len(shapes) - 2, at, 1.0)
    return found


def pools_of(shape: LayerShape) -> list[tuple[np.ndarray, float]]:
    """Per pool of one layer: its matrix on one channel (sums in place of maxima), and the price of adding up V."""
    found, size = [], shape.out_size
    for pool in shape.pools:
        one = dataclasses.replace(shape, out_channels=1, out_size=size, pools=(pool,))
        found.append((pool_matrix(one), pool.area if pool.kind == "max" else 1.0))
        size = one.passed_size
    return found


def linear_paths(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Theorem S2's paths to the output layer, from every position of the first layer and from every pixel."""
    size, steps = case.sample.fed.pixel_energy.size, []
    for s in case.shapes[:-1]:
        rows = seen(s, size)
        sees = np.array([[float(j in row) for j in range(size)] for row in rows])
        passes = np.eye(len(rows))
        for pool, price in pools_of(s):
            passes = price * pool @ passes
        steps.append((sees, passes))
        size = len(passes)
    first = total = np.ones(size)
    for sees, passes in reversed(steps):
        first = total @ passes
        total = first @ sees
    return first, total


def path_norm(maps: list[np.ndarray], biases: list[np.ndarray] | None = None) -> float:
    """Sum over every path, walked one by one, from an input (or a bias) to an output of the product of weights on it."""

    def walk(depth: int, at: int, product: float) -> float:
        if depth < 0:
            return product
        started = 0.0 if biases is None else product * abs(biases[depth][at])
        row = maps[depth][at]
        return started + sum(walk(depth - 1, int(j), product * abs(row[j])) for j in np.flatnonzero(row))

    return sum(walk(len(maps) - 1, output, 1.0) for output in range(len(maps[-1])))
