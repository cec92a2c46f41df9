"""The Lanczos method for the largest singular values of many linear maps at once (torch)."""

from __future__ import annotations

import torch
from torch import Tensor

from boundlab.networks.many_maps import ManyMaps

# steps between two looks at what has been found, at most from one start, and starts
_LOOK, STEPS, _STARTS = 8, 64, 12
# fractions of the squared norm: what the residual and the error may be of what has converged
_RESIDUAL, _TOLERANCE = 3e-6, 1e-8
# what `STEPS` steps must add to the squared norm (a fraction) to be worth as many again
_GAIN = 1e-7
# of the squared norm: values so close are one
_TWINS = 1e-6
# of the squared norm: what is left of a vector when nothing is left, in float32; to go on from it would be to begin anew from noise
_NOTHING = 1e-6


def top_vectors(maps: ManyMaps, x: Tensor, room: Tensor) -> Tensor:
    """(members, inputs): top right singular vectors, by the Lanczos method from `x` (Golub and van Loan, Matrix Computations,
    ch. 10), anew from the best vector when that takes long. A member's vector is that of its own convergence, whoever else is here.
    """
    best, before = x.clone(), torch.zeros(len(x), dtype=torch.float64, device=x.device)
    searched = torch.arange(len(x), device=x.device)
    for _ in range(_STARTS):
        search = _Lanczos(maps.of(searched), best[searched], room)
        search.run()
        best[searched] = search.best
        better = search.squares > before[searched] * (1 + _GAIN)
        before[searched] = search.squares
        searched = searched[~search.converged & better]
        if not len(searched):
            break
    return best


class _Lanczos:
    """The search from `x` (members, inputs). Once half of the members have converged, half of them are left out.

    `best`: (members, inputs); `converged`, `squares` (of the norm): (members,). `room`: (more than steps, at least members,
    inputs) to write to, since fresh memory costs more than the arithmetic.
    """

    def __init__(self, maps: ManyMaps, x: Tensor, room: Tensor) -> None:
        self.maps, self.steps, self.vectors = maps, min(STEPS, x.shape[1]), room[:, : len(x)]
        self.best, self.converged = x.clone(), torch.zeros(len(x), dtype=torch.bool, device=x.device)
        self.squares = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        self.here = torch.arange(len(x), device=x.device)  # which members are still searched
        self.diagonal, self.beside = list[Tensor](), list[Tensor]()
        _unit(x, self.vectors[0], torch.zeros(len(x)).to(x))

    def run(self) -> None:
        """At most `STEPS` steps."""
        for step in range(1, self.steps + 1):
            self._step(step)
            last = step == self.steps
            if ((step % _LOOK == 0 and step > _LOOK) or last) and self._look(step, last):
                break

    def _step(self, step: int) -> None:
        v = self.vectors[step - 1]
        y = self.maps.forwards(v)
        square = torch.linalg.vecdot(y, y)
        z = self.maps.backwards(y).addcmul_(v, square[:, None], value=-1)
        if self.beside:
            z.addcmul_(self.vectors[step - 2], self.beside[-1][:, None], value=-1)
        self.diagonal.append(square)
        self.beside.append(_unit(z, self.vectors[step], _NOTHING * torch.stack(self.diagonal).amax(dim=0)))

    def _look(self, step: int, last: bool) -> bool:
        """Keep the vectors of who has converged, or of everyone when it is the `last` look; whether all have."""
        converged, squares, weights = _ritz(torch.stack(self.diagonal, dim=1), torch.stack(self.beside, dim=1))
        new = (torch.ones_like(converged) if last else converged) & ~self.converged[self.here]
        self.squares[self.here] = torch.where(new, squares, self.squares[self.here])
        for i in new.nonzero()[:, 0].tolist():
            self.best[self.here[i]] = weights[i].to(self.best) @ self.vectors[:step, i]
        self.converged[self.here] |= converged
        done = self.converged[self.here]
        if 2 * int(done.sum()) >= len(done) > 1:
            self._halve(step, torch.argsort(done, stable=True)[: len(done) // 2])
        return bool(self.converged.all())

    def _halve(self, step: int, left: Tensor) -> None:
        self.here, self.maps = self.here[left], self.maps.of(left)
        for old in self.vectors[: step + 1]:
            old[: len(left)] = old[left]
        self.vectors = self.vectors[:, : len(left)]
        self.diagonal, self.beside = ([one[left] for one in some] for some in (self.diagonal, self.beside))


def _unit(x: Tensor, into: Tensor, nothing: Tensor) -> Tensor:
    """Vectors of length 1 written `into` another tensor, 0 for those no longer than `nothing`; their lengths (members,) or 0."""
    length = x.norm(dim=1)
    length = torch.where(length > nothing, length, 0.0)
    torch.mul(x, torch.where(length > 0, 1 / length, 0.0)[:, None], out=into)
    return length


def _ritz(diagonal: Tensor, beside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Whether the largest Ritz value has converged (members,), that value, and its vector in terms of Lanczos' (members, steps).

    The value is off by at most r and, if it is the closest to the top, r^2 / (distance to the next), r the length of the residual.
    What is closer than `_TWINS` is not told apart: without keeping all vectors orthogonal, copies of what has converged appear.
    """
    off = beside.double().cpu()
    matrix = torch.diag_embed(diagonal.double().cpu())
    if off.shape[1] > 1:
        matrix += torch.diag_embed(off[:, :-1], -1)  # eigh reads the lower triangle
    values, vectors = torch.linalg.eigh(matrix)
    top, weights = values[:, -1].clamp_min(1e-300), vectors[:, :, -1]
    left = off[:, -1] * weights[:, -1].abs()
    others = torch.where(values < top[:, None] * (1 - _TWINS), values, 0.0)
    gap = top - others.amax(dim=1)
    converged = (left <= _RESIDUAL * top) & (left.square() <= _TOLERANCE * top * gap)
    return converged.to(diagonal.device), values[:, -1].to(diagonal.device), weights.to(diagonal.device)
