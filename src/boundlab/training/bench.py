"""`boundlab bench train`: images per second of training, beside what people would use instead, interleaved in one run."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from boundlab.data.splits import Split, seen
from boundlab.errors import DataError
from boundlab.networks import build
from boundlab.networks.sample_stats import feed
from boundlab.specs.run import RunSpec
from boundlab.training.hooks import Hooks
from boundlab.training.loop import Training

# (data set, channels of a CONV-3, members of the stacks)
_CASES: dict[str, list[tuple[str, int, tuple[int, ...]]]] = {
    "cpu": [
        ("digits", 8, (4, 12, 36)),
        ("digits", 16, (4, 12, 36)),
        ("mnist", 8, (2, 4)),
        ("mnist", 16, (2, 4)),
        ("mnist", 32, (2,)),
    ],
    "cuda": [("mnist", 16, (12, 96)), ("mnist", 200, (3, 6))],
}
_IMAGES = 6000  # of MNIST: enough for the speed, quick to load
_ROUNDS, _SECONDS = 7, 0.4  # rounds, and seconds of each way in a round
Way = tuple[Callable[[], object], int]  # one step, and how many images (of all networks) it trains on


def measure(device: str) -> dict[str, Any]:
    """{"CONV-3-8 digits": {way: {"images_per_second", "quartiles", "times_plain"}}}; on a CPU seconds are of one thread's
    processor time, so that neighbours count little, on a GPU those of the clock."""
    torch.set_num_threads(1)
    result: dict[str, Any] = {"torch": torch.__version__, "device": device, "threads": 1, "batch_size": 32}
    for dataset, channels, stacks in _CASES[device]:
        title = f"CONV-3-{channels} {dataset}"
        try:
            result[title] = _case(dataset, channels, stacks, device)
        except DataError as error:
            result[title] = f"left out: {error}"
    return result


def _case(dataset: str, channels: int, stacks: tuple[int, ...], device: str) -> dict[str, Any]:
    given: dict[str, Any] = {"dataset": dataset, "epochs": 1000, "arch": {"channels": channels}}
    spec = RunSpec.from_dict(given | ({"n_train": _IMAGES} if dataset == "mnist" else {}))
    data = seen(spec)
    ways = {
        "plain loop": _plain(spec, data[0], device, False),
        "plain loop, same recipe": _plain(spec, data[0], device, True),
    }
    for members in (1, *stacks):
        name = "single" if members == 1 else f"stack of {members}"
        ways[name] = _ours(spec, data, members, device, Hooks())
        if device == "cuda":
            ways[f"{name}, not captured"] = _ours(spec, data, members, device, Hooks(run_step=lambda plain: plain))
    return _compared(ways, device)


def _compared(ways: dict[str, Way], device: str) -> dict[str, Any]:
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for step, _ in ways.values():
        for _ in range(8):  # kernels chosen, captures made
            step()
    for _ in range(_ROUNDS):
        for name, (step, images) in ways.items():
            speeds[name].append(images * _steps_per_second(step, device))
    base = statistics.median(speeds["plain loop"])
    return {name: _summary(found, base) for name, found in speeds.items()}


def _steps_per_second(step: Callable[[], object], device: str) -> float:
    clock = time.process_time if device == "cpu" else time.perf_counter
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    started, steps = clock(), 0
    while clock() - started < _SECONDS:
        for _ in range(4):
            step()
        steps += 4
        wait()
    return steps / (clock() - started)


def _summary(speeds: list[float], base: float) -> dict[str, Any]:
    low, middle, high = statistics.quantiles(speeds, n=4)
    return {
        "images_per_second": round(middle),
        "quartiles": [round(low), round(high)],
        "times_plain": round(middle / base, 2),
    }


def _plain(spec: RunSpec, train: Split, device: str, recipe: bool) -> Way:
    """A usual PyTorch loop with a DataLoader; `recipe`: with the weight normalisation and clipping that ours has."""
    net = build.build(dataclasses.replace(spec.arch, weight_norm=recipe))
    build.initialise(net, spec.arch, "he", 0)
    net.to(device)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=spec.train.weight_decay)
    loader = DataLoader(
        TensorDataset(feed(train.images, spec.arch.normalize), train.labels), batch_size=32, shuffle=True
    )
    batches = _again_and_again(loader)

    def step() -> None:
        images, labels = (tensor.to(device) for tensor in next(batches))
        optimiser.zero_grad()
        F.mse_loss(net(images), F.one_hot(labels, spec.arch.classes).float()).backward()
        if recipe:
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()

    return step, 32


def _again_and_again(loader: DataLoader[Any]) -> Iterator[Any]:
    while True:
        yield from loader


def _ours(spec: RunSpec, data: tuple[Split, Split], members: int, device: str, hooks: Hooks) -> Way:
    """Steps of a `Training`, without its records."""
    decays = [spec.train.weight_decay * (1 + place / members) for place in range(members)]
    specs = [
        dataclasses.replace(spec, train=dataclasses.replace(spec.train, weight_decay=decay, seed=place))
        for place, decay in enumerate(decays)
    ]
    training = Training(specs, [data] * members, device, hooks=hooks)
    rows = _rows(training)
    return lambda: training.step(*training.batches.take(next(rows)), training.rates), 32 * members


def _rows(training: Training) -> Iterator[torch.Tensor]:
    epoch = 0
    while True:
        yield from training.batches.order(epoch).split(32)[:-1]
        epoch += 1
