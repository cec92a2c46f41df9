"""The grids of page Ranking's population, drawn with a seed: `python -m tests.population digits > data/grid_population.toml`, and
`python -m tests.population mnist > data/grid_population_mnist.toml`.

Networks are drawn in pairs that differ in one thing (layers, channels, kernel, training images or batch size, in turn); each is
trained at every combination of three weight decays, two shares of label noise and two learning rates, the same for both. So
every variable moves somewhere while nothing else does, and twelve runs can be trained together.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Choices:
    """What the networks of one data set are drawn from."""

    dataset: str
    pairs: int
    seed: int
    layers: dict[int, tuple[int, ...]]  # by kernel
    channels: tuple[int, ...]
    images: tuple[int, ...]


CHOICES = {
    "digits": Choices(
        "digits", 40, 20, {2: (1, 2, 3, 4, 5), 3: (1, 2, 3)}, (4, 6, 8, 12, 16, 24), (100, 200, 400, 800, 1437)
    ),
    "mnist": Choices("mnist", 10, 21, {2: (1, 2, 3, 4), 3: (1, 2, 3)}, (4, 6, 8, 12, 16), (500, 1000, 2000, 5000)),
}
_BATCHES = (16, 32, 64)
_DECAYS = (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
_NOISES = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8)
_RATES = (0.02, 0.05, 0.1, 0.2)
_MOVED = ("conv_layers", "channels", "kernel_size", "n_train", "batch_size")
_HEAD = """# Networks as different as they come, of which page Ranking says what orders them; drawn by `python -m tests.population {}`. To
# be packed as data/grid_mnist.toml says, with --records 1 and --checkpoints (none).
"""


def _others(choices: Choices, network: dict[str, Any], name: str) -> list[Any]:
    """The other values that this network might have of one variable."""
    values = {
        "conv_layers": choices.layers[network["kernel_size"]],
        "channels": choices.channels,
        "kernel_size": [kernel for kernel, layers in choices.layers.items() if network["conv_layers"] in layers],
        "n_train": choices.images,
        "batch_size": _BATCHES,
    }[name]
    return [value for value in values if value != network[name]]


def _network(choices: Choices, draw: random.Random, moved: str) -> dict[str, Any]:
    """One that has another value of `moved`."""
    while True:
        kernel = draw.choice(list(choices.layers))
        network = {
            "kernel_size": kernel,
            "conv_layers": draw.choice(choices.layers[kernel]),
            "channels": draw.choice(choices.channels),
            "n_train": draw.choice(choices.images),
            "batch_size": draw.choice(_BATCHES),
            "seed": draw.randrange(5),
        }
        if _others(choices, network, moved):
            return network


def _table(dataset: str, network: dict[str, Any], axes: dict[str, list[float]]) -> str:
    arch = ", ".join(f"{name} = {network[name]}" for name in ("conv_layers", "channels", "kernel_size"))
    train = ", ".join(f"{name} = {network[name]}" for name in ("n_train", "batch_size", "seed"))
    moved = ", ".join(f"{name} = {values}" for name, values in axes.items())
    return (
        f'[[grid]]\nbase = {{ dataset = "{dataset}", preset = "population", {train}, arch = {{ {arch} }} }}\n'
        f"axes = {{ {moved} }}\n"
    )


def written(choices: Choices) -> str:
    """The grid file."""
    draw, tables = random.Random(choices.seed), [_HEAD.format(choices.dataset)]
    for number in range(choices.pairs):
        moved = _MOVED[number % len(_MOVED)]
        first = _network(choices, draw, moved)
        second = first | {moved: draw.choice(_others(choices, first, moved))}
        axes = {
            "weight_decay": sorted(draw.sample(_DECAYS, 3)),
            "label_noise": sorted(draw.sample(_NOISES, 2)),
            "lr": sorted(draw.sample(_RATES, 2)),
        }
        tables += [_table(choices.dataset, network, axes) for network in (first, second)]
    return "\n".join(tables)


if __name__ == "__main__":
    print(written(CHOICES[sys.argv[1]]), end="")
