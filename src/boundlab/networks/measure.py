"""Measure networks of one architecture (torch): norms of every layer and path norms, of many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from boundlab.networks import layer_maps
from boundlab.networks.many_maps import ManyMaps
from boundlab.networks.spectral import largest_singular, spectral_maps
from boundlab.quantities.records import norm_column
from boundlab.specs.shapes import LayerShape


@dataclass(frozen=True)
class Reference:
    """A layer's weights before training and their spectral norm as a map (measured once, used at every record)."""

    weight: Tensor
    spectral_map: float


def references(init: Sequence[Tensor], shapes: Sequence[LayerShape]) -> list[Reference]:
    """One `Reference` per layer."""
    return references_of_many([w[None] for w in init], shapes)[0]


def references_of_many(init: Sequence[Tensor], shapes: Sequence[LayerShape]) -> list[list[Reference]]:
    """Per member one `Reference` per layer; `init[i]`: (members, *weight_shape) of layer i."""
    layers = [
        [Reference(w, norm) for w, norm in zip(weights, spectral_maps(weights, shape).tolist(), strict=True)]
        for weights, shape in zip(init, shapes, strict=True)
    ]
    return [list(member) for member in zip(*layers, strict=True)]


def _filters(weights: Tensor, shape: LayerShape) -> Tensor:
    """(members, copies, out, in per group, taps): the layer's own weight tensors, one per position without sharing."""
    return weights.reshape(len(weights), shape.copies, shape.out_channels, -1, shape.area)


def _frobenius(filters: Tensor) -> Tensor:
    """(members,); without sharing, the largest over positions."""
    return filters.flatten(2).norm(dim=2).amax(dim=1)


def _spectral_kernel(filters: Tensor, groups: int) -> Tensor:
    """(members,) largest singular value of W reshaped to (out, rest); a grouped layer's W is that of the ungrouped one, with
    zeros; without sharing, the largest over positions. NaN for weights that are not finite."""
    size = filters.flatten(1).abs().amax(dim=1)
    sound = (torch.isfinite(size) & (size > 0))[:, None, None, None]
    matrices = (
        filters.flatten(3).unflatten(2, (groups, -1)).flatten(1, 2)
    )  # (members, copies * groups, out per group, rest)
    unit = torch.where(sound, size[:, None, None, None], 1.0)
    norms = largest_singular(torch.where(sound, matrices / unit, 0.0)).amax(dim=1)
    return torch.where(torch.isfinite(size), size * norms, torch.nan)


def _norm_21(filters: Tensor) -> Tensor:
    """(members,) l2 over input channels, summed over (out, taps); for a dense layer the sum of row norms."""
    return filters.norm(dim=3).sum(dim=(1, 2, 3)) / filters.shape[1]


def _taps(filters: Tensor, shape: LayerShape) -> Tensor:
    """(members, taps)."""
    squares = filters.square().sum(dim=(2, 3))  # (members, copies, taps)
    if shape.kind == "local":  # root mean square over the positions where the tap meets a real input
        real = torch.from_numpy(shape.real_taps()).to(squares)
        squares = (squares * real).sum(1, keepdim=True) / real.sum(0).clamp_min(1)
    return squares[:, 0].sqrt()


def _own_norms(weights: Tensor, shape: LayerShape) -> dict[str, Tensor]:
    """Of (members, *weight_shape) in float64: what needs nothing but W."""
    filters = _filters(weights, shape)
    rows = filters.flatten(3).norm(dim=3)  # (members, copies, out)
    own = {
        "frobenius": _frobenius(filters),
        "tap_frobenius": _taps(filters, shape),
        "spectral_kernel": _spectral_kernel(filters, shape.groups),
        "norm_21": _norm_21(filters),
        "norm_row": rows.sum(dim=(1, 2)) / rows.shape[1],
        "max_row": rows.amax(dim=(1, 2)),
    }
    if shape.name == "output":
        own["centered_frobenius"] = (weights - weights.mean(dim=1, keepdim=True)).flatten(1).norm(dim=1)
    return own


def _norms_of_biases(biases: Tensor, shape: LayerShape) -> dict[str, Tensor]:
    """Of (members, *bias_shape) in float64."""
    found = {"bias_norm": biases.flatten(1).norm(dim=1)}
    found["max_bias_norm"] = biases.reshape(len(biases), shape.copies, -1).norm(dim=2).amax(dim=1)
    if shape.name == "output":
        found["centered_bias_norm"] = (biases - biases.mean(dim=1, keepdim=True)).norm(dim=1)
    return found


def _norms_of_change(change: Tensor, shape: LayerShape) -> dict[str, Tensor]:
    """Of (members, *weight_shape) W - W0 in float64."""
    filters = _filters(change, shape)
    rows = filters.flatten(3).norm(dim=3).sum(dim=(1, 2)) / filters.shape[1]
    found = {"frobenius": _frobenius(filters), "norm_21": _norm_21(filters), "norm_row": rows}
    return {f"{name}_from_init": values for name, values in found.items()}


_UNKNOWN = (
    *("centered_frobenius", "patch_norm", "frobenius_from_init", "spectral_map_from_init", "norm_21_from_init"),
    *("norm_row_from_init", "spectral_map_of_init"),
)


def layer_norms_of_many(
    weights: Tensor, biases: Tensor | None, init: Sequence[Reference | None], shape: LayerShape
) -> list[dict[str, object]]:
    """Per member the fields of `LayerNorms` of one layer, None for what is not known; `patch_norm` is left to `outcome_columns`.

    `weights`: (members, *weight_shape); `biases`: (members, *bias_shape) or None.
    """
    exact = weights.double()
    moved = [i for i, reference in enumerate(init) if reference is not None]
    start = [reference.weight.to(weights.device) for reference in init if reference is not None]
    change = (weights[moved] - torch.stack(start)).double() if moved else exact[:0]
    maps = spectral_maps(torch.cat([exact, change]), shape)
    found = _own_norms(exact, shape) | {"spectral_map": maps[: len(exact)]}
    found |= {"bias_norm": exact.new_zeros(len(exact))} if biases is None else _norms_of_biases(biases.double(), shape)
    fields: list[dict[str, object]] = [dict.fromkeys(_UNKNOWN) for _ in weights]
    _fill(fields, found)
    if moved:
        about = _norms_of_change(change, shape) | {"spectral_map_from_init": maps[len(exact) :]}
        _fill([fields[i] for i in moved], about)
    for member, reference in zip(fields, init, strict=True):
        if reference is not None:
            member["spectral_map_of_init"] = reference.spectral_map
    return fields


def _fill(members: list[dict[str, object]], found: dict[str, Tensor]) -> None:
    for name, values in found.items():
        for member, value in zip(members, values.tolist(), strict=True):
            member[name] = value


def layer_norms(weight: Tensor, bias: Tensor | None, init: Reference | None, shape: LayerShape) -> dict[str, object]:
    """`layer_norms_of_many` of one network."""
    return layer_norms_of_many(weight[None], None if bias is None else bias[None], [init], shape)[0]


def path_norms(weights: Sequence[Tensor], biases: Sequence[Tensor | None], shapes: Sequence[LayerShape]) -> Tensor:
    """(members,) sums of the outputs of the networks with absolute weights on the all-ones input, max-pooling replaced by sums
    (Gonon et al. 2024)."""
    members, first = len(weights[0]), shapes[0]
    x = torch.ones(members, first.in_channels, *first.in_size, dtype=torch.float64, device=weights[0].device)
    for weight, bias, shape in zip(weights, biases, shapes, strict=True):
        x = ManyMaps(weight.double().abs(), shape).forwards(x.flatten(1)).unflatten(1, (shape.out_channels, -1))
        if bias is not None:  # (members, out), or (members, positions, out) without sharing
            x = x + (bias.mT if shape.kind == "local" else bias[:, :, None]).double().abs()
        x = layer_maps.pooled(x.unflatten(2, shape.out_size), shape, summed=True)
    return x.flatten(1).sum(dim=1)


def path_l1(weights: Sequence[Tensor], biases: Sequence[Tensor | None], shapes: Sequence[LayerShape]) -> float:
    """`path_norms` of one network."""
    return float(path_norms([w[None] for w in weights], [None if b is None else b[None] for b in biases], shapes)[0])


def norm_columns_of_many(
    weights: Sequence[Tensor],
    biases: Sequence[Tensor | None],
    init: Sequence[Sequence[Reference] | None],
    shapes: Sequence[LayerShape],
) -> list[dict[str, object]]:
    """Per member one record's norms: columns `layers.<i>.<field>` and `path_l1`.

    `weights[i]`: (members, *weight_shape) of layer i; `biases[i]`: (members, *bias_shape) or None; `init`: per member what
    training started from, if known. A member with weights that are not finite has columns that are not. The other columns are
    those of the member alone: within 1e-12, spectral norms of maps within 1e-7.
    """
    columns: list[dict[str, object]] = [{"path_l1": norm} for norm in path_norms(weights, biases, shapes).tolist()]
    for i, shape in enumerate(shapes):
        start = [None if one is None else one[i] for one in init]
        for record, fields in zip(columns, layer_norms_of_many(weights[i], biases[i], start, shape), strict=True):
            record |= {norm_column(i, name): value for name, value in fields.items()}
    return columns


def norm_columns(
    weights: Sequence[Tensor],
    biases: Sequence[Tensor | None],
    init: Sequence[Reference] | None,
    shapes: Sequence[LayerShape],
) -> dict[str, object]:
    """`norm_columns_of_many` of one network."""
    one = [None if bias is None else bias[None] for bias in biases]
    return norm_columns_of_many([weight[None] for weight in weights], one, [init], shapes)[0]


def margin_scale(margins: np.ndarray) -> float:
    """The largest margin of the sample, to search relative to; 1 where none is positive: every ramp error is 1."""
    largest = float(np.max(margins))
    return largest if 0 < largest < np.inf else 1.0
