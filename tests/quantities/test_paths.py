import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from boundlab.quantities.paths import max_path_energy, path_energy
from boundlab.quantities.receptive_fields import path_counts, receptive_fields
from boundlab.specs.arch import ArchSpec
from tests import oracles


@st.composite
def small_archs(draw):
    kernel = draw(st.integers(1, 3))
    layers = draw(st.integers(1, 2 if kernel < 3 else 1))  # always fits
    return ArchSpec(
        in_shape=(1, draw(st.integers(4, 6)), draw(st.integers(4, 6))),
        conv_layers=layers,
        channels=2,
        kernel_size=kernel,
        stride=draw(st.integers(1, 2)) if kernel > 1 else 1,
        padding=draw(st.integers(0, kernel - 1)),
        classes=3,
    )


@given(small_archs())
@settings(max_examples=60, deadline=None)
def test_against_explicit_path_counting(arch):
    shapes = arch.shapes()
    energy = np.random.default_rng(0).uniform(0.5, 2.0, arch.in_shape[1:])
    walked = oracles.paths(energy, shapes[:-1])
    assert path_energy(energy, shapes) == pytest.approx(sum(e for _, e in walked), rel=1e-12)
    best, degree = max_path_energy(energy, shapes[:-1])
    assert best == pytest.approx(max(p * e for p, e in walked), rel=1e-12)
    positions = shapes[-2].positions
    counted, larger = max_path_energy(energy, shapes)
    assert counted == pytest.approx(positions * best, rel=1e-12)
    assert larger == max(degree, positions)


def test_a_dense_network_sees_all_its_input_once():
    arch = ArchSpec(kind="mlp", in_shape=(1, 3, 3), hidden=(4, 5), classes=2)
    energy = np.arange(9.0).reshape(3, 3)
    assert path_energy(energy, arch.shapes()) == pytest.approx(energy.sum())


@st.composite
def any_archs(draw):
    """Kernels, strides, padding, dilation, pools and heads of every kind that fit on a small image."""
    layers = draw(st.integers(1, 2))
    each = {
        "kernel_size": st.integers(1, 3),
        "stride": st.integers(1, 2),
        "dilation": st.integers(1, 2),
        "pool": st.sampled_from(["", "max2", "avg2"]),
    }
    fields = {name: tuple(draw(s) for _ in range(layers)) for name, s in each.items()}
    reaches = [(k - 1) * d for k, d in zip(fields["kernel_size"], fields["dilation"], strict=True)]
    fields["padding"] = tuple(draw(st.integers(0, reach)) for reach in reaches)
    size = (draw(st.integers(5, 9)), draw(st.integers(5, 9)))
    try:
        return ArchSpec(
            kind=draw(st.sampled_from(["conv", "lc"])),
            in_shape=(1, *size),
            channels=2,
            conv_layers=layers,
            head=draw(st.sampled_from(["flatten", "gap"])),
            hidden=draw(st.sampled_from([None, (3,)])),
            **fields,
        )
    except ValueError:  # a kernel or pool that does not fit
        assume(False)


def walked(arch):
    """(height, width): paths from each pixel, counted one by one."""
    spatial = [s for s in arch.shapes() if s.spatial]
    counts = np.zeros(arch.in_shape[1:])
    for y, x in itertools.product(*map(range, spatial[-1].passed_size if spatial else arch.in_shape[1:])):
        for pixel in oracles.pixels_seen(spatial, y, x):
            counts[pixel] += 1
    return counts


@given(any_archs())
@settings(max_examples=150, deadline=None)
def test_path_counts_and_receptive_fields_against_walking_every_path(arch):
    counts = path_counts(arch.shapes(), arch.in_shape[1:])
    np.testing.assert_array_equal(counts, walked(arch))
    spatial = [s for s in arch.shapes() if s.spatial]
    last = receptive_fields(arch.shapes(), arch.in_shape[1:])[-1]
    seen = set(oracles.pixels_seen(spatial, *(side // 2 for side in spatial[-1].passed_size)))
    assert last.pixels == len(seen)
    if seen:
        rows, columns = zip(*seen, strict=True)
        assert last[:4] == (min(rows), min(columns), max(rows), max(columns))


@given(small_archs())
@settings(max_examples=30, deadline=None)
def test_path_counts_are_the_adjoint_of_the_path_energy(arch):
    energy = np.random.default_rng(1).uniform(0.5, 2.0, arch.in_shape[1:])
    counts = path_counts(arch.shapes(), arch.in_shape[1:])
    assert (counts * energy).sum() == pytest.approx(path_energy(energy, arch.shapes()), rel=1e-12)


def test_the_fields_of_a_plain_network_grow_by_the_kernel():
    arch = ArchSpec(in_shape=(1, 9, 9), conv_layers=3, kernel_size=2, channels=2)
    fields = receptive_fields(arch.shapes(), (9, 9))
    assert [f.pixels for f in fields] == [4, 9, 16]
    for small, large in itertools.pairwise(fields):
        assert (large.top, large.left) <= (small.top, small.left)
        assert (small.bottom, small.right) <= (large.bottom, large.right)


def test_a_dense_network_has_one_path_from_every_pixel():
    arch = ArchSpec(kind="mlp", in_shape=(1, 3, 4), hidden=(4, 5), classes=2)
    np.testing.assert_array_equal(path_counts(arch.shapes(), (3, 4)), np.ones((3, 4)))
    assert receptive_fields(arch.shapes(), (3, 4)) == ((0, 0, 2, 3, 12),)
