"""The reader's own data sets, and the catalogue of all."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from boundlab.specs.catalog import SHIPPED, Dataset

OWN_KEY = re.compile(r"own-[a-z0-9]+(?:-[a-z0-9]+)*-[0-9a-f]{8}")


_chosen: Path | None = None  # by `at_root`; of the whole process, whose threads look data sets up, too


def data_root(root: str | Path | None = None) -> Path:
    """`root`, else that of `at_root`, else BOUNDLAB_DATA, else a cache folder of the user."""
    given = root or _chosen or os.environ.get("BOUNDLAB_DATA")
    return Path(given) if given else cache_folder()


def cache_folder() -> Path:
    """The user's own, for what can be made again."""
    return Path.home() / ".cache" / "boundlab"


@contextmanager
def at_root(root: str | Path | None) -> Iterator[None]:
    """`root` (None: what it was) is this process's data root meanwhile; processes that it starts are told theirs."""
    global _chosen
    before = _chosen
    _chosen = Path(root) if root else before
    try:
        yield
    finally:
        _chosen = before


def own_folder(root: str | Path | None = None) -> Path:
    """Where the reader's own data sets lie: KEY.npz and KEY.json, without the "own-" of the key."""
    return data_root(root) / "own"


def own_recipe(n: int) -> dict[str, int]:
    """Epochs, warm-up and records of the `short` preset for n training images.

    About 9,000 steps of 32 images, as in both measured recipes (1,437 images: 200 epochs, 60,000: 5); warm-up and spacing
    of records geometrically between theirs (100 and 90 steps; 500 and 250), errors at most 20 times.
    """
    epochs = math.ceil(9000 / math.ceil(n / 32))
    share = min(1.0, max(0.0, math.log(n / 1437) / math.log(60_000 / 1437)))
    return {
        "short_epochs": epochs,
        "warmup_steps": round(100 * 5**share),
        "record_every": round(90 * (250 / 90) ** share),
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


def listed_name(key: str) -> str:
    """A data set as lists of them call it: a shipped one by its key, one of the reader's own by the name that it was given, with the
    end of its key where two have that name."""
    if not OWN_KEY.fullmatch(key) or key not in DATASETS:
        return key
    title = DATASETS[key].title
    alike = [other for name, other in own_datasets().items() if other.title == title and name != key]
    return f"{title} ({key[-4:]})" if alike else title


def dataset_key(name: str) -> str:
    """The key of the data set that lists call `name` (`listed_name`); `name` itself where none is called so."""
    found = () if name in DATASETS else (key for key in own_datasets() if listed_name(key) == name)
    return next(iter(found), name)


@dataclass(frozen=True)
class Catalogue(Mapping[str, Dataset]):
    """The data sets that have a loader here, then the reader's own below `root`, as they lay there when it was made."""

    root: Path
    own: Mapping[str, Dataset] = field(hash=False)

    def __getitem__(self, name: str) -> Dataset:
        found = SHIPPED.get(name) or self.own.get(name)
        if found is None:
            raise KeyError(f"dataset must be one of {sorted(self)}, got {name!r}")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter([*SHIPPED, *self.own])

    def __len__(self) -> int:
        return len(SHIPPED) + len(self.own)


def catalogue(root: str | Path | None = None) -> Catalogue:
    """What can be asked for of the data below `data_root(root)`, at this moment."""
    return Catalogue(data_root(root), own_datasets(root))


class _Here(Mapping[str, Dataset]):
    def __getitem__(self, name: str) -> Dataset:
        return SHIPPED.get(name) or _known.get(name) or catalogue()[name]

    def __iter__(self) -> Iterator[str]:
        yield from SHIPPED  # before the folder is looked at: most specs name one of these
        yield from own_datasets()

    def __len__(self) -> int:
        return len(catalogue())


# The catalogue here and now, for what has no root at hand: specs, which name a data set, and pages. One that was removed is
# no longer listed, but looked up all the same by a process that knew it: it holds runs of it.
DATASETS: Mapping[str, Dataset] = _Here()
