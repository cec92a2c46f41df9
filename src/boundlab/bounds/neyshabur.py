"""Neyshabur, Tomioka, Srebro, "Norm-Based Capacity Control in Neural Networks", COLT 2015, arXiv 1503.00036, Corollary 2 with
p = q = 2 and the linear class's ||X||_F / n; multi-class by Mohri, Rostamizadeh, Talwalkar, Foundations of Machine Learning
(2nd ed.), Theorem 9.2, in the empirical form of Kuznetsov, Mohri, Syed 2015, Theorem 2."""

from __future__ import annotations

import math

from boundlab.bounds.base import (
    FIXED,
    IID,
    NOT_PLOTTED,
    RELU,
    STRICT_ONLY_SPARSE,
    Bound,
    Formula,
    Terms,
)
from boundlab.bounds.peeled import AUGMENTED, MATRICES, MULTI_CLASS, scalar_class
from boundlab.quantities.norms import NetworkNorms
from boundlab.quantities.sample import SampleStats
from boundlab.specs.settings import Settings


def theorem(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """Neyshabur, Tomioka, Srebro 2015, Corollary 2 with p = q = 2, of the layers written out as matrices: Rademacher
    complexity at most 2^(L-1) prod ||op(W)||_F ||X||_F / n, the output layer counted by its largest row; multi-class as
    in `scalar_class`.
    """
    return scalar_class(net, sample, settings, (len(net.layers) - 1) * math.log(2))


BOUND = Bound(
    key="neyshabur",
    title="Neyshabur et al. 2015",
    source="Neyshabur, Tomioka, Srebro, COLT 2015, arXiv 1503.00036, Corollary 2 with p = q = 2",
    bibtex=r"""@inproceedings{neyshabur2015norm,
  title     = {Norm-Based Capacity Control in Neural Networks},
  author    = {Neyshabur, Behnam and Tomioka, Ryota and Srebro, Nathan},
  booktitle = {Proceedings of the 28th Conference on Learning Theory (COLT)},
  series    = {Proceedings of Machine Learning Research},
  volume    = {40},
  pages     = {1376--1401},
  year      = {2015},
  eprint    = {1503.00036},
  archiveprefix = {arXiv}
}""",
    formulas={
        "theorem": Formula(
            latex=r"\widehat{\mathrm{err}}_\gamma+\frac{4C}{\gamma n}\,2^{L-1}\max_c\|w_c\|\prod_{l<L}\|\mathrm{op}(W^l)\|_F\,\|X\|_F"
            r"+3\sqrt{\frac{\log(2/\delta)}{2n}}",
            terms=theorem,
            symbols=MATRICES,
            assumptions=(RELU, IID, FIXED),
            note=f"The paper's Corollary 2 for Frobenius norms, with the Rademacher complexity of linear classes, $\\|X\\|_F/n$. {MULTI_CLASS} {AUGMENTED}",
        ),
    },
    refusals={"published": NOT_PLOTTED, "strict": STRICT_ONLY_SPARSE},
)
