"""Training recipes by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """A measured training recipe. `drops`: (fraction of steps or epoch, factor), per `drops_in`."""

    bias: bool
    epochs: int | None  # None: the data set's `short_epochs`
    lr: float
    momentum: float
    init: str
    warmup: bool
    clip_norm: float | None
    drops: tuple[float, ...]
    drops_in: str
    record_epochs: int | None = None  # records only every so many epochs, all with errors; None: the data set's spacing
    errors_epochs: int | None = (
        None  # errors every so many epochs, and records at every epoch's end only; None: as above
    )
    loss: str = "mse"
    weight_decay: float = 1e-3
    batch_size: int = 32
    raw: bool = False  # pixels in [0, 1] where `normalize` is left out (TOML has no null)
    figures: bool = True  # whether its runs belong to the pages that redraw the paper's figures
    trains: bool = True  # False: another program trains its runs, and Boundlab watches
    # where `epochs` is None: as many epochs as make at least so many steps, however few images there are
    steps: int | None = None
    varied: tuple[str, ...] = ()  # fields that its runs are compared over: no part of the recipe's name


OWN_LOOP = "own loop"
PRESETS = {
    "short": Preset(False, None, 0.1, 0.9, "he", True, 1.0, (0.6, 0.85), "fraction"),
    # what the Playground trains: "short" with twice the learning rate, and fewer records
    "quick": Preset(False, None, 0.2, 0.9, "he", True, 1.0, (0.6, 0.85), "fraction", errors_epochs=4),
    "paper": Preset(True, 500, 0.01, 0.9, "torch", False, None, (60, 120, 160), "epochs", 5),
    "certified": Preset(
        bias=False,
        epochs=30,
        lr=0.02,
        momentum=0.9,
        init="unit",
        warmup=False,
        clip_norm=1.0,
        drops=(0.7, 0.9),
        drops_in="fraction",
        record_epochs=5,
        loss="certificate",
        weight_decay=0.0,
        batch_size=500,
        raw=True,
        figures=False,
    ),
    "coded": Preset(
        bias=False,
        epochs=30,
        lr=0.1,
        momentum=0.9,
        init="he",
        warmup=True,
        clip_norm=1.0,
        drops=(0.7, 0.9),
        drops_in="fraction",
        record_epochs=5,
        loss="certificate_d",
        weight_decay=0.0,
        batch_size=500,
        figures=False,
    ),
    # what page Memorisation compares: many steps at a small weight decay, so that labels drawn at random are fitted, too
    "long": Preset(
        bias=False,
        epochs=None,
        lr=0.2,
        momentum=0.9,
        init="he",
        warmup=True,
        clip_norm=1.0,
        drops=(0.6, 0.85),
        drops_in="fraction",
        record_epochs=200,
        weight_decay=1e-5,
        figures=False,
        steps=6750,
        varied=("n_train", "label_noise"),
    ),
    # networks as different as they come, which page Ranking puts in order
    "population": Preset(
        bias=False,
        epochs=None,
        lr=0.1,
        momentum=0.9,
        init="he",
        warmup=True,
        clip_norm=1.0,
        drops=(0.6, 0.85),
        drops_in="fraction",
        record_epochs=200,
        figures=False,
        steps=1500,
        varied=("n_train", "label_noise", "batch_size", "lr", "kernel_size"),
    ),
    # what `boundlab.Monitor` watches: the learning rate and the rest are what it is told, or not known (TrainSpec.unknown)
    OWN_LOOP: Preset(False, None, 0.1, 0.9, "torch", False, None, (), "epochs", 1, weight_decay=0.0, trains=False),
}
TRAINED_HERE = tuple(name for name, preset in PRESETS.items() if preset.trains)


def epochs_of(preset: str, standard: int, steps_per_epoch: int) -> int:
    """How long a recipe trains where nothing else is said; `standard`: the data set's epochs."""
    recipe = PRESETS[preset]
    if recipe.steps is not None:
        return -(-recipe.steps // steps_per_epoch)
    return recipe.epochs or standard


def errors_every(preset: str, standard: int) -> int:
    """Epochs from one measurement of the errors to the next; `standard`: the data set's."""
    recipe = PRESETS[preset]
    return recipe.record_epochs or recipe.errors_epochs or standard


def record_steps(preset: str, standard: int, steps_per_epoch: int) -> int | None:
    """Steps from one record to the next; None: records are where errors are measured only; `standard`: the data set's."""
    recipe = PRESETS[preset]
    if recipe.record_epochs is not None:
        return None
    return steps_per_epoch if recipe.errors_epochs else standard
