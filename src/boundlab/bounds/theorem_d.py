"""Theorems D and D2 of this project: a limit on the error of a network with coded hidden weights, from a margin with noise on
paper; theorem_d.md beside this file."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, stdtr

from boundlab.bounds.concentration import kl_inverse
from boundlab.quantities.norms import Array


class Pair(NamedTuple):
    """theta, and the number J of further rows of noise that the threshold is measured with; None: by the features' length."""

    theta: float
    rows: int | None

    @property
    def chance(self) -> float:
        """Phi(theta), or Student's distribution with J degrees of freedom there: how often at least the noise shows an error."""
        return float(stdtr(self.rows, self.theta) if self.rows else ndtr(self.theta))


THETAS = (0.0, 0.5, 1.0, 1.25, 1.5, 2.0)
ROWS = (2, 4, 8, 16)
_PLAIN = tuple(Pair(theta, None) for theta in THETAS)
_SHAPED = (Pair(0.0, 0), *(Pair(theta, rows) for rows in ROWS for theta in THETAS[1:]))
PAIRS = (*_PLAIN, *_SHAPED)  # G of them, fixed before any data are seen
_LOWEST, _HIGHEST = -16.0, 8.5  # of the integral; what is cut off only makes the limit larger
_ALIAS = 2e-14  # error of the trapezoid rule, at most
_AT_ONCE = 2000  # examples: what is made of them stays in cache
_ROUNDING = 1e-11  # of sums and products in float64, far more than they can lose


def step(classes: int) -> float:
    """Of the trapezoid rule: its error is at most 2 exp(-2 pi^2 / (s^2 C)) / (1 - exp(-4 pi^2 / (s^2 C))) <= `_ALIAS`."""
    return math.pi * math.sqrt(2 / (classes * math.log(2.0 / _ALIAS + 1)))


def nodes(classes: int) -> Array:
    """(K,) places of the integral."""
    s = step(classes)
    return np.arange(math.ceil(_LOWEST / s), math.floor(_HIGHEST / s) + 1) * s


@lru_cache(maxsize=256)
def density(pair: Pair, classes: int) -> Array:
    """(K,) density of t - theta sqrt(2) R at the nodes, never too large: t standard normal, R = 1 or sqrt(chi^2_J / J).

    The mean over ln R by the trapezoid rule with step 1/20: analytic for |imaginary part| < pi / 8, where it is bounded by
    50, so its error is below 1e-18; what is cut off is not negative.
    """
    v, shift = nodes(classes), math.sqrt(2) * pair.theta
    if not pair.rows:
        return _normal(v + shift)
    j, u = pair.rows, np.arange(-400, 61) / 20  # ln R
    log_weight = math.log(2) + (j / 2) * math.log(j / 2) - math.lgamma(j / 2) + j * u - (j / 2) * np.exp(2 * u)
    return np.exp(log_weight) @ _normal(v + shift * np.exp(u)[:, None]) / 20 * (1 - 1e-13)


def _normal(x: Array) -> Array:
    return np.exp(-np.square(x) / 2) / math.sqrt(2 * math.pi)


def mean_profile(scores: Array, weights: Array | None = None) -> Array:
    """(K,) mean over examples of prod_c Phi(v + a_c) at every node v: all that the losses of every pair need.

    `scores`: (n, C - 1) a_c = (f_y - f_c) mu / s, -inf where s is 0. `weights`: (n,) numbers that sum to 1, instead of 1 / n.
    """
    n, others = scores.shape
    if n == 0 or np.isnan(scores).any():
        raise ValueError("scores must be numbers, of at least one example")
    share = np.full(n, 1 / n) if weights is None else weights
    total = np.zeros(len(nodes(others + 1)))
    for first in range(0, n, _AT_ONCE):
        now = slice(first, first + _AT_ONCE)
        # classes first: products of rows are several times faster than of columns
        part = np.ascontiguousarray(scores[now].T)
        total += [float(share[now] @ ndtr(part + v).prod(axis=0)) for v in nodes(others + 1)]
    return total


def loss(profile: Array, pair: Pair, classes: int, off: float = 0.0) -> float:
    """Mean over the examples of l_theta, rounded up; `off`: mean of how much any a_c of an example may be too large.

    Moving all a_c by e moves l_theta by at most the total variation 2 Phi(e / 2) - 1 <= 0.4 e of two unit normals e apart.
    """
    kept = step(classes) * float(density(pair, classes) @ profile)
    return min(1.0, max(0.0, 1 - kept + _ALIAS + _ROUNDING + 0.4 * off))


def divergence(size: float, classes: int, rows: int | None = None, spread: float = 0.0) -> float:
    """KL in nats: `size` = ||mu Pi W||_F; `spread` = tr Sigma - d - ln det Sigma."""
    return size**2 / 2 + (classes - 1 + (rows or 0)) * spread / 2


def error_limit(mean_loss: float, kl: float, bits: float, n: int, delta: float, pair: Pair) -> float:
    """The theorem: with probability 1 - delta the network with coded hidden weights errs at most this often, ties counted as
    errors (1 or more says nothing). `mean_loss`: as `loss` has it; `kl`: as `divergence` has it; `bits`: of the hidden weights' code.

    Source of the inequality: Maurer 2004, Theorem 5, for every n >= 1 by Germain et al. 2015, Lemma 19.
    """
    return float(_limits(np.array([mean_loss]), np.array([kl]), bits, n, delta, np.array([pair.chance]))[0])


def least_limit(bits: float, n: int) -> float:
    """What no choice of the rest gets below with a code of so many bits: no loss, no divergence, delta 1."""
    return -math.expm1(-bits * math.log(2) / n) / max(pair.chance for pair in PAIRS)


def _limits(losses: Array, kls: Array, bits: float, n: int, delta: float, chances: Array) -> Array:
    """`error_limit`, elementwise."""
    price = (kls + bits * math.log(2) + math.log(len(PAIRS)) + math.log(2 * math.sqrt(n) / delta)) / n
    return kl_inverse(losses, price * (1 + 1e-12)) / chances * (1 + 1e-12)


class PairLimit(NamedTuple):
    """A pair with its loss, divergence and limit."""

    pair: Pair
    loss: float
    divergence: float
    limit: float


def choices(
    profile: Array,
    size: float,
    bits: float,
    n: int,
    delta: float,
    classes: int,
    spread: float | None = None,
    off: float = 0.0,
) -> list[PairLimit]:
    """The limit of every pair that holds, from one profile; `spread` None: Sigma = I (J = None); a number: any Sigma."""
    pairs = _PLAIN if spread is None else _SHAPED
    losses = [loss(profile, pair, classes, off) for pair in pairs]
    kls = [divergence(size, classes, pair.rows, spread or 0.0) for pair in pairs]
    limits = _limits(np.array(losses), np.array(kls), bits, n, delta, np.array([pair.chance for pair in pairs]))
    return [PairLimit(*one) for one in zip(pairs, losses, kls, limits.tolist(), strict=True)]
