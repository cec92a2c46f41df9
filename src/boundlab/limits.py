"""Exact limits on an error rate that was counted."""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv


def clopper_pearson(errors: np.ndarray | float, n: int, delta: float) -> np.ndarray:
    """Upper limit with probability 1 - delta on an error rate seen as `errors` (fraction) on n independent trials.

    Clopper, Pearson, "The use of confidence or fiducial limits", Biometrika 26, 1934 (one-sided).
    """
    wrong = np.round(np.asarray(errors) * n)
    return np.where(wrong >= n, 1.0, betaincinv(wrong + 1, np.maximum(n - wrong, 1), 1 - delta))
