"""Read a file of torch.save, tensors alone (`weights_only`): `python -m boundlab.networks.weights_worker FILE OUT.safetensors`.

A process of its own, with limits. Exit code 2 and a sentence on standard output where the file is none, or holds more than tensors.
"""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from boundlab.networks.checkpoint import write_tensors

_INSIDE = ("state_dict", "model_state_dict", "model", "net", "module", "ema_state_dict")  # where training loops put it
_BASE, _COPIES = 4 * 2**30, 6  # bytes of address space: torch, and copies of the file
_SECONDS = 240  # of the processor


def read_pickled(path: Path) -> dict[str, Tensor]:
    """Name -> dense tensor with values; raises ValueError in one sentence."""
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what it likes on damaged files
        raise ValueError(_why(str(error))) from error
    for _ in range(2):
        inner = [found[name] for name in _INSIDE if isinstance(found, dict) and isinstance(found.get(name), dict)]
        found = inner[0] if inner else found
    if not isinstance(found, dict) or not found or not all(isinstance(name, str) for name in found):
        raise ValueError(
            f"it should hold a state_dict, names and tensors, got {type(found).__name__}; save model.state_dict()"
        )
    if odd := [name for name, value in found.items() if not isinstance(value, Tensor)]:
        raise ValueError(
            f"it should hold tensors alone, got {type(found[odd[0]]).__name__} under {odd[0][:60]!r}; save model.state_dict()"
        )
    return {name: _dense(name, tensor) for name, tensor in found.items()}


def _dense(name: str, tensor: Tensor) -> Tensor:
    if tensor.is_meta:
        raise ValueError(f"{name} is on device meta, without values; save the model once its weights are loaded")
    if tensor.layout != torch.strided or tensor.is_quantized:
        kind = "quantized" if tensor.is_quantized else f"of layout {str(tensor.layout).removeprefix('torch.')}"
        raise ValueError(f"{name} is {kind}; make it dense (to_dense(), dequantize()) and save it again")
    return tensor.detach().clone().contiguous()


def _why(said: str) -> str:
    if named := re.search(r"(?:GLOBAL|Unsupported class|Unsupported global:)\s+(?:GLOBAL\s+)?([\w.]+)", said):
        return f"it holds more than tensors ({named[1][:80]}), which is never built here; save model.state_dict() alone"
    return f"it is no file of torch.save that can be read ({(said.splitlines() or ['empty'])[0][:120]}); save model.state_dict() anew"


def main() -> int:
    """The exit code."""
    path, out = map(Path, sys.argv[1:3])
    memory = _BASE + _COPIES * path.stat().st_size
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        write_tensors(read_pickled(path), out)
    except ValueError as error:
        print(" ".join(str(error).split()))
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
