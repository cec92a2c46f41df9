"""Limits on a mean in [0, 1] that was seen on independent trials."""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

_FEW = 64


def clopper_pearson(errors: np.ndarray | float, n: int, delta: float) -> np.ndarray:
    """Upper limit with probability 1 - delta on an error rate seen as `errors` (fraction) on n independent trials.

    Clopper, Pearson, "The use of confidence or fiducial limits", Biometrika 26, 1934 (one-sided).
    """
    wrong, place = np.unique(np.round(np.asarray(errors) * n), return_inverse=True)
    limits = np.where(wrong >= n, 1.0, betaincinv(wrong + 1, np.maximum(n - wrong, 1), 1 - delta))
    return limits[place]


def binary_kl(q: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """kl(q || p) of two coins in nats, elementwise, and a limit on its rounding error; infinite where p rules out q."""
    with np.errstate(divide="ignore", invalid="ignore"):
        wrong = np.where(q > 0, q * np.log(q / p), 0.0)
        right = np.where(q < 1, (1 - q) * (np.log1p(-q) - np.log1p(-p)), 0.0)
    kl = wrong + right
    return kl, 4 * np.finfo(float).eps * (1 + np.where(np.isfinite(kl), np.abs(wrong) + np.abs(right), 0.0))


def kl_inverse(q: np.ndarray | float, c: np.ndarray | float) -> np.ndarray:
    """Largest p in [q, 1] with kl(q || p) <= c, elementwise: to 1e-12 where c >= 1e-5, and never too small.

    Raises ValueError when a q is not in [0, 1] or a c is negative or NaN.
    """
    q, c = np.broadcast_arrays(np.asarray(q, dtype=float), np.asarray(c, dtype=float))
    if not np.all((q >= 0) & (q <= 1)):
        raise ValueError(f"q must lie in [0, 1], got {q}")
    if not np.all(c >= 0):
        raise ValueError(f"c must not be negative or NaN, got {c}")
    low, high = q.copy(), np.ones_like(q)
    # 64 halvings, several at once: of a few numbers many points cost as much as one
    bits = 8 if q.size <= _FEW else 4
    parts = np.arange(1, 2**bits) / 2**bits
    for _ in range(64 // bits):
        points = low[..., None] + (high - low)[..., None] * parts
        kl, slack = binary_kl(q[..., None], points)
        # for certain: then the answer is below that point
        beyond = kl - slack > c[..., None]
        first = np.where(beyond.any(axis=-1), beyond.argmax(axis=-1), len(parts))[..., None]
        ends = np.concatenate([low[..., None], points, high[..., None]], axis=-1)
        low, high = (np.take_along_axis(ends, first + side, axis=-1)[..., 0] for side in (0, 1))
    return high
