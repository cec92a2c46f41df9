"""Checkpoints: one safetensors file, spec in the header. It is checked (checkpoint_header.py) before torch reads a tensor."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load as tensors_in
from safetensors.torch import save as serialised
from torch import Tensor

from boundlab.checkpoints.header import Header, Stored, check_fit, check_values, read_header, tensor_names
from boundlab.specs.arch import ArchSpec
from boundlab.system.files import write_atomic

_TORCH = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64}


@dataclass(frozen=True)
class Checkpoint:
    """Effective weights per layer; `bias` None where there is none; `init` None when the file has no initial weights."""

    arch: ArchSpec
    weights: list[Tensor]
    biases: list[Tensor | None]
    init: list[Tensor] | None


def write_tensors(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write so that a reader never sees half a file; raises OSError when it cannot be written."""
    write_atomic(path, serialised(tensors, metadata))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a .safetensors file that may be replaced at any moment: it is opened once and read into memory, while the
    library's own loader opens a path twice and may see two files. Raises OSError or SafetensorError."""
    return tensors_in(path.read_bytes())


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; raises OSError when it cannot be written."""
    tensors = {}
    for i, name in enumerate(tensor_names(checkpoint.arch.shapes())):
        tensors[f"{name}.weight"] = checkpoint.weights[i].contiguous()
        if (bias := checkpoint.biases[i]) is not None:
            tensors[f"{name}.bias"] = bias.contiguous()
        if checkpoint.init is not None:
            tensors[f"init.{name}.weight"] = checkpoint.init[i].contiguous()
    write_tensors(tensors, path, {"spec": json.dumps(checkpoint.arch.to_dict())})


def load_checkpoint(path: str | Path, dataset: str | None, classes: int | None = None) -> Checkpoint:
    """Read a checkpoint for `dataset`, or for a sub-task of it with so many classes; None: for any data.

    Raises CheckpointError in one sentence for anything that is not one.
    """
    header = read_header(path, dataset)
    if dataset:
        check_fit(header, dataset, classes)
    check_values(header)
    return loaded(header)


def loaded(header: Header) -> Checkpoint:
    """The checkpoint of a file that has been checked."""
    tensors = {key: _tensor(stored) for key, stored in header.tensors.items()}
    return _assemble(header.arch, {k: v.float() if v.element_size() < 4 else v for k, v in tensors.items()})


def _tensor(stored: Stored) -> Tensor:
    return torch.frombuffer(stored.data, dtype=_TORCH[stored.dtype]).reshape(stored.shape)


def _assemble(arch: ArchSpec, tensors: dict[str, Tensor]) -> Checkpoint:
    names = tensor_names(arch.shapes())
    init = [tensors[f"init.{n}.weight"] for n in names if f"init.{n}.weight" in tensors]
    return Checkpoint(
        dataclasses.replace(arch),
        [tensors[f"{n}.weight"] for n in names],
        [tensors.get(f"{n}.bias") for n in names],
        init if len(init) == len(names) else None,
    )
