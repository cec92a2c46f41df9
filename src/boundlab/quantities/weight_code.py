"""Weights rounded to a few levels, and written as bits that can be read back exactly: what Theorem D pays for.

Of each tensor: one bit (how the levels are written), three (b - 2), sixteen (the scale, a bfloat16), then the levels. They are
written flat, b bits each, or as one number by arithmetic coding under a count of the levels so far (each begins with 1: Laplace's
rule), whichever is shorter. Who knows the tensors' shapes can read this without knowing anything else, so it is a prefix code.
Where hidden layers are narrower than those of the architecture, twenty bits that no tensor begins with (a scale that is infinite)
stand in front, and then the layers' widths.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from boundlab.quantities.norms import Array

FEWEST_BITS, MOST_BITS = 2, 9  # bits per weight
HEAD = 1 + 3 + 16  # bits of a tensor before its levels
_ON_GRID = 4  # bits, up to which every grid that the largest weight lies on is tried
_CLIPS = np.linspace(0.2, 1.0, 33)  # of the largest weight, tried as the end of the levels


class Rounding(NamedTuple):
    """Weights become k * scale, k whole from -2^(bits-1) to 2^(bits-1) - 1; `scale` is a bfloat16, so that products are exact."""

    bits: int
    scale: float

    def levels(self, weights: Array) -> Array:
        """The k of each weight, int64; of a scale of 0, zeros."""
        if self.scale == 0:
            return np.zeros(np.shape(weights), np.int64)
        half = 2 ** (self.bits - 1)
        return np.clip(np.rint(np.asarray(weights, float) / self.scale), -half, half - 1).astype(np.int64)

    def rounded(self, weights: Array) -> Array:
        """The weights as they are read back, float64 (and exact in float32)."""
        return self.levels(weights) * self.scale


def as_bfloat16(value: float) -> float:
    """The bfloat16 nearest to zero of those around a number: the upper half of its float32."""
    return float((np.array([value], np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)[0])


def best_rounding(weights: Array, bits: int) -> Rounding:
    """The scale, of those tried, that moves the weights least (squared error)."""
    flat = np.asarray(weights, float).ravel()
    largest = flat[np.abs(flat).argmax()]
    half = 2 ** (bits - 1)
    # a scale may be negative: there is one more level on one side than on the other
    ends = (-half, half - 0.5)
    # weights that lie on a grid already stay what they are
    grids = range(1, half) if bits <= _ON_GRID else ()
    scales = [largest * clip / end for clip in _CLIPS for end in ends] + [largest / k for k in grids]
    tried = [Rounding(bits, as_bfloat16(scale)) for scale in scales]
    return min(tried, key=lambda one: float(np.square(one.rounded(flat) - flat).sum()))


def code_length(levels: Array, bits: int) -> int:
    """Bits that `written` takes for one tensor."""
    flat, counted = _lengths(levels, bits)
    return HEAD + min(flat, counted)


def shortest_length(weights: Array) -> int:
    """Bits of the shortest code among `best_rounding`s of a tensor, whatever is lost by it."""
    roundings = [best_rounding(weights, bits) for bits in range(FEWEST_BITS, MOST_BITS + 1)]
    return min(code_length(one.levels(weights), one.bits) for one in roundings)


def _lengths(levels: Array, bits: int) -> tuple[int, int]:
    """(flat, counted) bits of the levels; the second is rounded up, so that the rounding of logarithms cannot matter."""
    size, kinds = np.size(levels), 2**bits
    counts = np.bincount(np.ravel(levels) + kinds // 2, minlength=kinds)
    nats = gammaln(size + kinds) - gammaln(kinds) - gammaln(counts + 1).sum()
    return bits * size, math.ceil(nats / math.log(2) * (1 + 1e-12) + 1e-6) + 1


def written(tensors: Sequence[Array], roundings: Sequence[Rounding]) -> str:
    """The code of some weights, rounded: a string of 0 and 1."""
    parts = []
    for weights, (bits, scale) in zip(tensors, roundings, strict=True):
        levels = Rounding(bits, scale).levels(weights).ravel()
        top = int(np.array([scale], np.float32).view(np.uint32)[0]) >> 16
        flat, counted = _lengths(levels, bits)
        symbols = (levels + 2 ** (bits - 1)).tolist()
        body = "".join(f"{s:0{bits}b}" for s in symbols) if flat <= counted else _arithmetic(symbols, 2**bits, counted)
        parts.append(f"{int(counted < flat)}{bits - FEWEST_BITS:03b}{top:016b}{body}")
    return "".join(parts)


def read_back(code: str, shapes: Iterable[tuple[int, ...]]) -> list[Array]:
    """The rounded weights of `written`, float64; raises ValueError where bits are missing or left over."""
    tensors, at = [], 0
    for shape in shapes:
        size, head = math.prod(shape), code[at : at + HEAD]
        if len(head) < HEAD:
            raise ValueError(f"the code ends after {len(code)} bits, before the tensor of shape {shape}")
        bits, top = int(head[1:4], 2) + FEWEST_BITS, int(head[4:], 2)
        scale = float(np.array([top << 16], np.uint32).view(np.float32)[0])
        at += HEAD
        if head[0] == "0":
            body = code[at : at + bits * size]
            symbols = [int(body[i : i + bits], 2) for i in range(0, len(body), bits)]
        else:
            symbols = _from_arithmetic(code[at:], size, 2**bits)
        if len(symbols) < size:
            raise ValueError(f"the code ends within the tensor of shape {shape}")
        levels = np.array(symbols, np.int64) - 2 ** (bits - 1)
        at += code_length(levels, bits) - HEAD
        tensors.append((levels * scale).reshape(shape))
    if at != len(code):
        raise ValueError(f"the code has {len(code)} bits, its tensors take {at}")
    return tensors


_NARROWED = f"0000{0x7F80:016b}"  # the head of a tensor whose scale is infinite


def narrowed_length(most: Sequence[int]) -> int:
    """Bits that `narrowed_written` takes for hidden layers of at most these widths."""
    return len(_NARROWED) + sum(_width_bits(top) for top in most)


def narrowed_written(widths: Sequence[int], most: Sequence[int]) -> str:
    """In front of `written`: the hidden layers' widths, each from 1 to what the architecture has."""
    pairs = zip(widths, most, strict=True)
    return _NARROWED + "".join(f"{width - 1:0{_width_bits(top)}b}"[: _width_bits(top)] for width, top in pairs)


def narrowed_read(code: str, most: Sequence[int]) -> tuple[tuple[int, ...], str]:
    """(widths of the hidden layers, the code of their tensors) of a whole code; the full widths where it says nothing else."""
    if not code.startswith(_NARROWED):
        return tuple(most), code
    at, widths = len(_NARROWED), []
    for top in most:
        bits = _width_bits(top)
        widths.append(1 + (int(code[at : at + bits], 2) if bits else 0))
        at += bits
    return tuple(widths), code[at:]


def _width_bits(most: int) -> int:
    return (most - 1).bit_length()


def _arithmetic(symbols: Sequence[int], kinds: int, length: int) -> str:
    """The first `length` bits of a number in the middle of the symbols' interval, in whole numbers: no rounding anywhere.

    The interval is [low, low + width) / total; it is at least 2^(1 - length) wide, so these bits alone lie within it.
    """
    counts, low, width, total = [1] * kinds, 0, 1, 1
    for step, symbol in enumerate(symbols):
        low = low * (kinds + step) + width * sum(counts[:symbol])
        width *= counts[symbol]
        total *= kinds + step
        counts[symbol] += 1
    return f"{((2 * low + width) << length) // (2 * total):0{length}b}"


def _from_arithmetic(code: str, size: int, kinds: int) -> list[int]:
    """The symbols whose interval a number is in; of `code`, which goes on behind them, no more is read than can matter."""
    most = math.ceil(size * math.log2(size + kinds)) + 2  # no code is longer
    code = code[:most]
    if not code:
        return []
    counts, width, symbols = [1] * kinds, 1 << len(code), []
    rest = int(code, 2)  # (number - low) * total, as a multiple of 2^-len(code)
    for step in range(size):
        rest *= kinds + step
        at, symbol = rest // width, 0
        below = 0
        while below + counts[symbol] <= at:
            below += counts[symbol]
            symbol += 1
        rest -= below * width
        width *= counts[symbol]
        counts[symbol] += 1
        symbols.append(symbol)
    return symbols
