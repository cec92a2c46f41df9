"""Measure a network (torch): norms, path norm, patch norms, errors and margins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, svds
from torch import Tensor

from boundlab.networks import layer_maps
from boundlab.networks.build import position_norms
from boundlab.quantities.records import norm_column
from boundlab.specs.shapes import LayerShape

# of ARPACK; the singular value is then off by some 1e-7 (see the oracle test), at half the cost of 1e-7
_TOLERANCE = 1e-3


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
        return layer_maps.apply_layer(inputs, kernel, None, shape).cpu().numpy().ravel()

    def backwards(y: np.ndarray) -> np.ndarray:
        outputs = torch.from_numpy(np.ascontiguousarray(y)).reshape(out_shape).to(kernel.device)
        return layer_maps.adjoint(outputs, kernel, shape).cpu().numpy().ravel()

    rows, columns = int(np.prod(out_shape)), int(np.prod(in_shape))
    if min(rows, columns) <= 8:  # ARPACK needs room; such a map is small enough to write out
        matrix = np.stack([forwards(e) for e in np.eye(columns)])
        return float(np.linalg.norm(matrix, 2))
    operator = LinearOperator((rows, columns), matvec=forwards, rmatvec=backwards, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(min(rows, columns))
    return float(svds(operator, k=1, v0=start, tol=_TOLERANCE, return_singular_vectors=False)[0])


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
        x = layer_maps.pooled(layer_maps.apply_layer(x, weight.double().abs(), b, shape), shape, summed=True)
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


def margin_scale(margins: np.ndarray) -> float:
    """The largest margin of the sample, to search relative to; 1 where none is positive: every ramp error is 1."""
    largest = float(np.max(margins))
    return largest if 0 < largest < np.inf else 1.0
