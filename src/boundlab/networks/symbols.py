"""A convolution seen by its frequencies (torch): its transfer matrices, a bound on its norm, a start to search it from.

A convolution with stride s is one with stride 1 from the s x s interleaved parts (phases) of its input. On an unbounded map it
takes a plane wave of frequency f, u e^(i f.m), to A(f) u e^(i f.t), with the transfer matrix
A(f) = sum over taps a of W_a e^(i f.a), of shape (out, in * s * s). Every `shape` here is of a convolution without groups.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from boundlab.specs.shapes import LayerShape

# multiplications in the Gram matrices of one bound, about: some 20 ms
_WORK = 3e7
_ROUNDING = 1e-9


def _taps(shape: LayerShape) -> tuple[Tensor, Tensor]:
    """Per tap of one axis: the phase it reads, and how many steps of the input's part it lies from the output position."""
    at = torch.arange(shape.kernel) * shape.dilation - shape.padding
    return at % shape.stride, torch.div(at, shape.stride, rounding_mode="floor")


def transfer(weights: Tensor, shape: LayerShape, rows: Tensor, columns: Tensor) -> Tensor:
    """(members, frequencies, out, in * stride^2), complex: A at (rows[i], columns[i]), in radians.

    `weights`: (members, out, in, kernel, kernel).
    """
    phase, step = _taps(shape)
    waves = []
    for frequency in (rows, columns):  # (frequencies, taps, phases)
        turn = frequency[:, None] * step.to(frequency)
        here = (phase[:, None] == torch.arange(shape.stride)).to(frequency)
        waves.append(torch.polar(torch.ones_like(turn), turn)[:, :, None] * here)
    both = torch.einsum("fyp,fxq->fyxpq", *waves).flatten(3).flatten(1, 2).mT  # (frequencies, phases, taps)
    return torch.einsum("moct,fpt->mfocp", weights.to(both.dtype).flatten(3), both).flatten(3)


def half_grid(height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Frequencies 2 pi (j / height, k / width), those with k <= width / 2: real weights have conjugate A at the others."""
    rows = torch.arange(height, dtype=like.dtype, device=like.device) * (2 * math.pi / height)
    columns = torch.arange(width // 2 + 1, dtype=like.dtype, device=like.device) * (2 * math.pi / width)
    return rows.repeat_interleave(len(columns)), columns.repeat(height)


def _strongest(found: Tensor) -> tuple[Tensor, Tensor]:
    """Right vectors (..., in) and gains (...) of transfer matrices (..., out, in), by six steps of the power method."""
    u = torch.ones(*found.shape[:-2], found.shape[-1], 1, dtype=found.dtype, device=found.device)
    u = (
        u + torch.linspace(-0.5, 0.5, found.shape[-1], device=found.device)[:, None]
    )  # no vector of ones: it may be in a kernel
    for _ in range(6):
        u = found.mH @ (found @ u)
        u = u / u.norm(dim=-2, keepdim=True).clamp_min(1e-30)
    return u[..., 0], (found @ u).norm(dim=-2)[..., 0]


def wave_start(weights: Tensor, shape: LayerShape) -> Tensor:
    """(members, in, height, width): the strongest of 40 plane waves, under the window of a half sine.

    It is close to the layer's top singular vector: a section of a Toeplitz matrix has nearly its symbol's largest value, and a
    vector with that frequency and a slow envelope (Boettcher and Silbermann, Introduction to Large Truncated Toeplitz Matrices,
    1999, ch. 4 and 5).
    """
    rows, columns = half_grid(8, 8, weights)
    vectors, gains = _strongest(transfer(weights, shape, rows, columns))
    best = gains.argmax(dim=1)  # (members,)
    u = vectors[torch.arange(len(best)), best]  # (members, in * phases)
    s, (height, width) = shape.stride, shape.in_size
    axes = []
    for frequency, side in ((rows[best], height), (columns[best], width)):  # (members, steps) each
        at = torch.arange(-(-side // s), dtype=weights.dtype, device=weights.device)
        window = torch.sin(math.pi * (at + 1) / (len(at) + 1))
        axes.append(torch.polar(window.expand(len(best), -1), frequency[:, None] * at))
    wave = torch.einsum("mc,my,mx->mcyx", u, *axes)
    x = wave.real + 0.6 * wave.imag
    if s > 1:
        x = F.pixel_shuffle(x, s)[..., :height, :width]
    return x


def quarter_turns(x: Tensor, shape: LayerShape) -> list[Tensor]:
    """Of (members, inputs) the waves a quarter of a period further, on each axis (the Hilbert transform of each phase).

    Where the symbol is largest at a frequency f and, so, at -f, the top two singular vectors are a cosine and a sine whose values
    differ by some 1e-5; a search sees one value there, and finds some mixture of the two.
    """
    s, (height, width) = shape.stride, shape.in_size
    maps = x.reshape(len(x), shape.in_channels, height, width)
    if s > 1:
        maps = F.pixel_unshuffle(F.pad(maps, (0, -width % s, 0, -height % s)), s)
    found = []
    for axis in (2, 3):
        side = maps.shape[axis]
        turn = -1j * torch.sign(
            torch.sin(torch.arange(side // 2 + 1, dtype=x.dtype, device=x.device) * (2 * math.pi / side)).round(
                decimals=9
            )
        )
        turned = torch.fft.irfft(
            torch.fft.rfft(maps, dim=axis) * (turn[:, None] if axis == 2 else turn), n=side, dim=axis
        )
        turned = F.pixel_shuffle(turned, s)[..., :height, :width] if s > 1 else turned
        found.append(turned.flatten(1))
    return found


def _side(shape: LayerShape, axis: int, work: float) -> tuple[int, float]:
    """Frequencies of one axis to look at, and by what the largest squared gain at them must be multiplied."""
    _, step = _taps(shape)
    side, out = shape.in_size[axis], shape.out_size[axis]
    parts = -(-side // shape.stride)
    low, high = int(step.min()), int(step.max())
    whole = max(out - 1 + high, parts - 1 - low) + 1  # at this period no tap meets a number from around the corner
    degree = high - low
    coarse = max(8 * degree, min(whole, math.isqrt(int(work))))
    return (whole, 1.0) if whole <= coarse else (coarse, 1 / math.cos(math.pi * degree / coarse))


def convolution_upper(weight: Tensor, shape: LayerShape) -> float:
    """An upper bound on the operator norm of a convolution with its true boundary, up to 1e-9 of rounding.

    On each axis the layer is a block of a circular convolution of any period at which no tap of an output reaches a number from
    around the corner, and a block's norm is at most the whole's, which is the largest ||A(f)|| at the multiples f of
    2 pi / period (Sedghi, Gupta and Long 2019, Theorem 5). Where fewer frequencies M than that are looked at, for speed: for
    every u, ||A(f) u||^2 is a trigonometric polynomial of degree d (the kernel's reach) in f, whose largest value is at most
    1 / cos(pi d / M) times the largest at M even steps (Riesz's lemma; Ehlich and Zeller 1964, Satz 1).
    """
    short, long = sorted((weight.shape[0], weight.shape[1] * shape.stride**2))
    work = 2 * _WORK / (short * short * long)
    (height, up), (width, across) = _side(shape, 0, work), _side(shape, 1, work)
    rows, columns = half_grid(height, width, weight.double())
    largest = _largest_square(transfer(weight.double()[None], shape, rows, columns)[0])
    return math.sqrt(largest * up * across) * (1 + _ROUNDING)


def _largest_square(found: Tensor) -> float:
    """Largest eigenvalue of A^H A over (frequencies, out, in): of the strongest few it is computed; of the others a Cholesky
    factor shows that it is smaller, or it is computed as well."""
    gram = found.mH @ found if found.shape[1] >= found.shape[2] else found @ found.mH
    _, gains = _strongest(found.to(torch.complex64))
    few = torch.topk(gains, min(4, len(gains))).indices
    largest = float(torch.linalg.eigvalsh(gram[few]).max())
    most = largest * (1 + _ROUNDING)
    rest = most * torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device) - gram
    unsure = torch.linalg.cholesky_ex(rest).info != 0
    return max(most, float(torch.linalg.eigvalsh(gram[unsure]).max())) if bool(unsure.any()) else most
