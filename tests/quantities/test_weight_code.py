"""The code of rounded weights: read back exactly, as long as it says, and a prefix code."""

import itertools
import math

import numpy as np
import pytest

from boundlab.quantities.weight_code import (
    FEWEST_BITS,
    MOST_BITS,
    Rounding,
    as_bfloat16,
    best_rounding,
    code_length,
    read_back,
    written,
)


def tensors(seed):
    """Of many shapes and sizes, one of them all zeros, one of one number, one with few levels that occur."""
    rng = np.random.default_rng(seed)
    few = np.where(rng.uniform(size=(20, 30)) < 0.05, 1.0, 0.0)
    return [
        rng.standard_normal((8, 1, 2, 2)),
        1e-30 * rng.standard_t(2, (40, 30)),
        np.zeros((3, 2)),
        rng.uniform(-1, 0, (1,)),
        few,
    ]


@pytest.mark.parametrize("bits", range(FEWEST_BITS, MOST_BITS + 1))
def test_what_is_written_is_read_back_exactly_and_has_the_length_that_is_charged(bits):
    given = tensors(bits)
    roundings = [best_rounding(t, bits) for t in given]
    code = written(given, roundings)
    assert set(code) <= {"0", "1"}
    assert len(code) == sum(code_length(r.levels(t), bits) for r, t in zip(roundings, given, strict=True))
    back = read_back(code, [t.shape for t in given])
    for rounding, tensor, again in zip(roundings, given, back, strict=True):
        assert again.shape == tensor.shape
        assert np.array_equal(again, rounding.rounded(tensor))
        assert np.array_equal(again.astype(np.float32), again)  # exact in float32, as the network has it


def test_both_ways_of_writing_levels_occur_and_the_shorter_one_is_charged():
    even = np.arange(64.0).reshape(8, 8) % 8 - 4
    lengths = [code_length(levels.astype(int), 3) for levels in (even, np.zeros((8, 8)))]
    assert lengths[0] == 20 + 3 * 64  # flat
    assert lengths[1] <= 20 + math.ceil(math.log2(math.comb(64 + 7, 7))) + 2  # one of all count vectors
    code = written([even, np.zeros((8, 8))], [Rounding(3, 1.0)] * 2)
    assert (code[0], code[lengths[0]]) == ("0", "1")


def test_of_two_codes_none_begins_with_the_other():
    """All tensors of three weights with three levels each, at two numbers of bits: the code ends where it ends."""
    codes = [
        written([np.array(levels, float)], [Rounding(bits, 0.5)])
        for bits in (2, 3)
        for levels in itertools.product((-1.0, 0.0, 0.5), repeat=5)
    ]
    assert len(set(codes)) == len(codes)
    assert sum(2.0 ** -len(code) for code in codes) <= 1  # Kraft
    ordered = sorted(codes)  # a prefix would stand right before what it begins
    assert not any(after.startswith(before) for before, after in itertools.pairwise(ordered))


def test_codes_that_end_early_or_go_on_are_refused():
    given = [np.arange(6.0).reshape(2, 3)]
    code = written(given, [best_rounding(given[0], 4)])
    for wrong in (code[:-1], code[:10], code + "0", ""):
        with pytest.raises(ValueError, match="code"):
            read_back(wrong, [(2, 3)])


def test_the_best_scale_moves_weights_less_than_the_largest_weight_as_the_end():
    rng = np.random.default_rng(0)
    for weights in (rng.standard_normal(500), rng.standard_t(3, 500), -np.abs(rng.standard_normal(500))):
        for bits in (2, 3, 5):
            naive = Rounding(bits, float(np.abs(weights).max()) / (2 ** (bits - 1) - 1))
            best = best_rounding(weights, bits)
            assert best.scale == as_bfloat16(best.scale)
            moved = [np.square(r.rounded(weights) - weights).sum() for r in (best, naive)]
            assert moved[0] <= moved[1]
