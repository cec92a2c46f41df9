"""The network that Theorem D is about, as a file: hidden weights rounded, the rest as it was. No torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from boundlab.checkpoints.header import as_float64, read_header, tensor_names
from boundlab.errors import CheckpointError
from boundlab.quantities.weight_code import Rounding


def rounded_file(path: Path, roundings: Sequence[Rounding]) -> bytes:
    """A .safetensors file of the network at `path` with its hidden weights and biases rounded, in float32, without initial
    weights. Raises CheckpointError where they do not fit."""
    header = read_header(path, None)
    shapes = header.arch.shapes()
    names = [f"{name}.{part}" for name in tensor_names(shapes) for part in ("weight", "bias")]
    names = [name for name in names if name in header.tensors]
    hidden = [name for name in names if not name.startswith("output.")]
    if len(hidden) != len(roundings):
        raise CheckpointError(f"{path} has {len(hidden)} hidden tensors, the certificate rounds {len(roundings)}")
    rounding = dict(zip(hidden, roundings, strict=True))
    tensors = {}
    for name in names:
        weights = as_float64(header.tensors[name])
        kind = np.float64 if name not in rounding and header.tensors[name].dtype == "F64" else np.float32
        tensors[name] = (rounding[name].rounded(weights) if name in rounding else weights).astype(kind)
    return save(tensors, {"spec": json.dumps(header.arch.to_dict())})
