"""The certificate as a loss, against Theorem S as `bounds.evaluate` gives it: value and gradient, in float64."""

import dataclasses

import numpy as np
import pytest
import torch

from boundlab.bounds import BY_KEY
from boundlab.bounds.base import evaluate
from boundlab.data.splits import apply_task
from boundlab.networks import build
from boundlab.networks.measure import norm_columns
from boundlab.networks.outcome import margin_errors
from boundlab.networks.sample_stats import feed, sample_stats
from boundlab.quantities.norms import MarginErrors
from boundlab.quantities.records import from_columns, norm_column
from boundlab.runs.folder import open_run
from boundlab.specs.run import RunSpec
from boundlab.specs.settings import Settings
from boundlab.training.objective import Certificate
from boundlab.training.worker import train_run
from tests import oracles
from tests.cases import CERTIFIED

LINEAR = {**CERTIFIED, "arch": {"kind": "mlp", "hidden": []}}
PADDED = {**CERTIFIED, "arch": {"channels": 2, "conv_layers": 2, "kernel_size": 3, "padding": 1, "stride": 2}}
DENSE = {**CERTIFIED, "labels": [[0, 2], [1, 3]], "arch": {"kind": "mlp", "hidden": [5]}}


def case(given):
    """A float64 network at random weights, its spec, images and labels."""
    spec = RunSpec.from_dict(given)
    train, _ = apply_task(spec.train)
    images, labels = train.images.double()[:200], train.labels[:200]
    net = build.build(spec.arch)
    build.initialise(net, spec.arch, "he", 3)
    return spec, net.double(), images, labels


def theorem_s(spec, weights, images, labels):
    """Ramp error and complexity at margin 1 by the bound's own code, for plain weights."""
    net = build.build(dataclasses.replace(spec.arch, weight_norm=False)).double()
    with torch.no_grad():
        for layer, weight in zip(build.layers(net), weights, strict=True):
            layer.weight.copy_(weight)
        outputs = net(feed(images, spec.arch.normalize)).numpy()
    columns = norm_columns(weights, [None] * len(weights), None, spec.arch.shapes())
    columns |= {norm_column(i, "patch_norm"): 0.0 for i in range(len(weights))}
    grid = np.array([1.0])
    errors = MarginErrors(grid, *margin_errors(oracles.margins(outputs, labels.numpy()), grid))
    sample = sample_stats(images, spec.arch, spec.train.dataset)
    norms = dataclasses.replace(from_columns(columns, spec.arch.shapes()), margins=errors)
    value = evaluate(BY_KEY["sparse"], norms, sample, Settings("strict", margin=1.0))
    return float(value.empirical), float(value.complexity)


def loss_at(spec, net, images, labels, fraction=1.0):
    sample = sample_stats(images, spec.arch, spec.train.dataset)
    like = next(net.parameters())
    loss = Certificate(spec.arch.shapes(), [sample], [spec.train.certificate_weight], like)
    loss.at(fraction)
    weights = [layer.weight[None] for layer in build.layers(net)]
    return loss(net(feed(images, spec.arch.normalize))[None], labels[None], weights)[0]


@pytest.mark.parametrize("given", [CERTIFIED, LINEAR, PADDED, DENSE], ids=["conv", "linear", "padded", "two classes"])
@pytest.mark.parametrize("weight", [1.0, 0.03])
def test_its_value_is_theorem_s_without_the_confidence_term(given, weight):
    spec, net, images, labels = case({**given, "certificate_weight": weight})
    ramp, complexity = theorem_s(spec, build.weights(net), images, labels)
    assert 0 < ramp < 1
    got = loss_at(spec, net, images, labels).item()
    assert got == pytest.approx(ramp + weight * complexity, rel=1e-12)


@pytest.mark.parametrize("given", [CERTIFIED, LINEAR, PADDED, DENSE], ids=["conv", "linear", "padded", "two classes"])
def test_its_gradient_is_the_bounds_own_slope(given):
    """Central differences of the bound, weight by weight, away from the ramp's corners by the random weights."""
    spec, net, images, labels = case({**given, "arch": {**given["arch"], "weight_norm": False}})
    loss_at(spec, net, images, labels).backward()
    weights, rng = build.weights(net), np.random.default_rng(0)
    for index, layer in enumerate(build.layers(net)):
        for flat in rng.choice(weights[index].numel(), 5, replace=False):
            values = []
            for step in (1e-7, -1e-7):
                moved = [w.clone() for w in weights]
                moved[index].view(-1)[flat] += step
                values.append(sum(theorem_s(spec, moved, images, labels)))
            slope = (values[0] - values[1]) / 2e-7
            assert float(layer.weight.grad.view(-1)[flat]) == pytest.approx(slope, abs=2e-6)


@pytest.mark.parametrize(
    ("fraction", "cap", "share"), [(0.0, np.inf, 0.2), (0.15, 2.5, 0.2 ** (1 - 0.15 / 0.7)), (0.7, 1, 1), (1.0, 1, 1)]
)
def test_training_goes_from_the_hinge_to_the_ramp_and_to_the_whole_complexity(fraction, cap, share):
    """On margins far below -1, where hinge and ramp differ; the complexity is what the weight 1 adds to the weight 0."""
    spec, net, images, labels = case(CERTIFIED | {"certificate_weight": 0.0})
    with torch.no_grad():
        build.layers(net)[-1].weight.mul_(100)
        outputs = net(images).numpy()
    margins = oracles.margins(outputs, labels.numpy())
    errors = loss_at(spec, net, images, labels, fraction).item()
    assert errors == pytest.approx(np.minimum(cap, np.maximum(0, 1 - margins)).mean(), rel=1e-12)
    _, complexity = theorem_s(spec, build.weights(net), images, labels)
    whole = loss_at(RunSpec.from_dict(CERTIFIED), net, images, labels, fraction).item()
    assert whole - errors == pytest.approx(share * complexity, rel=1e-9)


def test_training_lowers_the_certificate(tmp_path):
    """On the small digits nothing is below 1, so the weight is small; what is minimised falls all the same."""
    spec = RunSpec.from_dict({**CERTIFIED, "certificate_weight": 0.01})
    result = open_run(train_run(spec, tmp_path))
    norms = result.norms(result.epochs)
    value = evaluate(BY_KEY["sparse"], norms, result.sample, Settings("strict", margin=1.0))
    minimised = value.empirical + 0.01 * value.complexity
    assert minimised[-1] < 0.5 * minimised[0]
    assert result.trained
    assert result.at_plateau
