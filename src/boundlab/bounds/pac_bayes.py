"""PAC-Bayes-kl certificates of noise-perturbed networks: the formula, what is stored of one, and its value.

Perez-Ortiz, Rivasplata, Shawe-Taylor, Szepesvari, JMLR 22(227), 2021, Theorem 1, for every positive n (after Maurer, "A note on
the PAC Bayesian theorem", arXiv cs/0411099, 2004, Theorem 5, and Langford and Seeger, 2001). Certified on sampled weights as
in Langford and Caruana, NIPS 2001, and Dziugaite and Roy, UAI 2017, but by the exact binomial limit of Clopper and Pearson in
place of a second inversion of kl; prior learnt on a part of the data as in Perez-Ortiz et al.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from boundlab.bounds.concentration import clopper_pearson, kl_inverse
from boundlab.quantities.norms import Array
from boundlab.specs.run import RunSpec
from boundlab.specs.settings import PRIORS
from boundlab.validation import number, one_of, whole

SCALE_GRID = np.geomspace(2.0**-12, 2.0**4, 64)  # the prior's noise scales, fixed before any data are seen
LEAST = 8  # the theorem holds for every n; fewer examples than this promise nothing

TITLE = "PAC-Bayes-kl"
SOURCE = "Pérez-Ortiz et al., JMLR 22(227), 2021, Theorem 1; Maurer 2004, Theorem 5; Dziugaite and Roy, UAI 2017"
LATEX = (
    r"e_Q\le\mathrm{kl}^{-1}\!\Big(\hat e_Q^{\,+},\ \frac{1}{n}\Big[\mathrm{KL}(Q\Vert P)+L\ln G"
    r"+\ln\frac{2\sqrt n}{\delta/2}\Big]\Big),\quad \mathrm{kl}^{-1}(q,c)=\max\{p:\mathrm{kl}(q\Vert p)\le c\}"
)
KL_LATEX = (
    r"\mathrm{KL}(Q\Vert P)=\sum_{l=1}^L\frac{\|W^l-W_0^l\|_F^2}{2\sigma_l^2}"
    r"+\frac{d_l}{2}\Big(\frac{s_l^2}{\sigma_l^2}-1-\ln\frac{s_l^2}{\sigma_l^2}\Big)"
)
SYMBOLS = (
    r"$Q=\bigoplus_lN(W^l,s_l^2I)$: the network with Gaussian noise added to its weights, $e_Q$ its expected test error; "
    r"$P=\bigoplus_lN(W_0^l,\sigma_l^2I)$: the prior, $W_0=0$ (fixed) or trained on other examples (learnt); $d_l$: weights of "
    r"layer $l$; $G$: size of the grid, fixed in advance, from which each $\sigma_l$ is taken; $n$: training examples that the "
    r"prior has not seen; $\hat e_Q^{\,+}$: Clopper-Pearson upper limit, at $\delta/2$, of $Q$'s error on them from $M$ draws "
    r"of (noise, example)."
)
NOTE = (
    "Holds with probability 1 - delta over the sample and the draws, half of delta each, for the network whose weights "
    "are perturbed afresh for every image; it says nothing about the network without noise. Under a learnt prior that network "
    "is the prior's own, of the same recipe but trained on the first part of the data. The draws are limited by Clopper and Pearson's exact "
    "binomial limit, where Dziugaite and Roy and Pérez-Ortiz et al. invert kl once more: it holds with the same probability and is smaller. "
    "Under a fixed prior KL is that of the same network with its neurons rescaled (each multiplied by a number and what reads it "
    "divided by it, noise included), about as small as that makes it: the same functions are drawn (Rouchouse et al. 2025)."
)
BIBTEX = (
    "@misc{maurer2004note, author={Maurer, Andreas}, title={A Note on the {PAC} {B}ayesian Theorem}, "
    "eprint={cs/0411099}, archivePrefix={arXiv}, year={2004}}",
    "@inproceedings{dziugaite2017computing, author={Dziugaite, Gintare Karolina and Roy, Daniel M.}, title={Computing "
    "Nonvacuous Generalization Bounds for Deep (Stochastic) Neural Networks with Many More Parameters than Training Data}, "
    "booktitle={Uncertainty in Artificial Intelligence}, year={2017}}",
    "@article{perezortiz2021tighter, author={P{\\'e}rez-Ortiz, Mar{\\'i}a and Rivasplata, Omar and Shawe-Taylor, John and "
    "Szepesv{\\'a}ri, Csaba}, title={Tighter Risk Certificates for Neural Networks}, journal={Journal of Machine Learning "
    "Research}, volume={22}, number={227}, year={2021}}",
    "@misc{rouchouse2025rescaling, author={Rouchouse, Damien and Gonon, Antoine and Gribonval, R{\\'e}mi and Guedj, Benjamin}, "
    "title={Non-Vacuous Generalization Bounds: Can Rescaling Invariances Help?}, eprint={2509.26149}, archivePrefix={arXiv}, year={2025}}",
)


def gaussian_kl(distance: Array, weights: Array, noise: Array, prior_noise: Array) -> Array:
    """KL(N(W, s^2 I) || N(W0, sigma^2 I)) in nats per layer; `distance`: ||W - W0||, `weights`: how many there are."""
    ratio = np.asarray(noise) / np.asarray(prior_noise)
    spread = ratio**2 - 1 - 2 * np.log(ratio)
    return (np.asarray(distance) / np.asarray(prior_noise)) ** 2 / 2 + np.asarray(weights) * spread / 2


def best_prior_noise(distance: Array, weights: Array, noise: Array) -> tuple[Array, float]:
    """(sigma_l of `GRID` with the least KL, that KL summed over the layers)."""
    distance, weights, noise = (np.asarray(x, dtype=float)[:, None] for x in (distance, weights, noise))
    kl = gaussian_kl(distance, weights, noise, SCALE_GRID)
    best = kl.argmin(axis=1)
    return SCALE_GRID[best], float(kl[np.arange(len(best)), best].sum())


@dataclass(frozen=True)
class CertificateParts:
    """A certificate's value and what it is made of; `complexity`, `grid`, `confidence` in nats per example."""

    value: float  # limit on the expected test error of the noise-perturbed network
    noisy_error: float  # k / M
    noisy_error_limit: float  # its Clopper-Pearson upper limit
    complexity: float  # KL / n
    grid: float  # L ln(G) / n
    confidence: float  # ln(2 sqrt(n) / (delta / 2)) / n


def certificate(error: float, kl: float, layers: int, n: int, delta: float, grid: int = len(SCALE_GRID)) -> float:
    """The PAC-Bayes-kl limit when the perturbed network's error on the sample is at most `error` for certain."""
    return float(kl_inverse(error, (kl + layers * math.log(grid) + math.log(2 * math.sqrt(n) / delta)) / n))


@dataclass(frozen=True)
class Rescaled:
    """The posterior with its neurons rescaled (`rescaling`), which is the same distribution over functions: its divergence `kl` in nats, sigma_l of
    the grid per layer, and `factors`, the natural logs of what the squared outputs of the hidden neurons are multiplied by."""

    kl: float
    prior_noise: tuple[float, ...]
    factors: tuple[float, ...]

    def __post_init__(self) -> None:
        number("rescaled kl", self.kl, 0.0, 1e300)
        for value in self.prior_noise:
            number("rescaled prior_noise", value, 1e-300, 1e300)
        for value in self.factors:
            number("rescaled factors", value, -1e4, 1e4)


@dataclass(frozen=True)
class PacBayes:
    """What is stored of one certificate. Its value needs no data and no weights, so delta stays the reader's choice.

    With a fixed prior the noise is added to the run's network; with a learnt one to the prior's own network, so KL = 0 and
    the certificate is close to a held-out test of it. Seed and draws must be chosen before the result is seen.
    """

    prior: str  # "fixed" or "learnt"
    n: int  # examples of the certificate: those the prior has not seen
    n_prior: int  # examples the prior was trained on
    kl: float  # KL(Q || P) in nats
    noise: tuple[float, ...]  # s_l per layer
    prior_noise: tuple[float, ...]  # sigma_l per layer, from the grid
    grid: int  # G
    draws: int  # M
    wrong: int  # k of M
    seed: int
    prior_spec: RunSpec | None = None  # rebuilds a learnt prior
    rescaled: Rescaled | None = None  # the same posterior nearer to a fixed prior

    def __post_init__(self) -> None:
        one_of("prior", self.prior, PRIORS)
        whole("n", self.n, LEAST, 10**15)
        whole("n_prior", self.n_prior, 0, 10**15)
        number("kl", self.kl, 0.0, 1e300)
        whole("grid", self.grid, 1, 10**9)
        whole("draws", self.draws, 1, 10**12)
        whole("wrong", self.wrong, 0, self.draws)
        whole("seed", self.seed, 0, 2**31 - 1)
        for name in ("noise", "prior_noise"):
            given = getattr(self, name)
            if not isinstance(given, tuple) or not given or len(given) != len(self.noise):
                raise ValueError(f"{name} must be a list of one number per layer, got {given!r}")
            for value in given:
                number(name, value, 1e-300, 1e300)
        if (self.prior == "learnt") != (self.prior_spec is not None) or (self.prior == "learnt") != (self.n_prior > 0):
            raise ValueError("prior_spec and n_prior belong to a learnt prior, and only to one")
        if self.rescaled is not None and (
            self.prior != "fixed" or len(self.rescaled.prior_noise) != self.layers or self.rescaled.kl > self.kl
        ):
            raise ValueError(
                "rescaled belongs to a fixed prior, has a prior_noise per layer and a kl of at most the plain one"
            )
        if self.prior_spec is not None and self.prior_spec.train.n_train != self.n_prior:
            raise ValueError(f"n_prior is {self.n_prior}, but prior_spec has n_train {self.prior_spec.train.n_train}")

    @property
    def layers(self) -> int:
        """L, the output layer included."""
        return len(self.noise)

    @property
    def least_kl(self) -> float:
        """KL(Q || P) in nats, over the rescalings that were tried."""
        return self.kl if self.rescaled is None else self.rescaled.kl

    def parts(self, delta: float) -> CertificateParts:
        """Limit with probability 1 - delta over sample and draws (half each), and its parts; raises ValueError."""
        if not 0 < delta < 1:
            raise ValueError(f"delta must lie strictly between 0 and 1, got {delta!r}")
        limit = float(clopper_pearson(self.wrong / self.draws, self.draws, delta / 2))
        return CertificateParts(
            value=certificate(limit, self.least_kl, self.layers, self.n, delta / 2, self.grid),
            noisy_error=self.wrong / self.draws,
            noisy_error_limit=limit,
            complexity=self.least_kl / self.n,
            grid=self.layers * math.log(self.grid) / self.n,
            confidence=math.log(2 * math.sqrt(self.n) / (delta / 2)) / self.n,
        )

    def value(self, delta: float) -> float:
        """`parts(delta).value`: a limit on the expected test error of the noise-perturbed network."""
        return self.parts(delta).value

    @classmethod
    def from_dict(cls, given: Any) -> PacBayes:
        """Build from JSON; raises ValueError."""
        names = {f.name for f in dataclasses.fields(cls)}
        if not isinstance(given, dict) or set(given) | {"rescaled"} != names:
            raise ValueError(
                f"a certificate must be a JSON object with the fields {sorted(names)}, got {str(given)[:60]}"
            )
        fields = dict(given)
        for name in ("noise", "prior_noise"):
            fields[name] = tuple(given[name]) if isinstance(given[name], list) else given[name]
        if given["prior_spec"] is not None:
            fields["prior_spec"] = RunSpec.from_dict(given["prior_spec"])
        if given.get("rescaled") is not None:
            fields["rescaled"] = _rescaled(given["rescaled"])
        return cls(**fields)

    def to_dict(self) -> dict[str, Any]:
        """JSON form, every field written out; `rescaled` only where there is one."""
        spec = None if self.prior_spec is None else self.prior_spec.to_dict()
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        fields |= {"noise": list(self.noise), "prior_noise": list(self.prior_noise), "prior_spec": spec}
        if self.rescaled is None:
            return {name: value for name, value in fields.items() if name != "rescaled"}
        parts = {name: list(getattr(self.rescaled, name)) for name in ("prior_noise", "factors")}
        return fields | {"rescaled": {"kl": self.rescaled.kl} | parts}


def _rescaled(given: Any) -> Rescaled:
    if not isinstance(given, dict) or set(given) != {"kl", "prior_noise", "factors"}:
        raise ValueError(f"rescaled must have the fields kl, prior_noise and factors, got {str(given)[:60]}")
    if not all(isinstance(given[name], list) for name in ("prior_noise", "factors")):
        raise ValueError("rescaled prior_noise and factors must be lists of numbers")
    return Rescaled(given["kl"], tuple(given["prior_noise"]), tuple(given["factors"]))


def from_list(given: Any) -> tuple[PacBayes, ...]:
    """A run's certificates from JSON, at most one per prior; raises ValueError."""
    if not isinstance(given, list):
        raise ValueError(f"certificates must be a JSON list, got {type(given).__name__}")
    found = tuple(PacBayes.from_dict(item) for item in given)
    if len({item.prior for item in found}) < len(found):
        raise ValueError("there must be at most one certificate per prior")
    return found


def replaced(old: Sequence[PacBayes], new: PacBayes) -> tuple[PacBayes, ...]:
    """`old` with `new` in place of the one of the same prior."""
    return tuple(sorted((*(c for c in old if c.prior != new.prior), new), key=lambda c: PRIORS.index(c.prior)))
