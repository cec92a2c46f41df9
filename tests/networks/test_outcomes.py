"""Errors of several networks together against `outcome` of each alone, in float64."""

import numpy as np
import pytest
import torch

from boundlab.networks import build
from boundlab.networks.outcome import outcome
from boundlab.networks.outcomes import outcomes_of_many
from boundlab.networks.stacked import StackedNetworks
from tests.networks.test_stacked import ARCHS, networks


@pytest.mark.parametrize("shared", [True, False], ids=["one sample", "own samples"])
@pytest.mark.parametrize("given", ARCHS.values(), ids=ARCHS)
def test_each_is_that_of_the_network_alone(given, shared):
    arch, nets = networks(given, 3)
    generator = torch.Generator().manual_seed(0)
    images = [torch.rand(37, *arch.in_shape, dtype=torch.float64, generator=generator) for _ in nets]
    images = [images[0]] * 3 if shared else images
    labels = [torch.randint(4, (37,), generator=generator) for _ in nets]
    expected = [outcome(net, x, y, True) for net, x, y in zip(nets, images, labels, strict=True)]
    looks = []
    found = outcomes_of_many(StackedNetworks(nets, arch.shapes()), images, labels, True, 5, lambda: looks.append(1))
    assert len(looks) == 8
    for one, other in zip(found, expected, strict=True):
        assert one.error == other.error
        assert one.loss == pytest.approx(other.loss, rel=1e-10)
        np.testing.assert_allclose(one.margins, other.margins, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(one.patch_norms, other.patch_norms, rtol=1e-10)


def test_very_small_and_very_large_maps_have_their_patch_norms():
    arch, nets = networks({"weight_norm": False}, 3)
    with torch.no_grad():
        for net, scale in zip(nets, (1e-170, 1.0, 1e170), strict=True):
            for layer in build.layers(net)[:1]:
                layer.weight *= scale
    images, labels = torch.rand(9, 1, 8, 8, dtype=torch.float64), torch.arange(9) % 4
    expected = [outcome(net, images, labels, True).patch_norms for net in nets]
    found = outcomes_of_many(StackedNetworks(nets, arch.shapes()), [images] * 3, [labels] * 3, True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.patch_norms, other, rtol=1e-10)
    assert found[0].patch_norms[1] < 1e-160 < 1e160 < found[2].patch_norms[1]


def test_one_that_is_not_finite_leaves_the_others_what_they_are():
    arch, nets = networks({}, 3)
    images, labels = torch.rand(9, 1, 8, 8, dtype=torch.float64), torch.arange(9) % 4
    stack = StackedNetworks(nets, arch.shapes())
    before = outcomes_of_many(stack, [images] * 3, [labels] * 3, True)
    for rows in stack.parameters.values():
        rows[1] = torch.nan
    after = outcomes_of_many(stack, [images] * 3, [labels] * 3, True)
    for place in (0, 2):
        assert after[place].loss == before[place].loss
        assert after[place].patch_norms == before[place].patch_norms
        assert np.array_equal(after[place].margins, before[place].margins)
    assert after[1].error == 1
    assert np.isnan(after[1].loss)
