"""Where the Train form begins: complete sets of values, each with a reason to try it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from boundlab.specs.arch import ArchSpec
from boundlab.specs.counterparts import locally_connected, tree
from boundlab.specs.own_data import DATASETS
from boundlab.specs.presets import PRESETS, epochs_of
from boundlab.ui.train_link import arch_values

ALL_LABELS = "all"
_SIZES = (30_000, 12_000, 6_000, 3_000, 1_000, 500, 250)
KIND_TITLES = ("conv", "lc", "mlp", "linear")
_MOST_EPOCHS = 300
_SMALL = 16  # pixels, below which a second convolution after pooling has no room


def sizes(dataset: str) -> tuple[str, ...]:
    """How many training images may be asked for."""
    return (ALL_LABELS, *(str(n) for n in _SIZES if n < DATASETS[dataset].train_size))


def default_epochs(dataset: str, n: int | None, preset: str) -> int:
    """About as many steps as a shipped run of that data set and recipe has, however few images there are."""
    facts, recipe = DATASETS[dataset], PRESETS[preset]
    if recipe.steps is not None:
        return epochs_of(preset, facts.short_epochs, -(-(n or facts.train_size) // recipe.batch_size))
    whole = recipe.epochs or facts.short_epochs
    return min(max(_MOST_EPOCHS, facts.short_epochs), math.ceil(whole * facts.train_size / (n or facts.train_size)))


def defaults(dataset: str = "digits", preset: str = "short", n: str = ALL_LABELS) -> dict[str, Any]:
    """Every value of the form, for one data set and recipe."""
    recipe = PRESETS[preset]
    certified, coded = recipe.loss == "certificate", recipe.loss == "certificate_d"
    if coded and min(DATASETS[dataset].in_shape[1:]) < _SMALL:
        layers, channels, kernels = "1", "6", "3"
    elif coded:
        layers, channels, kernels = "2", "4,6", "5,3"
    else:
        layers, channels, kernels = ("1", "16", "4") if certified else ("3", "16", "2")
    return {
        "dataset": dataset,
        "task": "all classes",
        "n_train": n,
        "preset": preset,
        "kind": "conv",
        "conv_layers": layers,
        "channels": channels,
        "kernel_size": kernels,
        "stride": "4" if certified else "1",
        "padding": "0",
        "dilation": "1",
        "groups": "1",
        "pool": "max2" if coded else "none",
        "head": "flatten",
        "dense": "",
        "hidden": "64",
        "weight_decay": ["0.004"],
        "certificate_weight": "1",
        "seeds": ["0"],
        "epochs": default_epochs(dataset, None if n == ALL_LABELS else int(n), preset),
        "batch_size": recipe.batch_size,
        "lr": recipe.lr,
        "label_noise": "0",
        "bias": recipe.bias,
    }


@dataclass(frozen=True)
class Start:
    """One button above the form."""

    title: str
    help: str
    dataset: str
    preset: str = "short"
    n: str = ALL_LABELS
    changes: Mapping[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Every value of the form."""
        return defaults(self.dataset, self.preset, self.n) | dict(self.changes)


_QUICK = ArchSpec(in_shape=DATASETS["digits"].in_shape)  # CONV-3-16
STARTS = (
    Start("Quick digits", "1,437 small images, CONV-3-16: well under a minute.", "digits", changes={"epochs": 60}),
    Start(
        "λ sweep",
        "digits, three values of weight decay, narrower networks: which bounds follow?",
        "digits",
        changes={"channels": "8", "weight_decay": ["0.001", "0.002", "0.004"], "epochs": 120},
    ),
    Start("MNIST, 6,000", "A tenth of MNIST: a minute or two.", "mnist", n="6000", changes={"epochs": 15}),
    Start("MNIST, whole", "60,000 images, 5 epochs, like the runs of the figures.", "mnist"),
    Start(
        "Certified",
        "0 against 1 on MNIST: minimises the certificate of Theorem S itself: a promise that says something.",
        "mnist",
        "certified",
        changes={"task": "0 against 1"},
    ),
    Start(
        "Coded",
        "Ten digits of MNIST: 316 hidden weights of 3 bits each, trained for Theorem D2; then `boundlab certify --theorem d --train`.",
        "mnist",
        "coded",
    ),
    Start(
        "Noisy labels",
        "digits: half of the labels are drawn anew: what can be learnt, and what do the bounds say?",
        "digits",
        changes={"label_noise": "0.5", "epochs": 100},
    ),
    Start(
        "No weight sharing",
        "digits, locally connected, as many parameters as CONV-3-16: what does sharing buy?",
        "digits",
        changes={**arch_values(locally_connected(_QUICK, matched=True)), "epochs": 60},
    ),
    Start(
        "Tree",
        "digits, patches that do not overlap, as many parameters as CONV-3-16: the sparsest network of these.",
        "digits",
        changes={**arch_values(tree(_QUICK)), "epochs": 60},
    ),
)
FIRST = STARTS[0].values()
