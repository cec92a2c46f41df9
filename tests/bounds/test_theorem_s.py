"""Theorem S against what it bounds: gradient ascent over toy classes (BOUNDS.md, Appendix B), a lower bound of the truth."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from boundlab.bounds import BY_KEY
from boundlab.bounds.base import evaluate
from boundlab.bounds.theorem_s import ETA
from boundlab.networks import layer_maps
from boundlab.networks.measure import norm_columns
from boundlab.networks.sample_stats import sample_stats
from boundlab.quantities.records import from_columns
from boundlab.specs.arch import ArchSpec
from boundlab.specs.settings import Settings

RESTARTS, STEPS = 8, 60


def on_the_sphere(weights: list[torch.Tensor], arch: ArchSpec, tau: float) -> list[torch.Tensor]:
    """Every network's hidden layers at Frobenius norm 1 (without sharing at every position), its class-centred output
    layer at tau. `weights`: of all layers, perhaps followed by those on a constant, which count in the layers' norms."""
    depth, shapes = len(arch.shapes()), arch.shapes()
    units: list[torch.Tensor] = [torch.empty(0)] * len(weights)
    for i, shape in enumerate(shapes):
        own = weights[i::depth]
        if i == depth - 1:
            own = [w - w.mean(dim=1, keepdim=True) for w in own]
        tensors = [w.reshape(len(w), shape.copies, -1) for w in own]
        norm = torch.cat(tensors, dim=2).norm(dim=2, keepdim=True)
        scale = tau if i == depth - 1 else 1.0
        units[i::depth] = [scale * (t / norm).view_as(w) for t, w in zip(tensors, own, strict=True)]
    return units


def ramp_errors(
    weights: list[torch.Tensor],
    images: torch.Tensor,
    labels: torch.Tensor,
    arch: ArchSpec,
    constants: Sequence[float] = (),
) -> torch.Tensor:
    """(networks, n): ramp of the margin at gamma = 1, of many networks at once; `constants`: the input, per layer, of the weights
    that follow those of the layers."""
    many, shapes = len(weights[0]), arch.shapes()

    def outputs_of(*own: torch.Tensor) -> torch.Tensor:
        biases = [w * c for w, c in zip(own[len(shapes) :], constants, strict=True)] or [None] * len(shapes)
        x = images
        for w, b, shape in zip(own[: len(shapes) - 1], biases[:-1], shapes[:-1], strict=True):
            x = layer_maps.pooled(layer_maps.apply_layer(x, w, b, shape).relu(), shape)
        return layer_maps.apply_layer(x, own[len(shapes) - 1], biases[-1], shapes[-1])

    outputs = torch.vmap(outputs_of)(*weights)
    own = outputs.gather(2, labels.expand(many, -1)[..., None]).squeeze(2)
    other = outputs.scatter(2, labels.expand(many, -1)[..., None], -math.inf).amax(dim=2)
    return (1 - (own - other)).clamp(0, 1)


def ascended(
    weights: torch.Tensor,
    arch: ArchSpec,
    images: torch.Tensor,
    labels: torch.Tensor,
    tau: float,
    constants: Sequence[float] = (),
) -> float:
    """Mean over draws of the supremum over networks of sum of `weights` (draws, n) x ramp errors, from below. `constants`: what
    every neuron of a layer sees beside its predecessors, per layer; none: networks without biases."""
    generator = torch.Generator().manual_seed(0)
    draws, shapes = len(weights), arch.shapes()
    many = draws * RESTARTS
    weights = weights.repeat_interleave(RESTARTS, dim=0)
    sizes = [s.weight_shape for s in shapes] + [s.bias_shape for s in shapes if constants]
    raw = [torch.randn(many, *size, generator=generator, dtype=torch.float64).requires_grad_() for size in sizes]
    optimiser = torch.optim.Adam(raw, lr=0.1)
    best = torch.full((many,), -math.inf, dtype=torch.float64)
    for _ in range(STEPS):
        errors = ramp_errors(on_the_sphere(raw, arch, tau), images, labels, arch, constants)
        value = (weights * errors).sum(dim=1)
        best = torch.maximum(best, value.detach())
        optimiser.zero_grad()
        (-value.sum()).backward()
        optimiser.step()
    return float(best.view(draws, RESTARTS).amax(dim=1).mean())


def twice_the_complexity(
    arch: ArchSpec,
    images: torch.Tensor,
    labels: torch.Tensor,
    tau: float,
    draws: int,
    constants: Sequence[float] = (),
) -> float:
    """Twice the empirical Rademacher complexity of the ramp class, from below."""
    generator = torch.Generator().manual_seed(0)
    signs = (torch.randint(0, 2, (draws, len(labels)), generator=generator) * 2 - 1).double()
    return 2 * ascended(signs / len(labels), arch, images, labels, tau, constants)


def proved(arch: ArchSpec, images: torch.Tensor, tau: float, convention: str = "strict"):
    """The complexity term of that class (without the price of the grid of scales)."""
    shapes = arch.shapes()
    drawn = [torch.randn(1, *s.weight_shape, dtype=torch.float64) for s in shapes]
    weights = [w[0] for w in on_the_sphere(drawn, arch, tau)]
    net = from_columns(norm_columns(weights, [None] * len(shapes), None, shapes), shapes)
    sample = sample_stats(images, arch, "digits")
    return evaluate(BY_KEY["sparse"], net, sample, Settings(convention, margin=1.0))


def toy(**fields) -> ArchSpec:
    return ArchSpec(**{"in_shape": (1, 5, 5), "channels": 3, "conv_layers": 1, "classes": 3} | fields)


CLASSES = {
    "one convolution": (ArchSpec(in_shape=(1, 5, 5), channels=3, conv_layers=1, classes=3), 8, 0.5),
    "two convolutions": (ArchSpec(in_shape=(1, 5, 5), channels=3, conv_layers=2, classes=3), 8, 0.5),
    "three convolutions": (ArchSpec(in_shape=(1, 6, 6), channels=3, conv_layers=3, classes=3), 8, 0.3),
    "padded and strided": (
        ArchSpec(in_shape=(1, 6, 6), channels=3, conv_layers=2, kernel_size=3, stride=2, padding=1, classes=3),
        20,
        0.5,
    ),
    "two classes": (ArchSpec(in_shape=(1, 5, 5), channels=3, conv_layers=1, classes=2), 8, 0.5),
    "five classes": (ArchSpec(in_shape=(1, 5, 5), channels=3, conv_layers=1, classes=5), 20, 0.5),
    "colour": (ArchSpec(in_shape=(3, 5, 5), channels=3, conv_layers=1, classes=3), 8, 0.3),
    "locally connected": (toy(kind="lc"), 8, 0.1),
    "two locally connected": (toy(kind="lc", conv_layers=2), 8, 0.1),
    "locally connected, averaged": (toy(kind="lc", pool="avg2"), 8, 0.4),
    "tree": (toy(in_shape=(1, 6, 6), stride=(2, 3), conv_layers=2, kernel_size=(2, 3)), 8, 0.3),
    "average pooling": (toy(pool="avg2"), 8, 0.2),
    "max-pooling": (toy(pool="max2"), 8, 0.1),
    "max-pooling twice": (toy(in_shape=(1, 6, 6), conv_layers=2, kernel_size=(2, 1), pool="max2"), 8, 0.1),
    "global average": (toy(head="gap"), 8, 0.8),
    "max-pooling, global average": (toy(pool="max2", head="gap"), 8, 0.3),
    "grouped": (toy(in_shape=(2, 5, 5), channels=4, groups=2), 8, 0.08),
    "depthwise": (toy(in_shape=(3, 5, 5), groups=3), 8, 0.06),
    "dilated": (toy(dilation=2), 8, 0.1),
    "a dense layer after": (toy(hidden=(4,)), 8, 0.1),
    "a perceptron": (ArchSpec(kind="mlp", in_shape=(1, 4, 4), hidden=(4,), classes=3), 8, 0.1),
}


@pytest.mark.parametrize("name", CLASSES)
def test_theorem_s_is_never_below_what_it_bounds(name):
    arch, n, tau = CLASSES[name]
    rng = np.random.default_rng(1)
    images = torch.from_numpy(rng.standard_normal((n, *arch.in_shape)))
    labels = torch.from_numpy(rng.integers(0, arch.classes, n))
    truth = twice_the_complexity(arch, images, labels, tau, draws=10)
    bound = float(proved(arch, images, tau).complexity) / math.exp(ETA)
    assert truth > 0.1  # the ascent found something: a class of constants has 0
    assert truth <= bound


def test_the_toy_class_that_refutes_the_plotted_formula():
    """20 x 20 images of +-1, one 1 x 1 convolution, two classes, n = 50, rho / gamma = 0.02: the truth is at least 0.052, the
    plotted formula says 0.024, Theorem S 0.193."""
    arch = ArchSpec(in_shape=(1, 20, 20), channels=2, conv_layers=1, kernel_size=1, classes=2)
    rng = np.random.default_rng(2)
    images = torch.from_numpy(rng.choice([-1.0, 1.0], (50, 1, 20, 20)))
    labels = torch.from_numpy(rng.integers(0, 2, 50))
    truth = twice_the_complexity(arch, images, labels, 0.02, draws=12)
    plotted = proved(arch, images, 0.02, "published")
    without_grid = float(plotted.complexity) / math.exp(float(plotted.log_factors["grid"]))
    assert without_grid == pytest.approx(0.024, abs=0.0015)
    assert float(proved(arch, images, 0.02).complexity) / math.exp(ETA) == pytest.approx(0.193, abs=0.001)
    assert without_grid < 0.04 < truth < 0.193
