"""A model of which nothing is known but what it answers: enough for errors and the limit that a test gives (torch)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from boundlab.networks.export import plain_copy
from boundlab.networks.input_scale import composed
from boundlab.networks.scripted import class_name
from boundlab.networks.tracing import unwrapped
from boundlab.specs.arch import ArchSpec
from boundlab.text import cut

_TESTED = 4  # images that it must answer alone as it does together
_CLOSE = 1e-3  # relative to the largest output, in float32
# what a model may want of (n, channels, height, width): that, features, or rows
_TAKES: tuple[Callable[[Tensor], Tensor], ...] = (lambda x: x, lambda x: x.flatten(1), lambda x: x.squeeze(1))


@dataclass(frozen=True)
class Predictor:
    """`network`: a copy in float32 and eval mode, (n, channels, height, width) -> (n, classes). `inputs`: a stand-in for the
    architecture, which says in_shape, classes and normalisation. `parameters`: how many numbers it has."""

    name: str
    network: nn.Sequential
    inputs: ArchSpec
    parameters: int


class _Asked(nn.Module):
    """A model, asked in the way that it wants to be."""

    def __init__(self, model: nn.Module, take: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.model, self.take = model, take

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, classes)."""
        found: Tensor = self.model(self.take(x))
        return found


def predictor(model: nn.Module, in_shape: Sequence[int], normalize: Sequence[Any] | None = None) -> Predictor:
    """`model`, asked for outputs alone. Raises ValueError where it gives none for each class, or answers an image differently
    from call to call or beside other images: no test says anything of such a thing."""
    model = unwrapped(model)
    size = ArchSpec(kind="mlp", in_shape=tuple(in_shape), hidden=()).in_shape  # type: ignore[arg-type]
    exact = plain_copy(model, torch.float32)
    x = torch.rand(_TESTED, *size, generator=torch.Generator().manual_seed(0))
    asked, outputs = _answering(exact, x)
    _check(outputs)
    with torch.no_grad():
        again = asked(x)
        alone = torch.cat([asked(one[None]) for one in x])
    largest = float(outputs.abs().max())
    if not all(bool((other - outputs).abs().max() <= _CLOSE * largest) for other in (again, alone)):
        raise ValueError(
            "it answers an image differently from call to call, or beside other images (random numbers, or batch norm without "
            "running statistics, in eval mode), and no test says anything of such a model"
        )
    scale: Any = composed(normalize, (1.0, 0.0))
    inputs = ArchSpec(kind="mlp", in_shape=size, hidden=(), classes=outputs.shape[1], normalize=scale)
    numbers = sum(parameter.numel() for parameter in model.parameters())
    return Predictor(class_name(model), nn.Sequential(asked), inputs, numbers)


def _answering(model: nn.Module, x: Tensor) -> tuple[_Asked, Any]:
    """It asked in the first way that it takes, and its outputs. Raises ValueError."""
    first: Exception | None = None
    for take in _TAKES:
        asked = _Asked(model, take)
        try:
            with torch.no_grad():
                return asked, asked(x)
        except Exception as error:  # whatever a stranger's forward raises
            first = first or error
    assert first is not None
    raise ValueError(
        f"on inputs of in_shape {'x'.join(map(str, x.shape[1:]))} its forward ends with {_said(first)}"
    ) from first


def _check(outputs: Any) -> None:
    if not isinstance(outputs, Tensor):
        raise ValueError(
            f"it returns a {type(outputs).__name__}, not one tensor (n, classes); wrap it in a module that returns its logits alone"
        )
    if outputs.ndim != 2 or len(outputs) != _TESTED or outputs.shape[1] < 2 or not outputs.is_floating_point():
        raise ValueError(
            f"it must return real numbers (n, classes), two classes at least, got {outputs.dtype} of shape {list(outputs.shape)} "
            f"for {_TESTED} images"
        )
    if not bool(outputs.isfinite().all()):
        raise ValueError("its outputs are NaN or infinite")


def _said(error: Exception) -> str:
    return cut(next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__))
