"""Gonon, Brisebarre, Riccietti, Gribonval, "A path-norm toolkit for modern networks: consequences, promises and
challenges", ICLR 2024, arXiv 2310.01225, Theorem 3.1 as sharpened in Remark 3.1."""

from __future__ import annotations

import math
from dataclasses import dataclass

from boundlab.bounds.base import (
    IID,
    NOT_PLOTTED,
    RELU,
    STRICT_ONLY_SPARSE,
    Assumption,
    Bound,
    Formula,
    Terms,
    chosen_margin,
    effective_n,
    empirical,
)
from boundlab.quantities.norms import Array, NetworkNorms, log
from boundlab.quantities.sample import SampleStats
from boundlab.specs.settings import Settings


@dataclass(frozen=True)
class Paths:
    """What the theorem sees of a network. `norm`: sum over paths of the products of absolute weights; `layers` on the longest path, without
    max-pools, and `max_pools`: the areas of those on it; `inputs`: how many numbers go in; `biased`: whether any is added."""

    norm: Array | float
    layers: int
    max_pools: tuple[int, ...]
    inputs: int
    biased: bool


def _paths(net: NetworkNorms) -> Paths:
    first = net.shapes[0]
    # a max-pool is a layer of neurons of the paper's model; average pooling is part of the layer after it
    areas = tuple(pool.area for s in net.shapes for pool in s.pools if pool.kind == "max")
    inputs = first.in_channels * first.in_size[0] * first.in_size[1]
    return Paths(net.path_l1, len(net.layers), areas, inputs, any(shape.bias for shape in net.shapes))


def theorem(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """Gonon et al. 2024, Theorem 3.1 as sharpened in Remark 3.1, with the ramp's Lipschitz constant sqrt(2) / margin.

    Of the expected gap: no delta and no additive term.
    """
    return of_paths(_paths(net), empirical(net, chosen_margin(settings), "ramp"), sample, settings)


def of_paths(paths: Paths, ramp: Array | float, sample: SampleStats, settings: Settings) -> Terms:
    """`theorem` of any network of ReLU and max-pooling neurons (Gonon et al. 2024, Theorem 3.1), whatever leads where; `ramp`: its
    training error at the margin."""
    n, margin = effective_n(sample, settings), chosen_margin(settings)
    # B: largest absolute input; a bias is a weight on an input of 1, which then counts too
    largest = max(sample.fed.max_abs, 1.0) if paths.biased else sample.fed.max_abs
    areas = paths.max_pools
    logarithms = (paths.layers + len(areas)) * math.log(3) + math.log((paths.inputs + 1) * sample.classes)
    logarithms += len(areas) * math.log(max(areas, default=1))
    factors = {
        "path_norm": log(paths.norm),
        "constant": math.log(4),
        "loss": 0.5 * math.log(2),
        "margin": -math.log(margin),
        "depth": 0.5 * math.log(logarithms),
        "data": math.log(largest),
        "sample_size": -0.5 * math.log(n),
    }
    return Terms(factors, {}, ramp, margin)


BOUND = Bound(
    key="gonon",
    title="Gonon et al. 2024",
    source="Gonon, Brisebarre, Riccietti, Gribonval, ICLR 2024, arXiv 2310.01225, Theorem 3.1 and Remark 3.1",
    bibtex=r"""@inproceedings{gonon2024pathnorm,
  title     = {A path-norm toolkit for modern networks: consequences, promises and challenges},
  author    = {Gonon, Antoine and Brisebarre, Nicolas and Riccietti, Elisa and Gribonval, R{\'e}mi},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year      = {2024},
  eprint    = {2310.01225},
  archiveprefix = {arXiv}
}""",
    formulas={
        "theorem": Formula(
            latex=r"\widehat{\mathrm{err}}_\gamma+\frac{4B}{\sqrt n}\,\frac{\sqrt2}\gamma\,\|\Phi\|_1\sqrt{(L+M)\log3+M\log K"
            r"+\log\big((d+1)C\big)}",
            terms=theorem,
            symbols=r"$\|\Phi\|_1$: l1 path norm, the sum over all paths from an input or a bias to an output of the product of "
            r"the absolute weights on it · $B$: largest absolute value of an input (at least 1 with biases), taken from the "
            r"sample · $d$: number of inputs · $M$: max-pooling layers, over at most $K$ positions each.",
            assumptions=(
                RELU,
                IID,
                Assumption(
                    "the limits on the path norm and on the inputs, and the margin, were fixed before seeing the data"
                ),
            ),
            note="A bound on the expected gap, over random samples: it has no δ and promises nothing about one sample. "
            "Biases are allowed. The constants are those of the authors' code, Theorem 3.1 sharpened by Remark 3.1; its "
            "assumptions are written from memory.",
        ),
    },
    refusals={"published": NOT_PLOTTED, "strict": STRICT_ONLY_SPARSE},
)
