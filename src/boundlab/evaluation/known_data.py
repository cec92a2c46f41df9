"""What bounds need of a data set, apart from the network: measured, or known from an earlier time by the files that hold the images."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from boundlab.data.download import fetch
from boundlab.data.inspection import altered, repeated
from boundlab.data.splits import Split, apply_task, cut_window
from boundlab.networks.sample_stats import KEPT_FROM, content_hash, sample_stats, statistics_folder
from boundlab.quantities.sample import SampleStats
from boundlab.specs.arch import ArchSpec
from boundlab.specs.run import TrainSpec
from boundlab.system.kept import kept

DataFacts = tuple[SampleStats, dict[str, Any]]  # statistics of the sample, and a record's columns about the data


def facts_of(
    train: Split, data: tuple[Split, Split | None], arch: ArchSpec, dataset: str, root: str | Path | None = None
) -> DataFacts:
    """`train`: as the network gets them; `data`: (train, test or None) as they are."""
    columns = {"image_shape": list(data[0].images.shape[1:]), **_copies(data, root), "altered": altered(dataset, root)}
    return sample_stats(train.images, arch, dataset, root), columns


def known_facts(asked: TrainSpec, arch: ArchSpec, root: str | Path | None = None) -> DataFacts:
    """`facts_of` a task's data in float32, by the hashes of the published files, so that these are read once. Raises DataError
    or ValueError as `apply_task`."""

    def measured() -> DataFacts:
        data = apply_task(asked, root)
        return facts_of(cut_window(data[0], arch.in_shape), data, arch, asked.dataset, root)

    if not (
        files := fetch(asked.dataset, root)
    ):  # the reader's own, which are checked whenever they are read, or the digits
        return measured()
    hashes = [[name, hashlib.sha256(path.read_bytes()).hexdigest()] for name, path in sorted(files.items())]
    first = arch.shapes()[0]
    geometry = [first.spatial, first.kernel, first.stride, first.padding, first.dilation]
    named = ["facts", hashes, asked.dataset, asked.labels, arch.in_shape, arch.normalize, geometry]

    def stored() -> list[Any]:
        sample, columns = measured()
        return [sample.to_dict(), columns]

    sample, columns = kept(statistics_folder(root), named, stored)
    found = SampleStats.from_dict(sample | {"dataset": asked.dataset, "classes": arch.classes}, arch.normalize)
    return found, columns


def _copies(data: tuple[Split, Split | None], root: str | Path | None) -> dict[str, int]:
    train, test = data
    unseen = None if test is None else test.images

    def counted() -> dict[str, int]:
        return repeated(train.images.numpy(), train.labels.numpy(), None if unseen is None else unseen.numpy())

    if len(train.labels) < KEPT_FROM:
        return counted()
    parts = [train.images, train.labels, *([] if unseen is None else [unseen])]
    found: dict[str, int] = kept(statistics_folder(root), ["copies", content_hash(*parts)], counted)
    return found
