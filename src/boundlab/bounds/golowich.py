"""Golowich, Rakhlin, Shamir, "Size-Independent Sample Complexity of Neural Networks", arXiv 1712.06541, Theorem 1 (the extended
abstract of COLT 2018 has no numbered theorems); multi-class by Mohri, Rostamizadeh, Talwalkar, Foundations of Machine
Learning (2nd ed.), Theorem 9.2, in the empirical form of Kuznetsov, Mohri, Syed 2015, Theorem 2."""

from __future__ import annotations

import math

import numpy as np

from boundlab.bounds.base import (
    BIASES_IGNORED,
    FIXED,
    IID,
    NO_POOLING_CODE,
    STRICT_ONLY_SPARSE,
    Bound,
    Formula,
    Terms,
    effective_n,
    log_sum,
    radius_log,
)
from boundlab.bounds.peeled import AUGMENTED, MATRICES, MULTI_CLASS, scalar_class
from boundlab.quantities.norms import NetworkNorms
from boundlab.quantities.sample import SampleStats
from boundlab.specs.settings import Settings


def published(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """What the authors' code of Galanti et al. 2023 (lianegalanti/gen) plots for Golowich et al. 2018: the sparse curve's
    formula with rho_G = rho times the root of every convolution's positions and the whole inputs' norm. No empirical term.
    """
    n, depth = effective_n(sample, settings), len(net.layers)
    norms = {f"frobenius.{layer.shape.name}": layer.log("frobenius") for layer in net.layers}
    norms |= {f"positions.{s.name}": np.asarray(0.5 * math.log(s.positions)) for s in net.shapes if s.spatial}
    log_rho = np.asarray(sum(norms.values()))
    factors = {
        **norms,
        "grid": log_sum([log_rho, 0.0]) - log_rho,
        "loss": math.log(2 * math.sqrt(2)),
        "depth": math.log(1 + math.sqrt(2 * (depth * math.log(2) + math.log(sample.classes)))),
        "data": math.log(sample.fed.frobenius / math.sqrt(n)),
        "sample_size": -0.5 * math.log(n),
    }
    return Terms(factors, {"confidence": radius_log(log_rho, n, settings.delta)})


def theorem(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """Golowich, Rakhlin, Shamir 2018 (arXiv 1712.06541), Theorem 1, of the layers written out as matrices: Rademacher
    complexity at most prod ||op(W)||_F (sqrt(2 L ln 2) + 1) ||X||_F / n, the output layer counted by its largest row;
    multi-class as in `scalar_class`.
    """
    return scalar_class(net, sample, settings, math.log(1 + math.sqrt(2 * len(net.layers) * math.log(2))))


BOUND = Bound(
    key="golowich",
    title="Golowich et al. 2018",
    source="Golowich, Rakhlin, Shamir, arXiv 1712.06541, Theorem 1 (extended abstract: COLT 2018, PMLR 75:297-299)",
    bibtex=r"""@inproceedings{golowich2018size,
  title     = {Size-Independent Sample Complexity of Neural Networks},
  author    = {Golowich, Noah and Rakhlin, Alexander and Shamir, Ohad},
  booktitle = {Proceedings of the 31st Conference on Learning Theory (COLT)},
  series    = {Proceedings of Machine Learning Research},
  volume    = {75},
  pages     = {297--299},
  year      = {2018},
  eprint    = {1712.06541},
  archiveprefix = {arXiv}
}""",
    formulas={
        "published": Formula(
            latex=r"\frac{\rho_G+1}{n}\,2\sqrt2\Big(1+\sqrt{2(L\log2+\log C)}\Big)\|X\|_F"
            r"+3\sqrt{\frac{\log(2(\rho_G+2)^2/\delta)}{2n}},\quad \rho_G=\prod_l\|W^l\|_F\prod_{l\in conv}\sqrt{O_l}",
            terms=published,
            symbols=r"$O_l$: output positions of layer $l$ · without weight sharing $\|W^l\|_F$ is the largest over positions.",
            assumptions=(NO_POOLING_CODE,),
            note=f"What the paper's figures plot: no empirical margin error; inputs as the network sees them. {BIASES_IGNORED}",
        ),
        "theorem": Formula(
            latex=r"\widehat{\mathrm{err}}_\gamma+\frac{4C}{\gamma n}\max_c\|w_c\|\prod_{l<L}\|\mathrm{op}(W^l)\|_F\big(\sqrt{2L\log2}"
            r"+1\big)\|X\|_F+3\sqrt{\frac{\log(2/\delta)}{2n}}",
            terms=theorem,
            symbols=MATRICES,
            assumptions=(IID, FIXED),
            note=f"The paper's Theorem 1 with its constants. {MULTI_CLASS} {AUGMENTED}",
        ),
    },
    refusals={"strict": STRICT_ONLY_SPARSE},
)
