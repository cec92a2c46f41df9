"""Graf, Zeng, Rieck, Niethammer, Kwitt, "On Measuring Excess Capacity in Neural Networks", NeurIPS 2022, Theorem 3.5.

Two bounds: `graf` (the first form, whose sloppier version the figures plot) and `graf_params` (the second form)."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import digamma

from boundlab.bounds.augmented import CHANNEL, carried, channel_size, data_growth
from boundlab.bounds.base import (
    BIASES_IGNORED,
    FIXED,
    FROM_BELOW,
    IID,
    NO_POOLING,
    NO_POOLING_CODE,
    SHARED,
    STRICT_ONLY_SPARSE,
    Bound,
    Formula,
    Terms,
    chosen_margin,
    deviation,
    effective_n,
    empirical,
    log_sum,
    log_sum_power,
)
from boundlab.bounds.biases import has_constant
from boundlab.quantities.norms import Array, NetworkNorms, log
from boundlab.quantities.sample import SampleStats
from boundlab.specs.settings import Settings

_PSI = 2.7  # supremum of the increasing function psi in the second form


def published(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """What the authors' code of Galanti et al. 2023 (lianegalanti/gen) plots for Graf et al. 2022, Theorem 3.5, first form:
    log(2W) not under a root, kernels' spectral norms, the largest input norm. No empirical term.
    """
    n = effective_n(sample, settings)
    widest = max(shape.parameters for shape in net.shapes)
    spectral = {f"spectral_kernel.{layer.shape.name}": layer.log("spectral_kernel") for layer in net.layers}
    factors = {
        **spectral,
        "layers": log_sum_power([layer.log("norm_21") - layer.log("spectral_kernel") for layer in net.layers]),
        "constant": math.log(24 * 4),
        "logarithms": math.log(math.log(n) * math.log(2 * widest)),
        "data": math.log(sample.fed.max_norm),
        "sample_size": -0.5 * math.log(n),
    }
    return Terms(factors, {"confidence": deviation(n, settings.delta) + 8 / n})


def _capacities(net: NetworkNorms, sample: SampleStats, settings: Settings, n: int, biases: bool) -> list[Array]:
    """log C_i of every layer; with `biases` of the augmented network, one channel of ones more."""
    spectral, of_kernels = ([layer.log(name) for layer in net.layers] for name in ("spectral_map", "norm_21"))
    common = math.log(4 / chosen_margin(settings) * sample.fed.frobenius / math.sqrt(n))
    if biases:
        whole = carried(spectral, [layer.log("bias_norm") for layer in net.layers], 0.0)
        units = [0.5 * math.log(shape.out_channels) for shape in net.shapes]
        parts = zip(of_kernels, whole.columns(), units, whole.carriers(), strict=True)
        of_kernels = [log_sum([norm, column + unit, carrier]) for norm, column, unit, carrier in parts]
        spectral, common = whole.spectral(), common + data_growth(sample, channel_size(net.shapes[0]))
    return [common + np.asarray(sum(spectral)) + b - s for b, s in zip(of_kernels, spectral, strict=True)]


def _kernel_weights(net: NetworkNorms, biases: bool) -> list[int]:
    """W_i: weights of the layers as plain convolutions, which the cover is of: with the zeros of groups and dilation; with `biases`
    those of the constant channel too, which is as many features as it has pixels where a dense layer reads it."""
    found, constants = [], 1
    for i, shape in enumerate(net.shapes):
        side, out, into = shape.dilation * (shape.kernel - 1) + 1, shape.out_channels, shape.in_channels
        if biases:
            out, into = out + (shape.name != "output"), into + constants
        found.append(out * into * side**2)
        flattened = shape.spatial and not net.shapes[i + 1].spatial
        constants = math.prod(shape.passed_size) if flattened else 1
    return found


def _ceil_log(logs: Array) -> Array:
    """log of ceil(exp(x)), exact where the ceiling matters."""
    return np.where(logs < 30, log(np.ceil(np.exp(np.minimum(logs, 30)))), logs)


def theorem(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """Graf et al. 2022, Theorem 3.5, first form: twice its Rademacher complexity 4/n + 12 H_(n-1) / sqrt(n) sqrt(log 2W)
    (sum of ceil(C_i^(2/3)))^(3/2), C_i as in `_capacities`. Reference weights: 0.
    """
    n, margin = effective_n(sample, settings), chosen_margin(settings)
    biases = has_constant(net.shapes)
    capacities = _capacities(net, sample, settings, n, False)
    exact, common = log_sum_power(capacities), [layer.log("spectral_map") for layer in net.layers]
    augmented = _capacities(net, sample, settings, n, True) if biases else capacities
    rounded = 1.5 * log_sum([_ceil_log(c * 2 / 3) for c in augmented])
    grown = {"biases": log_sum_power(augmented) - exact} if biases else {}
    data = math.log(sample.fed.frobenius / math.sqrt(n))
    harmonic = float(digamma(n)) + np.euler_gamma  # H_{n-1}
    factors = {
        **{f"spectral_map.{layer.shape.name}": s for layer, s in zip(net.layers, common, strict=True)},
        "layers": exact - np.asarray(sum(common)) - data - math.log(4 / margin),
        **grown,
        "rounding": rounded - log_sum_power(augmented),
        "constant": math.log(24 * 4),
        "logarithms": math.log(harmonic) + 0.5 * math.log(math.log(2 * max(_kernel_weights(net, biases)))),
        "margin": -math.log(margin),
        "data": data,
        "sample_size": -0.5 * math.log(n),
    }
    confidence = {"confidence": deviation(n, settings.delta) + 8 / n}
    return Terms(factors, confidence, empirical(net, margin, "ramp"), margin)


def theorem_params(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """Graf et al. 2022, Theorem 3.5, second form, by numbers of weights: twice its Rademacher complexity 12 / sqrt(n)
    sqrt(sum of 2 W_i (log(1 + ceil(L^2 C_i^2)) + psi)), psi at its supremum.
    """
    n, depth, margin = effective_n(sample, settings), len(net.layers), chosen_margin(settings)
    biases = has_constant(net.shapes)
    capacities = [2 * math.log(depth) + 2 * c for c in _capacities(net, sample, settings, n, biases)]
    covering = sum(
        2 * weights * (log_sum([_ceil_log(c), 0.0]) + _PSI)
        for weights, c in zip(_kernel_weights(net, biases), capacities, strict=True)
    )
    factors = {
        "constant": math.log(24),
        "covering": 0.5 * np.log(covering),
        "sample_size": -0.5 * math.log(n),
    }
    confidence = {"confidence": deviation(n, settings.delta)}
    return Terms(factors, confidence, empirical(net, margin, "ramp"), margin)


_ASSUMPTIONS = (CHANNEL, SHARED, NO_POOLING, IID, FIXED)
_AUGMENTED = (
    "With biases it is about the augmented network, whose layers are convolutions too: one more channel of ones, of which one tap of a kernel makes "
    "the biases and the next constant channel, both counted in every norm."
)
_NOTE = f"The statement as the authors' own code documents it, constants included. {FROM_BELOW} {_AUGMENTED}"
_SOURCE = "Graf, Zeng, Rieck, Niethammer, Kwitt, NeurIPS 2022, Theorem 3.5"
_BIBTEX = r"""@inproceedings{graf2022measuring,
  title     = {On Measuring Excess Capacity in Neural Networks},
  author    = {Graf, Florian and Zeng, Sebastian and Rieck, Bastian and Niethammer, Marc and Kwitt, Roland},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {35},
  year      = {2022},
  eprint    = {2202.08070},
  archiveprefix = {arXiv}
}"""

BOUND = Bound(
    key="graf",
    title="Graf et al. 2022",
    source=_SOURCE + " (first form)",
    bibtex=_BIBTEX,
    formulas={
        "published": Formula(
            latex=r"3\sqrt{\tfrac{\log(2/\delta)}{2n}}+\tfrac8n+\frac{24\ln n\,\log(2W')}{\sqrt n}\Big(\sum_i\big(4B"
            r"\textstyle\prod_l\hat s_l\,N^{21}_i/\hat s_i\big)^{2/3}\Big)^{3/2}",
            terms=published,
            symbols=r"$W'$: most trainable numbers in a layer · $B$: largest input norm · $\hat s$: spectral norm of the kernel "
            r"as a matrix · $N^{21}$: l2 over input channels, summed over the rest.",
            assumptions=(SHARED, NO_POOLING_CODE),
            note=f"What the paper's figures plot: the logarithm is not under a root as in the theorem. {BIASES_IGNORED} "
            "They count in $W'$.",
        ),
        "theorem": Formula(
            latex=r"\widehat{\mathrm{err}}_\gamma+\tfrac8n+\frac{24H_{n-1}}{\sqrt n}\sqrt{\log(2W)}\Big(\sum_i\lceil "
            r"C_i^{2/3}\rceil\Big)^{3/2}+3\sqrt{\tfrac{\log(2/\delta)}{2n}},\quad C_i=\tfrac4\gamma\tfrac{\|X\|_F}{\sqrt n}"
            r"\tfrac{b_i}{s_i}\textstyle\prod_l s_l",
            terms=theorem,
            symbols=r"$H_k=\sum_{j\le k}\frac1j$ · $W$: most weights in a layer, zeros between groups and taps included · "
            r"$s_i$: spectral norm of the layer as a map · "
            r"$b_i$: (2,1) norm of its distance from the reference (0 here).",
            assumptions=_ASSUMPTIONS,
            note=_NOTE,
        ),
    },
    refusals={"strict": STRICT_ONLY_SPARSE},
)

PARAMS = Bound(
    key="graf_params",
    title="Graf et al. 2022, by parameters",
    source=_SOURCE + " (second form)",
    bibtex=_BIBTEX,
    formulas={
        "theorem": Formula(
            latex=r"\widehat{\mathrm{err}}_\gamma+\frac{24}{\sqrt n}\sqrt{\sum_i2W_i\big(\log(1+\lceil L^2C_i^2\rceil)+\psi"
            r"\big)}+3\sqrt{\tfrac{\log(2/\delta)}{2n}},\quad\psi<2.7",
            terms=theorem_params,
            symbols=r"$W_i$: weights of layer $i$ · $C_i$: as in the first form.",
            assumptions=_ASSUMPTIONS,
            note=_NOTE,
        ),
    },
    refusals={
        "published": "the paper's figures plot the first form of this theorem, not this one",
        "strict": STRICT_ONLY_SPARSE,
    },
)
