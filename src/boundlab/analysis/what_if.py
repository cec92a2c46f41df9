"""What a bound would be if something else were different and the stored norms stayed what they are. No torch.

Held fixed: every layer's Frobenius norm (the output layer's centred one and largest row too) and the spectral norm of its kernel as a
matrix, the margins, and the energy per image of every pixel. What other geometry would do to the other norms only
training could say: bounds that need those are refused.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from boundlab.bounds.base import Bound, Value, broken, effective_n, evaluate
from boundlab.quantities.norms import BIAS_FIELDS, NORM_FIELDS, LayerNorms, NetworkNorms
from boundlab.quantities.sample import InputStats, SampleStats
from boundlab.specs.arch import PER_LAYER, ArchSpec
from boundlab.specs.settings import Settings
from boundlab.specs.shapes import LayerShape
from boundlab.validation import number, whole

RETRAIN = (
    "this cannot be answered without retraining or measuring again: it needs more about the changed layers than their "
    "Frobenius norms"
)
_KEPT = {"frobenius", "centered_frobenius", "max_row", "spectral_kernel", "bias_norm", *BIAS_FIELDS}


@dataclass(frozen=True)
class Change:
    """`n_times`: so many times the examples; the rest replaces the architecture's own in every layer (None: as it is).

    `pooled`: global average pooling before the dense layers.
    """

    n_times: float = 1.0
    kernel_size: int | None = None
    stride: int | None = None
    padding: int | None = None
    conv_layers: int | None = None
    pooled: bool = False

    def __post_init__(self) -> None:
        number("n_times", self.n_times, 1e-6, 1e9)
        for name in ("kernel_size", "stride", "padding", "conv_layers"):
            if (value := getattr(self, name)) is not None:
                whole(name, value, 0 if name == "padding" else 1, 64)

    def arch(self, arch: ArchSpec) -> ArchSpec:
        """The changed architecture; raises ValueError when a kernel does not fit, there are no convolutions, or a new
        layer would have no channels, kernel and so on of its own."""
        new = {k: v for k, v in dataclasses.asdict(self).items() if k not in ("n_times", "pooled") and v is not None}
        new |= {"head": "gap"} if self.pooled else {}
        if arch.kind == "mlp" and new:
            raise ValueError(f"kernel, stride, padding, depth and pooling need convolutions; {arch.title} has none")
        given = [name for name in PER_LAYER if isinstance(new.get(name, getattr(arch, name)), tuple)]
        if given and new.get("conv_layers", arch.conv_layers) != arch.conv_layers:
            raise ValueError(
                f"the number of layers can change only where all layers are alike; {arch.title} has {' and '.join(given)} "
                "layer by layer"
            )
        return dataclasses.replace(arch, **new)


@dataclass(frozen=True)
class World:
    """A network and its sample, as they are or as they would be."""

    arch: ArchSpec
    norms: NetworkNorms
    sample: SampleStats
    reshaped: bool = False  # geometry differs from the trained network's

    def value(self, bound: Bound, settings: Settings) -> Value:
        """The bound in this world, or the reason why it has none."""
        value = evaluate(bound, self.norms, self.sample, settings)
        assumption = broken(bound, self.norms, self.sample, settings)
        unknown = value.complexity is not None and bool(np.any(np.isnan(value.complexity)))
        unknown |= assumption is not None and assumption.measured
        return Value(None, reason=RETRAIN) if self.reshaped and unknown else value


def apply_change(change: Change, world: World, settings: Settings) -> tuple[World, Settings]:
    """The changed world, and the settings that go with it (an n that the reader or the convention gave grows too)."""
    arch = change.arch(world.arch)
    shapes = arch.shapes()
    norms = world.norms if shapes == world.norms.shapes else _reshaped(world.norms, shapes)
    sample = _scaled(world.sample, change.n_times)
    if _grid(shapes[0]) != _grid(world.norms.shapes[0]):  # other patches
        sample = dataclasses.replace(sample, patch_energy=None)
    if change.n_times != 1 and settings.convention != "strict":
        settings = dataclasses.replace(settings, n=round(effective_n(world.sample, settings) * change.n_times))
    return World(arch, norms, sample, world.reshaped or norms is not world.norms), settings


def _scaled(sample: SampleStats, times: float) -> SampleStats:
    if times == 1:
        return sample
    n = max(2, round(sample.n * times))

    def grown(part: InputStats) -> InputStats:
        return dataclasses.replace(part, pixel_energy=part.pixel_energy * (n / sample.n))

    patches = None if sample.patch_energy is None else sample.patch_energy * (n / sample.n)
    return dataclasses.replace(sample, n=n, raw=grown(sample.raw), fed=grown(sample.fed), patch_energy=patches)


def _reshaped(norms: NetworkNorms, shapes: tuple[LayerShape, ...]) -> NetworkNorms:
    """The kept norms on other shapes; a further convolution has the norms of the last one, a dropped one is the last."""
    maps, dense = ([la for la in norms.layers if la.shape.spatial == spatial] for spatial in (True, False))
    old = [*(maps[min(i, len(maps) - 1)] for i in range(sum(shape.spatial for shape in shapes))), *dense]
    layers = tuple(_carried(layer, shape) for layer, shape in zip(old, shapes, strict=True))
    return NetworkNorms(layers, np.full(norms.path_l1.shape, np.nan), norms.margins, norms.searched)


def _grid(shape: LayerShape) -> tuple[object, ...]:
    """Which inputs each position sees."""
    return shape.in_size, shape.out_size, shape.kernel, shape.stride, shape.padding, shape.dilation


def _taps(layer: LayerNorms, shape: LayerShape) -> np.ndarray:
    """Norms per tap: the layer's own where it has as many; without padding any split will do, since every tap meets every
    position alike; with padding only training could say, and without weight sharing at other positions."""
    same = _grid(shape) == _grid(layer.shape) if shape.kind == "local" else shape.area == layer.shape.area
    if same or not shape.spatial:
        return layer.tap_frobenius
    known = shape.padding == 0 and shape.kind == "conv"
    each = layer.frobenius[..., None] / np.sqrt(shape.area) if known else np.nan
    return np.broadcast_to(each, (*layer.frobenius.shape, shape.area))


def _carried(layer: LayerNorms, shape: LayerShape) -> LayerNorms:
    unknown = np.full(layer.frobenius.shape, np.nan)
    fields = {name: getattr(layer, name) if name in _KEPT else unknown for name in NORM_FIELDS}
    fields["tap_frobenius"] = _taps(layer, shape)
    return LayerNorms(shape, **fields)
