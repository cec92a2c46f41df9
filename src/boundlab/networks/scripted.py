"""TorchScript, followed: the operations of a scripted or traced module, called one by one, so that they can be recorded (torch)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LISTS = ("prim::ListConstruct", "prim::TupleConstruct")
_UNPACKED = ("prim::ListUnpack", "prim::TupleUnpack")
_HERE: dict[str, Callable[..., Any]] = {  # what is a number or a list in Python, and what a trace writes otherwise
    "aten::size": lambda x, *dim: x.size(*dim),
    "aten::__getitem__": lambda values, place: values[place],
    "aten::len": len,
    "aten::Int": int,
    "aten::IntImplicit": int,
    "aten::ScalarImplicit": lambda value: value,
    "prim::NumToTensor": lambda value: value,
    "aten::_convolution": lambda *given: _convolution(*given),
}
REMEDY = "give the nn.Module that it was made of, with its weights: module.load_state_dict(scripted.state_dict())"


def class_name(model: nn.Module) -> str:
    """What a model's class is called, of TorchScript the class that it was made of."""
    return str(getattr(model, "original_name", type(model).__name__))


class Scripted(nn.Module):
    """A ScriptModule in eval mode. Called, it runs as it is; while torch.export records, its graph's operations are called instead."""

    def __init__(self, program: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.original_name = class_name(program)
        self._program = (program,)  # no module of this one: its weights are constants of the graph
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self._graph = torch.jit.freeze(program.eval(), optimize_numerics=False).inlined_graph

    def forward(self, x: Tensor) -> Any:
        """What the program returns. Raises ValueError for one that decides as it goes, while it is recorded."""
        return _recorded(self._graph, x) if torch.compiler.is_exporting() else self._program[0](x)


def with_plain_code(model: nn.Module) -> nn.Module:
    """The model with every ScriptModule in it in a `Scripted`; it is changed in place."""
    if isinstance(model, torch.jit.ScriptModule):
        return Scripted(model)
    for name, inner in list(model.named_children()):
        if isinstance(inner, torch.jit.ScriptModule):
            setattr(model, name, Scripted(inner))
        else:
            with_plain_code(inner)
    return model


def _recorded(graph: Any, x: Tensor) -> Any:
    """Its operations on `x`. Raises ValueError."""
    inputs = list(graph.inputs())
    if len(inputs) != 2:  # itself and the images
        raise ValueError(f"its forward takes {len(inputs) - 1} arguments; {REMEDY}")
    known: dict[str, Any] = {inputs[1].debugName(): x}
    for node in graph.nodes():
        _call(node, known)
    return known[next(graph.outputs()).debugName()]


def _call(node: Any, known: dict[str, Any]) -> None:
    """Add what the node gives. Raises ValueError for anything but operations on what is known."""
    kind, names = node.kind(), [output.debugName() for output in node.outputs()]
    if kind == "prim::Constant":
        value = known[names[0]] = node.output().toIValue() if node.hasAttribute("value") else None
        if isinstance(value, Tensor) and value.ndim and value.dtype in (torch.float32, torch.float16, torch.bfloat16):
            raise ValueError(f"its weights were frozen into its code; {REMEDY}")  # else they would be in float64 by now
        return
    given: list[Any] = [known.get(value.debugName()) for value in node.inputs()]
    if kind in _LISTS:
        known[names[0]] = given
    elif kind in _UNPACKED:
        known.update(zip(names, list(given[0]), strict=True))
    elif kind in _HERE:
        known[names[0]] = _HERE[kind](*given)
    elif kind.startswith("aten::"):
        found = _operation(node, given)
        known.update(zip(names, found if len(names) > 1 else [found], strict=True))
    elif kind == "prim::If" and isinstance(given[0], bool):  # decided by sizes, which are the same for every input
        chosen = list(node.blocks())[0 if given[0] else 1]
        for inner in chosen.nodes():
            _call(inner, known)
        known.update(zip(names, [known[value.debugName()] for value in chosen.outputs()], strict=True))
    elif kind == "prim::GetAttr":  # batch norm's count of batches, which only training looks at
        raise ValueError(
            "it was traced in train mode, in which batch norm and dropout are active; trace it after model.eval()"
        )
    elif kind != "prim::RaiseException":
        raise ValueError(
            f"its TorchScript has {kind}, and only a program that does the same for every input is followed; {REMEDY}"
        )


def _operation(node: Any, given: list[Any]) -> Any:
    """What the operation of this very schema gives."""
    schema = torch._C.parse_schema(node.schema())
    overloads = getattr(torch.ops.aten, schema.name.removeprefix("aten::"))
    found = getattr(overloads, schema.overload_name or "default")
    named = [(argument, value) for argument, value in zip(schema.arguments, given, strict=True)]
    plain = [value for argument, value in named if not argument.kwarg_only]
    return found(*plain, **{argument.name: value for argument, value in named if argument.kwarg_only})


def _convolution(
    x: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, turned: bool, *more: Any
) -> Tensor:
    if turned or weight.ndim != 4:
        raise ValueError("it has a transposed convolution, or one that is not of two-dimensional maps")
    return F.conv2d(x, weight, bias, stride, padding, dilation, more[1])
