"""The data sets and training presets: facts known without images or weights."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
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
        "digits", "digits 8×8", (1, 8, 8), None, None, 200, 100, 25, 10, _DIGITS_TRAIN, _DIGITS_TEST, stratified=True
    ),
    "fashion_mnist": _large("fashion_mnist", "Fashion-MNIST", (6000,) * 10, (1000,) * 10),
    "kmnist": _large("kmnist", "KMNIST", (6000,) * 10, (1000,) * 10),
    # The authors scale SVHN alike, but train on `extra` images too: their n, 100,000, is of another sample.
    "svhn": _large(
        "svhn", "SVHN", _SVHN_TRAIN, _SVHN_TEST, in_shape=(3, 32, 32), normalize=(0.5, 0.5), published_n=None
    ),
}
OWN_KEY = re.compile(r"own-[a-z0-9]+(?:-[a-z0-9]+)*-[0-9a-f]{8}")


def data_root(root: str | Path | None = None) -> Path:
    """`root`, else BOUNDLAB_DATA, else a cache folder of the user."""
    given = root or os.environ.get("BOUNDLAB_DATA")
    return Path(given) if given else Path.home() / ".cache" / "boundlab"


@contextmanager
def at_root(root: str | Path | None) -> Iterator[None]:
    """BOUNDLAB_DATA is `root` (None: what it was) meanwhile, for this process and those it starts."""
    before = os.environ.get("BOUNDLAB_DATA")
    if root:
        os.environ["BOUNDLAB_DATA"] = str(root)
    try:
        yield
    finally:
        if before is not None:
            os.environ["BOUNDLAB_DATA"] = before
        elif root:
            del os.environ["BOUNDLAB_DATA"]


def own_folder(root: str | Path | None = None) -> Path:
    """Where the reader's own data sets lie: KEY.npz and KEY.json, without the "own-" of the key."""
    return data_root(root) / "own"


def own_recipe(n: int) -> dict[str, int]:
    """Epochs, warm-up and records of the `short` preset for n training images.

    About 9,000 steps of 32 images, as in both measured recipes (1,437 images: 200 epochs, 60,000: 5); warm-up and spacing
    of records geometrically between theirs (100 and 25 steps; 500 and 250), errors at most 20 times.
    """
    epochs = math.ceil(9000 / math.ceil(n / 32))
    share = min(1.0, max(0.0, math.log(n / 1437) / math.log(60_000 / 1437)))
    return {
        "short_epochs": epochs,
        "warmup_steps": round(100 * 5**share),
        "record_every": round(25 * 10**share),
        "errors_every": max(1, epochs // 20),
    }


def own_dataset(key: str, facts: Mapping[str, Any]) -> Dataset:
    """An own data set from the facts stored beside it; raises ValueError, KeyError or TypeError for other JSON."""
    channels, height, width = map(int, facts["in_shape"])
    train, test = (tuple(map(int, facts[part])) for part in ("train_counts", "test_counts"))
    names = tuple(map(str, facts["class_names"]))
    if not OWN_KEY.fullmatch(key) or not facts["sha256"].startswith(key[-8:]):
        raise ValueError(f"{key} is not the name of these contents")
    if not len(names) == len(train) == len(test) >= 2 or min(train + test + (channels, height, width)) < 1:
        raise ValueError(f"{key} needs as many class names as counts, and counts of at least 1")
    return Dataset(
        key,
        str(facts["title"]),
        (channels, height, width),
        None,
        None,
        **own_recipe(sum(train)),
        train_counts=train,
        test_counts=test,
        class_names=names,
        stratified=bool(facts.get("stratified", False)),
        copies={str(name): int(count) for name, count in facts.get("copies", {}).items()},
    )


_known: dict[str, Dataset] = {}  # every one read so far: a key stands for its contents, which never change


@lru_cache(1024)
def _read(path: str, changed: int, size: int) -> Dataset | None:
    """The data set described by a file of that mtime (ns) and size; None where it is not one (`data list` names it)."""
    try:
        with open(path, encoding="utf-8") as file:
            facts = own_dataset(f"own-{Path(path).stem}", json.load(file))
            return _known.setdefault(facts.name, facts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def own_datasets(root: str | Path | None = None) -> dict[str, Dataset]:
    """The reader's own data sets below the data root, by key; those that lack a file are left out."""
    found = {}
    try:
        with os.scandir(own_folder(root)) as entries:
            files = {entry.name: entry for entry in entries}
    except OSError:  # no folder
        return {}
    for name in sorted(files):
        if name.endswith(".json") and f"{name.removesuffix('.json')}.npz" in files:
            with suppress(OSError):  # removed this moment
                stat = files[name].stat()
                if facts := _read(files[name].path, stat.st_mtime_ns, stat.st_size):
                    found[facts.name] = facts
    return found


class _Datasets(Mapping[str, Dataset]):
    """The data sets that have a loader here, then the reader's own; follows BOUNDLAB_DATA and what lies there.

    One that was removed is no longer listed, but looked up all the same by a process that knew it: it holds runs of it.
    """

    def __getitem__(self, name: str) -> Dataset:
        found = SHIPPED.get(name) or _known.get(name) or own_datasets().get(name)
        if found is None:
            raise KeyError(f"dataset must be one of {sorted(self)}, got {name!r}")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter([*SHIPPED, *own_datasets()])

    def __len__(self) -> int:
        return len(list(iter(self)))


DATASETS: Mapping[str, Dataset] = _Datasets()


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
