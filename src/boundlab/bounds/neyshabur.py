"""Neyshabur, Tomioka, Srebro, "Norm-Based Capacity Control in Neural Networks", COLT 2015, arXiv 1503.00036, for
Frobenius norms in the form that first-moment peeling proves (a factor 2 per ReLU layer); multi-class by Mohri,
Rostamizadeh, Talwalkar, Foundations of Machine Learning (2nd ed.), Theorem 9.2."""

from __future__ import annotations

import math

from boundlab.bounds.base import (
    FIXED,
    IID,
    NO_BIAS,
    NO_MAX_POOLING,
    NOT_PLOTTED,
    STRICT_ONLY_SPARSE,
    Bound,
    Formula,
    Terms,
    scalar_class,
)
from boundlab.quantities.norms import NetworkNorms
from boundlab.quantities.sample import SampleStats
from boundlab.specs.settings import Settings


def theorem(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """Neyshabur, Tomioka, Srebro 2015, Corollary 2 with p = q = 2, of the layers written out as matrices: Rademacher
    complexity at most 2^(L-1) prod ||op(W)||_F ||X||_F / n; multi-class as in `scalar_class`.
    """
    return scalar_class(net, sample, settings, (len(net.layers) - 1) * math.log(2))


BOUND = Bound(
    key="neyshabur",
    title="Neyshabur et al. 2015",
    source="Neyshabur, Tomioka, Srebro, COLT 2015, arXiv 1503.00036, group norms with p = q = 2",
    bibtex=r"""@inproceedings{neyshabur2015norm,
  title     = {Norm-Based Capacity Control in Neural Networks},
  author    = {Neyshabur, Behnam and Tomioka, Ryota and Srebro, Nathan},
  booktitle = {Proceedings of the 28th Conference on Learning Theory (COLT)},
  series    = {Proceedings of Machine Learning Research},
  volume    = {40},
  year      = {2015},
  eprint    = {1503.00036},
  archiveprefix = {arXiv}
}""",
    formulas={
        "theorem": Formula(
            latex=r"\widehat{\mathrm{err}}_\gamma+\frac{4C}{\gamma n}\,2^{L-1}\prod_l\|\mathrm{op}(W^l)\|_F\,\|X\|_F"
            r"+3\sqrt{\frac{\log(2/\delta)}{2n}}",
            terms=theorem,
            symbols=r"$\mathrm{op}(W)$: the layer written out as one matrix, average pooling before it included (a factor "
            r"$1/\sqrt p$ for windows of $p$ positions).",
            assumptions=(NO_BIAS, NO_MAX_POOLING, IID, FIXED),
            note="The form that a factor 2 per ReLU layer proves, not the paper's own statement: constants not re-checked "
            "against the paper.",
        ),
    },
    refusals={"published": NOT_PLOTTED, "strict": STRICT_ONLY_SPARSE},
)
