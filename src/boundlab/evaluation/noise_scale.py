"""The scale mu of Theorems D and D2, searched for one network and one shape of the noise (torch)."""

from __future__ import annotations

import math

import numpy as np
import torch

from boundlab.bounds.theorem_d import PairLimit, choices, mean_profile, nodes
from boundlab.evaluation.coded_network import Seen
from boundlab.quantities.norms import Array

DELTA = 0.001  # that choices aim at; the certificate holds for every delta
_SIZES = (2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)  # of mu Pi W
_UNIT = 2.0**-53


def scores(seen: Seen, less: Array | None) -> tuple[Array, Array]:
    """((n, C - 1) a_c at mu = 1, (n,) by how much they may be off); `less`: of a noise shape along what was projected on."""
    squares = seen.squares if less is None else seen.squares - np.square(seen.projections) @ less
    s = np.sqrt(np.maximum(squares, 0))
    sure = s > 1e6 * seen.features_off  # else z may be 0
    s = np.where(sure, s, 1.0)
    a = np.where(sure[:, None], seen.ahead / s[:, None], -np.inf)
    near = np.where(sure, np.abs(np.where(sure[:, None], a, 0.0)).max(axis=1), 0.0)
    # of s: its sums, of which the first may be far larger than what is left
    terms, turned = seen.width + seen.projections.shape[1], 1 + 2 * math.sqrt(seen.projections.shape[1])
    sums = turned * terms * _UNIT * seen.squares / np.square(s)
    off = np.where(sure, (seen.ahead_off + 2 * near * seen.features_off) / s + near * (sums + 8 * _UNIT), 0.0)
    return a, off


class ScaleSearch:
    """Over one set of `scores`; `norm`: ||Pi W||_F; `bits`, `n`, `spread`: as in `bounds.theorem_d`."""

    def __init__(self, found: tuple[Array, Array], norm: float, bits: float, n: int, spread: float | None) -> None:
        (self.scores, self.off), self.norm, self.bits, self.n, self.spread = found, norm, bits, n, spread
        self._rough = torch.from_numpy(np.ascontiguousarray(self.scores.T, np.float32))

    def at(self, size: float) -> PairLimit:
        """The best pair where ||mu Pi W||_F = `size`."""
        mu = size / self.norm
        return self._best(mean_profile(mu * self.scores), size, mu * float(self.off.mean()))

    def about(self, size: float) -> PairLimit:
        """`at` in float32, as if nothing were rounded: for choices, and several times faster."""
        return self._best(_rough_profile(self._rough * (size / self.norm)), size, 0.0)

    def _best(self, profile: Array, size: float, off: float) -> PairLimit:
        classes = len(self._rough) + 1
        found = choices(profile, size, self.bits, self.n, DELTA, classes, self.spread, off)
        return min(found, key=lambda choice: choice.limit)

    def searched(self, start: float | None = None, fine: float = 1.1) -> tuple[float, PairLimit]:
        """(size, what it gives, about) of the best: from `start`, else from the best of a wide range, in steps that become finer."""
        known: dict[float, PairLimit] = {}

        def cost(size: float) -> float:
            if size not in known:
                known[size] = self.about(size)
            return known[size].limit

        best, factor = min([start] if start else list(_SIZES), key=cost), 1.44 if fine < 1.44 else fine
        while factor >= fine:
            before = best
            best = min((best, best * factor, best / factor), key=cost)
            factor = factor if best != before else math.sqrt(factor)
        return best, known[best]


def _rough_profile(scores: torch.Tensor) -> Array:
    """`mean_profile` of (C - 1, n) scores in float32."""
    others, n = scores.shape
    found = [
        float(torch.special.ndtr(scores + float(v)).prod(dim=0).sum(dtype=torch.float64)) for v in nodes(others + 1)
    ]
    return np.array(found) / n
