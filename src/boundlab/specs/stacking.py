"""Which runs are trained together, and how many: the rule that `boundlab bench train` justifies (data/RESULTS.md)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeVar

from boundlab.specs.run import RunSpec
from boundlab.specs.work import activations, multiply_adds_per_image, patch_values

MOST = {"cpu": 12, "cuda": 96}
# On a CPU what a minibatch's maps of all members take, in bytes: beyond it they no longer lie in the caches and the stack is
# slower than its members alone.
_CACHED = 9e6
# On a GPU multiply-adds of a step's forward passes: beyond it one network fills the device, and a stack gains nothing.
_FILLED = 4e10
_OWN = ("weight_decay", "seed", "lr", "label_noise", "certificate_weight")  # what members may differ in
DIFFERENT = ", ".join((*_OWN, "labels (with n_train)"))
Item = TypeVar("Item")


def kind(spec: RunSpec) -> object:
    """The same for runs that can be trained together: one architecture, recipe and number of images."""
    train = {f.name: getattr(spec.train, f.name) for f in dataclasses.fields(spec.train) if f.name not in _OWN}
    if spec.train.n_train is not None:  # then sub-tasks have equally many images
        del train["labels"]
    return spec.arch, tuple(train.items())


def most_together(spec: RunSpec, device: str) -> int:
    """How many runs like it are best trained together on "cpu" or "cuda"."""
    maps = 4 * spec.train.batch_size * (activations(spec) + patch_values(spec))
    if any(shape.kind == "local" for shape in spec.arch.shapes()):  # computed one by one in any case
        return 1
    steps = spec.train.batch_size * multiply_adds_per_image(spec)[0]
    fit = _CACHED / maps if device == "cpu" else _FILLED / steps
    return max(1, min(MOST[device], int(fit)))


def together(items: Sequence[Item], spec: Callable[[Item], RunSpec], device: str, places: int) -> list[list[Item]]:
    """Items (with runs as `spec` says) as they are best trained together, in their order; at least `places` groups as far as
    there are items, so that no core stays idle."""
    kinds: dict[object, list[Item]] = {}
    for item in items:
        kinds.setdefault(kind(spec(item)), []).append(item)
    groups = []
    for alike in kinds.values():
        parts = -(-len(alike) // most_together(spec(alike[0]), device))
        if len(kinds) < places:
            parts = max(parts, min(len(alike), places // len(kinds)))
        groups += [_part(alike, number, parts) for number in range(parts)]
    return groups


def _part(items: list[Item], number: int, parts: int) -> list[Item]:
    """One of `parts` near-equal pieces."""
    return items[number * len(items) // parts : (number + 1) * len(items) // parts]
