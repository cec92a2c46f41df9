"""Long, Sedghi, "Generalization bounds for deep convolutional neural networks", ICLR 2020, arXiv 1905.12600."""

from __future__ import annotations

import math

import numpy as np

from boundlab.bounds.augmented import CHANNEL, channel_size
from boundlab.bounds.base import (
    BIASES_IGNORED,
    IID,
    NO_POOLING_CODE,
    STRICT_ONLY_SPARSE,
    Assumption,
    Bound,
    Formula,
    Terms,
    chosen_margin,
    effective_n,
    empirical,
)
from boundlab.bounds.biases import has_constant
from boundlab.quantities.norms import NetworkNorms, log
from boundlab.quantities.sample import SampleStats
from boundlab.specs.settings import Settings


def published(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """What the authors' code of Galanti et al. 2023 (lianegalanti/gen) plots for Long, Sedghi 2020: constant set to 1,
    kernels' spectral norms, reference weights 0. No empirical term.
    """
    n, depth = effective_n(sample, settings), len(net.layers)
    factors = {
        "layers": math.log(depth),
        **{f"spectral_kernel.{layer.shape.name}": layer.log("spectral_kernel") / depth for layer in net.layers},
        "parameters": 0.5 * math.log(sum(shape.parameters for shape in net.shapes)),
        "sample_size": -0.5 * math.log(n),
    }
    return Terms(factors, {"confidence": math.sqrt(math.log(1 / settings.delta) / n)})


def theorem(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """Long, Sedghi 2020, Theorem 3.1 as in its proof, one step before the stated form: Lambda = chi sqrt(2) / margin beta
    (1 + nu + beta / L)^L, universal constant set to 1. Needs the initial weights. A shape, not a bound.
    """
    n, depth, margin = effective_n(sample, settings), len(net.layers), chosen_margin(settings)
    weights = sum(shape.weights for shape in net.shapes)
    moved, largest = [layer.spectral_map_from_init for layer in net.layers], sample.fed.max_norm
    if has_constant(net.shapes):  # a channel of ones, carried on by weights of 1; biases are 0 in the reference
        weights += sum(math.prod(shape.bias_shape) for shape in net.shapes if shape.bias)
        moved = [np.hypot(distance, layer.bias_norm) for distance, layer in zip(moved, net.layers, strict=True)]
        largest = math.hypot(largest, math.sqrt(channel_size(net.shapes[0])))
    beta = np.asarray(sum(moved))
    start = np.max(np.stack([layer.spectral_map_of_init for layer in net.layers]), axis=0)  # 1 + nu
    # small case: linear in the Lipschitz constant; else its log, with the confidence term under the same root
    lipschitz = math.log(largest * math.sqrt(2) / margin) + log(beta)
    lipschitz = lipschitz + depth * np.log(np.maximum(start, 1.0) + beta / depth)
    large = lipschitz >= math.log(5)
    covering = np.where(large, 0.5 * np.log(np.maximum(lipschitz, math.log(5))), lipschitz)
    confidence = math.log(1 / settings.delta)
    leading = weights * np.maximum(lipschitz, math.log(5))
    shared_root = (np.sqrt(leading + confidence) - np.sqrt(leading)) / math.sqrt(n)
    factors = {
        "covering": covering,
        "parameters": 0.5 * math.log(weights),
        "sample_size": -0.5 * math.log(n),
    }
    additive = {"confidence": np.where(large, shared_root, math.sqrt(confidence / n))}
    return Terms(factors, additive, empirical(net, margin, "ramp"), margin)


_BEFOREHAND = Assumption(
    "the limits on β, ν and χ, and the margin, were fixed before seeing the data, no input is ever larger than χ, and n is large enough"
)

BOUND = Bound(
    key="long_sedghi",
    title="Long & Sedghi 2020",
    source="Long, Sedghi, ICLR 2020, arXiv 1905.12600, Theorem 3.1 (as in its proof)",
    bibtex=r"""@inproceedings{long2020generalization,
  title     = {Generalization bounds for deep convolutional neural networks},
  author    = {Long, Philip M. and Sedghi, Hanie},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year      = {2020},
  eprint    = {1905.12600},
  archiveprefix = {arXiv}
}""",
    formulas={
        "published": Formula(
            latex=r"L\Big(\prod_l\hat s_l\Big)^{1/L}\sqrt{\tfrac{W'}n}+\sqrt{\tfrac{\log(1/\delta)}n}",
            terms=published,
            symbols=r"$\hat s$: spectral norm of the kernel as a matrix · $W'$: trainable numbers, biases and weight-norm "
            r"scalars included; without weight sharing those of every position, and $\hat s$ the largest over positions.",
            assumptions=(NO_POOLING_CODE,),
            note="What the paper's figures plot. The theorem's universal constant is unspecified and set to 1: a shape, "
            f"not a bound. {BIASES_IGNORED} They count in $W'$.",
        ),
        "theorem": Formula(
            latex=r"\widehat{\mathrm{err}}_\gamma+C_0\sqrt{\tfrac{W\log\Lambda+\log(1/\delta)}n}\ (\Lambda\ge5),\quad"
            r"\widehat{\mathrm{err}}_\gamma+C_0\Big(\Lambda\sqrt{\tfrac Wn}+\sqrt{\tfrac{\log(1/\delta)}n}\Big)\ (\Lambda<5),"
            r"\quad \Lambda=\chi\tfrac{\sqrt2}\gamma\beta(1+\nu+\tfrac\beta L)^L,\ C_0=1",
            terms=theorem,
            symbols=r"$W$: number of weights, without weight sharing those of every position · "
            r"$\chi$: largest input norm · $\beta$: sum over layers of the spectral distance "
            r"from initialisation · $1+\nu$: largest spectral norm at initialisation · $C_0$: unspecified.",
            assumptions=(
                CHANNEL,
                Assumption(
                    "the initial weights are stored (init.* tensors)",
                    lambda net, s, settings: net.has_init,
                    measured=True,
                ),
                IID,
                _BEFOREHAND,
            ),
            note="Universal constant unspecified in the paper, set to 1: a shape, never a certificate. As in the proof of Theorem 3.1, one step "
            r"before its stated form, $\log\Lambda$ replaced by $\beta+\nu L+\log(\chi\lambda\beta)$, which is never smaller "
            r"($\lambda$: Lipschitz constant of the loss, $\sqrt2/\gamma$). Pooling does not stretch and is allowed. "
            r"With biases it is about the augmented network: a constant channel of ones, which weights of 1 carry on; biases are counted "
            r"among the weights, and by their distance from 0.",
        ),
    },
    refusals={"strict": STRICT_ONLY_SPARSE},
)
