"""The reader's own data sets, and the catalogue of all."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from boundlab.specs.catalog import SHIPPED, Dataset

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
