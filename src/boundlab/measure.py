"""Measure a network (torch): norms, path norm, patch norms, errors and margins."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse.linalg import LinearOperator, svds
from torch import Tensor, nn

from boundlab import maps
from boundlab.nets import layers, position_norms, window
from boundlab.norms import MARGIN_GRID, SCALED_GRID, norm_column
from boundlab.shapes import LayerShape

BATCH = 50  # images per pass (their maps stay in cache: 1.6 to 3 times faster than 500), fewer for very wide layers
MEMORY = 2**26
TOLERANCE = (
    1e-3  # of ARPACK; the singular value is then off by some 1e-7 (see the oracle test), at half the cost of 1e-7
)
QUANTILES = np.linspace(0.0, 1.0, 101)


def spectral_map(weight: Tensor, shape: LayerShape) -> float:
    """Operator norm of a layer with its true boundary, by ARPACK from a fixed start (approached from below)."""
    size = float(weight.abs().max())
    if size == 0:
        return 0.0
    if not 1e-100 < size < 1e100:  # out of reach of products in float64
        return size * spectral_map(weight.double() / size, shape)
    if shape.kind == "dense":
        return float(torch.linalg.matrix_norm(weight.double(), 2))
    kernel = weight.double()
    in_shape, out_shape = (1, shape.in_channels, *shape.in_size), (1, shape.out_channels, *shape.out_size)

    def forwards(x: np.ndarray) -> np.ndarray:
        inputs = torch.from_numpy(np.ascontiguousarray(x)).reshape(in_shape).to(kernel.device)
        return maps.apply(inputs, kernel, None, shape).cpu().numpy().ravel()

    def backwards(y: np.ndarray) -> np.ndarray:
        outputs = torch.from_numpy(np.ascontiguousarray(y)).reshape(out_shape).to(kernel.device)
        return maps.adjoint(outputs, kernel, shape).cpu().numpy().ravel()

    rows, columns = int(np.prod(out_shape)), int(np.prod(in_shape))
    if min(rows, columns) <= 8:  # ARPACK needs room; such a map is small enough to write out
        matrix = np.stack([forwards(e) for e in np.eye(columns)])
        return float(np.linalg.norm(matrix, 2))
    operator = LinearOperator((rows, columns), matvec=forwards, rmatvec=backwards, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(min(rows, columns))
    return float(svds(operator, k=1, v0=start, tol=TOLERANCE, return_singular_vectors=False)[0])


def _filters(weight: Tensor, shape: LayerShape) -> Tensor:
    """(copies, out, in per group, taps) in float64: the layer's own weight tensors, one per position without sharing."""
    return weight.double().reshape(shape.copies, shape.out_channels, -1, shape.area)


def _spectral_kernel(filters: Tensor, groups: int) -> float:
    """Largest singular value of W reshaped to (out, rest), from the smaller Gram matrix; a grouped layer's W is that of
    the ungrouped one, with zeros; without sharing, the largest over positions."""
    matrix = filters.flatten(2).unflatten(1, (groups, -1)).flatten(0, 1)  # (copies * groups, out per group, rest)
    short = matrix.shape[1] <= matrix.shape[2]
    gram = matrix @ matrix.mT if short else matrix.mT @ matrix
    return float(torch.linalg.eigvalsh(gram)[:, -1].max().clamp_min(0).sqrt())


def _norm_21(filters: Tensor) -> float:
    """l2 over input channels, summed over (out, taps); for a dense layer the sum of row norms."""
    return float(filters.norm(dim=2).sum()) / len(filters)


def _row_norms(filters: Tensor) -> Tensor:
    """(copies, out)."""
    return filters.flatten(2).norm(dim=2)


def _taps(filters: Tensor, shape: LayerShape) -> list[float]:
    squares = filters.square().sum(dim=(1, 2))  # (copies, taps)
    if shape.kind == "local":  # root mean square over the positions where the tap meets a real input
        real = torch.from_numpy(shape.real_taps()).to(squares)
        squares = (squares * real).sum(0, keepdim=True) / real.sum(0).clamp_min(1)
    return squares[0].sqrt().tolist()


@dataclass(frozen=True)
class Reference:
    """A layer's weights before training and their spectral norm as a map (measured once, used at every record)."""

    weight: Tensor
    spectral_map: float


def references(init: Sequence[Tensor], shapes: Sequence[LayerShape]) -> list[Reference]:
    """One `Reference` per layer."""
    return [Reference(w, spectral_map(w, shape)) for w, shape in zip(init, shapes, strict=True)]


def layer_norms(weight: Tensor, bias: Tensor | None, init: Reference | None, shape: LayerShape) -> dict[str, object]:
    """Fields of `LayerNorms` of one layer, None for what is not known; `patch_norm` is left to `outcome_columns`."""
    filters = _filters(weight, shape)
    change = None if init is None else weight - init.weight.to(weight.device)
    moved = None if change is None else _filters(change, shape)
    rows = _row_norms(filters)
    return {
        "frobenius": float(position_norms(weight.double(), shape).max()),
        "tap_frobenius": _taps(filters, shape),
        "spectral_kernel": _spectral_kernel(filters, shape.groups),
        "spectral_map": spectral_map(weight, shape),
        "norm_21": _norm_21(filters),
        "norm_row": float(rows.sum()) / len(rows),
        "max_row": float(rows.max()),
        "centered_frobenius": _centered(weight) if shape.name == "output" else None,
        "bias_norm": 0.0 if bias is None else float(bias.double().norm()),
        "patch_norm": None,
        "frobenius_from_init": None if change is None else float(position_norms(change.double(), shape).max()),
        "spectral_map_from_init": None if change is None else spectral_map(change, shape),
        "norm_21_from_init": None if moved is None else _norm_21(moved),
        "norm_row_from_init": None if moved is None else float(_row_norms(moved).sum()) / len(moved),
        "spectral_map_of_init": None if init is None else init.spectral_map,
    }


def _centered(weight: Tensor) -> float:
    return float((weight.double() - weight.double().mean(0)).norm())


def path_l1(weights: Sequence[Tensor], biases: Sequence[Tensor | None], shapes: Sequence[LayerShape]) -> float:
    """Sum of the outputs of the network with absolute weights on the all-ones input, max-pooling replaced by sums (Gonon
    et al. 2024)."""
    first = shapes[0]
    x = torch.ones(1, first.in_channels, *first.in_size, dtype=torch.float64, device=weights[0].device)
    for weight, bias, shape in zip(weights, biases, shapes, strict=True):
        b = None if bias is None else bias.double().abs()
        x = maps.pooled(maps.apply(x, weight.double().abs(), b, shape), shape, summed=True)
    return float(x.sum())


def norm_columns(
    weights: Sequence[Tensor],
    biases: Sequence[Tensor | None],
    init: Sequence[Reference] | None,
    shapes: Sequence[LayerShape],
) -> dict[str, object]:
    """One record's norms: columns `layers.<i>.<field>` and `path_l1`. `init`: what training started from, if known."""
    columns: dict[str, object] = {"path_l1": path_l1(weights, biases, shapes)}
    for i, shape in enumerate(shapes):
        fields = layer_norms(weights[i], biases[i], None if init is None else init[i], shape)
        columns |= {norm_column(i, name): value for name, value in fields.items()}
    return columns


@dataclass(frozen=True)
class Outcome:
    """One pass over a sample: error (fraction), mean squared error to one-hot labels, margins, patch norms."""

    error: float
    loss: float
    margins: np.ndarray  # (n,) float64
    patch_norms: list[float]  # per layer; empty when not asked for


def _patch_norm(inputs: Tensor, layer: nn.Module) -> float:
    """Largest l2 norm of an input patch of one layer over a batch; of a grouped layer over all its input channels.

    Divided by a power of two before squaring, which changes no digit: squares of very small or large numbers are 0 or infinite.
    """
    unit = 2.0 ** (math.frexp(float(inputs.abs().max()))[1] - 1)  # 1/2 where all is 0
    inputs = inputs / unit
    squares = inputs.square().sum(dim=1, keepdim=True) if inputs.ndim == 4 else inputs.square().sum(dim=1)
    if not isinstance(layer, nn.Linear):
        kernel, stride, padding, dilation = window(layer)
        squares = F.conv2d(squares, torch.ones(1, 1, kernel, kernel).to(squares), None, stride, padding, dilation)
    return unit * float(squares.max().clamp_min(0).sqrt())


def _batch(net: nn.Sequential, inputs: Tensor, most: int) -> int:
    """Images per pass, at most `most`: by the widest layer's output for one image."""
    widest, x = 1, inputs[:1]
    for module in net:
        x = module(x)
        widest = max(widest, x.numel())
    return max(1, min(most, MEMORY // widest))


def _margins(outputs: Tensor, labels: Tensor) -> Tensor:
    """(n,) float64: output of the true class minus the best other one."""
    own = outputs.gather(1, labels[:, None]).squeeze(1).double()
    return own - outputs.scatter(1, labels[:, None], -torch.inf).max(dim=1).values.double()


@torch.no_grad()
def outcome(
    net: nn.Sequential,
    inputs: Tensor,
    labels: Tensor,
    patches: bool = False,
    most: int = BATCH,
    watch: Callable[[], None] = lambda: None,
    centred: Tensor | None = None,
) -> Outcome:
    """Run the network over (n, ...) inputs and integer labels; margin = true-class output - best other output.

    At most `most` images at a time; `watch` is called before each of these batches and may raise. `centred`: the output
    layer's weights without their mean row, to compute margins with (and errors): the same margins, but rounded relative to the
    norm that Theorems S and S2 charge for, which a row common to all classes is not part of.
    """
    parametrised = layers(net)
    largest = [0.0] * len(parametrised)
    batch = _batch(net, inputs, most)
    wrong, squared, margins = 0, 0.0, []
    for x, y in zip(inputs.split(batch), labels.split(batch), strict=True):
        watch()
        for module in net:
            if patches and module in parametrised:
                index = parametrised.index(module)
                largest[index] = max(largest[index], _patch_norm(x, module))
            features, x = x, module(x)
        margin = _margins(x if centred is None else F.linear(features, centred), y)
        wrong += int((~(margin > 0)).sum())  # ties and NaN are errors: a dead network gets no credit
        squared += float((x.double() - F.one_hot(y, x.shape[1])).square().mean(dim=1).sum())
        margins.append(margin.cpu().numpy())
    return Outcome(wrong / len(labels), squared / len(labels), np.concatenate(margins), largest if patches else [])


def margin_errors(margins: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact (ramp, indicator) errors at each margin of `grid`: mean min(1, max(0, 1 - m/g)), and mean 1[m <= g]."""
    ramp = np.array([np.clip(1.0 - margins / g, 0.0, 1.0).mean() for g in grid])
    return ramp, np.array([(margins <= g).mean() for g in grid])


def margin_scale(margins: np.ndarray) -> float:
    """The largest margin of the sample, to search relative to; 1 where none is positive: every ramp error is 1."""
    largest = float(np.max(margins))
    return largest if 0 < largest < np.inf else 1.0


def outcome_columns(train: Outcome, test: Outcome | None) -> dict[str, object]:
    """One record's errors and margins; `test` None: there are no test examples."""
    ramp, indicator = margin_errors(train.margins, MARGIN_GRID)
    scale = margin_scale(train.margins)
    scaled_ramp, scaled_indicator = margin_errors(train.margins, scale * SCALED_GRID)
    return {
        "train_error": train.error,
        "test_error": None if test is None else test.error,
        "train_loss": train.loss,
        "test_loss": None if test is None else test.loss,
        "margin_quantiles": np.quantile(train.margins, QUANTILES).tolist(),
        "ramp": ramp.tolist(),
        "indicator": indicator.tolist(),
        "margin_scale": scale,
        "scaled_ramp": scaled_ramp.tolist(),
        "scaled_indicator": scaled_indicator.tolist(),
        **{norm_column(i, "patch_norm"): value for i, value in enumerate(train.patch_norms)},
    }
