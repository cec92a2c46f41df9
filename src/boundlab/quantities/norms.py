"""What the bounds eat: norms per layer, margin errors, sample statistics. Frozen, plain numpy, no torch.

Norm arrays share one leading shape (runs, epochs, or none): a bound is evaluated for all of them at once.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from boundlab.specs.shapes import LayerShape

Array = np.ndarray
MARGIN_GRID = np.geomspace(0.01, 10.0, 64)  # margins at which every record stores exact ramp and indicator errors
SCALED_GRID = np.geomspace(0.002, 10.0, 64)  # the same as multiples of `margin_scale`: what Theorems S and S2 search
_TINY = 1e-300


def log(x: Array | float) -> Array:
    """Natural log, with 0 mapped to a very small number so that a dead network gives 0 and not NaN."""
    return np.log(np.maximum(x, _TINY))


@dataclass(frozen=True)
class LayerNorms:
    """Norms of one layer's effective weights W and of W - W0 (`_from_init`; NaN where W0 is not known).

    `tap_frobenius`: (..., kernel * kernel), Frobenius norm per kernel tap. `spectral_kernel`: of W reshaped to
    (out, rest). `spectral_map`: of the layer as a linear map with its true boundary (approached from below, within 1e-6).
    `norm_21`: l2 over input channels, summed over (out, taps). `norm_row`: sum of filter norms. `centered_frobenius`
    (class-mean row subtracted) is of the output layer, NaN elsewhere. `patch_norm`: largest l2 norm of an input patch
    over the sample, NaN where not measured. `spectral_map_of_init`: of W0.

    `bias_norm`: l2 norm of all biases, (out,) or without weight sharing (positions, out), in the unit of the layer's outputs; 0
    where there are none. `max_bias_norm`: of those at one position, the largest; `centered_bias_norm` of the output layer's less
    their mean, NaN elsewhere (both NaN in records from before there were these, where `bias_norm` is their upper bound).

    Without weight sharing there is a tensor W_k per output position: `frobenius`, `spectral_kernel` and `max_row` are the
    largest over k, `norm_21` and `norm_row` the mean, `tap_frobenius` the root mean square where the tap meets a real
    input. Equal W_k give the convolution's norms. A grouped convolution has the norms of the ungrouped one with zeros.
    """

    shape: LayerShape
    frobenius: Array
    tap_frobenius: Array
    spectral_kernel: Array
    spectral_map: Array
    norm_21: Array
    norm_row: Array
    max_row: Array
    centered_frobenius: Array
    bias_norm: Array
    max_bias_norm: Array
    centered_bias_norm: Array
    patch_norm: Array
    frobenius_from_init: Array
    spectral_map_from_init: Array
    norm_21_from_init: Array
    norm_row_from_init: Array
    spectral_map_of_init: Array

    def log(self, norm: str) -> Array:
        """`log` of one of the norms, by its name; kept, since the bounds share it."""
        if norm not in self._logs:
            self._logs[norm] = log(getattr(self, norm))
        return self._logs[norm]

    @cached_property
    def _logs(self) -> dict[str, Array]:
        return {}

    @cached_property
    def map_frobenius(self) -> Array:
        """Frobenius norm of the layer as a matrix: each tap counted where it meets a real input."""
        return np.sqrt((self.shape.tap_counts().ravel() * self.tap_frobenius**2).sum(axis=-1))

    @property
    def tensor_norm(self) -> Array:
        """l2 norm of the layer's `used_weights`, each counted once."""
        return self.map_frobenius if self.shape.kind == "local" else self.frobenius


NORM_FIELDS = tuple(f.name for f in dataclasses.fields(LayerNorms) if f.name != "shape")
# records have these of layers with biases, since Theorem S takes them
BIAS_FIELDS = ("max_bias_norm", "centered_bias_norm")


@dataclass(frozen=True)
class MarginErrors:
    """Exact ramp and indicator errors of the training sample at each margin of `grid`: all (..., margins), `grid` perhaps
    (margins,). `measured`: (...) where they are known, each of the others then (known, margins); None: everywhere."""

    grid: Array
    ramp: Array
    indicator: Array
    measured: Array | None = None

    @cached_property
    def log_grid(self) -> Array:
        """Natural log of `grid`."""
        return np.log(self.grid)

    def at(self, margin: Array | float, kind: str) -> Array:
        """Error at `margin`; between grid points the larger neighbour's, beyond the grid 1: always an upper bound. NaN where
        it was not measured."""
        margin = np.asarray(margin)
        if self.measured is None:
            return self._found(margin, kind)
        return self.spread(self._found(np.broadcast_to(margin, self.measured.shape)[self.measured], kind))

    def spread(self, known: Array) -> Array:
        """(...) one number where errors were measured, NaN elsewhere; `known`: those numbers."""
        if self.measured is None:
            return known
        whole = np.full(self.measured.shape, np.nan)
        whole[self.measured] = known
        return whole

    def _found(self, margin: Array, kind: str) -> Array:
        values: Array = getattr(self, kind)
        below = self.grid < margin[..., None] * (1 - 1e-12)
        index, last = np.broadcast_to(below, values.shape).sum(axis=-1), values.shape[-1] - 1
        found = np.take_along_axis(values, np.minimum(index, last)[..., None], axis=-1)[..., 0]
        return np.where(index > last, 1.0, found)


@dataclass(frozen=True)
class NetworkNorms:
    """All norms of one architecture's weights. Errors at the margins of `MARGIN_GRID` (or what the reader asked for), and at
    those of `SCALED_GRID` times the record's scale (without one, at the former again); None: no pass over the data was made.
    """

    layers: tuple[LayerNorms, ...]
    path_l1: Array  # sum of outputs of the network with |weights| on the all-ones input
    margins: MarginErrors | None = None
    searched: MarginErrors | None = None

    @cached_property
    def shapes(self) -> tuple[LayerShape, ...]:
        """Of the layers in order, the output layer last."""
        return tuple(layer.shape for layer in self.layers)

    def error_at(self, margin: Array | float, kind: str) -> Array:
        """The smaller of the two upper bounds on the "ramp" or "indicator" error at `margin`; NaN: not measured."""
        if isinstance(margin, np.ndarray):
            return self._error_at(margin, kind)
        if self._kept.get(kind, (None,))[0] != margin:
            self._kept[kind] = (margin, self._error_at(margin, kind))
        return self._kept[kind][1]

    @cached_property
    def _kept(self) -> dict[str, tuple[float, Array]]:
        """Kind of error -> the margin that was asked for last, as one bound after the other does, and the errors there."""
        return {}

    def _error_at(self, margin: Array | float, kind: str) -> Array:
        if self.margins is None:
            return np.full(self.path_l1.shape, np.nan)
        one = self.margins.at(margin, kind)
        if self.searched is None or self.searched is self.margins:
            return one
        return np.minimum(one, self.searched.at(margin, kind))

    @property
    def rho(self) -> Array:
        """Product of the layers' Frobenius norms (the paper's complexity of the weights)."""
        with np.errstate(over="ignore"):
            return np.prod(np.stack([layer.frobenius for layer in self.layers]), axis=0)

    @cached_property
    def has_bias(self) -> bool:
        """Whether any bias is there and not zero."""
        return any(layer.shape.bias and bool(np.any(layer.bias_norm != 0)) for layer in self.layers)

    @cached_property
    def has_init(self) -> bool:
        """Whether the distance from the initial weights was measured, in every layer and record."""
        return all(bool(np.all(np.isfinite(layer.frobenius_from_init))) for layer in self.layers)
