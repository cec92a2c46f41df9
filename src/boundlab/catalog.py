"""The data sets and training presets: facts known without images or weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Dataset:
    """Facts of a data set needed without its images; `record_every` in steps, `errors_every` in epochs."""

    name: str
    title: str
    in_shape: tuple[int, int, int]
    classes: int
    train_size: int
    test_size: int
    normalize: tuple[float, float] | None
    published_n: int | None  # the authors' `set_size`, used by their curves instead of the sample's size
    short_epochs: int
    warmup_steps: int
    record_every: int
    errors_every: int
    train_counts: tuple[int, ...]  # training images of each label
    test_counts: tuple[int, ...]

    def fits(self, in_shape: tuple[int, int, int]) -> bool:
        """Whether a network of this input can look at the data: at whole images, or at a window in their middle."""
        cut = [have - want for have, want in zip(self.in_shape[1:], in_shape[1:], strict=True)]
        return in_shape[0] == self.in_shape[0] and all(c >= 0 and c % 2 == 0 for c in cut)

    def train_images(self, labels: Sequence[Sequence[int]] | None) -> int:
        """Training images of a sub-task (one group of labels per class), or all of them."""
        return _of(self.train_counts, labels)

    def test_images(self, labels: Sequence[Sequence[int]] | None) -> int:
        """Test images of a sub-task, or all of them."""
        return _of(self.test_counts, labels)


def _of(counts: tuple[int, ...], labels: Sequence[Sequence[int]] | None) -> int:
    return sum(counts if labels is None else (counts[i] for group in labels for i in group))


_MNIST_TRAIN = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
_MNIST_TEST = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
_DIGITS_TRAIN = (142, 146, 142, 146, 145, 145, 145, 143, 139, 144)
_DIGITS_TEST = (36, 36, 35, 37, 36, 37, 36, 36, 35, 36)
DATASETS = {
    "mnist": Dataset(
        "mnist",
        "MNIST",
        (1, 28, 28),
        10,
        60000,
        10000,
        (0.1307, 0.3081),
        50000,
        5,
        500,
        250,
        1,
        _MNIST_TRAIN,
        _MNIST_TEST,
    ),
    "digits": Dataset(
        "digits", "digits 8×8", (1, 8, 8), 10, 1437, 360, None, None, 200, 100, 25, 10, _DIGITS_TRAIN, _DIGITS_TEST
    ),
}


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
    loss: str = "mse"
    weight_decay: float = 1e-3
    batch_size: int = 32
    raw: bool = False  # pixels in [0, 1] where `normalize` is left out (TOML has no null)
    figures: bool = True  # whether its runs belong to the pages that redraw the paper's figures


PRESETS = {
    "short": Preset(False, None, 0.1, 0.9, "he", True, 1.0, (0.6, 0.85), "fraction"),
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
}
