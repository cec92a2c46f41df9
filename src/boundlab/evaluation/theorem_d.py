"""Theorems D and D2 of a network: hidden weights rounded, the noise's scale and shape chosen on some of the images, then the
limit over the whole sample (torch)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Generic, NamedTuple

import torch

from boundlab.bounds.coded import CodedCertificate
from boundlab.bounds.theorem_d import PAIRS, PairLimit, least_limit
from boundlab.data.splits import Split, seen
from boundlab.evaluation.codable import Network, hidden_tensors
from boundlab.evaluation.coded_network import Output, Seen, output_of, rounded_network, run_over
from boundlab.evaluation.noise_scale import ScaleSearch, scores
from boundlab.evaluation.noise_shape import NoiseShape, principal, shaped
from boundlab.evaluation.roundings import RoundingSearch, code_bits
from boundlab.networks.branched import Branched
from boundlab.networks.checkpoint import Checkpoint, load_checkpoint
from boundlab.quantities.weight_code import Rounding, shortest_length
from boundlab.specs.run import RunSpec

_FEW, _FOR_DIRECTIONS, _MORE = 2000, 3000, 5000  # images that choices are made with
_DIRECTIONS = 300
_PULLS = tuple(4.0**k for k in range(2, 9))
CodedProgress = Callable[[str, int, int], None]  # what is done, how far, of how many images


class Coded(NamedTuple, Generic[Network]):
    """The certificates of Theorems D and D2, and the network that they are about."""

    certificates: tuple[CodedCertificate, ...]
    network: Network


def certify_coded(
    network: Network, train: Split, test: Split | None, progress: CodedProgress = lambda *_: None
) -> Coded[Network]:
    """Certificates of a network on its training sample, pixels in [0, 1] as it sees them before `normalize`.

    Every choice made here is covered: it may depend on the sample. The same network and images give the same certificate.
    Raises ValueError for an output layer that does not tell classes apart, or not in finite numbers, and, before long, for so
    many hidden weights that nothing below 1 can come of it.
    """
    n, few = len(train.labels), sub_sample(train, _FEW, 0)
    check_output(output_of(network, few))
    check_code(network, n)
    before = principal(network, output_of(network, few), few, _DIRECTIONS)
    search = RoundingSearch(network, few, n, shaped(*before, _PULLS[len(_PULLS) // 2]))
    roundings = search.best(lambda tried: progress("roundings", tried, 0))
    made = rounded_network(network, roundings)
    output = output_of(made, few)
    bits = code_bits(search.tensors, roundings, output.constant is not None)
    directions, shares = principal(made, output, sub_sample(train, _FOR_DIRECTIONS, 1), _DIRECTIONS)
    shape = [shaped(directions, shares, pull) for pull in _PULLS]
    fit = Fit(output, bits, n)
    rough = run_over(made, output, few, directions, torch.float32).exact()
    at = min(range(len(shape)), key=lambda i: fit.choose(rough, shape[i], search.size, 1.2)[1].limit)
    found = run_over(made, output, train, directions, watch=lambda done: progress("training images", done, n))
    unseen = None if test is None else _over_test(made, output, test, progress)
    errors = (found.error, None if unseen is None else unseen.error)
    plain = fit.made(found, None, None, roundings, errors, search.size)
    fine = [_PULLS[at] * 2.0**k for k in (-1, 0, 1)]
    pull = min(fine, key=lambda p: fit.choose(_some(found), shaped(directions, shares, p), search.size, 1.1)[1].limit)
    return Coded((plain, fit.made(found, shaped(directions, shares, pull), pull, roundings, errors, search.size)), made)


def _over_test(made: Checkpoint | Branched, output: Output, test: Split, progress: CodedProgress) -> Seen:
    return run_over(made, output, test, watch=lambda done: progress("test images", done, len(test.labels)))


def certify_coded_run(
    spec: RunSpec, network: Path, root: Path | None = None, progress: CodedProgress = lambda *_: None
) -> Coded[Checkpoint]:
    """Certificates of a run's `network` file on the images it was trained on; raises ValueError, CheckpointError, DataError."""
    torch.set_num_threads(1)
    train, test = seen(spec, root)
    checkpoint = load_checkpoint(network, spec.train.dataset, spec.arch.classes)
    return certify_coded(checkpoint, train, test, progress)


def check_output(output: Output) -> None:
    """Raises ValueError for an output layer that does not tell classes apart, or not in finite numbers."""
    if not 0 < output.norm < math.inf:
        raise ValueError("it assumes that the output layer's rows differ, and that their norm is finite")


def check_code(network: Checkpoint | Branched, n: int) -> None:
    """Raises ValueError where the shortest code that is tried for the hidden weights promises nothing for certain."""
    tensors = hidden_tensors(network)
    if sum(tensor.size for tensor in tensors) < n / 10:  # tens of bits per weight would be needed
        return
    bits = sum(shortest_length(tensor) for tensor in tensors)
    if least_limit(bits, n) >= 1:
        raise ValueError(
            f"it would promise nothing: its {sum(t.size for t in tensors):,} hidden weights and biases take at least {bits:,} bits, "
            f"{bits / n:.1f} for each of {n:,} images; with fewer weights it may"
        )


def sub_sample(data: Split, size: int, seed: int) -> Split:
    """`size` of the examples, drawn without replacement; all of them where there are no more."""
    chosen = torch.randperm(len(data.labels), generator=torch.Generator().manual_seed(seed))[:size]
    return Split(data.images[chosen], data.labels[chosen])


def _some(seen: Seen) -> Seen:
    """Every k-th example, `_MORE` of them or a few more."""
    k = max(1, len(seen.squares) // _MORE)
    parts = {name: getattr(seen, name)[::k] for name in ("ahead", "squares", "projections")}
    return dataclasses.replace(seen, **parts)


class Fit(NamedTuple):
    """Certificates of one rounded network: `output` its last layer, `bits` its code's length, `n` of the sample."""

    output: Output
    bits: int
    n: int

    def choose(self, seen: Seen, shape: NoiseShape | None, start: float | None, fine: float) -> tuple[float, PairLimit]:
        return self._search(seen, shape).searched(start, fine)

    def _search(self, seen: Seen, shape: NoiseShape | None) -> ScaleSearch:
        less, spread = (None, None) if shape is None else (shape.less, shape.spread)
        return ScaleSearch(scores(seen, less), self.output.norm, self.bits, self.n, spread)

    def made(
        self,
        seen: Seen,
        shape: NoiseShape | None,
        pull: float | None,
        roundings: list[Rounding],
        errors: tuple[float, float | None],
        start: float | None,
        trained: bool = False,
    ) -> CodedCertificate:
        """The scale from some of the examples, the certificate from all."""
        size, _ = self.choose(_some(seen), shape, start, 1.05)
        search = self._search(seen, shape)
        found = search.at(size)
        spread = search.spread or 0.0
        norm, classes = self.output.norm, len(self.output.weight)
        charged = size * (1 + 1e-12)  # of mu Pi W, whose norm was rounded
        return CodedCertificate(
            self.n,
            classes,
            *found.pair,
            len(PAIRS),
            size / norm,
            charged,
            spread,
            self.bits,
            found.loss,
            tuple(roundings),
            self.output.constant,
            pull,
            *errors,
            trained,
        )
