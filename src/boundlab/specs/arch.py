"""ArchSpec: a network's architecture, plain and hashable. A field is one value for every layer or one per layer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from boundlab.specs.geometry import layer_shapes
from boundlab.specs.shapes import LayerShape, parse_pool
from boundlab.validation import check_fields, flag, known_fields, limited, number, one_of, shown, whole

ARCHITECTURES = ("conv", "lc", "mlp")
HEADS = ("flatten", "gap")
PER_LAYER = ("channels", "kernel_size", "stride", "padding", "dilation", "groups", "pool", "local")
_EVERY_KIND = ("kind", "in_shape", "head", "classes", "bias", "weight_norm", "normalize", "negative_slope")
_TUPLES = (*PER_LAYER, "in_shape", "hidden", "normalize")
# Written out only where they say something: an id is a hash of what is written.
_LATER = {"dilation": 1, "groups": 1, "pool": "", "head": "flatten", "local": False, "negative_slope": 0.0}
_SPATIAL = (*PER_LAYER, "conv_layers", "head")

Whole = int | tuple[int, ...]


def _each(name: str, value: Any, check: Callable[..., None], *limits: Any) -> None:
    """Check one value for all layers, or the values of each."""
    for one in value if isinstance(value, tuple) else (value,):
        check(name, one, *limits)


def _check_in_shape(name: str, value: Any) -> None:
    if not isinstance(value, tuple) or len(value) != 3:
        raise ValueError(f"{name} must be [channels, height, width], got {shown(value)}")
    _each(name, value, whole, 1, 4096)


def _check_normalize(name: str, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError(f"{name} must be [mean, deviation] or null, got {shown(value)}")
    number(f"{name} mean", value[0], -1e6, 1e6)
    number(f"{name} deviation", value[1], 1e-6, 1e6)


@dataclass(frozen=True)
class ArchSpec:
    """A network: `kind` "conv" (convolutions, each with ReLU and pooling, then dense layers), "lc" (the same without
    weight sharing: locally connected) or "mlp".

    The fields of `PER_LAYER` hold one value for all convolutions or a tuple with one per convolution. `pool`, after the
    ReLU: "" (none), "max2", "avg2" (windows 2x2 that do not overlap; what is left at the border is dropped). `head`: "gap"
    averages every channel before the dense layers. `hidden`: widths of dense layers before the output layer. `local`: of a
    "conv", which of its layers are locally connected all the same. `negative_slope`: of a LeakyReLU in the place of every ReLU.
    """

    kind: str = field(default="conv", metadata=limited(one_of, ARCHITECTURES))
    # channels, height, width
    in_shape: tuple[int, int, int] = field(default=(1, 28, 28), metadata=limited(_check_in_shape))
    channels: Whole | None = field(default=16, metadata=limited(_each, whole, 1, 1_000_000))
    conv_layers: int | None = field(default=3, metadata=limited(whole, 1, 64))
    kernel_size: Whole | None = field(default=2, metadata=limited(_each, whole, 1, 64))
    stride: Whole = field(default=1, metadata=limited(_each, whole, 1, 64))
    # from 0 to what the kernel reaches, (kernel_size - 1) x dilation
    padding: Whole = 0
    dilation: Whole = field(default=1, metadata=limited(_each, whole, 1, 64))
    groups: Whole = field(default=1, metadata=limited(_each, whole, 1, 1_000_000))
    pool: str | tuple[str, ...] = ""
    local: bool | tuple[bool, ...] = field(default=False, metadata=limited(_each, flag))
    head: str = field(default="flatten", metadata=limited(one_of, HEADS))
    # "mlp": () is a linear classifier
    hidden: tuple[int, ...] | None = None
    classes: int = field(default=10, metadata=limited(whole, 2, 100_000))
    bias: bool = field(default=False, metadata=limited(flag))
    # one scalar per hidden weight tensor, none on the output layer
    weight_norm: bool = field(default=True, metadata=limited(flag))
    # 0: ReLU
    negative_slope: float = field(default=0.0, metadata=limited(number, 0, 1))
    # (mean, deviation) subtracted and divided; None: pixels in [0, 1]
    normalize: tuple[float, float] | None = field(default=None, metadata=limited(_check_normalize))

    def __post_init__(self) -> None:
        check_fields(self, _EVERY_KIND)
        object.__setattr__(self, "negative_slope", float(self.negative_slope))
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
        """The fields of `PER_LAYER`, written as one value where all are equal: one network, one spec."""
        check_fields(self, ["conv_layers"])
        for name in PER_LAYER:
            if isinstance(value := getattr(self, name), tuple):
                if len(value) != self.conv_layers:
                    raise ValueError(f"{name} must be one value or {self.conv_layers}, one per layer, got {len(value)}")
                if len(set(value)) == 1:
                    object.__setattr__(self, name, value[0])
        check_fields(self, PER_LAYER)
        if self.kind == "lc" or self.local is True:  # one network, one spec
            object.__setattr__(self, "kind", "lc")
            object.__setattr__(self, "local", False)
        areas = zip(*(self.per_layer(name) for name in ("padding", "kernel_size", "dilation")), strict=True)
        for padding, kernel, dilation in areas:
            whole("padding", padding, 0, (kernel - 1) * dilation)
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
        if isinstance(self.local, tuple):
            parts.append(f"local {listed(tuple(i for i, local in enumerate(self.local, start=1) if local))}")
        parts += ["GAP"] * (self.head == "gap") + [f"dense {listed(self.hidden)}"] * bool(self.hidden)
        return " ".join(
            [*parts, *["bias"] * self.bias, *[f"leaky {self.negative_slope:g}"] * (self.negative_slope > 0)]
        )


def listed(value: Any, comma: str = ",") -> Any:
    """A field of `PER_LAYER` in words: the value itself, or those of all layers with commas."""
    return comma.join(str(v) or "-" for v in value) if isinstance(value, tuple) else value
