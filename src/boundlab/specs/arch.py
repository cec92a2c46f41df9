"""ArchSpec: a network's architecture, plain and hashable. A field is one value for every layer or one per layer."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from boundlab.specs.shapes import LayerShape, Pool, parse_pool
from boundlab.validation import known_fields, number, one_of, shown, whole

ARCHITECTURES = ("conv", "lc", "mlp")
HEADS = ("flatten", "gap")
PER_LAYER = ("channels", "kernel_size", "stride", "padding", "dilation", "groups", "pool")
_TUPLES = (*PER_LAYER, "in_shape", "hidden", "normalize")
_LATER = {
    "dilation": 1,
    "groups": 1,
    "pool": "",
    "head": "flatten",
}  # written out only where they say something: an id is
_SPATIAL = (*PER_LAYER, "conv_layers", "head")  # a hash of what is written

Whole = int | tuple[int, ...]


@dataclass(frozen=True)
class ArchSpec:
    """A network: `kind` "conv" (convolutions, each with ReLU and pooling, then dense layers), "lc" (the same without
    weight sharing: locally connected) or "mlp".

    The fields of `PER_LAYER` hold one value for all convolutions or a tuple with one per convolution. `pool`, after the
    ReLU: "" (none), "max2", "avg2" (windows 2x2 that do not overlap; what is left at the border is dropped). `head`: "gap"
    averages every channel before the dense layers. `hidden`: widths of dense layers before the output layer.
    """

    kind: str = "conv"
    in_shape: tuple[int, int, int] = (1, 28, 28)  # channels, height, width
    channels: Whole | None = 16
    conv_layers: int | None = 3
    kernel_size: Whole | None = 2
    stride: Whole = 1
    padding: Whole = 0
    dilation: Whole = 1
    groups: Whole = 1
    pool: str | tuple[str, ...] = ""
    head: str = "flatten"
    hidden: tuple[int, ...] | None = None  # "mlp": () is a linear classifier
    classes: int = 10
    bias: bool = False
    weight_norm: bool = True  # one scalar per hidden weight tensor, none on the output layer
    normalize: tuple[float, float] | None = None  # (mean, deviation) subtracted and divided; None: pixels in [0, 1]

    def __post_init__(self) -> None:
        one_of("kind", self.kind, ARCHITECTURES)
        one_of("head", self.head, HEADS)
        if not isinstance(self.in_shape, tuple) or len(self.in_shape) != 3:
            raise ValueError(f"in_shape must be [channels, height, width], got {shown(self.in_shape)}")
        for size in self.in_shape:
            whole("in_shape", size, 1, 4096)
        whole("classes", self.classes, 2, 100_000)
        for flag in ("bias", "weight_norm"):
            if not isinstance(getattr(self, flag), bool):
                raise ValueError(f"{flag} must be true or false, got {shown(getattr(self, flag))}")
        if self.normalize is not None:
            if not isinstance(self.normalize, tuple) or len(self.normalize) != 2:
                raise ValueError(f"normalize must be [mean, deviation] or null, got {shown(self.normalize)}")
            number("normalize mean", self.normalize[0], -1e6, 1e6)
            number("normalize deviation", self.normalize[1], 1e-6, 1e6)
        self._check_hidden()
        if self.kind == "mlp":
            for name in _SPATIAL:
                object.__setattr__(self, name, _LATER.get(name, {"stride": 1, "padding": 0}.get(name)))
        else:
            self._check_convolutions()
        _ = self._shapes  # raises when a kernel does not fit

    def _check_hidden(self) -> None:
        if self.kind != "mlp" and not self.hidden:
            object.__setattr__(self, "hidden", None)
        elif not isinstance(self.hidden, tuple) or len(self.hidden) > 64:
            raise ValueError(f"hidden must be a list of 0 to 64 layer widths, got {shown(self.hidden)}")
        for width in self.hidden or ():
            whole("hidden", width, 1, 1_000_000)

    def _check_convolutions(self) -> None:
        whole("conv_layers", self.conv_layers, 1, 64)
        for name in PER_LAYER:
            if isinstance(value := getattr(self, name), tuple):
                if len(value) != self.conv_layers:
                    raise ValueError(f"{name} must be one value or {self.conv_layers}, one per layer, got {len(value)}")
                if len(set(value)) == 1:  # one network, one spec
                    object.__setattr__(self, name, value[0])
        areas = zip(self.per_layer("kernel_size"), self.per_layer("dilation"), strict=True)
        reaches = [(k - 1) * d if isinstance(k, int) and isinstance(d, int) else 0 for k, d in areas]
        for name, low, high in (
            ("channels", 1, 1_000_000),
            ("kernel_size", 1, 64),
            ("stride", 1, 64),
            ("dilation", 1, 64),
        ):
            for value in self.per_layer(name):
                whole(name, value, low, high)
        for value in self.per_layer("groups"):
            whole("groups", value, 1, 1_000_000)
        for value, reach in zip(self.per_layer("padding"), reaches, strict=True):
            whole("padding", value, 0, reach)
        for value in self.per_layer("pool"):
            parse_pool(value)

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> ArchSpec:
        """Build from JSON; raises ValueError naming the field, what was expected and what came."""
        fields = dict(known_fields(given, "arch", [f.name for f in dataclasses.fields(cls)]))
        for name in _TUPLES:
            if isinstance(fields.get(name), list):
                fields[name] = tuple(fields[name])
        lengths = [len(fields[name]) for name in PER_LAYER if isinstance(fields.get(name), tuple)]
        if lengths and "conv_layers" not in fields:
            fields["conv_layers"] = lengths[0]
        try:
            return cls(**fields)
        except TypeError as error:  # something that cannot be compared or hashed
            raise ValueError(f"arch has a value of the wrong type ({error})") from error

    def to_dict(self) -> dict[str, Any]:
        """JSON form; fields that do not belong to this kind, or say nothing, are left out."""
        fields = {
            name: list(v) if isinstance(v, tuple) else v for name, v in vars(self).items() if not name.startswith("_")
        }
        skip = set(_SPATIAL) if self.kind == "mlp" else {"hidden"} if self.hidden is None else set()
        skip |= {name for name, nothing in _LATER.items() if fields[name] == nothing}
        return {k: v for k, v in json.loads(json.dumps(fields)).items() if k not in skip}

    def per_layer(self, name: str) -> tuple[Any, ...]:
        """A field of `PER_LAYER`, one value per convolution; () for an "mlp"."""
        value = getattr(self, name)
        return value if isinstance(value, tuple) else (value,) * (self.conv_layers or 0)

    @cached_property
    def _shapes(self) -> tuple[LayerShape, ...]:
        return layer_shapes(self)

    def shapes(self) -> tuple[LayerShape, ...]:
        """Geometry of every parametrised layer, input to output."""
        return self._shapes

    @property
    def parameters(self) -> int:
        """Trainable numbers: weights, biases, weight-norm scalars."""
        return sum(shape.parameters for shape in self.shapes())

    @property
    def uniform(self) -> bool:
        """Whether it is CONV-L-H as in the paper but for kernel, stride and padding: the same layer over and over."""
        listed = any(isinstance(getattr(self, name), tuple) for name in PER_LAYER)
        plain = all(getattr(self, name) == nothing for name, nothing in _LATER.items())
        return self.kind == "conv" and plain and not listed and self.hidden is None

    @property
    def papers(self) -> bool:
        """Whether it is CONV-L-H exactly as in the paper: 2x2 convolutions, stride 1, no padding (biases or none)."""
        return self.uniform and (self.kernel_size, self.stride, self.padding) == (2, 1, 0)

    @property
    def title(self) -> str:
        """CONV-L-H as in the paper; what is not kernel 2, stride 1, padding 0, flattened and so on is named."""
        if self.kind == "mlp":
            return "MLP-" + "-".join(map(str, self.hidden)) if self.hidden else "LINEAR"
        words = (
            ("kernel_size", "k", 2),
            ("stride", "stride ", 1),
            ("padding", "pad ", 0),
            ("dilation", "dilation ", 1),
        )
        parts = [f"{self.kind.upper()}-{self.conv_layers}-{listed(self.channels)}"]
        for name, word, usual in (*words, ("groups", "groups ", 1), ("pool", "", "")):
            if (value := getattr(self, name)) != usual:
                parts.append(f"{word}{listed(value)}")
        parts += ["GAP"] * (self.head == "gap") + [f"dense {listed(self.hidden)}"] * bool(self.hidden)
        return " ".join([*parts, *["bias"] * self.bias])


def listed(value: Any, comma: str = ",") -> Any:
    """A field of `PER_LAYER` in words: the value itself, or those of all layers with commas."""
    return comma.join(str(v) or "-" for v in value) if isinstance(value, tuple) else value


MAX_WEIGHTS = 2_000_000_000


def layer_shapes(arch: ArchSpec) -> tuple[LayerShape, ...]:
    """Every parametrised layer of a spec; raises ValueError when a kernel or pool does not fit, groups do not divide, or
    there are too many weights."""
    layers = _convolutions(arch)
    features = math.prod((layers[-1].out_channels, *layers[-1].passed_size)) if layers else math.prod(arch.in_shape)
    for i, (wide, out) in enumerate(itertools.pairwise([features, *(arch.hidden or ())]), start=1):
        layers.append(_dense(f"dense{i}", wide, out, arch.bias, arch.weight_norm))
    last = layers[-1].out_channels if layers and not layers[-1].spatial else features
    layers.append(_dense("output", last, arch.classes, arch.bias, False))
    if (total := sum(layer.weights for layer in layers)) > MAX_WEIGHTS:
        raise ValueError(f"the network has {total:,} weights, more than the {MAX_WEIGHTS:,} allowed")
    return tuple(layers)


def _convolutions(arch: ArchSpec) -> list[LayerShape]:
    kind = "local" if arch.kind == "lc" else "conv"
    fields = ("channels", "kernel_size", "stride", "padding", "dilation", "groups", "pool")
    channels, size = arch.in_shape[0], arch.in_shape[1:]
    layers: list[LayerShape] = []
    every = list(zip(*(arch.per_layer(name) for name in fields), strict=True))
    for i, (out, kernel, stride, padding, dilation, groups, pool) in enumerate(every, start=1):
        what = f"convolution {i} of {len(every)}"
        map_size = _map_size(what, size, kernel, stride, padding, dilation)
        if channels % groups or out % groups or (groups > 1 and kind == "local"):
            raise ValueError(
                f"groups {groups} of {what} must divide its {channels} input and {out} output channels (1 where weights "
                "are not shared); give one value per layer, for example [1, 4, 4]"
            )
        pools = _pools(what, map_size, pool, arch.head == "gap" and i == len(every))
        fixed = (kernel, stride, padding, arch.bias, arch.weight_norm, dilation, groups, pools)
        layers.append(LayerShape(f"{kind}{i}", kind, channels, size, out, map_size, *fixed))
        channels, size = out, layers[-1].passed_size
    return layers


def _map_size(
    what: str, size: tuple[int, int], kernel: int, stride: int, padding: int, dilation: int
) -> tuple[int, int]:
    reach = dilation * (kernel - 1) + 1
    if min(s + 2 * padding for s in size) < reach:
        spread = "" if dilation == 1 else f" and dilation {dilation}"
        raise ValueError(
            f"{what} with kernel {kernel}{spread} does not fit on its {size[0]}x{size[1]} input: "
            "use fewer layers, a smaller kernel, stride or pool, or padding"
        )
    height, width = ((s + 2 * padding - reach) // stride + 1 for s in size)
    return height, width


def _pools(what: str, size: tuple[int, int], text: str, averaged: bool) -> tuple[Pool, ...]:
    pools: list[Pool] = []
    if pool := parse_pool(text):
        if min(size) < pool.size[0]:
            raise ValueError(f"{text} after {what} does not fit on its {size[0]}x{size[1]} map: use a smaller pool")
        pools.append(pool)
        size = (size[0] // pool.size[0], size[1] // pool.size[1])
    return tuple([*pools, Pool("avg", size)] if averaged and size != (1, 1) else pools)


def _dense(name: str, features: int, out: int, bias: bool, weight_norm: bool) -> LayerShape:
    return LayerShape(name, "dense", features, (1, 1), out, (1, 1), 1, 1, 0, bias, weight_norm)
