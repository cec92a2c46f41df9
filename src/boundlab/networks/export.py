"""`boundlab.export(model, path, in_shape)`: a model whose layers follow each other as a checkpoint that every bound can be asked about."""

from __future__ import annotations

import copy
import importlib
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from boundlab.checkpoints.header import LARGEST_DIMENSION
from boundlab.networks.build import LocallyConnected2d
from boundlab.networks.checkpoint import Checkpoint, save
from boundlab.networks.input_scale import composed, scaled_first
from boundlab.networks.layer_fields import geometry
from boundlab.networks.layer_maps import activated, apply_layer, pooled
from boundlab.networks.scripted import with_plain_code
from boundlab.networks.sequential import PERMANENT, Layer, NotAChain, Placed, Reader, one_by_one
from boundlab.networks.tracing import chain, followed, unwrapped
from boundlab.specs.arch import ArchSpec
from boundlab.validation import numbers

_TESTED = 8  # random inputs on which model and checkpoint are compared
_WRITTEN = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # what a checkpoint may hold
_CLOSE = 1e-9  # relative to the largest output, in float64


def checkpoint_of(
    model: nn.Module,
    in_shape: Sequence[int],
    normalize: Sequence[Any] | None = None,
    init: nn.Module | None = None,
) -> Checkpoint:
    """The network that `model` is in eval mode: batch norm folded in, weight and spectral norm made effective weights.

    Its layers follow each other; a Softmax or LogSoftmax at the end is left out, a single output z becomes (-z/2, z/2).
    `in_shape`: (channels, height, width). `normalize`: (mean, deviation) that its inputs had subtracted and divided, None
    for pixels in [0, 1]; what the model itself does so to its inputs is added to it. `init`: the same model before training. There are biases where a layer has them, even if all are zero:
    the architecture decides, as Theorems S and S2 need it. The model is not changed. Raises ValueError naming what has no place
    in an ArchSpec, or when both do not compute the same.
    """
    arch, weights, biases = _read(model, in_shape, normalize)
    if init is None:
        return Checkpoint(arch, weights, biases, None)
    before, start, _ = _read(init, in_shape, normalize)
    if [s.weight_shape for s in before.shapes()] != [s.weight_shape for s in arch.shapes()]:
        raise ValueError(f"init must be the same network before training ({arch.title}), got {before.title}")
    return Checkpoint(arch, weights, biases, start)


def export(
    model: nn.Module,
    path: str | Path,
    in_shape: Sequence[int],
    normalize: Sequence[Any] | None = None,
    init: nn.Module | None = None,
) -> Path:
    """Write `checkpoint_of(model, ...)` as a .safetensors file; returns its path. Raises ValueError or OSError."""
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"the file must end in .safetensors, got {path.name!r}")
    save(path, checkpoint_of(model, in_shape, normalize, init))
    return path


def _read(
    model: nn.Module, in_shape: Sequence[int], normalize: Sequence[Any] | None
) -> tuple[ArchSpec, list[Tensor], list[Tensor | None]]:
    if not isinstance(model, nn.Module):
        raise ValueError(f"the model must be a torch.nn.Module, got {type(model).__name__}")
    model = unwrapped(model)
    check_plain(model)
    dtypes = [p.dtype for p in model.parameters()]
    size = ArchSpec(
        kind="mlp", in_shape=numbers("in_shape", in_shape, ("channels", "height", "width")), hidden=()
    ).in_shape
    with torch.no_grad():
        exact = plain_copy(model, torch.float64)
        parts, flat = _parts(exact, size)
        parts, scaled = scaled_first(parts)
        read = Reader(parts)
        arch = _arch(read, size, composed(normalize, scaled))
        found = Checkpoint(arch, [s.weight for s in read.layers], [_bias(s, arch) for s in read.layers], None)
        _compare(exact, found, read, scaled, flat)
    one = dtypes[0] if len(set(dtypes)) == 1 and dtypes[0] in _WRITTEN else torch.float64
    rounded = [torch.float64 if layer.folded else one for layer in read.layers]
    for tensor in (*found.weights, *(b for b in found.biases if b is not None)):
        if tensor.numel() and float(tensor.abs().max()) > LARGEST_DIMENSION:
            raise ValueError(
                f"the model has weights above {LARGEST_DIMENSION:g}, beyond what can be measured; rescale its layers"
            )
    weights = [w.to(t).clone() for w, t in zip(found.weights, rounded, strict=True)]
    biases = [None if b is None else b.to(t).clone() for b, t in zip(found.biases, rounded, strict=True)]
    return arch, weights, biases


def _parts(exact: nn.Module, in_shape: tuple[int, ...]) -> tuple[list[Placed], bool]:
    """What `exact` does, one after the other, and whether it takes flattened inputs. A Sequential of torch's own modules is read as
    it is written; anything else is followed while it runs. Raises ValueError."""
    if isinstance(exact, nn.Sequential) and all(_ours(module) for _, module in one_by_one(exact)):
        return list(one_by_one(exact)), not any(isinstance(m, nn.Flatten) for m in exact.modules())
    steps, flat = followed(exact, in_shape)
    if (found := chain(steps)) is None:
        branch = next(step for i, step in enumerate(steps) if step.join or step.sources != (i - 1,))
        where = branch.place or "the model's forward"
        raise NotAChain(
            f"its layers do not follow each other: at {where} results of several meet, or one is used twice"
        )
    return found, flat


def _ours(module: nn.Module) -> bool:
    return isinstance(module, LocallyConnected2d) or type(module).__module__.startswith("torch.nn.")


def check_plain(model: nn.Module) -> None:
    """Raises ValueError for a tensor that has no values, or not one for every place."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if torch.nn.parameter.is_lazy(tensor):
            raise ValueError(f"{name} has no size yet; call the model on some images first, as lazy modules need it")
        if tensor.is_meta:
            raise ValueError(f"{name} is on the meta device and has no values; load the model's weights first")
        if tensor.layout != torch.strided:
            raise ValueError(f"{name} is a sparse tensor; make it dense with .to_dense() first")
        if tensor.is_complex() or tensor.is_quantized:
            raise ValueError(f"{name} is {tensor.dtype}; the weights must be real floating-point numbers")
    for name, tensor in model.named_buffers():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ValueError(
                f"{name} has NaN or infinite values, as batch norm's statistics have after a batch that was not finite; train it on, "
                "or estimate them again on the training images"
            )


def plain_copy(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy in `dtype` and eval mode on the CPU, TorchScript in it as code that can be followed. Raises ValueError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of the gradients of what is copied
            return with_plain_code(copy.deepcopy(model).cpu().to(dtype).eval())
    except RuntimeError as error:  # a weight that is computed by a hook is no leaf
        raise ValueError(f"the model cannot be copied ({str(error).splitlines()[0]}); {PERMANENT}") from error


def _arch(read: Reader, in_shape: tuple[Any, ...], normalize: tuple[float, ...] | None) -> ArchSpec:
    maps = [layer for layer in read.layers if layer.spatial]
    *hidden, output = read.layers
    fields: dict[str, Any] = {
        "kind": "conv" if maps else "mlp",
        "in_shape": in_shape,
        "hidden": tuple(len(layer.weight) for layer in hidden[len(maps) :]),
        "classes": len(output.weight),
        "bias": any(layer.bias is not None for layer in read.layers),
        "weight_norm": bool(hidden) and all(s.scalar_norm for s in hidden) and not output.scalar_norm,
        "normalize": normalize,
        "negative_slope": read.negative_slope,
    }
    if maps:
        fields |= {name: tuple(values) for name, values in geometry(maps).items()}
        local = tuple(not isinstance(layer.module, nn.Conv2d) for layer in maps)
        fields |= {"conv_layers": len(maps), "head": "gap" if read.averaged else "flatten", "local": local}
    return ArchSpec(**fields)


def _bias(layer: Layer, arch: ArchSpec) -> Tensor | None:
    if not arch.bias:
        return None
    outputs = layer.weight.shape[: 2 if isinstance(layer.module, LocallyConnected2d) else 1]
    return layer.weight.new_zeros(outputs) if layer.bias is None else layer.bias


def outputs(checkpoint: Checkpoint, x: Tensor) -> Tensor:
    """(n, channels, height, width) -> (n, classes) in float64, without building modules."""
    shapes = checkpoint.arch.shapes()
    for i, shape in enumerate(shapes):
        bias = checkpoint.biases[i]
        x = apply_layer(x, checkpoint.weights[i].double(), None if bias is None else bias.double(), shape)
        if i < len(shapes) - 1:
            x = pooled(activated(x, shape), shape)
    return x


def _compare(exact: nn.Module, found: Checkpoint, read: Reader, scaled: tuple[float, float], flat: bool) -> None:
    """Raise ValueError unless both give the same outputs on random inputs; `flat`: the model wants flattened ones."""
    if not all(bool(torch.isfinite(w).all()) for w in [*found.weights, *(b for b in found.biases if b is not None)]):
        raise ValueError("the model has NaN or infinite weights; every weight must be finite")
    x = torch.randn(_TESTED, *found.arch.in_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    try:
        expected = exact(x.flatten(1) if flat and found.arch.kind == "mlp" else x)
    except Exception as error:  # whatever a stranger's hooks raise
        size = "x".join(map(str, found.arch.in_shape))
        raise ValueError(
            f"the model does not take inputs of in_shape {size} ({(str(error) or type(error).__name__).splitlines()[0]})"
        ) from error
    if not isinstance(expected, Tensor):
        raise ValueError(
            f"the model returns a {type(expected).__name__}, not one tensor (n, classes); wrap it in a module that returns its logits alone"
        )
    if not _alike(expected, outputs(found, x * scaled[0] + scaled[1]), read):
        raise ValueError(
            "the network that was read does not compute what the model computes, so it is not used; does a module have "
            "hooks or a forward of its own?"
        )


def _alike(expected: Tensor, got: Tensor, read: Reader) -> bool:
    """Whether the model's outputs are those of the checkpoint, the end that was left out put back."""
    if read.single:
        got = got[:, 1:] - got[:, :1]
        expected = expected.reshape(len(expected), -1)
    if read.dropped:
        got = got.sigmoid() if read.single else got.log_softmax(dim=1)
        expected = expected if read.single or bool((expected < 0).any()) else expected.log()
    return expected.shape == got.shape and bool((expected - got).abs().max() <= _CLOSE * expected.abs().max())


def load_model(named: str) -> nn.Module:
    """The nn.Module that MODULE:NAME is, or returns when called, MODULE sought in the working directory first.

    Runs the user's own code. Raises ValueError for anything else.
    """
    module, _, name = named.partition(":")
    if not module or not name.isidentifier():
        raise ValueError(f"the model must be named MODULE:NAME, for example mynet:model, got {named!r}")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), name, None)
        made = found if isinstance(found, nn.Module) or not callable(found) else found()
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises
        raise ValueError(f"{named} could not be made: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(Path.cwd()))
    if not isinstance(made, nn.Module):
        got = f"module {module} has no {name}" if found is None else f"{named} is a {type(made).__name__}"
        raise ValueError(f"{named} must be a torch.nn.Module or a function that returns one; {got}")
    return made
