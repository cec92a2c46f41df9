import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boundlab.arch import ArchSpec
from boundlab.paths import max_path_energy, path_energy
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
    best, degree = max_path_energy(energy, shapes, output_fan_in=False)
    assert best == pytest.approx(max(p * e for p, e in walked), rel=1e-12)
    positions = shapes[-2].positions
    counted, larger = max_path_energy(energy, shapes, output_fan_in=True)
    assert counted == pytest.approx(positions * best, rel=1e-12)
    assert larger == max(degree, positions)


def test_a_dense_network_sees_all_its_input_once():
    arch = ArchSpec(kind="mlp", in_shape=(1, 3, 3), hidden=(4, 5), classes=2)
    energy = np.arange(9.0).reshape(3, 3)
    assert path_energy(energy, arch.shapes()) == pytest.approx(energy.sum())
