"""Sparse bound: Galanti, Xu, Galanti, Poggio, "Norm-based Generalization Bounds for (Compositionally) Sparse Neural
Networks", NeurIPS 2023, arXiv 2301.12033; the `strict` convention is Theorem S (theorem_s.py)."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from boundlab.bounds.base import (
    BIASES_IGNORED,
    IID,
    NO_BIAS,
    NO_POOLING_CODE,
    Assumption,
    Bound,
    Formula,
    Terms,
    chosen_margin,
    effective_n,
    empirical,
    log_sum,
    radius_log,
)
from boundlab.bounds.biases import BIASES_COUNTED
from boundlab.bounds.theorem_s import OWN_N, SHARED_UNDER_MAX, frobenius, strict
from boundlab.quantities.norms import Array, NetworkNorms, log
from boundlab.quantities.paths import max_path_energy
from boundlab.quantities.sample import InputStats, SampleStats
from boundlab.specs.settings import Settings
from boundlab.specs.shapes import LayerShape


def _grid_factor(log_rho: Array) -> Array:
    """log (1 + 1/rho): rho + 1 stands where rho is meant, the price of a grid over rho."""
    return log_sum([log_rho, 0.0]) - log_rho


def _pixel(stats: InputStats, net: NetworkNorms) -> float:
    """Root of the largest pixel energy; for a dense network the whole input is one position."""
    return stats.max_pixel if net.shapes[0].spatial else stats.frobenius


@lru_cache(maxsize=256)
def _heaviest_path(shapes: tuple[LayerShape, ...], sample: SampleStats) -> tuple[float, int]:
    """`max_path_energy` of the sample as the network sees it, kept: no weight enters."""
    return max_path_energy(sample.fed.pixel_energy, shapes)


def published(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """What the authors' code of Galanti et al. 2023 (lianegalanti/gen) plots: raw pixels, kernel areas in place of paths, no
    fan-in of the output layer, no empirical term. Not a bound for these networks by itself.
    """
    n, depth = effective_n(sample, settings), len(net.layers)
    norms = frobenius(net.layers)
    log_rho = np.asarray(sum(norms.values()))
    area = max(shape.area for shape in net.shapes)
    peel = 1 + math.sqrt(2 * (depth * math.log(2 * area) + math.log(sample.classes)))
    factors = {
        **norms,
        "grid": _grid_factor(log_rho),
        "loss": math.log(2 * math.sqrt(2)),
        "depth": math.log(peel),
        **{f"kernel_area.{s.name}": 0.5 * math.log(s.area) for s in net.shapes if s.spatial},
        "data": math.log(_pixel(sample.raw, net) / math.sqrt(n)),
        "sample_size": -0.5 * math.log(n),
    }
    return Terms(factors, {"confidence": radius_log(log_rho, n, settings.delta)})


def theorem(net: NetworkNorms, sample: SampleStats, settings: Settings) -> Terms:
    """Galanti et al. 2023, the theorem from memory: the heaviest path's |pred| and pixel energy, every fan-in counted, and
    the indicator error at the margin.
    """
    n, depth, margin = effective_n(sample, settings), len(net.layers), chosen_margin(settings)
    norms = frobenius(net.layers)
    log_rho = np.asarray(sum(norms.values())) - math.log(margin)
    energy, degree = _heaviest_path(net.shapes, sample)
    if net.shapes[0].kind == "dense":  # every input is seen at once: the largest pixel becomes the whole input
        energy, degree = sample.fed.frobenius**2, 1
    peel = 1 + math.sqrt(2 * (depth * math.log(2 * degree) + math.log(sample.classes)))
    factors = {
        **norms,
        "margin": -math.log(margin),
        "grid": _grid_factor(log_rho),
        "loss": math.log(2 * math.sqrt(2)),
        "depth": math.log(peel),
        "paths": 0.5 * float(log(energy)) - math.log(sample.fed.max_pixel),
        "data": math.log(sample.fed.max_pixel / math.sqrt(n)),
        "sample_size": -0.5 * math.log(n),
    }
    confidence = {"confidence": radius_log(log_rho, n, settings.delta)}
    return Terms(factors, confidence, empirical(net, margin, "indicator"), margin)


_NEURONS = Assumption(
    "every neuron applies a ReLU to a weighted sum, so that there is no pooling and no LeakyReLU",
    lambda net, sample, settings: not any(shape.pools or shape.negative_slope for shape in net.shapes),
)

BOUND = Bound(
    key="sparse",
    title="Sparse (Galanti et al. 2023)",
    source="Galanti, Xu, Galanti, Poggio, NeurIPS 2023, arXiv 2301.12033",
    bibtex=r"""@inproceedings{galanti2023norm,
  title     = {Norm-based Generalization Bounds for Sparse Neural Networks},
  author    = {Galanti, Tomer and Xu, Mengjia and Galanti, Liane and Poggio, Tomaso},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {36},
  year      = {2023},
  eprint    = {2301.12033},
  archiveprefix = {arXiv}
}""",
    formulas={
        "published": Formula(
            latex=r"\frac{\rho+1}{n}\,2\sqrt2\Big(1+\sqrt{2(L\log(2a_{\max})+\log C)}\Big)\sqrt{\textstyle\prod_l a_l}"
            r"\,\sqrt{\max_j E^{\mathrm{raw}}_j}+3\sqrt{\frac{\log(2(\rho+2)^2/\delta)}{2n}},\quad \rho=\prod_l\|W^l\|_F",
            terms=published,
            symbols=r"$a_l$: kernel area (1 for a dense layer) · without weight sharing $\|W^l\|_F$ is the largest over positions · "
            r"$E^{\mathrm{raw}}_j$: energy of pixel $j$, the sum over "
            r"images of its squared value in [0, 1].",
            assumptions=(NO_POOLING_CODE,),
            note="What the paper's figures plot. It leaves out the output layer's fan-in and the empirical margin "
            "error, and reads raw pixels: it is not a valid bound for these networks by itself. " + BIASES_IGNORED,
        ),
        "theorem": Formula(
            latex=r"\frac1n\sum_i 1[m_i\le\gamma]+\frac{\rho/\gamma+1}{n}\,2\sqrt2\Big(1+\sqrt{2(L\log(2\deg)+\log C)}"
            r"\Big)\sqrt{\max_{j_L,\dots,j_0}\prod_l|pred(l,j_l)|\,E_{j_0}}\\+3\sqrt{\frac{\log(2(\rho/\gamma+2)^2/\delta)}{2n}}",
            terms=theorem,
            symbols=r"First term: share of training margins of at most $\gamma$ (not the ramp) · $pred(l,j)$: positions that "
            r"position $j$ of layer $l$ sees · $\deg$: the largest $|pred|$ · $E_j$: energy of pixel $j$ as the network sees it "
            r"· $\rho=\prod_l\|W^l\|_F$, without weight sharing the largest norm over positions.",
            assumptions=(NO_BIAS, _NEURONS, IID),
            note="The constants are those of the authors' code; the terms of the paths and of the margin are written from memory.",
        ),
        "strict": Formula(
            latex=r"\frac1n\sum_i\varphi_\gamma(m_i)+e^{\eta}c_C\sqrt{D}\,\frac{\rho_P}{\gamma}\frac{\sqrt{\mathcal P}}{n}"
            r"+\sqrt{\frac{2\ln(\omega/\delta)}{n}},\quad \rho_P=\|\Pi W^L\|_F\prod_{l<L}\|W^l\|_F",
            terms=strict,
            symbols=r"$\varphi_\gamma(m)=\min(1,\max(0,1-m/\gamma))$ · $c_C$: price of $C$ classes · $D$: price of depth · "
            r"$\mathcal P$: path energy of the inputs · $\Pi$: subtract the mean row · $\eta=0.01$ · $\omega$: price of the grid "
            r"over $\rho_P/\gamma$; all in its statement, under Theory.",
            source="Theorem S of this project, after Golowich et al. 2018 and Galanti et al. 2023",
            assumptions=(
                SHARED_UNDER_MAX,
                OWN_N,
                IID,
                Assumption("architecture, sample size and input scaling were fixed before seeing the data"),
            ),
            note="Theorem S, proved with every constant and every fan-in counted; the margin is optimised at no cost. "
            + BIASES_COUNTED,
        ),
    },
    refusals={},
)
