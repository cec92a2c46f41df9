"""What a run will cost before it starts, and how long a running one still needs. No torch.

Seconds = work x rates. The work is counted exactly (`work`). The CPU's rates, for one thread of an AMD EPYC with a second
training process beside it, were fitted to the times of single steps, passes and records of 31 networks (1 to 200 channels,
batch 32 to 500), then to the whole times of finished runs of 25 kinds. Medians per kind of MNIST are met within a factor 1.25; runs of the
digits were timed again when their records became cheap (2026-12), and are met within 1.25 of their processor time.
`patch` and `DENSE` were fitted to the images per second of LC-3-16, LC-3-4,4,3 and MLP-102-102-102 on MNIST.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from boundlab.errors import RunError
from boundlab.runs.folder import sealed
from boundlab.specs.own_data import DATASETS
from boundlab.specs.run import PLATEAU, RunSpec
from boundlab.specs.work import activations, memory, multiply_adds_per_image, patch_values, sample_size, work
from boundlab.system.files import read_json
from boundlab.validation import number, one_of

_MOST_EPOCHS = 100_000  # of TrainSpec
_DENSE = 0.4  # of a convolution's overhead in a step, for a hidden dense layer


@dataclass(frozen=True)
class Rates:
    """Seconds per unit of work."""

    start: float  # a process and its imports
    pixel: float  # of reading the data and its statistics, per value
    step_layer: float  # overhead of a layer in one training step
    value: float  # per input or activation of an image, forwards and backwards
    multiply_add: float  # the same per multiply-add of an image
    patch: float  # the same per value of the patches that a layer without weight sharing gathers
    weight: float  # optimiser, per weight and step
    image_layer: float  # overhead of a layer in an evaluation, per image
    record_layer: float  # norms of a layer, per record
    record_conv: float  # ARPACK on a convolution, per record: fixed part, and
    record_multiply_add: float  # per multiply-add of its map
    record_gram: float  # per multiply-add of a Gram matrix


_RATES = {
    "cpu": Rates(3.5, 3e-8, 5.4e-4, 3.0e-9, 2.4e-11, 2.1e-8, 4e-9, 3.4e-6, 4.4e-4, 4.3e-3, 4.4e-8, 1.1e-9),
    # Arithmetic for an H100 with a captured step, nothing measured: 1 to 1.5 minutes for 110 epochs of CONV-3-200.
    "cuda": Rates(6.0, 1e-8, 2.5e-5, 3e-12, 1e-14, 2e-11, 1e-11, 1e-6, 2e-3, 5e-2, 1e-10, 1e-12),
}
_UNMEASURED = {
    "cpu": ("from a model fitted on another machine with one CPU thread", (0.5, 2.0)),
    "cuda": ("from arithmetic about the GPU, not from a measurement", (1 / 3, 3.0)),
}
FEW = (0.6, 1.7)  # spread where one or two runs were measured
_MANY = (0.8, 1.25)  # the least spread that any number of runs gives: the machine's own noise


@dataclass(frozen=True)
class Cost:
    """An estimate: `seconds` from start to seal, `seconds_per_epoch` without the start, `memory` in bytes.

    The truth should lie within `spread` (two factors of `seconds`); `basis` says in words where the estimate is from.
    """

    seconds: float
    seconds_per_epoch: float
    steps: int
    images: int
    multiply_adds: int
    memory: int
    basis: str
    spread: tuple[float, float]


@dataclass(frozen=True)
class Measured:
    """A finished run of this machine: `seconds` of training, its start left out."""

    spec: RunSpec
    device: str
    seconds: float


def _layers(spec: RunSpec) -> float:
    """Layers as a step's overhead counts them."""
    hidden = sum(not s.spatial for s in spec.arch.shapes()[:-1])
    return len(spec.arch.shapes()) - (1 - _DENSE) * hidden


def _record_seconds(spec: RunSpec, rates: Rates) -> float:
    """One record's norms: ARPACK per convolution (its map and its change), a Gram matrix and small change per layer."""
    seconds = 0.0
    for shape in spec.arch.shapes():
        short, long = sorted((shape.out_channels // shape.groups, shape.fan_in))
        seconds += rates.record_layer + rates.record_gram * short**2 * long * shape.groups * shape.copies
        if shape.spatial:
            multiply_adds = shape.multiply_adds + 100 * shape.out_channels * shape.positions  # few channels
            seconds += rates.record_conv + rates.record_multiply_add * multiply_adds
    return seconds


def _seconds(spec: RunSpec, rates: Rates) -> tuple[float, float]:
    """(start, training with its evaluations and records), as the model has it."""
    done, layers, values, patches = work(spec), len(spec.arch.shapes()), activations(spec), patch_values(spec)
    forward, training = multiply_adds_per_image(spec)
    weights = sum(shape.weights for shape in spec.arch.shapes())
    steps = done.steps * (rates.step_layer * _layers(spec) + rates.weight * weights)
    images = done.images * (rates.value * values + rates.patch * patches + rates.multiply_add * training)
    evaluation = rates.image_layer * layers + rates.value / 2 * values + rates.multiply_add * forward
    evaluation += rates.patch / 2 * patches
    data = DATASETS[spec.train.dataset]
    start = rates.start + rates.pixel * (data.train_size + data.test_size) * math.prod(data.in_shape)
    record = _record_seconds(spec, rates)  # the one before training, and half a one for the initial weights, are start
    return start + 1.5 * record, steps + images + done.evaluated * evaluation + (done.records - 1) * record


def _shared(rates: Rates, members: int) -> Rates:
    """A member's share: what does not depend on the numbers in it is done once for all."""
    overheads = ("start", "pixel", "step_layer", "image_layer", "record_layer", "record_conv")
    return dataclasses.replace(rates, **{name: getattr(rates, name) / members for name in overheads})


def _kind(device: str) -> str:
    kind = device.split(" ")[0].split(":")[0]  # "cuda:0", "cuda (NVIDIA H100)"
    one_of("device", kind, _RATES)
    return kind


def _likeness(one: RunSpec, other: RunSpec) -> float:
    """Weight in (0, 1] of a measured run for the estimate of another."""
    sizes = [multiply_adds_per_image(spec)[1] * spec.train.batch_size for spec in (one, other)]
    steps = [work(spec).steps for spec in (one, other)]
    distance = abs(math.log(sizes[0] / sizes[1])) + abs(math.log(steps[0] / steps[1])) / 4
    return math.exp(-distance - (one.arch.kind != other.arch.kind) - (one.train.dataset != other.train.dataset) / 2)


def _correction(spec: RunSpec, kind: str, runs: Sequence[Measured]) -> tuple[float, tuple[float, float]]:
    """(median of actual / model, spread around it), weighted to like runs."""
    ratios = np.array([math.log(run.seconds / _seconds(run.spec, _RATES[kind])[1]) for run in runs])
    weights = np.array([_likeness(spec, run.spec) for run in runs])
    low, median, high = np.exp(np.quantile(ratios, (0.1, 0.5, 0.9), weights=weights, method="inverted_cdf")).tolist()
    if len(runs) < 3:
        return median, FEW
    return median, (min(_MANY[0], low / median), max(_MANY[1], high / median))


def estimate(spec: RunSpec, device: str, measured: Sequence[Measured] = (), members: int = 1) -> Cost:
    """What `spec` costs on `device` ("cpu" or "cuda", a name may follow), or its share where `members` runs like it are trained
    together; raises ValueError for another device.

    `measured`: finished runs of this machine (`read_measured`); those on the same kind of device correct the model.
    """
    kind = _kind(device)
    runs = [run for run in measured if run.device.startswith(kind)]
    start, training = _seconds(spec, _shared(_RATES[kind], members))
    basis, spread = _UNMEASURED[kind]
    if runs:
        factor, spread = _correction(spec, kind, runs)
        training *= factor ** (len(runs) / (len(runs) + 1))  # one run on a busy machine is not the whole truth
        basis = f"from {len(runs)} run{'s' * (len(runs) > 1)} on this machine"
    done = work(spec)
    return Cost(
        seconds=start + training,
        seconds_per_epoch=training / spec.train.epochs,
        steps=done.steps,
        images=done.images,
        multiply_adds=done.multiply_adds,
        memory=memory(spec),
        basis=basis,
        spread=spread,
    )


def read_measured(out: Path) -> list[Measured]:
    """The finished runs below `out` with their times; folders that cannot be read are left out, and runs that were trained
    together with others, or by another program: what one of them took is not known."""
    found = []
    for path in sorted(out.glob("*/env.json")):
        try:
            if sealed(path.parent):
                spec, now = RunSpec.from_dict(read_json(path.parent / "spec.json")), read_json(path)
                if "stack" in now or spec.watched:
                    continue
                number("seconds", now["seconds"], 1e-3, 1e9)
                found.append(Measured(spec, _kind(now["device"]), float(now["seconds"])))
        except (RunError, OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def epochs_for_plateau(spec: RunSpec) -> int | None:
    """The least number of epochs with which `spec` reaches `PLATEAU`.

    None where none does (no weight decay, or a preset that drops the rate at fixed epochs), or where the rule is not
    about the run (losses that are certificates).
    """
    if spec.train.loss != "mse":
        return None
    n = sample_size(spec)

    def reached(epochs: int) -> float:
        return dataclasses.replace(spec, train=dataclasses.replace(spec.train, epochs=epochs)).plateau_number(n)

    least = bisect.bisect_left(range(1, _MOST_EPOCHS + 1), PLATEAU, key=reached) + 1
    return least if least <= _MOST_EPOCHS else None
