"""The grid of page Ranking's population, drawn with a seed: `python -m tests.population > data/grid_population.toml`.

Networks are drawn in pairs that differ in one thing (layers, channels, kernel, training images or batch size, in turn); each is
trained at every combination of three weight decays, two shares of label noise and two learning rates, the same for both. So
every variable moves somewhere while nothing else does, and twelve runs can be trained together.
"""

from __future__ import annotations

import random
from typing import Any

PAIRS = 40
_LAYERS = {2: (1, 2, 3, 4, 5), 3: (1, 2, 3)}  # by kernel: images of 8 by 8
_CHANNELS = (4, 6, 8, 12, 16, 24)
_IMAGES = (100, 200, 400, 800, 1437)
_BATCHES = (16, 32, 64)
_DECAYS = (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
_NOISES = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8)
_RATES = (0.02, 0.05, 0.1, 0.2)
_MOVED = ("conv_layers", "channels", "kernel_size", "n_train", "batch_size")
_HEAD = """# Networks as different as they come, of which page Ranking says what orders them; drawn by `python -m tests.population`. To be
# packed as data/grid_mnist.toml says, with --records 1 and --checkpoints (none).
"""


def _others(network: dict[str, Any], name: str) -> list[Any]:
    """The other values that this network might have of one variable."""
    values = {
        "conv_layers": _LAYERS[network["kernel_size"]],
        "channels": _CHANNELS,
        "kernel_size": [kernel for kernel, layers in _LAYERS.items() if network["conv_layers"] in layers],
        "n_train": _IMAGES,
        "batch_size": _BATCHES,
    }[name]
    return [value for value in values if value != network[name]]


def _network(draw: random.Random, moved: str) -> dict[str, Any]:
    """One that has another value of `moved`."""
    while True:
        kernel = draw.choice(list(_LAYERS))
        network = {
            "kernel_size": kernel,
            "conv_layers": draw.choice(_LAYERS[kernel]),
            "channels": draw.choice(_CHANNELS),
            "n_train": draw.choice(_IMAGES),
            "batch_size": draw.choice(_BATCHES),
            "seed": draw.randrange(5),
        }
        if _others(network, moved):
            return network


def _table(network: dict[str, Any], axes: dict[str, list[float]]) -> str:
    arch = ", ".join(f"{name} = {network[name]}" for name in ("conv_layers", "channels", "kernel_size"))
    train = ", ".join(f"{name} = {network[name]}" for name in ("n_train", "batch_size", "seed"))
    moved = ", ".join(f"{name} = {values}" for name, values in axes.items())
    return (
        f'[[grid]]\nbase = {{ dataset = "digits", preset = "population", {train}, arch = {{ {arch} }} }}\n'
        f"axes = {{ {moved} }}\n"
    )


def written(seed: int = 20) -> str:
    """The grid file."""
    draw, tables = random.Random(seed), [_HEAD]
    for number in range(PAIRS):
        moved = _MOVED[number % len(_MOVED)]
        first = _network(draw, moved)
        second = first | {moved: draw.choice(_others(first, moved))}
        axes = {
            "weight_decay": sorted(draw.sample(_DECAYS, 3)),
            "label_noise": sorted(draw.sample(_NOISES, 2)),
            "lr": sorted(draw.sample(_RATES, 2)),
        }
        tables += [_table(network, axes) for network in (first, second)]
    return "\n".join(tables)


if __name__ == "__main__":
    print(written(), end="")
