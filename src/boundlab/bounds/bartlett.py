"""Bartlett, Foster, Telgarsky, "Spectrally-normalized margin bounds for neural networks", NIPS 2017, arXiv 1706.08498:
Theorem 3.3, Lemma 3.1 and Dudley's integral, for norm limits that are fixed in advance."""

from __future__ import annotations

import math

import numpy as np

from boundlab.bounds.augmented import carried, data_growth, repeated_biases
from boundlab.bounds.base import (
    FIXED,
    FROM_BELOW,
    IID,
    NOT_PLOTTED,
    STRICT_ONLY_SPARSE,
    Bound,
    Formula,
    Terms,
    averaged_before,
    averaging,
    chosen_margin,
    effective_n,
    empirical,
    log_sum,
    log_sum_power,
)
from boundlab.bounds.biases import has_constant
from boundlab.quantities.norms import Array, NetworkNorms
from boundlab.quantities.sample import SampleStats
from boundlab.specs.settings import Settings
from boundlab.specs.shapes import LayerShape


def widest(shapes: tuple[LayerShape, ...]) -> int:
    """W: most units (positions times channels) in the input or a layer's output, before pooling."""
    first = shapes[0]
    units = first.in_channels * first.in_size[0] * first.in_size[1]
    return max(units, *(shape.positions * shape.out_channels for shape in shapes))


def _biases(net: NetworkNorms, sample: SampleStats, spectral: list[Array], rows: list[Array]) -> dict[str, Array]:
    """What biases multiply to the complexity: {} without them. The constant input is as large as an image of ones; what carries it on
    counts in the spectral norms and in the (2,1) norms. A row (w, b) is at most |w| + |b| long."""
    if not has_constant(net.shapes):
        return {}
    before, first = averaged_before(net), net.shapes[0]
    plain, long = ([x - a for x, a in zip(some, before, strict=True)] for some in (spectral, rows))
    inputs = first.in_channels * first.in_size[0] * first.in_size[1]
    whole = carried(plain, repeated_biases(net), 0.5 * math.log(inputs))
    stretched = whole.spectral()
    units = [0.5 * math.log(shape.positions * shape.out_channels) for shape in net.shapes]
    longer = [
        log_sum([row, column + unit, carrier])
        for row, column, unit, carrier in zip(long, whole.columns(), units, whole.carriers(), strict=True)
    ]

    def size(norms: list[Array], of_rows: list[Array], width: int) -> Array:
        layers = log_sum_power([row - s for row, s in zip(of_rows, norms, strict=True)])
        total: Array = np.asarray(sum(norms)) + layers + 0.5 * math.log(math.log(2) + 2 * math.log(width))
        return total

    width = widest(net.shapes)
    grown = size(stretched, longer, width + 1) - size(plain, long, width)
    return {"biases": grown + data_growth(sample, inputs)}


def theorem(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """Bartlett, Foster, Telgarsky 2017, Theorem 3.3 and Lemma 3.1 with Dudley's integral, of the layers written out as matrices.

    The constants 72 and 8 / n^(3/2) are worked out here. Reference weights: 0. Not a certificate: spectral norms are approached from below.
    """
    n, margin = effective_n(sample, settings), chosen_margin(settings)
    spectral = [layer.log("spectral_map") for layer in net.layers]
    # b_l = O_l N_row: with padding the rows at the border are cut short, so this is an upper bound there. Pooling belongs
    # to the nonlinearities, which may be any Lipschitz maps (the paper's section 2): max-pooling over windows that do not
    # overlap has constant 1, average pooling 1/sqrt(p)
    filters = [layer.log("norm_row") - s for layer, s in zip(net.layers, spectral, strict=True)]
    rows = [math.log(shape.positions) + f for shape, f in zip(net.shapes, filters, strict=True)]
    layers = log_sum_power(filters)
    factors = {
        **_biases(net, sample, spectral, [r + s for r, s in zip(rows, spectral, strict=True)]),
        **{f"spectral_map.{layer.shape.name}": s for layer, s in zip(net.layers, spectral, strict=True)},
        **averaging(net),
        "layers": layers,
        "positions": log_sum_power(rows) - layers,
        "constant": math.log(72),
        "logarithms": math.log(math.log(n)) + 0.5 * math.log(math.log(2) + 2 * math.log(widest(net.shapes))),
        "margin": -math.log(margin),
        "data": np.asarray(math.log(sample.fed.frobenius / math.sqrt(n))),
        "sample_size": -0.5 * math.log(n),
    }
    additive = {
        "confidence": 3 * math.sqrt(math.log(1 / settings.delta) / (2 * n)),
        "chaining": 8 / n**1.5,
    }
    return Terms(factors, additive, empirical(net, margin, "ramp"), margin)


BOUND = Bound(
    key="bartlett",
    title="Bartlett et al. 2017",
    source="Bartlett, Foster, Telgarsky, NIPS 2017, arXiv 1706.08498, Theorem 3.3 and Lemma 3.1",
    bibtex=r"""@inproceedings{bartlett2017spectrally,
  title     = {Spectrally-normalized margin bounds for neural networks},
  author    = {Bartlett, Peter L. and Foster, Dylan J. and Telgarsky, Matus},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {30},
  year      = {2017},
  eprint    = {1706.08498},
  archiveprefix = {arXiv}
}""",
    formulas={
        "theorem": Formula(
            latex=r"\widehat{\mathrm{err}}_\gamma+\frac8{n^{3/2}}+\frac{72\ln n\,\sqrt{\ln(2W^2)}}{\gamma n}\|X\|_F\prod_l s_l"
            r"\Big(\sum_l(b_l/s_l)^{2/3}\Big)^{3/2}+3\sqrt{\tfrac{\ln(1/\delta)}{2n}},\quad b_l=O_l\sum_c\|W^l_c-M^l_c\|",
            terms=theorem,
            symbols=r"$W$: units of the widest layer, input included · $s_l$: spectral norm of the layer as a map · $b_l$: at "
            r"least the sum of the row norms of $\mathrm{op}(W^l)-\mathrm{op}(M^l)$, the layer written out as one matrix minus "
            r"its reference (equal to it without padding; with padding the rows at the border are shorter) · $O_l$: output "
            r"positions · $W^l_c$: filter $c$ (without weight sharing $b_l$ sums over the filters of every position) · average "
            r"pooling over $p$ positions multiplies the product by its Lipschitz constant $1/\sqrt p$, max-pooling by 1 · "
            r"$M^l$: reference weights (0 here).",
            assumptions=(IID, FIXED),
            note="From the paper's cover of a network (Theorem 3.3) by Dudley's integral and its Lemma 3.1, whose last term this is, with the "
            f"constants 72 and $8/n^{{3/2}}$ worked out here; the text of its Lemma A.8 was not seen. {FROM_BELOW} "
            "With biases it is about the augmented network: one more input, a constant as large as an image of ones, at which every bias is a weight, "
            "repeated at each position; what carries it on counts in both norms.",
        ),
    },
    refusals={"published": NOT_PLOTTED, "strict": STRICT_ONLY_SPARSE},
)
