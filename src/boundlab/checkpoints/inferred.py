"""Of a file without spec, what its tensors' names and shapes say of a plain chain of layers, and a first answer to what they do not. No torch."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boundlab.errors import CheckpointError
from boundlab.specs.arch import ArchSpec

Shape = tuple[int, ...]
_MOST_LAYERS = 16
_SIDES = (28, 32, 64, 8, 16, 24, 48, 96)  # of images, where the data are of another shape
_QUOTE = 40  # letters of a name
_STATISTICS = ("running_mean", "running_var")
_WITH_CODE = "`boundlab export MODULE:NAME OUT.safetensors --weights FILE` takes any network with its code"


@dataclass(frozen=True)
class Chain:
    """Convolutions (out, in / groups, side, side), then dense layers (out, in), input to output; `names` without `.weight`."""

    names: tuple[str, ...]
    shapes: tuple[Shape, ...]
    biased: bool
    groups: tuple[int, ...]  # of the convolutions; of the first one 1

    @property
    def convolutions(self) -> int:
        return len(self.groups)

    @property
    def classes(self) -> int:
        """One output z is written as two, -z/2 and z/2."""
        return max(2, self.shapes[-1][0])


def chain_of(tensors: Mapping[str, Shape]) -> Chain:
    """The chain that a file's tensors are; raises CheckpointError saying what is none."""
    if odd := [name for name in tensors if name.rpartition(".")[2] in _STATISTICS]:
        raise _none(f"{_cut(odd[0])} is a statistic of batch norm, which has to be folded into a layer")
    weights = {n.removesuffix(".weight"): s for n, s in tensors.items() if n.endswith(".weight")}
    biases = {n.removesuffix(".bias"): s for n, s in tensors.items() if n.endswith(".bias")}
    if odd := [n for n in tensors if not n.endswith((".weight", ".bias"))] + [
        f"{n}.bias" for n in biases if n not in weights
    ]:
        raise _none(f"{_cut(odd[0])} is neither the weight nor the bias of a layer")
    if odd := [name for name, shape in weights.items() if len(shape) not in (2, 4) or min(shape) < 1]:
        raise _none(
            f"{_cut(odd[0])}.weight has shape {list(weights[odd[0]])[:8]}, that of no dense layer or convolution"
        )
    if odd := [name for name, shape in biases.items() if shape != weights[name][:1]]:
        raise _none(f"{_cut(odd[0])}.bias has shape {list(biases[odd[0]])[:8]}, not one value per output")
    names = sorted(weights, key=lambda name: (-len(weights[name]), _natural(name)))
    shapes = [weights[name] for name in names]
    if not 1 <= len(names) <= _MOST_LAYERS or len(shapes[-1]) != 2:
        raise _none(f"it has {len(names)} layers, and one to {_MOST_LAYERS} are read so, of which the last is dense")
    return Chain(tuple(names), tuple(shapes), bool(biases), tuple(_groups(names, shapes)))


def _groups(names: Sequence[str], shapes: Sequence[Shape]) -> Iterator[int]:
    """Of every convolution; raises CheckpointError where a layer does not take what the one before it gives."""
    for i, shape in enumerate(shapes):
        before = shapes[i - 1] if i else None
        if len(shape) == 4:
            channels = shape[1] if before is None else before[0]
            if shape[2] != shape[3] or channels % shape[1]:
                raise _none(f"{_cut(names[i])} has weights {list(shape)} after {channels} channels")
            yield channels // shape[1]
        elif before is not None and (shape[1] != before[0] if len(before) == 2 else shape[1] % before[0]):
            raise _none(f"{_cut(names[i])} takes {shape[1]} values, and {_cut(names[i - 1])} gives {before[0]}")


def proposed(chain: Chain, in_shape: Shape, normalize: Sequence[float] | None) -> dict[str, Any]:
    """A spec for the chain. What its tensors do not say (stride, padding, pooling, the images' size) is the first of the usual
    answers that gives the first dense layer as many values as it takes; `in_shape`, `normalize`: those of the data chosen."""
    dense = [shape[0] for shape in chain.shapes[chain.convolutions :]]
    fields: dict[str, Any] = {"kind": "mlp", "classes": chain.classes, "bias": chain.biased, "hidden": dense[:-1]}
    fields |= {"weight_norm": False, "normalize": list(normalize) if normalize else None}
    if not chain.convolutions:
        return fields | {"in_shape": _flat(chain.shapes[0][1], in_shape)}
    maps = chain.shapes[: chain.convolutions]
    kernels = [shape[2] for shape in maps]
    fields |= {"kind": "conv", "conv_layers": len(maps), "kernel_size": kernels, "groups": list(chain.groups)}
    fields["channels"] = [shape[0] for shape in maps]
    sizes = [in_shape] if in_shape[0] == maps[0][1] else []
    sizes += [(maps[0][1], side, side) for side in _SIDES]
    first: dict[str, Any] | None = None
    for size, answer in itertools.product(sizes, _answers(kernels)):
        given = fields | {"in_shape": list(size)} | answer
        if not mismatch(chain, given):
            return ArchSpec.from_dict(given).to_dict()
        first = first or given
    assert first is not None
    return first


def _flat(values: int, in_shape: Shape) -> list[int]:
    if math.prod(in_shape) == values:
        return list(in_shape)
    side = math.isqrt(values)
    return [1, side, side] if side**2 == values else [1, 1, values]


def _answers(kernels: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The usual geometries, the plainest first; padding that keeps the size throughout or in the first layer."""
    count = len(kernels)
    whole = [kernel // 2 for kernel in kernels]
    paddings = [[0] * count, whole, whole[:1] + [0] * (count - 1)]
    for stride, padding, head, pools in itertools.product((1, 2), paddings, ("flatten", "gap"), _pools(count)):
        yield {"stride": [stride] * count, "padding": padding, "pool": pools, "head": head}


def _pools(count: int) -> list[list[str]]:
    """None, after every layer, then after some: pools as the first of equal numbers."""
    some = [list(pools) for pools in itertools.product(("", "max2"), repeat=min(count, 5))]
    return sorted(
        ([""] * (count - len(pools)) + pools for pools in some),
        key=lambda p: (0 < p.count("max2") < count, p.count("max2")),
    )


def mismatch(chain: Chain, spec: Mapping[str, Any]) -> str:
    """What keeps these answers from being the network in the file; "" where nothing does."""
    try:
        wanted = [shape.weight_shape for shape in ArchSpec.from_dict(dict(spec)).shapes()]
    except (ValueError, TypeError) as error:
        return str(error)
    for name, have, want in zip(chain.names, _as_two(chain), wanted, strict=False):
        if have != want:
            asked, takes = math.prod(want[1:]), math.prod(have[1:])
            return f"with these answers {_cut(name)} would take {asked:,} values, but in the file it takes {takes:,}"
    return (
        "" if len(wanted) == len(chain.shapes) else f"the file has {len(chain.shapes)} layers, this spec {len(wanted)}"
    )


def _as_two(chain: Chain) -> list[Shape]:
    return [*chain.shapes[:-1], (chain.classes, *chain.shapes[-1][1:])]


def _natural(name: str) -> list[tuple[int, int, str]]:
    """An order in which conv2 comes before conv10, and hidden layers before fc, head, output."""
    parts = re.findall(r"\d{1,9}|[^\d]+", name)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


def _cut(name: str) -> str:
    return name[:_QUOTE]


def _none(why: str) -> CheckpointError:
    return CheckpointError(f"the tensors are no plain chain of convolutions and dense layers: {why}; {_WITH_CODE}")
