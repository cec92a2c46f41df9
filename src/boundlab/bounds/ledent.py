"""Ledent, Mustafa, Lei, Kloft, "Norm-based Generalisation Bounds for Deep Multi-class Convolutional Neural Networks",
AAAI 2021, arXiv 1905.12430; `theorem` is after the form in rkwitt/excess_capacity, which numbers it Theorem 11."""

from __future__ import annotations

import math

import numpy as np

from boundlab.bounds.base import (
    BIASES_IGNORED,
    FIXED,
    FROM_BELOW,
    IID,
    NO_POOLING,
    NO_POOLING_CODE,
    RELU,
    SHARED,
    STRICT_ONLY_SPARSE,
    Assumption,
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
from boundlab.quantities.norms import Array, LayerNorms, NetworkNorms
from boundlab.quantities.sample import SampleStats
from boundlab.specs.settings import Settings


def _log_root(log_gamma: Array, widest: int, n: int) -> Array:
    """log sqrt(log2(32 Gamma n^2 + 7 W n)) + log ln n."""
    inside = log_sum([math.log(32) + log_gamma + 2 * math.log(n), math.log(7 * widest * n)])
    return 0.5 * np.log(inside / math.log(2)) + math.log(math.log(n))


def published(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """What the authors' code of Galanti et al. 2023 (lianegalanti/gen) plots for Ledent et al. 2021, slips included: every
    summand carries the output layer's norm, and the last root does not shrink with n. No empirical term.
    """
    n, depth, radius = effective_n(sample, settings), len(net.layers), sample.fed.max_norm
    u = [np.log(layer.spectral_kernel + 1 / depth) for layer in net.layers]
    v = [np.log(layer.norm_21 + 1 / depth) for layer in net.layers]
    others = [np.asarray(sum(u)) - u[i] for i in range(depth)]
    spectral = {f"spectral_kernel.{layer.shape.name}": layer.log("spectral_kernel") for layer in net.layers}
    # The official loop shadows `layer`: every summand carries the output layer's norm; Gamma ends at the last
    # hidden layer's product instead of the maximum.
    summed = math.log(depth) + log_sum_power([v[-1] + other for other in others])
    last = max(depth - 2, 0)
    shape = net.shapes[last]
    height = shape.in_channels * shape.in_size[0] if shape.kind == "conv" else 1
    log_gamma = math.log(radius + 1) + math.log(height) + v[last] + others[last]
    first = net.shapes[0]
    widest = max(
        [first.in_channels * first.in_size[0] * first.in_size[1]]
        + [s.out_channels * s.positions for s in net.shapes[:-1]]
    )
    factors = {
        **spectral,
        "layers": summed - np.asarray(sum(spectral.values())),
        "constant": math.log(1536),
        "logarithms": _log_root(log_gamma, widest, n),
        "data": math.log(radius + 1),
        "sample_size": -0.5 * math.log(n),
    }
    norms = np.asarray(sum(layer.norm_21 / depth + 2 for layer in net.layers))
    additive = {
        "confidence": 8 / n + 3 * math.sqrt(math.log(2 / settings.delta) / n) + math.sqrt(math.log(2) / n),
        "norm_grid": 3 * np.sqrt(math.log(1 + radius) / n + norms),
    }
    return Terms(factors, additive)


def _log_alpha(layer: LayerNorms) -> Array:
    return layer.log("frobenius" if layer.shape.name == "output" else "norm_row")


def theorem(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """Ledent et al. 2021 after the form in rkwitt/excess_capacity, whose numbering "Theorem 11" is: r_l = b_l rho_(l+) alpha_l.

    NaN where patch norms b_l were not measured. Reference weights: 0. Differs from that code where it is inconsistent: the
    last layer's amplification is 1 / margin, its spectral norm the largest row norm.
    """
    n, margin = effective_n(sample, settings), chosen_margin(settings)
    layers, depth = net.layers, len(net.layers)
    patch = [layer.log("patch_norm") for layer in layers] + [np.asarray(math.log(margin))]
    spectral = [layer.log("spectral_map") for layer in layers[:-1]] + [layers[-1].log("max_row")]
    radii = []
    for i, layer in enumerate(layers):
        side = 0.5 * math.log(layer.shape.positions)  # root of the positions entering the next layer
        reach = [side - patch[j + 1] + np.asarray(sum(spectral[i + 1 : j + 1])) for j in range(i + 1, depth)]
        onward = np.max(np.stack(np.broadcast_arrays(*reach)), axis=0) if reach else -patch[depth]
        radii.append(patch[i] + onward + _log_alpha(layer))
    units = [math.log(s.positions * s.out_channels) for s in net.shapes]
    log_gamma = np.max(np.stack([r + u for r, u in zip(radii, units, strict=True)]), axis=0)
    widest = max(s.positions * s.out_channels for s in net.shapes)
    factors = {
        "constant": math.log(2 * 768),
        "logarithms": _log_root(log_gamma, widest, n),
        "layers": log_sum_power(radii),
        "sample_size": -0.5 * math.log(n),
    }
    additive = {"confidence": 8 / n + deviation(n, settings.delta)}
    return Terms(factors, additive, empirical(net, margin, "ramp"), margin)


_NO_BIAS = Assumption(
    "the network has no biases (without the theorem's text it is not known whether a constant channel may stand for them)",
    lambda net, sample, settings: not has_constant(net.shapes),
)


def _has_patches(net: NetworkNorms, sample: SampleStats, settings: Settings) -> bool:
    return any(bool(np.any(np.isfinite(layer.patch_norm))) for layer in net.layers)


BOUND = Bound(
    key="ledent",
    title="Ledent et al. 2021",
    source="Ledent, Mustafa, Lei, Kloft, AAAI 2021, arXiv 1905.12430 (Theorem 11 as Graf et al. number it)",
    bibtex=r"""@inproceedings{ledent2021norm,
  title     = {Norm-Based Generalisation Bounds for Deep Multi-Class Convolutional Neural Networks},
  author    = {Ledent, Antoine and Mustafa, Waleed and Lei, Yunwen and Kloft, Marius},
  booktitle = {Proceedings of the AAAI Conference on Artificial Intelligence},
  volume    = {35},
  number    = {9},
  pages     = {8279--8287},
  year      = {2021},
  doi       = {10.1609/aaai.v35i9.17007},
  eprint    = {1905.12430},
  archiveprefix = {arXiv}
}""",
    formulas={
        "published": Formula(
            latex=r"\frac8n+3\sqrt{\tfrac{\log(2/\delta)}n}+\sqrt{\tfrac{\log2}n}+\tfrac{1536}{\sqrt n}R"
            r"\sqrt{\log_2(32\Gamma n^2+7\bar Wn)}\,\ln n+3\sqrt{\tfrac{\log(1+B)}n+\sum_i(\tfrac{N^{21}_i}L+2)},\quad "
            r"R=L(B+1)\Big(\sum_i\big(v_L\textstyle\prod_{j\ne i}u_j\big)^{2/3}\Big)^{3/2}",
            terms=published,
            symbols=r"$B$: largest input norm · $u_j=\hat s_j+\frac1L$, $v_i=N^{21}_i+\frac1L$ · $\hat s$: spectral norm of the "
            r"kernel as a matrix · $N^{21}$: l2 over input channels, summed over the rest · $v_L$: the output layer's · "
            r"$\Gamma$: a product of norms and sizes, $\bar W$: the widest layer; both only inside a logarithm.",
            assumptions=(SHARED, NO_POOLING_CODE),
            note="What the paper's figures plot, with the released code's slips (every summand carries the output "
            f"layer's norm). {BIASES_IGNORED}",
        ),
        "theorem": Formula(
            latex=r"\widehat{\mathrm{err}}_\gamma+\frac8n+\frac{1536}{\sqrt n}\Big(\sum_l r_l^{2/3}\Big)^{3/2}"
            r"\sqrt{\log_2(32\Gamma n^2+7\bar Wn)}\,\ln n+3\sqrt{\tfrac{\log(2/\delta)}{2n}},\quad r_l=b_l\rho_{l+}\alpha_l",
            terms=theorem,
            symbols=r"$b_l$: largest norm of an input patch of layer $l$ · $\alpha_l$: sum of filter norms (Frobenius norm for "
            r"the output layer), minus the reference weights (0 here) · $\rho_{l+}$: largest amplification from layer $l$ on, "
            r"relative to the patch norm there · $\Gamma=\max_lr_lO_l\cdot$ channels · $\bar W$: the widest layer.",
            assumptions=(
                _NO_BIAS,
                SHARED,
                NO_POOLING,
                RELU,
                Assumption(
                    "patch norms were measured on the sample (a pass over the data)", _has_patches, measured=True
                ),
                IID,
                FIXED,
            ),
            note="After the form in Graf et al.'s code, which numbers it Theorem 11; not the same as theirs: the output layer's spectral norm is "
            "its largest row norm here, and the last layer's amplification $1/\\gamma$. The paper's own text was not found: "
            f"constants not re-checked against it. {FROM_BELOW}",
        ),
    },
    refusals={"strict": STRICT_ONLY_SPARSE},
)
