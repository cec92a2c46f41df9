import numpy as np
import pytest

from boundlab.specs.arch import ArchSpec
from tests.oracles import conv_matrix


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 1, 0), (3, 1, 1), (3, 2, 2), (4, 3, 1), (1, 1, 0)])
def test_tap_counts_and_sizes_against_the_matrix(kernel, stride, padding):
    arch = ArchSpec(in_shape=(1, 7, 6), conv_layers=1, channels=1, kernel_size=kernel, stride=stride, padding=padding)
    layer = arch.shapes()[0]
    for i, j in np.ndindex(kernel, kernel):
        weight = np.zeros((1, 1, kernel, kernel))
        weight[0, 0, i, j] = 1
        matrix = conv_matrix(weight, (7, 6), stride, padding)
        assert matrix.shape[0] == layer.positions
        assert layer.tap_counts()[i, j] == matrix.sum()


def test_conv_3_16_on_mnist():
    shapes = ArchSpec(bias=True).shapes()
    assert [s.out_size for s in shapes] == [(27, 27), (26, 26), (25, 25), (1, 1)]
    assert shapes[-1].weight_shape == (10, 16 * 625)
    weights = 16 * 4 + 2 * 16 * 16 * 4 + 100_000
    assert sum(s.weights for s in shapes) == weights
    assert sum(s.parameters for s in shapes) == weights + 3 * 16 + 10 + 3  # biases, one g per convolution


def test_a_kernel_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match="convolution 8 of 9 with kernel 2 does not fit on its 1x1 input"):
        ArchSpec(in_shape=(1, 8, 8), conv_layers=9)


def test_absurd_sizes_are_refused_before_anything_is_built():
    with pytest.raises(ValueError, match=r"channels must be a whole number"):
        ArchSpec(channels=10**9)
    with pytest.raises(ValueError, match="more than the 2,000,000,000 allowed"):
        ArchSpec(channels=1_000_000)
