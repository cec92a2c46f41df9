"""Any `nn.Module` as the steps that it takes from its input to its output, recorded while it runs (torch.export)."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from boundlab.networks.not_followed import NotFollowed, further, refuse_products
from boundlab.networks.scripted import class_name
from boundlab.networks.traced_modules import Unknown, module_of
from boundlab.text import cut

_EXAMPLES = 3  # inputs that a model is followed with
_JOINS = {"add": "add", "cat": "cat", "concat": "cat", "concatenate": "cat"}


@dataclass(frozen=True)
class Traced:
    """One operation: `module` on one tensor, or `join` ("add", or "cat" of channels) of several. `sources`: which earlier steps' results
    it takes (-1: the model's input); `shape`: of one example's result; `place`: of the module in the model, as far as it has one."""

    place: str
    module: nn.Module
    sources: tuple[int, ...]
    shape: tuple[int, ...]
    join: str = ""


def unwrapped(model: nn.Module) -> nn.Module:
    """What DataParallel, DistributedDataParallel, AveragedModel and torch.compile wrap."""
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel, torch.optim.swa_utils.AveragedModel)
    while True:
        inner = model.module if isinstance(model, wrappers) else getattr(model, "_orig_mod", None)
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def follow(model: nn.Module, example: Tensor) -> list[Traced]:
    """The steps of `model`, a copy in eval mode, on some inputs. Raises ValueError naming the first that is not known."""
    program = _exported(model, example)
    known, values = _constants(program), {}
    steps: list[Traced] = []
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name not in known:
            values[node] = -1
        elif node.op == "placeholder":
            continue
        elif node.op == "get_attr":
            known[node.name] = getattr(program.graph_module, node.target)
        elif node.op == "output":
            (results,) = node.args
            return _ended(steps, [values.get(result) for result in results])
        else:
            _take(node, known, values, steps)
    raise AssertionError("a graph ends with its output")


def followed(model: nn.Module, in_shape: Sequence[int]) -> tuple[list[Traced], bool]:
    """The steps of `model`, and whether it takes flattened inputs, as some dense networks do. Raises NotFollowed."""
    refuse_products(model)
    example = torch.randn(_EXAMPLES, *in_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    try:
        return follow(model, example), False
    except ValueError as error:
        said = error
        try:
            return follow(model, example.flatten(1)), True
        except ValueError as flat:
            if isinstance(error, NotFollowed) and not isinstance(
                flat, NotFollowed
            ):  # it takes these, then does something else
                said = flat
        raise NotFollowed(f"{said}{further(model, str(said))}") from error


def _exported(model: nn.Module, example: Tensor) -> Any:
    try:
        with _quietly(), torch.no_grad():
            return torch.export.export(model, (example,), strict=False)
    except Exception as error:  # whatever a stranger's forward raises, or torch, which cannot follow it
        said = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
        if "data-dependent" in said:
            said = "it decides by a number that it computes from its input"
        size = "x".join(map(str, example.shape[1:]))
        raise NotFollowed(
            f"{class_name(model)} could not be followed on inputs of in_shape {size} ({cut(said)}); its forward must take one "
            "tensor of that size and may not decide by the values in it"
        ) from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Without torch's own warnings, log and pictures of what it could not follow: what matters is raised."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _constants(program: Any) -> dict[str, Any]:
    """By the name of its placeholder, every tensor of the model."""
    names = program.graph_signature
    found: dict[str, Any] = {}
    for table in (names.inputs_to_parameters, names.inputs_to_buffers):
        found |= {name: program.state_dict.get(key, program.constants.get(key)).detach() for name, key in table.items()}
    return found | {name: program.constants[key] for name, key in names.inputs_to_lifted_tensor_constants.items()}


def _take(node: Any, known: dict[str, Any], values: dict[Any, int], steps: list[Traced]) -> None:
    """Add the node's step; what does not depend on the input is computed, and known from then on."""
    place = _place(node)
    sources = [arg for arg in node.all_input_nodes if arg in values]
    args, kwargs = torch.fx.map_arg((node.args, node.kwargs), lambda arg: arg if arg in values else known[arg.name])
    if not sources:
        known[node.name] = node.target(*args, **kwargs)
        return
    name = getattr(getattr(node.target, "_schema", None), "name", str(node.target)).removeprefix("aten::").rstrip("_")
    if name in ("<built-in function getitem>", "getitem"):  # of a pool's (values, indices)
        values[node] = values[sources[0]]
        return
    try:
        join = _JOINS.get(name, "")
        if join and _joins(node, join, args, kwargs, values):
            module: nn.Module = nn.Identity()
            of = [values[arg] for arg in _flat(args) if arg in values]
        else:
            join, module, of = "", module_of(name, node, args, kwargs, sources), [values[sources[0]]]
    except Unknown as error:
        raise ValueError(f"{place or 'the model'}: {error}") from error
    shape = tuple(_first(node.meta["val"]).shape[1:])
    values[node] = len(steps)
    steps.append(Traced(place, module, tuple(of), shape, join))


def _joins(node: Any, join: str, args: Any, kwargs: Any, values: dict[Any, int]) -> bool:
    """Whether it is a sum, or channels side by side, of results of steps alone."""
    given = _flat(args[:2] if join == "add" else args[:1])
    if not all(isinstance(one, torch.fx.Node) and one in values for one in given) or len(given) < 2:
        return False
    if join == "add":
        return kwargs.get("alpha", 1) == 1 and len({one.meta["val"].shape for one in given}) == 1
    dim = kwargs.get("dim", args[1] if len(args) > 1 else 0)
    if dim % node.meta["val"].ndim != 1:
        raise Unknown(f"it joins tensors along dimension {dim}; only channels (dimension 1) can be joined")
    return True


def _flat(args: Any) -> list[Any]:
    return [one for arg in args for one in (arg if isinstance(arg, list | tuple) else [arg])]


def _first(value: Any) -> Tensor:
    return value[0] if isinstance(value, tuple | list) else value


def _place(node: Any) -> str:
    """Where in the model the node is from: its innermost module."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return str(stack[-1][0]).split("@")[0] if stack else ""


def _ended(steps: list[Traced], results: list[int | None]) -> list[Traced]:
    """The steps that the output needs, in order, the last one its own. Raises ValueError unless there is one output of the input."""
    if len(results) != 1 or results[0] is None:
        raise ValueError(f"the model must return one tensor that depends on its input, got {len(results)} results")
    needed, todo = set(), [results[0]]
    while todo:
        at = todo.pop()
        if at >= 0 and at not in needed:
            needed.add(at)
            todo += steps[at].sources
    order = sorted(needed)
    number = {old: new for new, old in enumerate(order)} | {-1: -1}
    return [
        Traced(s.place, s.module, tuple(number[i] for i in s.sources), s.shape, s.join)
        for s in (steps[i] for i in order)
    ]


def chain(steps: list[Traced]) -> list[tuple[str, nn.Module]] | None:
    """(place, module) one after the other, where every step takes the result of the one before; else None."""
    if any(step.join or step.sources != (i - 1,) for i, step in enumerate(steps)):
        return None
    parts: list[tuple[str, nn.Module]] = []
    for step in steps:
        inner = list(step.module) if isinstance(step.module, nn.Sequential) else [step.module]
        parts += [(step.place or "forward", module) for module in inner]
    return parts
