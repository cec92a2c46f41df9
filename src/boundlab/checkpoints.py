"""Checkpoints: one safetensors file, spec in the header. Names, dtypes and shapes are checked before any tensor is read."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialised
from torch import Tensor

from boundlab.arch import ArchSpec
from boundlab.catalog import DATASETS
from boundlab.errors import CheckpointError
from boundlab.files import write_atomic
from boundlab.shapes import LayerShape

LARGEST = 1e30
DTYPES = ("F16", "BF16", "F32", "F64")


@dataclass(frozen=True)
class Checkpoint:
    """Effective weights per layer; `bias` None where there is none; `init` None when the file has no initial weights."""

    arch: ArchSpec
    weights: list[Tensor]
    biases: list[Tensor | None]
    init: list[Tensor] | None


def _names(shapes: tuple[LayerShape, ...]) -> list[str]:
    return [f"layers.{i}" for i in range(len(shapes) - 1)] + ["output"]


def write_tensors(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write so that a reader never sees half a file; raises OSError when it cannot be written."""
    write_atomic(path, serialised(tensors, metadata))


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; raises OSError when it cannot be written."""
    tensors = {}
    for i, name in enumerate(_names(checkpoint.arch.shapes())):
        tensors[f"{name}.weight"] = checkpoint.weights[i].contiguous()
        if (bias := checkpoint.biases[i]) is not None:
            tensors[f"{name}.bias"] = bias.contiguous()
        if checkpoint.init is not None:
            tensors[f"init.{name}.weight"] = checkpoint.init[i].contiguous()
    write_tensors(tensors, path, {"spec": json.dumps(checkpoint.arch.to_dict())})


def _arch(text: str | None, dataset: str | None) -> ArchSpec:
    if text is None:
        raise CheckpointError("the header has no metadata entry 'spec' (JSON with kind, in_shape, classes, ...)")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"the metadata entry 'spec' is not JSON ({error})") from error
    normalize = DATASETS[dataset].normalize if dataset else None
    if isinstance(given, dict):
        given = {"normalize": list(normalize) if normalize else None} | given
    try:
        return ArchSpec.from_dict(given)
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"spec: {error}") from error


def _expected(arch: ArchSpec) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor that must be there."""
    shapes = arch.shapes()
    wanted: dict[str, tuple[int, ...]] = {}
    for name, shape in zip(_names(shapes), shapes, strict=True):
        wanted[f"{name}.weight"] = shape.weight_shape
        if shape.bias:
            wanted[f"{name}.bias"] = shape.bias_shape
    return wanted


def _check_header(handle: Any, expected: dict[str, tuple[int, ...]]) -> None:
    keys = set(handle.keys())
    if missing := sorted(set(expected) - keys):
        raise CheckpointError(f"missing tensors {missing[:3]} (of {len(missing)}); the spec calls for {len(expected)}")
    known = expected | {f"init.{name}": shape for name, shape in expected.items()}
    if unknown := sorted(keys - set(known)):
        raise CheckpointError(
            f"unknown tensors {unknown[:3]} (of {len(unknown)}); the spec calls for {sorted(expected)[:3]} ..."
        )
    for key in sorted(keys):
        part = handle.get_slice(key)
        if tuple(part.get_shape()) != known[key]:
            raise CheckpointError(f"{key} should have shape {list(known[key])}, got {list(part.get_shape())}")
        if part.get_dtype() not in DTYPES:
            raise CheckpointError(f"{key} should be one of {', '.join(DTYPES)}, got {part.get_dtype()}")


def load(path: str | Path, dataset: str | None, classes: int | None = None) -> Checkpoint:
    """Read a checkpoint for `dataset`, or for a sub-task of it with so many classes; None: for any data.

    Raises CheckpointError in one sentence for anything that is not one.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file")
    try:
        with safe_open(path, "pt") as handle:
            arch = _arch((handle.metadata() or {}).get("spec"), dataset)
            if dataset:
                _check_data(arch, dataset, classes or DATASETS[dataset].classes)
            expected = _expected(arch)
            _check_header(handle, expected)
            tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118 (not a dict)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a complete .safetensors file ({str(error).splitlines()[0]})") from error
    for key, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{path}: {key} has NaN or infinite values; every weight must be finite")
        if tensor.numel() and float(tensor.abs().max()) > LARGEST:
            raise CheckpointError(f"{path}: {key} has weights above {LARGEST:g}, beyond what can be measured")
    return _assemble(arch, {k: v.float() if v.dtype != torch.float64 else v for k, v in tensors.items()})


def _check_data(arch: ArchSpec, dataset: str, classes: int) -> None:
    data = DATASETS[dataset]
    if not data.fits(arch.in_shape) or arch.classes != classes:
        raise CheckpointError(
            f"the network takes {list(arch.in_shape)} inputs and has {arch.classes} classes, "
            f"{dataset} has {list(data.in_shape)} and {classes}"
        )


def _assemble(arch: ArchSpec, tensors: dict[str, Tensor]) -> Checkpoint:
    names = _names(arch.shapes())
    init = [tensors[f"init.{n}.weight"] for n in names if f"init.{n}.weight" in tensors]
    return Checkpoint(
        dataclasses.replace(arch),
        [tensors[f"{n}.weight"] for n in names],
        [tensors.get(f"{n}.bias") for n in names],
        init if len(init) == len(names) else None,
    )
