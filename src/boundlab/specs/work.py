"""What a run does and needs, counted from its spec: images, steps, multiply-adds, memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from boundlab.specs.own_data import DATASETS
from boundlab.specs.presets import errors_every, record_steps
from boundlab.specs.run import RunSpec

_TORCH = 450e6  # bytes of a process that has loaded torch and done nothing


@dataclass(frozen=True)
class Work:
    """What a run does, counted."""

    images: int  # of training, all epochs
    steps: int
    evaluations: int  # passes over training and test images
    evaluated: int  # images of all evaluations
    records: int
    multiply_adds: int  # of the training: forwards, and backwards to weights and inputs


def sample_size(spec: RunSpec) -> int:
    """Training images of a run."""
    return spec.train.images


def multiply_adds_per_image(spec: RunSpec) -> tuple[int, int]:
    """(multiply-adds of a forward pass, of one training image: the first layer needs no gradient of its input)."""
    layers = [shape.multiply_adds for shape in spec.arch.shapes()]
    return sum(layers), 3 * sum(layers) - layers[0]


def activations(spec: RunSpec) -> int:
    """Inputs and hidden activations of one image."""
    return math.prod(spec.arch.in_shape) + sum(s.out_channels * s.positions for s in spec.arch.shapes()[:-1])


def patch_values(spec: RunSpec) -> int:
    """Input values that the layers without weight sharing gather for one image, position by position."""
    return sum(s.positions * s.fan_in for s in spec.arch.shapes() if s.kind == "local")


def work(spec: RunSpec) -> Work:
    """Counts of a run, by the rules of `loop.Training`."""
    data, train, n = DATASETS[spec.train.dataset], spec.train, sample_size(spec)
    per_epoch = -(-n // train.batch_size)
    steps, spacing = per_epoch * train.epochs, record_steps(train.preset, data.record_every, per_epoch)
    every = errors_every(train.preset, data.errors_every)
    due = sorted({*range(every, train.epochs + 1, every), train.epochs})  # epochs that end with an evaluation
    between = 0 if spacing is None else steps // spacing
    extra = sum(spacing is None or epoch * per_epoch % spacing != 0 for epoch in due)
    return Work(
        images=n * train.epochs,
        steps=steps,
        evaluations=len(due),
        evaluated=len(due) * (n + data.test_images(train.labels)),
        records=1 + between + extra,
        multiply_adds=n * train.epochs * multiply_adds_per_image(spec)[1],
    )


@lru_cache(4096)
def memory(spec: RunSpec, members: int = 1) -> int:
    """Bytes of a process that trains `members` runs like it together: torch, pixels and as fed, and of each run its network six
    times and the activations of a batch."""
    data, shapes = DATASETS[spec.train.dataset], spec.arch.shapes()
    images = (data.train_size + data.test_size) * math.prod(data.in_shape)
    largest = max(shape.weights for shape in shapes)
    network = 6 * sum(shape.weights for shape in shapes) + 4 * largest  # v, weight, gradient, momentum, start; float64
    each = network + 3 * spec.train.batch_size * (activations(spec) + patch_values(spec))
    return round(_TORCH + 4 * (2 * images + members * each))
