"""What bounds need to know about a training sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from boundlab.quantities.norms import Array
from boundlab.specs.own_data import DATASETS


def pixel_limit(normalize: tuple[float, float] | None) -> float:
    """Largest absolute value of a pixel in [0, 1] after `normalize`, (mean, deviation) or None."""
    mean, deviation = normalize or (0.0, 1.0)
    return max(abs(mean), abs(1 - mean)) / deviation


@dataclass(frozen=True)
class InputStats:
    """Sums over the sample of one version of its inputs (pixels in [0, 1], or as the network sees them)."""

    pixel_energy: Array  # (height, width): sum over samples and channels of squares
    max_norm: float  # largest l2 norm of an input
    max_abs: float  # largest absolute value
    limit: float  # largest absolute value that a pixel in [0, 1] can have here, known before any data

    @cached_property
    def frobenius(self) -> float:
        """Root of the sum of squared norms."""
        return float(np.sqrt(self.pixel_energy.sum()))

    @cached_property
    def max_pixel(self) -> float:
        """Root of the largest per-pixel energy."""
        return float(np.sqrt(self.pixel_energy.max()))


@dataclass(frozen=True, eq=False)  # equal when the same object: it holds arrays, and what is computed of it is kept
class SampleStats:
    """The training sample as the bounds see it: size, and sums of `raw` and of `fed` (as the network sees it).

    `patch_energy`: (positions of the first layer, as a map) sum over samples of (sum of the fed patch)^2 / its size;
    None for networks that were measured before it was.
    """

    dataset: str
    n: int
    classes: int
    raw: InputStats
    fed: InputStats
    patch_energy: Array | None = None

    @property
    def published_n(self) -> int:
        """Sample size in the authors' curves: their `set_size` for a whole data set they used, else this sample's."""
        data = DATASETS.get(self.dataset)  # None: somebody's own data
        return data.published_n if data and data.published_n and self.n == data.train_size else self.n

    def to_dict(self) -> dict[str, Any]:
        """JSON form; `limit` is left out, since the network's normalisation says it."""
        return {
            "dataset": self.dataset,
            "n": self.n,
            "classes": self.classes,
            **{
                key: {"pixel_energy": s.pixel_energy.tolist(), "max_norm": s.max_norm, "max_abs": s.max_abs}
                for key, s in (("raw", self.raw), ("fed", self.fed))
            },
            "patch_energy": None if self.patch_energy is None else self.patch_energy.tolist(),
        }

    @classmethod
    def from_dict(cls, given: dict[str, Any], normalize: tuple[float, float] | None) -> SampleStats:
        """From JSON; `normalize`: of the network, as in its ArchSpec. Raises KeyError, TypeError or ValueError for another form."""

        def stats(part: dict[str, Any], limit: float) -> InputStats:
            return InputStats(np.asarray(part["pixel_energy"], float), part["max_norm"], part["max_abs"], limit)

        raw, fed = stats(given["raw"], pixel_limit(None)), stats(given["fed"], pixel_limit(normalize))
        patches = given.get("patch_energy")
        patches = None if patches is None else np.asarray(patches, float)
        return cls(given["dataset"], given["n"], given["classes"], raw, fed, patches)
