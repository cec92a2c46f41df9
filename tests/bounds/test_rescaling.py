"""PAC-Bayes over rescalings: the divergence against one weight by weight, and the shipped certificates against their networks."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from boundlab.bounds.pac_bayes import SCALE_GRID, PacBayes, Rescaled, gaussian_kl
from boundlab.bounds.rescaling import best_prior_noise_of, least, rescaled_divergence
from boundlab.errors import RunError
from boundlab.evaluation.pac_bayes import _blocks, rescaled, rescaled_run
from boundlab.networks.checkpoint import load_checkpoint
from boundlab.runs.certificates import check
from boundlab.runs.pack import network_file
from boundlab.runs.places import PACK
from boundlab.specs.arch import ArchSpec
from tests.conftest import reference_weights

ARCH = ArchSpec(
    in_shape=(1, 6, 6), channels=(3, 4), conv_layers=2, kernel_size=2, pool=("max2", ""), hidden=(5,), classes=3
)
NOISE = (0.11, 0.07, 0.2, 0.05)


def network(seed=0):
    return [torch.from_numpy(w).double() for w in reference_weights(ARCH, seed)]


def blocks(seed=0):
    return _blocks(network(seed), ARCH.shapes(), NOISE)


def stretched(weights, noise, factors):
    """The rescaled network's weights and noise, weight by weight; `factors`: logs of what squared outputs are multiplied by."""
    logs, before, found = np.split(factors, np.cumsum([3, 4, 5])[:-1]), np.zeros(1), []
    for weight, scale, after in zip(weights, noise, [*logs, np.zeros(3)], strict=True):
        grouped = weight.numpy().reshape(len(weight), len(before), -1)
        by = np.exp((after[:, None] - before[None, :]) / 2)[:, :, None]
        found.append(
            ((grouped * by).reshape(weight.shape), np.broadcast_to(scale * by, grouped.shape).reshape(weight.shape))
        )
        before = after
    return found


def weight_by_weight(weights, factors, prior_noise):
    total = 0.0
    for (weight, noise), sigma in zip(stretched(weights, NOISE, factors), prior_noise, strict=True):
        for w, s in zip(weight.ravel(), noise.ravel(), strict=True):
            total += float(gaussian_kl(abs(w), 1.0, s, sigma))
    return total


def test_the_divergence_is_that_of_every_weight():
    rng = np.random.default_rng(3)
    for _ in range(5):
        factors, prior_noise = rng.normal(size=12), rng.choice(SCALE_GRID[20:50], 4)
        assert rescaled_divergence(blocks(), factors, prior_noise) == pytest.approx(
            weight_by_weight(network(), factors, prior_noise), rel=1e-10
        )


def outputs(weights, x):
    for i, weight in enumerate(weights[:2]):
        x = F.conv2d(x, weight).relu()
        x = F.max_pool2d(x, 2) if i == 0 else x
    return F.linear(F.linear(x.flatten(1), weights[2]).relu(), weights[3])


def test_a_rescaled_network_is_the_same_function():
    x = torch.randn(7, 1, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = stretched(network(), NOISE, np.random.default_rng(4).normal(size=12))
    torch.testing.assert_close(outputs([torch.from_numpy(w) for w, _ in found], x), outputs(network(), x))


@pytest.mark.parametrize("seed", range(4))
def test_no_rescaling_nearby_or_at_random_is_better(seed):
    """With the prior's noise real the least is a stationary point; with its grid, about."""
    here = blocks(seed)
    factors, prior_noise, kl = least(here)
    start = np.zeros(12)
    assert kl <= rescaled_divergence(here, start, best_prior_noise_of(here, start)) * (1 + 1e-12)
    assert kl == pytest.approx(rescaled_divergence(here, factors, prior_noise))
    assert set(prior_noise) <= set(map(float, SCALE_GRID))
    rng = np.random.default_rng(seed)
    for size in (0.01, 0.1, 1.0):
        for _ in range(20):
            other = factors + size * rng.normal(size=12)
            assert rescaled_divergence(here, other, best_prior_noise_of(here, other)) > kl * (1 - 2e-3)


def test_unequal_neurons_are_evened_out():
    """What scaling its neurons apart cost a network is won back, at least in part."""
    weights = network()
    apart = stretched(weights, NOISE, np.random.default_rng(5).normal(scale=3.0, size=12))
    scaled = _blocks([torch.from_numpy(w) for w, _ in apart], ARCH.shapes(), NOISE)
    plain = best_prior_noise_of(scaled, np.zeros(12))
    assert least(scaled)[2] < 0.9 * rescaled_divergence(scaled, np.zeros(12), plain)


def certificate(**more):
    fields = {"prior": "fixed", "n": 1000, "n_prior": 0, "kl": 50.0, "noise": NOISE, "prior_noise": NOISE, "grid": 64}
    return PacBayes(**(fields | {"draws": 1000, "wrong": 30, "seed": 0} | more))


def test_a_certificate_without_one_is_stored_as_before_and_with_one_comes_back():
    plain = certificate()
    assert "rescaled" not in plain.to_dict()
    assert PacBayes.from_dict(plain.to_dict()) == plain
    smaller = certificate(rescaled=Rescaled(40.0, NOISE, (0.5, -0.5)))
    assert PacBayes.from_dict(smaller.to_dict()) == smaller
    assert smaller.value(0.001) < plain.value(0.001)
    assert smaller.parts(0.001).complexity == 0.04


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kl": 60.0, "prior_noise": list(NOISE), "factors": []}, "at most the plain one"),
        ({"kl": 40.0, "prior_noise": [0.1], "factors": []}, "a prior_noise per layer"),
        ({"kl": float("nan"), "prior_noise": list(NOISE), "factors": []}, "rescaled kl"),
        ({"kl": 40.0, "prior_noise": list(NOISE), "factors": ["a"]}, "rescaled factors"),
        ({"kl": 40.0, "prior_noise": list(NOISE)}, "must have the fields"),
        ({"kl": 40.0, "prior_noise": 3, "factors": []}, "lists of numbers"),
    ],
)
def test_a_damaged_one_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        PacBayes.from_dict(certificate().to_dict() | {"rescaled": wrong})


def test_locally_connected_layers_keep_the_plain_divergence():
    arch = dataclasses.replace(ARCH, kind="lc", pool="", hidden=None)
    weights = [torch.from_numpy(w) for w in reference_weights(arch, 0)]
    found = certificate(noise=NOISE[:3], prior_noise=NOISE[:3])
    assert rescaled(found, weights, arch.shapes()) is found


def test_the_shipped_ones_are_of_their_networks(whole_pack):
    """Every stored rescaling's divergence, from the weights; and what rescaling gives now is what is stored."""
    about = [(run, one) for run in whole_pack for one in run.certificates if one.rescaled is not None]
    assert len(about) >= 20  # every network with neurons between input and output
    for run, one in about:
        network = next(file for part in PACK_PARTS if (file := network_file(part, run.id)).is_file())
        read = load_checkpoint(network, run.spec.train.dataset, run.spec.arch.classes)
        here = _blocks(read.weights, read.arch.shapes(), one.noise)
        kl = rescaled_divergence(here, np.array(one.rescaled.factors), one.rescaled.prior_noise)
        assert one.rescaled.kl == pytest.approx(kl, rel=1e-9)
        assert 0 < kl < one.kl
    run, one = about[0]
    network = next(file for part in PACK_PARTS if (file := network_file(part, run.id)).is_file())
    again = rescaled_run(dataclasses.replace(one, rescaled=None), run.spec, network)
    assert again.rescaled.kl == pytest.approx(one.rescaled.kl, rel=1e-3)


PACK_PARTS = [PACK, *(path for path in PACK.iterdir() if path.is_dir())]


def test_one_that_is_not_of_the_run_is_not_read(whole_pack):
    run, one = next((r, c) for r in whole_pack for c in r.certificates if c.rescaled is not None)
    check(run, one)
    for wrong in ({"factors": one.rescaled.factors[1:]}, {"prior_noise": (1.234,) * one.layers}):
        with pytest.raises(RunError, match="rescaled by"):
            check(run, dataclasses.replace(one, rescaled=dataclasses.replace(one.rescaled, **wrong)))
