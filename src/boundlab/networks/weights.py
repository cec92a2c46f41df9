"""Weights from a file into a network: a state dict of torch.save, or a .safetensors file, whose names are the network's."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor, nn

from boundlab.checkpoints.pickled import SIGNS
from boundlab.errors import CheckpointError
from boundlab.networks.checkpoint import read_tensors
from boundlab.networks.tracing import unwrapped
from boundlab.system.processes import ONE_THREAD

_SECONDS = 300
_IGNORED = ("num_batches_tracked", "n_averaged")  # counts, which no output depends on


def filled(model: nn.Module, path: Path) -> nn.Module:
    """`model` without its wrappers, with the weights in `path`. Raises CheckpointError where names or shapes are others."""
    model = unwrapped(model)
    wanted = {name: tensor for name, tensor in model.state_dict().items() if not name.endswith(_IGNORED)}
    found = {name: tensor for name, tensor in read_weights(path).items() if not name.endswith(_IGNORED)}
    found = _bare(found, wanted)
    if wrong := _differences(found, wanted):
        raise CheckpointError(
            f"{path} should have the weights of this network, {wrong}; give the network that it was saved from"
        )
    meta = any(tensor.is_meta for tensor in wanted.values())
    model.load_state_dict(found, strict=False, assign=meta)
    return model


def read_weights(path: Path) -> dict[str, Tensor]:
    """Name -> tensor; raises CheckpointError. What is no .safetensors file is read by a process of its own, tensors alone."""
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file")
    with path.open("rb") as file:
        pickled = file.read(4).startswith(SIGNS)
    if pickled:
        return _unpickled(path)
    try:
        return read_tensors(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} should be a file of torch.save or a .safetensors file, got {str(error).splitlines()[0]}"
        ) from error


def _unpickled(path: Path) -> dict[str, Tensor]:
    with tempfile.TemporaryDirectory(prefix="boundlab-weights-") as folder:
        out = Path(folder, "weights.safetensors")
        command = [sys.executable, "-m", "boundlab.networks.weights_worker", str(path.absolute()), str(out)]
        environment = os.environ | ONE_THREAD
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_SECONDS, check=False, env=environment
            )
        except subprocess.TimeoutExpired as error:
            raise CheckpointError(
                f"{path} could not be read within {_SECONDS} seconds; save its state_dict() anew"
            ) from error
        if done.returncode or not out.is_file():
            said = (
                done.stdout.strip() or f"reading it broke off (exit code {done.returncode}); save its state_dict() anew"
            )
            raise CheckpointError(f"{path}: {said}")
        return read_tensors(out)


def _bare(found: Mapping[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """Names without what all of them have before the network's own: module. of DataParallel, _orig_mod. of compile, model."""
    bare = dict(found)
    while set(bare) != set(wanted) and bare and all("." in name for name in bare):
        firsts = {name.split(".")[0] for name in bare}
        if len(firsts) > 1 or firsts == {name.split(".")[0] for name in wanted}:
            break
        bare = {name.split(".", 1)[1]: tensor for name, tensor in bare.items()}
    return bare


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    missing, more = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    other = [name for name in sorted(set(wanted) & set(found)) if wanted[name].shape != found[name].shape]
    parts = [
        *[f"lacks {', '.join(missing[:3])} (of {len(missing)})"] * bool(missing),
        *[f"has {', '.join(name[:60] for name in more[:3])} (of {len(more)}) beside"] * bool(more),
    ]
    if other:
        have, want = (list(tensors[other[0]].shape) for tensors in (found, wanted))
        parts.append(f"has {other[0]} of shape {have}, not {want}")
    return "but it " + ", ".join(parts) if parts else ""
