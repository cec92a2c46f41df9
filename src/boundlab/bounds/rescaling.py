"""PAC-Bayes over rescalings: neurons multiplied by a number and what reads them divided by it, which leaves a ReLU network as it is and its
divergence from the prior smaller.

After Rouchouse, Gonon, Gribonval, Guedj, "Non-Vacuous Generalization Bounds: Can Rescaling Invariances Help?", arXiv 2509.26149, 2025: a
posterior and its image under rescalings are the same distribution over functions, so that the divergence of any of them will do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from boundlab.bounds.pac_bayes import SCALE_GRID
from boundlab.quantities.norms import Array

_STEPS = 3000


@dataclass(frozen=True)
class Blocks:
    """A network layer by layer, (out, in) per block of weights between two neurons or channels: `squares` of the weights, summed, and `counts`,
    how many there are; `noise` s_l per layer. What one layer puts out, the next takes in."""

    squares: tuple[Array, ...]
    counts: tuple[Array, ...]
    noise: tuple[float, ...]

    @property
    def neurons(self) -> list[int]:
        """Hidden neurons or channels, per layer."""
        return [len(squares) for squares in self.squares[:-1]]

    def split(self, factors: Array) -> list[Array]:
        """`factors`, the natural logs of what the squared outputs of hidden neurons are multiplied by, per layer; 0 for inputs and outputs."""
        cuts = np.cumsum(self.neurons)
        ends = np.zeros(self.squares[0].shape[1]), np.zeros(len(self.squares[-1]))
        hidden = np.split(factors, cuts[:-1]) if len(cuts) else []
        return [ends[0], *hidden, ends[1]]


def rescaled_divergence(blocks: Blocks, factors: Array, prior_noise: Sequence[float]) -> float:
    """KL(Q' || P) in nats: Q' the posterior N(W, s_l^2 I) rescaled, P = N(0, sigma_l^2 I) (Gaussian divergence, weight by weight)."""
    total, logs = 0.0, blocks.split(np.asarray(factors, dtype=float))
    for i, (squares, counts) in enumerate(zip(blocks.squares, blocks.counts, strict=True)):
        stretch = logs[i + 1][:, None] - logs[i][None, :]  # log of what a squared weight of the block is multiplied by
        ratio = stretch + 2 * math.log(blocks.noise[i] / prior_noise[i])  # of variances, its log
        far = (squares * np.exp(stretch)).sum() / prior_noise[i] ** 2
        total += 0.5 * float(far + (counts * (np.exp(ratio) - 1 - ratio)).sum())
    return total


def best_prior_noise_of(blocks: Blocks, factors: Array) -> tuple[float, ...]:
    """sigma_l of the grid with the least divergence, per layer."""
    found, logs = [], blocks.split(factors)
    for i, (squares, counts) in enumerate(zip(blocks.squares, blocks.counts, strict=True)):
        stretch = np.exp(logs[i + 1][:, None] - logs[i][None, :])
        mass = float(((squares + counts * blocks.noise[i] ** 2) * stretch).sum())
        costs = mass / (2 * SCALE_GRID**2) + counts.sum() * np.log(SCALE_GRID)
        found.append(float(SCALE_GRID[int(costs.argmin())]))
    return tuple(found)


def least(blocks: Blocks) -> tuple[Array, tuple[float, ...], float]:
    """(factors, sigma_l of the grid, divergence), about the least over rescalings; never more than without one.

    With sigma_l free the divergence is convex in the factors (sums of exponentials, under a logarithm); then each layer is scaled as a
    whole, which costs nothing, until its sigma lies on the grid.
    """
    start = np.zeros(sum(blocks.neurons))
    found = minimize(_free, start, (blocks,), method="L-BFGS-B", jac=True, options={"maxiter": _STEPS}).x
    tried = [(factors, best_prior_noise_of(blocks, factors)) for factors in (start, _onto_grid(blocks, found))]
    factors, noise = min(tried, key=lambda one: rescaled_divergence(blocks, *one))
    return factors, noise, rescaled_divergence(blocks, factors, noise)


def _free(factors: Array, blocks: Blocks) -> tuple[float, Array]:
    """The divergence with the best real sigma_l, but for a constant, and its gradient."""
    logs, value = blocks.split(factors), 0.0
    slopes = [np.zeros(len(part)) for part in logs]
    for i, (squares, counts) in enumerate(zip(blocks.squares, blocks.counts, strict=True)):
        stretch = logs[i + 1][:, None] - logs[i][None, :]
        mass, size = (squares + counts * blocks.noise[i] ** 2) * np.exp(stretch), counts.sum()
        value += 0.5 * (size * math.log(mass.sum()) - (counts * stretch).sum())
        slope = 0.5 * (size * mass / mass.sum() - counts)
        slopes[i + 1] += slope.sum(axis=1)
        slopes[i] -= slope.sum(axis=0)
    return value, np.concatenate([np.zeros(0), *slopes[1:-1]])


def _onto_grid(blocks: Blocks, factors: Array) -> Array:
    """The same with every layer but the first scaled as a whole, so that the best sigma lies on the grid."""
    logs = blocks.split(factors)
    for i in range(len(blocks.squares) - 1, 0, -1):
        stretch = np.exp(logs[i + 1][:, None] - logs[i][None, :])
        mass = ((blocks.squares[i] + blocks.counts[i] * blocks.noise[i] ** 2) * stretch).sum()
        best = mass / blocks.counts[i].sum()
        near = SCALE_GRID[np.abs(2 * np.log(SCALE_GRID) - math.log(best)).argmin()]
        logs[i] = logs[i] - math.log(near**2 / best)
    return np.concatenate([np.zeros(0), *logs[1:-1]])
