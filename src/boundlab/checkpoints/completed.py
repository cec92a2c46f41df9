"""A file without spec, and the answers to what it leaves open, as a checkpoint. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from boundlab.checkpoints.header import Stored, as_float64, bare_tensors, tensor_names
from boundlab.checkpoints.inferred import chain_of, mismatch
from boundlab.errors import CheckpointError
from boundlab.specs.arch import ArchSpec

_WRITTEN = {
    "F16": np.float16,
    "BF16": np.float32,
    "F32": np.float32,
    "F64": np.float64,
}  # each holds the numbers exactly


def completed(path: Path, spec: Mapping[str, Any]) -> bytes:
    """A file's tensors under a checkpoint's names, with `spec`, as a file's bytes; raises CheckpointError where they do not fit it.

    Where some layers have biases, the others get zeros; one output z becomes (-z/2, z/2), which decides as it does.
    """
    tensors = bare_tensors(path)
    chain = chain_of({name: stored.shape for name, stored in tensors.items()})
    if wrong := mismatch(chain, spec):
        raise CheckpointError(f"{path}: {wrong}; the answers should fit the file")
    arch = ArchSpec.from_dict(dict(spec))
    written: dict[str, Stored] = {}
    for name, layer, shape in zip(tensor_names(arch.shapes()), chain.names, chain.shapes, strict=True):
        weight = tensors[f"{layer}.weight"]
        bias = tensors.get(f"{layer}.bias") or Stored("F32", (shape[0],), bytearray(4 * shape[0]))
        double = name == "output" and shape[0] == 1
        written[f"{name}.weight"] = _doubled(weight) if double else weight
        if arch.bias:
            written[f"{name}.bias"] = _doubled(bias) if double else bias
    for name, stored in written.items():
        if stored.dtype not in _WRITTEN:
            raise CheckpointError(f"{path}: {name} should be one of {', '.join(_WRITTEN)}, got {stored.dtype}")
    parts = {name: as_float64(stored).astype(_WRITTEN[stored.dtype]) for name, stored in written.items()}
    made: bytes = save(parts, {"spec": json.dumps(arch.to_dict())})
    return made


def _doubled(stored: Stored) -> Stored:
    half = as_float64(stored) / 2
    both = np.concatenate([-half, half])
    return Stored("F64", both.shape, bytearray(both.astype("<f8").tobytes()))
