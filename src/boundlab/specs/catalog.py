"""The data sets and training presets: facts known without images or weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Dataset:
    """Facts of a data set needed without its images; `record_every` in steps, `errors_every` in epochs."""

    name: str
    title: str
    in_shape: tuple[int, int, int]
    normalize: tuple[float, float] | None
    published_n: int | None  # the authors' `set_size`, used by their curves instead of the sample's size
    short_epochs: int
    warmup_steps: int
    record_every: int
    errors_every: int
    train_counts: tuple[int, ...]  # training images of each label
    test_counts: tuple[int, ...]
    class_names: tuple[str, ...] = ()  # of the reader's own data; (): the digits 0 to 9, or not needed
    stratified: bool = False  # whether the test part was drawn class by class from one whole
    copies: Mapping[str, int] = field(default_factory=dict, hash=False)  # `doubts.repeated` of the reader's own data

    @property
    def classes(self) -> int:
        return len(self.train_counts)

    @property
    def train_size(self) -> int:
        return sum(self.train_counts)

    @property
    def test_size(self) -> int:
        return sum(self.test_counts)

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


def _large(name: str, title: str, train: tuple[int, ...], test: tuple[int, ...], **changes: Any) -> Dataset:
    """MNIST, whose recipe was measured, and what has its size: normalisation and n are those of the authors' code
    (github.com/lianegalanti/gen, conf/global_settings.py)."""
    facts: dict[str, Any] = {"in_shape": (1, 28, 28), "normalize": (0.1307, 0.3081), "published_n": 50_000}
    facts |= {"short_epochs": 5, "warmup_steps": 500, "record_every": 250, "errors_every": 1}
    return Dataset(name, title, train_counts=train, test_counts=test, **facts | changes)


_MNIST_TRAIN = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
_MNIST_TEST = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
_DIGITS_TRAIN = (142, 146, 142, 146, 145, 145, 145, 143, 139, 144)
_DIGITS_TEST = (36, 36, 35, 37, 36, 37, 36, 36, 35, 36)
_SVHN_TRAIN = (4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659)
_SVHN_TEST = (1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595)
SHIPPED: Mapping[str, Dataset] = {
    "mnist": _large("mnist", "MNIST", _MNIST_TRAIN, _MNIST_TEST),
    "digits": Dataset(
        "digits", "digits 8×8", (1, 8, 8), None, None, 200, 100, 90, 10, _DIGITS_TRAIN, _DIGITS_TEST, stratified=True
    ),
    "fashion_mnist": _large("fashion_mnist", "Fashion-MNIST", (6000,) * 10, (1000,) * 10),
    "kmnist": _large("kmnist", "KMNIST", (6000,) * 10, (1000,) * 10),
    # The authors scale SVHN alike, but train on `extra` images too: their n, 100,000, is of another sample.
    "svhn": _large(
        "svhn", "SVHN", _SVHN_TRAIN, _SVHN_TEST, in_shape=(3, 32, 32), normalize=(0.5, 0.5), published_n=None
    ),
}
