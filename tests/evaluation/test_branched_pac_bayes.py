"""PAC-Bayes of graphs: divergence and errors against one network after the other, and against the chain's own count."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from boundlab.data.splits import Split
from boundlab.evaluation import branched_pac_bayes
from boundlab.evaluation.branched_pac_bayes import certify_branched
from boundlab.evaluation.noisy_network import count_errors
from boundlab.networks.branched import branched
from boundlab.networks.export import checkpoint_of
from tests.networks.test_graph import MODELS, SHAPE, Inception, made


def images_of(network, count=40):
    """Random images under the labels that the network gives most of them."""
    rng = torch.Generator().manual_seed(3)
    images = torch.rand(count, *SHAPE, generator=rng)
    with torch.no_grad():
        labels = network.module().float().eval()(images).argmax(dim=1)
    labels[::5] = 0
    return Split(images, labels)


def state(network):
    module = network.module().float().eval()
    parts = dict(module.named_parameters()) | dict(module.named_buffers())
    return module, {name: t.detach() for name, t in parts.items() if t.is_floating_point()}


@pytest.mark.parametrize("model", MODELS)
def test_errors_are_those_of_one_network_per_draw(model):
    network = made(model)
    sample, (module, tensors) = images_of(network), state(network)
    noise = np.array([0.05 + 0.3 * float(t.double().norm()) for t in tensors.values()])
    found = branched_pac_bayes._errors(module, tensors, noise, sample, 60, torch.Generator().manual_seed(7))
    rng, wrong = torch.Generator().manual_seed(7), 0
    chosen = torch.randint(len(sample.labels), (60,), generator=rng)
    drawn = [torch.randn((60, *t.shape), generator=rng) for t in tensors.values()]
    for place, image in enumerate(chosen.tolist()):
        one = copy.deepcopy(module).double()
        slots = dict(one.named_parameters()) | dict(one.named_buffers())
        with torch.no_grad():
            for (name, tensor), scale, part in zip(tensors.items(), noise, drawn, strict=True):
                slots[name].copy_(tensor.double() + scale * part[place].double())
            out = one(sample.images[image][None].double())[0]
        others = [value for label, value in enumerate(out.tolist()) if label != sample.labels[image]]
        wrong += out[sample.labels[image]] <= max(others)
    assert found == int(wrong)
    assert 0 < found < 60


@pytest.mark.parametrize("model", MODELS)
def test_divergence_is_that_of_the_drawn_weights_from_the_prior(model):
    network = made(model)
    found = certify_branched(network, images_of(network), draws=50)
    _, tensors = state(network)
    scales = zip(tensors.values(), found.noise, found.prior_noise, strict=True)
    apart = sum(kl_divergence(Normal(t.double(), s), Normal(0.0, sigma)).sum() for t, s, sigma in scales)
    assert found.kl == pytest.approx(float(apart), rel=1e-5)  # norms are of float32 tensors
    assert found.layers == len(tensors)
    assert 0 < found.wrong / found.draws <= 1


def test_a_chain_errs_as_its_own_count_says():
    torch.manual_seed(0)
    chain = nn.Sequential(nn.Conv2d(1, 3, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(108, 4, bias=False))
    network, checkpoint = branched(chain, SHAPE), checkpoint_of(chain, SHAPE)
    sample, (module, tensors) = images_of(network), state(network)
    noise = np.array([0.2, 0.1])
    mine = branched_pac_bayes._errors(module, tensors, noise, sample, 8000, torch.Generator().manual_seed(1))
    theirs = count_errors(
        sample, checkpoint.weights, noise.tolist(), checkpoint.arch.shapes(), 8000, torch.Generator().manual_seed(2)
    )
    assert 800 < theirs < 7200
    assert abs(mine - theirs) < 4 * np.sqrt(2 * 8000 * 0.25)


def test_a_tensor_of_zeros_gets_the_least_noise_and_costs_nothing():
    torch.manual_seed(0)
    layer = nn.Linear(64, 3)
    nn.init.zeros_(layer.bias)
    network = branched(nn.Sequential(nn.Flatten(), layer), SHAPE)
    found = certify_branched(network, images_of(network), draws=50)
    assert min(found.noise) == pytest.approx(2.0**-12)
    assert found.noise.index(min(found.noise)) == found.prior_noise.index(min(found.prior_noise))


def test_what_would_take_long_or_has_too_few_images_is_refused(monkeypatch):
    network = made(Inception)
    with pytest.raises(ValueError, match=r"it takes \d+ images, got 3"):
        certify_branched(network, Split(torch.rand(3, *SHAPE), torch.zeros(3, dtype=torch.long)))
    monkeypatch.setattr(branched_pac_bayes, "_MOST", 1000)
    with pytest.raises(ValueError, match=r"it draws every weight 29,000 times; that is done up to"):
        certify_branched(network, images_of(network))


def test_the_same_seed_draws_the_same():
    network = made(Inception)
    sample = images_of(network)
    first, again, other = (certify_branched(network, sample, draws=300, seed=seed) for seed in (4, 4, 5))
    assert first == again
    assert first.wrong != other.wrong or first.noise != other.noise
