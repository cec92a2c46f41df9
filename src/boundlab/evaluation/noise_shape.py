"""Sigma of Theorem D2: noise that is quieter where features are long, chosen from some of the images (torch)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from boundlab.data.splits import Split
from boundlab.evaluation.coded_network import Output, features
from boundlab.networks.branched import Branched
from boundlab.networks.checkpoint import Checkpoint
from boundlab.quantities.norms import Array


@dataclass(frozen=True)
class NoiseShape:
    """Sigma = I - V diag(less) V^T: `directions` V (d, k), `less` (k,) in [0, 1)."""

    directions: Tensor
    less: Array

    @property
    def spread(self) -> float:
        """tr Sigma - d - ln det Sigma, rounded up; by Sylvester's identity, so that V need not be exactly orthonormal."""
        v = self.directions.double()
        gram = (v.T @ v).numpy()
        sign, log_det = np.linalg.slogdet(np.eye(len(self.less)) - self.less[:, None] * gram)
        if not sign > 0:
            raise ValueError("Sigma must be positive definite")
        return float(-self.less @ np.diag(gram) - log_det) * (1 + 1e-9) + 1e-6


@torch.no_grad()
def principal(network: Checkpoint | Branched, output: Output, few: Split, most: int) -> tuple[Tensor, Array]:
    """((d, k) orthonormal directions, (k,) their shares of the features' squared length, falling), k at most `most`; every
    image counts the same, however long its features are."""
    z, done = torch.empty(len(few.labels), output.weight.shape[1]), 0
    for part in features(network, output, few, torch.float32):
        z[done : done + len(part)] = part / part.norm(dim=1, keepdim=True).clamp_min(1e-30)
        done += len(part)
    wide = z.shape[1] > len(z)
    values, vectors = _eigen(((z @ z.T) if wide else (z.T @ z)).double() / len(z))
    kept = max(1, min(most, int((values > 1e-7 * values[-1]).sum())))
    values, vectors = values.flip(0)[:kept], vectors.flip(1)[:, :kept]
    if wide:
        vectors = torch.linalg.qr((z.T @ vectors.float()).double()).Q
    return vectors, values.numpy()


def _eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues of a symmetric matrix, rising, and eigenvectors. The usual method (divide and conquer) sometimes fails where
    many are 0; the QR method is slower and does not."""
    try:
        values, vectors = torch.linalg.eigh(matrix)
    except torch.linalg.LinAlgError:
        values, vectors = map(torch.from_numpy, scipy.linalg.eigh(matrix.numpy(), driver="ev"))
    return values, vectors


def shaped(directions: Tensor, shares: Array, pull: float) -> NoiseShape:
    """Variances 1 / (1 + pull * share): least divergence for a given mean of z^T Sigma z / |z|^2."""
    return NoiseShape(directions, pull * shares / (1 + pull * shares))
