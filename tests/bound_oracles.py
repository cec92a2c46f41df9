"""Every bound a second time, in plain Python from raw weights and layers written out as matrices, for any architecture.

`ORACLES` maps (key, convention) to its complexity, the part that networks differ in.
"""

import dataclasses
import math

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

from tests.written_out import Case, constant_walks, linear_paths, matrix, path_energy, path_norm, pool_matrix, seen

MARGIN, DELTA = 0.5, 0.001


def norm_21(tensor: np.ndarray) -> float:
    return sum(math.sqrt((tensor[o, :, t] ** 2).sum()) for o, t in np.ndindex(tensor.shape[0], tensor.shape[2]))


def kernel_norms(case: Case) -> list[float]:
    """Spectral norms of W as a matrix (out, rest), zeros of groups written out."""
    found = []
    for w, s in zip(case.weights, case.shapes, strict=True):
        out, into = s.out_channels // s.groups, s.in_channels // s.groups
        for t in case.filters(w, s):
            full = np.zeros((s.out_channels, s.in_channels, s.area))
            for o in range(s.out_channels):
                full[o, o // out * into : (o // out + 1) * into] = t[o]
            found.append((s.name, np.linalg.svd(full.reshape(s.out_channels, -1), compute_uv=False)[0]))
    return [max(x for name, x in found if name == s.name) for s in case.shapes]


def sparse_published(case: Case) -> float:
    depth, areas = len(case.shapes), [s.area for s in case.shapes if s.kind != "dense"]
    energy = case.sample.raw.pixel_energy
    pixel = math.sqrt(energy.max() if areas else energy.sum())
    peel = 1 + math.sqrt(2 * (depth * math.log(2 * max(areas, default=1)) + math.log(case.sample.classes)))
    return (case.rho + 1) / case.n * 2 * math.sqrt(2) * peel * math.sqrt(math.prod(areas)) * pixel


def sparse_theorem(case: Case) -> float:
    """Every path from a pixel to the outputs, one by one."""
    graph, positions = [], case.sample.fed.pixel_energy.size
    for s in case.shapes:
        graph.append(seen(s, positions))
        positions = len(graph[-1])

    def best(depth: int, at: int) -> float:
        if depth < 0:
            return float(case.sample.fed.pixel_energy.flat[at])
        before = graph[depth][at]
        return max(len(before) * best(depth - 1, j) for j in before)

    depth = len(case.shapes)
    degree = max(len(row) for rows in graph for row in rows)
    path = max(best(depth - 1, k) for k in range(len(graph[-1])))
    if case.shapes[0].kind == "dense":  # the whole input is one position
        path, degree = case.sample.fed.pixel_energy.sum(), 1
    peel = 1 + math.sqrt(2 * (depth * math.log(2 * degree) + math.log(case.sample.classes)))
    return (case.rho / MARGIN + 1) / case.n * 2 * math.sqrt(2) * peel * math.sqrt(path)


def depth_price(shapes) -> float:
    """D of Theorem S, layer by layer, by brute force over p."""

    def price(p: float) -> float:
        total = 2 * (math.gamma((p + 1) / 2) / math.sqrt(math.pi)) ** (2 / p)
        for s in shapes[:-1]:
            pooled = any(pool.kind == "max" for pool in s.pools)
            total *= 2 ** (2 / p) if pooled else ((1 + 2 ** (1 / p)) / 2) ** 2
        return total

    return min(price(p) for p in np.arange(2, 40, 0.005))


def squared_norm(case: Case, squares: list[float]) -> float:
    """rho'^2 layer by layer: a neuron of layer i sees its predecessors and a constant whose square is `squares[i]`."""
    *hidden, _ = case.norms(lambda t: math.sqrt((t**2).sum()))
    output = case.weights[-1] - case.weights[-1].mean(axis=0)
    reached = 1.0
    for i, frobenius in enumerate([*hidden, math.sqrt((output**2).sum())]):
        reached *= frobenius**2
        if case.biases is not None:
            b = case.biases[i] - (case.biases[i].mean() if i == len(hidden) else 0.0)
            reached += max((at**2).sum() for at in b.reshape(case.shapes[i].copies, -1)) / squares[i]
    return reached


def squared_constants(case: Case) -> list[list[float]]:
    """The squared constants of every layer, for each share of the largest energy and each way to divide it; none for a network
    without biases."""
    if case.biases is None:
        return [[0.0] * len(case.shapes)]
    pixels, (_, total) = case.sample.fed.pixel_energy.size, linear_paths(case)
    largest = case.sample.fed.limit**2 * (case.maps[0].shape[1] // pixels) * float(total.sum())
    walks = constant_walks(case.shapes, pixels)
    return [
        [4.0**k * largest * paths**power / sum(other**power for other in walks) / paths for paths in walks]
        for k in range(-8, 2)
        for power in (0, 0.5, 1)
    ]


def sparse_strict(case: Case) -> float:
    classes = case.sample.classes
    kappa = (classes - 2 + math.sqrt(classes)) / math.sqrt(classes - 1)
    constant = math.exp(0.01) * math.sqrt(2 * math.pi) * kappa * math.sqrt(depth_price(case.shapes)) / MARGIN / case.n
    squared = [squared_norm(case, c) * path_energy(case, [case.n * x for x in c]) for c in squared_constants(case)]
    return constant * math.sqrt(min(squared))


def doubled_depth(case: Case, nu: float) -> float:
    """D of Theorem S2, layer by layer, by brute force over p."""

    def price(p: float) -> float:
        total = 2 * (math.gamma((p + 1) / 2) / math.sqrt(math.pi)) ** (2 / p)
        for i, s in enumerate(case.shapes[:-1]):
            if any(pool.kind == "max" for pool in s.pools):
                total *= 2 ** (2 / p)
            elif i == 0:
                total *= ((1 + math.sqrt(1 + (2 ** (2 / p) - 1) * nu)) / 2) ** 2
            else:
                total *= ((1 + 2 ** (1 / p)) / 2) ** 2
        return total

    return min(price(p) for p in np.arange(2, 40, 0.005))


def kl_limit(q: float, c: float) -> float:
    """Largest p with kl(q || p) <= c."""

    def kl(p: float) -> float:
        return q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p)) - c

    return float(brentq(kl, q, 1 - 1e-12))


def doubled_strict(case: Case) -> float:
    """Up to the grid over rho / margin: its rounding is left out."""
    classes, n, fed = case.sample.classes, case.n, case.sample.fed
    kappa = (classes - 2 + math.sqrt(classes)) / math.sqrt(classes - 1)
    mean_cosine = quad(lambda a: abs(math.cos(a)) * math.sin(a) ** (classes - 3), 0, math.pi)[0]
    mean_cosine /= quad(lambda a: math.sin(a) ** (classes - 3), 0, math.pi)[0]
    first, total = linear_paths(case)
    energy = float(total @ fed.pixel_energy.flatten())
    channels = case.maps[0].shape[1] // fed.pixel_energy.size
    largest, c = fed.limit**2 * channels * float(total.sum()), math.log(20 / DELTA) / n
    limit = largest * kl_limit(energy / n / largest, c)
    left = energy - float(first @ case.sample.patch_energy.flatten()) if len(case.shapes) > 1 else energy
    left_limit = largest * kl_limit(left / n / largest, c)
    constant = math.sqrt(2) / (1 - 1 / math.sqrt(math.pi * n)) * kappa / (math.sqrt(classes - 1) * mean_cosine)
    found = []
    for squares in squared_constants(case):
        counts = constant_walks(case.shapes, fed.pixel_energy.size)
        added = [x * y for x, y in zip(counts, squares, strict=True)]
        whole = limit + sum(added)
        depth = doubled_depth(case, min(1.0, (left_limit + added[0]) / whole))
        found.append(math.sqrt(depth * squared_norm(case, squares) * whole / n))
    return constant * min(found) / MARGIN


def golowich_published(case: Case) -> float:
    rho = case.rho * math.prod(math.sqrt(s.positions) for s in case.shapes)
    peel = 1 + math.sqrt(2 * (len(case.shapes) * math.log(2) + math.log(case.sample.classes)))
    return (rho + 1) / case.n * 2 * math.sqrt(2) * peel * case.sample.fed.frobenius


def max_price(area: int) -> float:
    """Of the largest of `area` numbers: the root of 2 per pair, 1 for one that is left over."""
    return sum(math.sqrt(len(range(area)[i : i + 2])) for i in range(0, area, 2))


def averaged(case: Case) -> tuple[list[np.ndarray], float]:
    """Each layer's matrix with the averages before it, on the maps that max-pooling leaves; and what max-pooling costs."""
    found, price, before = [], 1.0, np.eye(case.maps[0].shape[1])
    for a, s in zip(case.maps, case.shapes, strict=True):
        found.append(a @ before)
        size, rest = s.out_size, list(s.pools)
        while rest and rest[0].kind == "max":
            pool = rest.pop(0)
            size, price = (size[0] // pool.size[0], size[1] // pool.size[1]), price * max_price(pool.area)
        before = pool_matrix(dataclasses.replace(s, out_size=size, pools=tuple(rest)))
    return found, price


def peeled(case: Case, depth_factor: float) -> float:
    (*hidden, output), price = averaged(case)
    norms = (
        math.prod(math.sqrt((a**2).sum()) for a in hidden) * max(math.sqrt((row**2).sum()) for row in output) * price
    )
    return 4 * case.sample.classes / MARGIN * norms * depth_factor * case.sample.fed.frobenius / case.n


def bartlett(case: Case) -> float:
    """Layers as they are; pooling is in the nonlinearities, with the Lipschitz constant of its matrix (max-pooling: 1)."""
    s = [np.linalg.norm(a, 2) for a in case.maps]
    averages = [dataclasses.replace(la, pools=tuple(p for p in la.pools if p.kind == "avg")) for la in case.shapes[:-1]]
    lipschitz = math.prod(np.linalg.norm(pool_matrix(a), 2) for a in averages)
    b = []
    for w, shape in zip(case.weights, case.shapes, strict=True):
        whole = sum(math.sqrt((row**2).sum()) for t in case.filters(w, shape) for row in t)
        b.append(whole * shape.positions / shape.copies)  # rows at a padded border are not longer than that
    widest = max(max(a.shape) for a in case.maps)
    ratio = sum((x / y) ** (2 / 3) for x, y in zip(b, s, strict=True)) ** 1.5
    logs = math.log(case.n) * math.sqrt(math.log(2 * widest**2))
    return 72 * logs / (MARGIN * case.n) * case.sample.fed.frobenius * math.prod(s) * lipschitz * ratio


def ledent_published(case: Case) -> float:
    n, depth, radius, first = case.n, len(case.shapes), case.sample.fed.max_norm, case.shapes[0]
    u = [x + 1 / depth for x in kernel_norms(case)]
    v = [x + 1 / depth for x in case.norms(norm_21)]
    others = [math.prod(u) / x for x in u]
    r = depth * (radius + 1) * sum((v[-1] * other) ** (2 / 3) for other in others) ** 1.5
    last = max(depth - 2, 0)
    height = case.maps[last].shape[1] // case.shapes[last].in_size[1] if case.shapes[last].kind != "dense" else 1
    gamma = (radius + 1) * height * v[last] * others[last]
    units = [first.in_channels * math.prod(first.in_size), *(len(a) for a in case.maps[:-1])]
    logs = math.sqrt(math.log2(32 * gamma * n**2 + 7 * max(units) * n)) * math.log(n)
    return 1536 / math.sqrt(n) * r * logs


def ledent_theorem(case: Case) -> float:
    n, depth, b = case.n, len(case.shapes), [*case.patches, MARGIN]
    s = [np.linalg.norm(a, 2) for a in case.maps[:-1]] + [max(np.linalg.norm(row) for row in case.weights[-1])]
    alpha = [sum(np.linalg.norm(row) for row in w.reshape(len(w), -1)) for w in case.weights[:-1]]
    alpha.append(np.linalg.norm(case.weights[-1]))
    r = []
    for i in range(depth):
        side = math.sqrt(case.shapes[i].positions)
        onward = [side / b[j + 1] * math.prod(s[i + 1 : j + 1]) for j in range(i + 1, depth)]
        r.append(b[i] * (max(onward) if onward else 1 / MARGIN) * alpha[i])
    units = [len(a) for a in case.maps]
    gamma = max(x * y for x, y in zip(r, units, strict=True))
    logs = math.sqrt(math.log2(32 * gamma * n**2 + 7 * max(units) * n)) * math.log(n)
    return 1536 / math.sqrt(n) * sum(x ** (2 / 3) for x in r) ** 1.5 * logs


def graf_published(case: Case) -> float:
    s, n = kernel_norms(case), case.n
    layers = sum((x / y) ** (2 / 3) for x, y in zip(case.norms(norm_21), s, strict=True)) ** 1.5
    widest = max(w.size + bool(shape.weight_norm) for w, shape in zip(case.weights, case.shapes, strict=True))
    logs = math.log(n) * math.log(2 * widest)
    return 24 * logs / math.sqrt(n) * 4 * case.sample.fed.max_norm * math.prod(s) * layers


def plain_kernels(case: Case) -> list[int]:
    """Weights of the plain convolutions that the layers are, with zeros between groups and taps."""
    found = []
    for shape in case.shapes:
        side = len(range(0, (shape.kernel - 1) * shape.dilation + 1))
        found.append(np.zeros((shape.out_channels, shape.in_channels, side, side)).size)
    return found


def capacities(case: Case) -> list[float]:
    s = [np.linalg.norm(a, 2) for a in case.maps]
    data = case.sample.fed.frobenius / math.sqrt(case.n)
    return [4 / MARGIN * data * math.prod(s) * b / x for b, x in zip(case.norms(norm_21), s, strict=True)]


def graf_theorem(case: Case) -> float:
    harmonic = sum(1 / k for k in range(1, case.n))
    layers = sum(math.ceil(c ** (2 / 3)) for c in capacities(case)) ** 1.5
    return 24 * harmonic / math.sqrt(case.n) * math.sqrt(math.log(2 * max(plain_kernels(case)))) * layers


def graf_params(case: Case) -> float:
    pairs = zip(plain_kernels(case), capacities(case), strict=True)
    inside = sum(2 * w * (math.log(1 + math.ceil((len(case.shapes) * c) ** 2)) + 2.7) for w, c in pairs)
    return 24 / math.sqrt(case.n) * math.sqrt(inside)


def long_sedghi_published(case: Case) -> float:
    depth = len(case.shapes)
    numbers = sum(w.size + bool(s.weight_norm) for w, s in zip(case.weights, case.shapes, strict=True))
    return depth * math.prod(kernel_norms(case)) ** (1 / depth) * math.sqrt(numbers / case.n)


def long_sedghi_theorem(case: Case) -> float:
    depth, start = len(case.shapes), [matrix(w, s) for w, s in zip(case.init, case.shapes, strict=True)]
    beta = sum(np.linalg.norm(a - a0, 2) for a, a0 in zip(case.maps, start, strict=True))
    most = max(1.0, *(np.linalg.norm(a0, 2) for a0 in start))
    inner = case.sample.fed.max_norm * math.sqrt(2) / MARGIN * beta * (most + beta / depth) ** depth
    assert inner > 5  # the case of all networks here
    return math.sqrt(sum(w.size for w in case.weights) * math.log(inner) / case.n)


def gonon(case: Case) -> float:
    inputs, maxima = case.maps[0].shape[1], [p.area for s in case.shapes for p in s.pools if p.kind == "max"]
    inside = (len(case.shapes) + len(maxima)) * math.log(3) + math.log((inputs + 1) * case.sample.classes)
    inside += len(maxima) * math.log(max([1, *maxima]))
    largest, norm = case.sample.fed.max_abs, path_norm(case.merged)
    return 4 * largest / math.sqrt(case.n) * math.sqrt(2) / MARGIN * norm * math.sqrt(inside)


ORACLES = {
    ("sparse", "published"): sparse_published,
    ("sparse", "theorem"): sparse_theorem,
    ("sparse", "strict"): sparse_strict,
    ("doubled", "strict"): doubled_strict,
    ("golowich", "published"): golowich_published,
    ("golowich", "theorem"): lambda case: peeled(case, 1 + math.sqrt(2 * len(case.shapes) * math.log(2))),
    ("neyshabur", "theorem"): lambda case: peeled(case, 2.0 ** (len(case.shapes) - 1)),
    ("bartlett", "theorem"): bartlett,
    ("ledent", "published"): ledent_published,
    ("ledent", "theorem"): ledent_theorem,
    ("graf", "published"): graf_published,
    ("graf", "theorem"): graf_theorem,
    ("graf_params", "theorem"): graf_params,
    ("long_sedghi", "published"): long_sedghi_published,
    ("long_sedghi", "theorem"): long_sedghi_theorem,
    ("gonon", "theorem"): gonon,
}
