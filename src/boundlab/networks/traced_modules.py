"""The module that an operation of a recorded program is: `aten::conv2d` with its tensors is a Conv2d with these weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

_SAME = [
    "contiguous",
    "clone",
    "detach",
    "alias",
    "lift_fresh_copy",
    "dropout",
    "feature_dropout",
    "alpha_dropout",
    "feature_alpha_dropout",
]
_SHAPED = ["flatten", "view", "reshape", "_unsafe_view", "squeeze", "unsqueeze"]
_ENDS = {"softmax": nn.Softmax, "log_softmax": nn.LogSoftmax, "sigmoid": nn.Sigmoid}


_SUPPORTED = (
    "convolutions, dense layers, batch norm, ReLU, pooling, averages of whole maps, flattening, dropout, sums, channels side by side, "
    "and numbers that scale or shift"
)


class Unknown(ValueError):
    """An operation that no bound is about."""


class Affine(nn.Module):
    """x * scale + shift, with tensors that broadcast against one example."""

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        """(n, ...) -> (n, ...)."""
        return x * self.scale + self.shift


def module_of(name: str, node: Any, args: Sequence[Any], kwargs: dict[str, Any], sources: Sequence[Any]) -> nn.Module:
    """The module for operation `name` (of aten) of the graph's `node`; arguments that are tensors of the model are given as
    such. Raises Unknown."""
    if len(sources) > 1:
        raise Unknown(f"{name} of several tensors that depend on the input has no place in these bounds")
    given = _bound(node, args, kwargs)
    before, after = sources[0].meta["val"], node.meta["val"]
    if name in _SAME:
        if given.get("train") is True:
            raise Unknown("a dropout is active in eval mode, which makes the network random; leave it out")
        return nn.Identity()
    if name in _SHAPED:
        return _reshaped(name, before.shape, after.shape)
    if name in _ENDS:
        return _ENDS[name](given.get("dim", 1)) if name != "sigmoid" else nn.Sigmoid()
    if name not in _MAKERS:
        raise Unknown(f"{name} is not among the operations that these bounds are about: {_SUPPORTED}")
    return _MAKERS[name](given, before)


def _bound(node: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by the names of the operation's schema, defaults filled in."""
    schema = node.target._schema.arguments
    given = {a.name: a.default_value for a in schema if a.has_default_value()}
    return given | {a.name: value for a, value in zip(schema, args, strict=False)} | kwargs


def _reshaped(name: str, before: Sequence[int], after: Sequence[int]) -> nn.Module:
    if tuple(before) == tuple(after):
        return nn.Identity()
    if after[0] == before[0] and (len(after) == 2 or (len(after) == 1 and before[1] == 1)):
        return nn.Flatten()
    raise Unknown(f"{name} from {list(before[1:])} to {list(after[1:])}: only a flattening of every example is known")


def _conv(given: dict[str, Any], before: Tensor) -> nn.Module:
    weight, bias = _own(given, "weight"), given.get("bias")
    if weight.ndim != 4:
        raise Unknown("a convolution must be of two-dimensional maps")
    out, groups = len(weight), given["groups"]
    made = nn.Conv2d(
        weight.shape[1] * groups,
        out,
        _two(weight.shape[2:]),
        _two(given["stride"]),
        given["padding"] if isinstance(given["padding"], str) else _two(given["padding"]),
        _two(given["dilation"]),
        groups,
        bias is not None,
        device="meta",
    )
    return _filled(made, weight, bias)


def _linear(given: dict[str, Any], before: Tensor) -> nn.Module:
    return _dense(_own(given, "weight"), given.get("bias"), before)


def _matmul(given: dict[str, Any], before: Tensor) -> nn.Module:
    right = given.get("other", given.get("mat2"))
    if not isinstance(right, Tensor) or right.ndim != 2:
        raise Unknown("a product of matrices must be of the features and a matrix of weights")
    bias = given["self"] if "mat1" in given else None
    return _dense(right.T, bias, before)


def _dense(weight: Tensor, bias: Tensor | None, before: Tensor) -> nn.Module:
    if before.ndim != 2:
        raise Unknown(f"a dense layer must be of features (n, d), got {list(before.shape)}; flatten them first")
    return _filled(nn.Linear(weight.shape[1], len(weight), bias is not None, device="meta"), weight, bias)


def _filled(made: Any, weight: Tensor, bias: Tensor | None) -> nn.Module:
    made.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
    if bias is not None:
        made.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return made  # type: ignore[no-any-return]


def _batch_norm(given: dict[str, Any], before: Tensor) -> nn.Module:
    kind = nn.BatchNorm2d if before.ndim == 4 else nn.BatchNorm1d
    if given["training"]:
        raise Unknown("batch norm without running statistics: what it does to one example depends on the others")
    made: Any = kind(before.shape[1], eps=given["eps"], affine=given["weight"] is not None, device="meta")
    made.running_mean, made.running_var = given["running_mean"].clone(), given["running_var"].clone()
    return _filled(made, given["weight"], given["bias"]) if given["weight"] is not None else made


def _max_pool(given: dict[str, Any], before: Tensor) -> nn.Module:
    size = _two(given["kernel_size"])
    sides = _two(given["stride"] or size), _two(given["padding"]), _two(given["dilation"])
    return nn.MaxPool2d(size, *sides, ceil_mode=given["ceil_mode"])  # type: ignore[arg-type]


def _avg_pool(given: dict[str, Any], before: Tensor) -> nn.Module:
    size, more = _two(given["kernel_size"]), [given[n] for n in ("ceil_mode", "count_include_pad", "divisor_override")]
    return nn.AvgPool2d(size, _two(given["stride"] or size), _two(given["padding"]), *more)


def _global_average(given: dict[str, Any], before: Tensor) -> nn.Module:
    if before.ndim != 4 or _two(given["output_size"]) != (1, 1):
        raise Unknown(f"an adaptive average to {given['output_size']}: only one per channel (1) is known")
    return nn.AdaptiveAvgPool2d(1)


def _mean(given: dict[str, Any], before: Tensor) -> nn.Module:
    dims = given.get("dim")
    if before.ndim != 4 or dims is None or {d % 4 for d in dims} != {2, 3}:
        raise Unknown("a mean over anything but the height and width of maps")
    return nn.AdaptiveAvgPool2d(1) if given["keepdim"] else nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _clamped(given: dict[str, Any], before: Tensor) -> nn.Module:
    if given.get("min", 0) != 0 or given.get("max") is not None:
        raise Unknown("a clamp to anything but [0, infinity), which is a ReLU")
    return nn.ReLU()


def _shifted(sign: float) -> Callable[[dict[str, Any], Tensor], nn.Module]:
    def made(given: dict[str, Any], before: Tensor) -> nn.Module:
        other, scale = _operand(given, before), given.get("alpha", 1) * sign
        one = torch.ones((), dtype=torch.float64)
        return Affine(one, other * scale) if _is_node(given["self"]) else Affine(one * sign, other)

    return made


def _turned(given: dict[str, Any], before: Tensor) -> nn.Module:
    return Affine(torch.tensor(-1.0, dtype=torch.float64), _operand(given, before))


def _scaled(inverse: bool) -> Callable[[dict[str, Any], Tensor], nn.Module]:
    def made(given: dict[str, Any], before: Tensor) -> nn.Module:
        if inverse and not _is_node(given["self"]):
            raise Unknown("a division by what depends on the input")
        other = _operand(given, before)
        return Affine(1 / other if inverse else other, torch.zeros((), dtype=torch.float64))

    return made


def _operand(given: dict[str, Any], before: Tensor) -> Tensor:
    """The operand that does not depend on the input, to be broadcast against one example."""
    if _is_node(given["self"]) and _is_node(given["other"]):
        raise Unknown("a product or difference of two results that depend on the input")
    other = given["other"] if _is_node(given["self"]) else given["self"]
    other = torch.as_tensor(other, dtype=torch.float64)
    if other.ndim > before.ndim or (other.ndim == before.ndim and len(other) != 1):
        raise Unknown("an operand that differs from example to example")
    return other[0] if other.ndim == before.ndim else other


def _is_node(value: Any) -> bool:
    return isinstance(value, torch.fx.Node)


def _own(given: dict[str, Any], name: str) -> Tensor:
    value = given[name]
    if not isinstance(value, Tensor):
        raise Unknown("weights that depend on the input")
    return value


def _two(value: Any) -> tuple[int, int]:
    return (int(value[0]), int(value[-1])) if isinstance(value, list | tuple) else (int(value), int(value))


_MAKERS: dict[str, Callable[[dict[str, Any], Tensor], nn.Module]] = {
    "conv2d": _conv,
    "linear": _linear,
    "matmul": _matmul,
    "mm": _matmul,
    "addmm": _matmul,
    "batch_norm": _batch_norm,
    "relu": lambda given, before: nn.ReLU(),
    "leaky_relu": lambda given, before: nn.LeakyReLU(given["negative_slope"]),
    "clamp": _clamped,
    "clamp_min": _clamped,
    "max_pool2d": _max_pool,
    "max_pool2d_with_indices": _max_pool,
    "avg_pool2d": _avg_pool,
    "adaptive_avg_pool2d": _global_average,
    "mean": _mean,
    "add": _shifted(1),
    "sub": _shifted(-1),
    "rsub": _turned,
    "mul": _scaled(False),
    "div": _scaled(True),
    "neg": lambda given, before: Affine(*torch.tensor([-1.0, 0.0], dtype=torch.float64)),
}
