"""Reading modules that are applied one after the other: layers in order, with what follows each of them; batch norm is folded in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrize import is_parametrized

from boundlab.networks.build import LocallyConnected2d
from boundlab.networks.traced_modules import Affine

_SUPPORTED = (
    "Conv2d, boundlab.networks.build.LocallyConnected2d, Linear, ReLU, LeakyReLU, MaxPool2d, AvgPool2d, AdaptiveAvgPool2d(1), BatchNorm1d, "
    "BatchNorm2d, Flatten, Dropout and Identity"
)
PERMANENT = (
    "make old-style weight norm, spectral norm and pruning permanent with torch.nn.utils.remove_weight_norm, "
    "remove_spectral_norm or prune.remove"
)
_BATCH_NORM, _NUMBERS = "batch norm", "a product or sum with numbers"
_IGNORED = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout)
_SPATIAL = (nn.Conv2d, LocallyConnected2d)
Placed: TypeAlias = tuple[str, nn.Module]  # (place, module)
_MONOTONE = (nn.Softmax, nn.LogSoftmax, nn.Sigmoid)  # left out at the end: the largest output stays the largest


class NotAChain(ValueError):
    """A network that is no chain of layers as an ArchSpec has them; it may be a graph (`branched`)."""


@dataclass
class Layer:
    """A parametrised layer and what follows it. `weight`, `bias`: effective, float64; `folded`: batch norm is in them."""

    place: str
    module: nn.Module
    weight: Tensor
    bias: Tensor | None
    folded: bool = False
    relu: bool = False
    slope: float = 0.0  # of a LeakyReLU in the ReLU's place
    pools: list[str] = field(default_factory=list)

    @property
    def spatial(self) -> bool:
        """Whether it acts on maps: a convolution or a locally connected layer."""
        return isinstance(self.module, _SPATIAL)

    @property
    def scalar_norm(self) -> bool:
        """Whether it is weight-normalised with one scalar for the whole tensor, as ArchSpec's `weight_norm` means it."""
        if not is_parametrized(self.module, "weight"):
            return False
        found: Any = self.module.parametrizations["weight"]  # type: ignore[operator, index, union-attr]
        return [type(p).__name__ for p in found] == ["_WeightNorm"] and found.original0.numel() == 1


class Reader:
    """Takes (place, module) one by one; raises NotAChain naming the first that has no place in an ArchSpec.

    `dropped`: whether the model ends with a Softmax, LogSoftmax or Sigmoid; `single`: whether it has one output z, which is
    read as (-z/2, z/2): the same decisions and margins."""

    def __init__(self, parts: Iterable[Placed]) -> None:
        self.layers: list[Layer] = []
        self.averaged = self.flat = self.dropped = self.single = False
        for self.place, self.module in parts:
            self._take()
        self._end()

    @property
    def negative_slope(self) -> float:
        """Of the LeakyReLU after every layer but the last; 0: a ReLU."""
        return self.layers[0].slope

    def _refuse(self, why: str) -> NoReturn:
        raise NotAChain(f"module {self.place} ({self.module}) has no place in a chain of layers: {why}")

    def _take(self) -> None:
        module = self.module
        if isinstance(module, _IGNORED):
            return
        if self.dropped and not isinstance(module, nn.Flatten):
            self._refuse(
                "nothing may follow a Softmax, LogSoftmax or Sigmoid, which is left out at the end of a network"
            )
        if isinstance(module, (*_SPATIAL, nn.Linear)):
            self._layer(module)
        elif isinstance(module, nn.ReLU | nn.LeakyReLU):
            self._activation(module)
        elif isinstance(module, _BatchNorm):
            self._batch_norm(module)
        elif isinstance(module, Affine):
            self._affine(module)
        elif isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
            self._pool(module)
        elif isinstance(module, nn.AdaptiveAvgPool2d):
            self._average(module)
        elif isinstance(module, nn.Flatten):
            if module.start_dim != 1 or module.end_dim not in (-1, 3):
                self._refuse("Flatten must keep the first dimension alone and flatten the others: use nn.Flatten()")
            self.flat = True
        elif isinstance(module, _MONOTONE):
            self._monotone(module)
        else:
            self._refuse(f"supported are {_SUPPORTED}; replace it and train again")

    def _last(self, what: str) -> Layer:
        if not self.layers:
            self._refuse(f"{what} must come after a layer with weights; begin with one")
        return self.layers[-1]

    def _layer(self, module: nn.Module) -> None:
        if self.layers and not self.layers[-1].relu:
            self._refuse(f"there must be a ReLU between it and module {self.layers[-1].place}; put nn.ReLU() there")
        if isinstance(module, _SPATIAL):
            if self.flat or self.averaged:
                self._refuse("a convolution cannot follow Flatten, Linear or a global average; move it before them")
        elif self.layers and not self.flat:
            self._refuse("a map must be flattened before it; put nn.Flatten() there")
        self.flat = self.flat or not isinstance(module, _SPATIAL)
        if "weight" not in module._parameters and not is_parametrized(module, "weight"):
            self._refuse(f"its weight is computed by a hook; {PERMANENT}")
        bias: Tensor | None = module.bias  # type: ignore[assignment]
        self.layers.append(Layer(self.place, module, module.weight.detach(), None if bias is None else bias.detach()))  # type: ignore[operator, union-attr]

    def _activation(self, module: nn.Module) -> None:
        layer, slope = self._last("a ReLU"), float(getattr(module, "negative_slope", 0.0))
        if not 0 <= slope <= 1:
            self._refuse("the slope of a LeakyReLU must lie between 0 and 1")
        if layer.relu and layer.slope == slope == 0:
            return  # it changes nothing
        if layer.relu or any(before.slope != slope for before in self.layers[:-1]):
            self._refuse("every layer but the last must be followed by one activation, the same for all")
        layer.relu, layer.slope = True, slope

    def _batch_norm(self, module: _BatchNorm) -> None:
        mean, variance = module.running_mean, module.running_var
        if mean is None or variance is None:
            self._refuse("it has no running statistics to fold; train it with track_running_stats=True")
        if not bool(torch.isfinite(mean).all() & torch.isfinite(variance).all() & (variance >= 0).all()):
            self._refuse("its running statistics are NaN, infinite or negative; train it again, or on data without NaN")
        scale = (variance + module.eps).rsqrt() * (1.0 if module.weight is None else module.weight.detach())
        self._fold(_BATCH_NORM, scale, -mean * scale + (0.0 if module.bias is None else module.bias.detach()))

    def _affine(self, module: Affine) -> None:
        layer = self._last(_NUMBERS)
        channels = layer.weight.shape[1 if isinstance(layer.module, LocallyConnected2d) else 0]
        for tensor in (module.scale, module.shift):
            if tensor.numel() not in (1, channels) or (layer.spatial and tensor.ndim and tensor.shape[1:].numel() > 1):
                self._refuse("only one number for all outputs, or one per channel, can be folded into the layer before")
        scale, shift = (tensor.flatten().expand(channels) for tensor in (module.scale, module.shift))
        self._fold(_NUMBERS, scale, shift)

    def _fold(self, what: str, scale: Tensor, shift: Tensor) -> None:
        """Make a scale and shift per channel part of the layer right before."""
        layer = self._last(what)
        if layer.relu or layer.pools or self.averaged or (self.flat and layer.spatial):
            self._refuse(
                f"{what} can only be folded into the layer right before it; here {layer.place} is further away, and "
                f"moving it changes the network: train with {what} right after every layer"
            )
        axis = 1 if isinstance(layer.module, LocallyConnected2d) else 0  # of the output channels
        layer.weight = layer.weight * scale.reshape([-1 if i == axis else 1 for i in range(layer.weight.ndim)])
        layer.folded = True
        if layer.bias is None and not bool(shift.any()) and what != _BATCH_NORM:
            return
        before = layer.weight.new_zeros(layer.weight.shape[: axis + 1]) if layer.bias is None else layer.bias
        layer.bias = before * scale + shift

    def _pool(self, module: nn.MaxPool2d | nn.AvgPool2d) -> None:
        layer = self._last("a pool")
        kind = "max" if isinstance(module, nn.MaxPool2d) else "avg"
        if not layer.spatial or self.flat or self.averaged or layer.pools:
            self._refuse(
                "a pool must follow a convolution, and only one pool each; merge two of them into a larger one"
            )
        if kind == "avg" and not layer.relu:
            self._refuse("an average pool must come after the ReLU; put nn.ReLU() before it and train again")
        sizes = _pair(module.kernel_size)
        plain = _pair(module.stride) == sizes and sizes[0] == sizes[1] and _pair(module.padding) == (0, 0)
        odd = getattr(module, "divisor_override", None) or getattr(module, "return_indices", False)
        if not plain or module.ceil_mode or odd or _pair(getattr(module, "dilation", 1)) != (1, 1):
            self._refuse(
                "a pool must be square, with stride equal to its kernel and without padding, dilation or ceil_mode (windows "
                f"that do not overlap); use nn.{type(module).__name__}({sizes[0]}) and train again"
            )
        if sizes[0] > 1:
            layer.pools.append(f"{kind}{sizes[0]}")

    def _monotone(self, module: nn.Module) -> None:
        classes = len(self._last("it").weight)
        if getattr(module, "dim", 1) not in (1, -1, None) or (isinstance(module, nn.Sigmoid) and classes > 1):
            self._refuse(
                "only a Softmax or LogSoftmax over the classes, or the Sigmoid of a single output, can be left out at the end"
            )
        self.dropped = True

    def _average(self, module: nn.AdaptiveAvgPool2d) -> None:
        layer = self._last("a global average")
        if self._is_classifier(layer):
            self._average_first()
            return
        if _pair(module.output_size) != (1, 1) or not layer.spatial or self.flat or not layer.relu:
            self._refuse("only AdaptiveAvgPool2d(1) is supported, after the ReLU of the last convolution")
        self.averaged = True

    def _is_classifier(self, layer: Layer) -> bool:
        """Whether it is a 1x1 convolution without ReLU after another convolution, as networks in networks end."""
        module = layer.module
        plain = isinstance(module, nn.Conv2d) and {*module.kernel_size, *module.stride, module.groups} == {1}
        return plain and module.padding in ("same", "valid", (0, 0)) and not layer.relu and len(self.layers) > 1  # type: ignore[union-attr]

    def _average_first(self) -> None:
        """Averages before the 1x1 convolution in place of after it, which is the same: there it is a dense layer."""
        last, before = self.layers[-1], self.layers[-2]
        if not before.relu:
            self._refuse("there must be a ReLU before the 1x1 convolution that it averages; put nn.ReLU() there")
        weight = last.weight.flatten(1)
        made = nn.Linear(weight.shape[1], len(weight), last.bias is not None, device="meta")
        self.layers[-1] = Layer(last.place, made, weight, last.bias, last.folded)
        self.averaged = True

    def _end(self) -> None:
        if not self.layers:
            raise ValueError(f"the model has no layer with weights; supported are {_SUPPORTED}")
        last = self.layers[-1]
        if last.spatial:
            raise ValueError(
                f"the last layer, module {last.place} ({last.module}), must be a Linear with one output per class; end the "
                "model with nn.Flatten() and nn.Linear(features, classes)"
            )
        if len(last.weight) < 2:
            self.single = True
            last.weight = torch.cat([-last.weight / 2, last.weight / 2])
            last.bias = None if last.bias is None else torch.cat([-last.bias / 2, last.bias / 2])
        if last.relu:
            raise ValueError(f"there must be no ReLU after the last layer, module {last.place}; leave it out")


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[-1]) if isinstance(value, tuple | list) else (value, value)


def one_by_one(model: nn.Sequential, place: str = "") -> Iterator[Placed]:
    """(place, module) in the order they are applied, nested Sequentials flattened."""
    for name, module in model._modules.items():
        assert module is not None
        if isinstance(module, nn.Sequential):
            yield from one_by_one(module, f"{place}{name}.")
        else:
            yield f"{place}{name}", module
