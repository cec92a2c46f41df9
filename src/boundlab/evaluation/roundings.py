"""Roundings of the hidden weights that make Theorem D2 small (torch)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from boundlab.data.splits import Split
from boundlab.evaluation.codable import hidden_tensors
from boundlab.evaluation.coded_network import output_of, rounded_network, run_over
from boundlab.evaluation.noise_scale import ScaleSearch, scores
from boundlab.evaluation.noise_shape import NoiseShape
from boundlab.networks.branched import Branched
from boundlab.networks.checkpoint import Checkpoint
from boundlab.quantities.norms import Array
from boundlab.quantities.weight_code import FEWEST_BITS, MOST_BITS, Rounding, best_rounding, code_length

_CONSTANT_BITS = 16


def code_bits(tensors: Sequence[Array], roundings: Sequence[Rounding], constant: bool) -> int:
    """Length of the hidden weights' code, and of the constant that stands for an output bias."""
    lengths = (code_length(r.levels(t), r.bits) for r, t in zip(roundings, tensors, strict=True))
    return sum(lengths) + _CONSTANT_BITS * constant


class RoundingSearch:
    """Roundings that make the limit small on some of the images; any choice is covered. `shape`: of the noise, for all of them;
    `header`: bits of the code that are not of a tensor."""

    def __init__(self, network: Checkpoint | Branched, few: Split, n: int, shape: NoiseShape, header: int = 0) -> None:
        self.network, self.few, self.n, self.shape, self.header = network, few, n, shape, header
        self.tensors, self.spread = hidden_tensors(network), shape.spread
        self.size: float | None = None
        self.known: dict[tuple[int, ...], float] = {}
        self._rounded: dict[tuple[int, int], Rounding] = {}
        self.watch: Callable[[int], None] = lambda tried: None

    def roundings(self, bits: tuple[int, ...]) -> list[Rounding]:
        """One rounding for each of the hidden tensors."""
        return [self._rounding(place, b) for place, b in enumerate(bits)]

    def _rounding(self, place: int, bits: int) -> Rounding:
        if (place, bits) not in self._rounded:
            self._rounded[place, bits] = best_rounding(self.tensors[place], bits)
        return self._rounded[place, bits]

    def limit(self, bits: tuple[int, ...]) -> float:
        """Of Theorem D2, about: in float32, on the few images."""
        if bits not in self.known:
            roundings = self.roundings(bits)
            made = rounded_network(self.network, roundings)
            output = output_of(made, self.few)
            seen = run_over(made, output, self.few, self.shape.directions, torch.float32).exact()
            found = scores(seen, self.shape.less)
            length = code_bits(self.tensors, roundings, output.constant is not None) + self.header
            self.size, choice = ScaleSearch(found, output.norm, length, self.n, self.spread).searched(self.size)
            self.known[bits] = choice.limit
            self.watch(len(self.known))
        return self.known[bits]

    def best(self, watch: Callable[[int], None] = lambda tried: None) -> list[Rounding]:
        """All tensors alike, then each for itself; `watch` gets how many roundings were tried."""
        self.watch = watch
        if not self.tensors:
            self.limit(())
            return []
        alike = [(b,) * len(self.tensors) for b in range(FEWEST_BITS, MOST_BITS + 1)]
        now = min(alike, key=self.limit)
        moved = True
        while moved:
            before = now
            for i in range(len(now)):
                near = [(*now[:i], b, *now[i + 1 :]) for b in (now[i] - 1, now[i] + 1) if FEWEST_BITS <= b <= MOST_BITS]
                now = min([now, *near], key=self.limit)
            moved = now != before
        return self.roundings(now)
