"""The data that somebody gives `boundlab.evaluate`, as images and labels: names, files, arrays, torch's Dataset and DataLoader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from boundlab.data.arrays import NAMES, read_arrays
from boundlab.data.labels import outputs_of
from boundlab.data.pictures import LARGEST_DATA, Pictures
from boundlab.data.sources import READABLE, read_source
from boundlab.data.splits import Split, apply_task, as_split
from boundlab.errors import DataError
from boundlab.specs.arch import ArchSpec
from boundlab.specs.own_data import DATASETS
from boundlab.specs.run import Labels, TrainSpec

OWN = "your data"  # the name of data that belong to no data set
Data = tuple[Split, Split | None]


def given_data(
    name: str, given: Any, labels: Labels | None, channels: tuple[int, ...], root: str | Path | None
) -> tuple[Data, tuple[str, ...]]:
    """(train, perhaps test), and what the classes of data of one's own are called, in order; raises ValueError or DataError.

    `channels`: how many the network takes, () where any will do.
    """
    if name != OWN:
        return apply_task(TrainSpec(name, labels=labels), root), ()
    if labels is not None:
        raise ValueError("labels choose a sub-task of a data set; leave them out for data of your own")
    pictures = _read(given, channels)
    return (as_split(pictures.train), None if pictures.test is None else as_split(pictures.test)), pictures.class_names


def _read(given: Any, channels: tuple[int, ...]) -> Pictures:
    if isinstance(given, str | Path):
        if not Path(given).exists():
            raise DataError(
                f"data must be one of {sorted(DATASETS)}, or a file or folder that exists ({READABLE}), got {str(given)!r}"
            )
        return read_source(Path(given), channels or (1, 3), store=False)
    if isinstance(given, Mapping):
        return read_arrays(given, channels, False, for_numpy)
    parts = given if isinstance(given, tuple | list) else (given,)
    if 1 <= len(parts) <= 2 and all(isinstance(part, Dataset | DataLoader) for part in parts):
        parts = [array for part in parts for array in whole_dataset(part)]
    elif len(parts) == 2 and all(isinstance(part, tuple) and len(part) == 2 for part in parts):
        parts = [array for part in parts for array in part]  # ((x, y), (x, y)), as Keras loads data
    if len(parts) not in (2, 4):
        raise ValueError(
            f"data must be one of {sorted(DATASETS)}, a file or folder ({READABLE}), (x_train, y_train) or (x_train, y_train, x_test, "
            f"y_test), ((x, y), (x, y)), or one or two of torch's Dataset or DataLoader, got {type(given).__name__}"
        )
    return read_arrays(dict(zip(NAMES, parts, strict=False)), channels, False, for_numpy)


def whole_dataset(given: Dataset[Any] | DataLoader[Any]) -> tuple[Any, Any]:
    """(images, labels) of all its pairs, in its order; raises ValueError where there are none, or more than fit."""
    if getattr(given, "drop_last", False):
        raise ValueError("a DataLoader with drop_last=True leaves images out, got one; make it without")
    if isinstance(given, IterableDataset):
        given = DataLoader(given, batch_size=1)
    batches = isinstance(given, DataLoader) and given.batch_size is not None
    pairs = iter(given) if isinstance(given, DataLoader) else (given[i] for i in range(len(given)))  # type: ignore[arg-type]
    images: list[Any] = []
    labels: list[Any] = []
    size = 0
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(
                f"a Dataset should give pairs (image, label), got {type(pair).__name__}"
                f"{f' of {len(pair)}' if isinstance(pair, tuple | list | dict) else ''}; wrap it so that it does"
            )
        image, label = (np.asarray(for_numpy(part)) for part in pair)
        images.append(image if batches else image[None])
        labels.append(label if batches else label[None])
        size += 4 * image.size
        if size > LARGEST_DATA:
            raise ValueError(
                f"data should be at most {LARGEST_DATA / 2**30:.0f} GiB as float32, got more; take a Subset"
            )
    if not images:
        raise ValueError("a Dataset should have images, got none")
    if len(shapes := sorted({image.shape[1:] for image in images})) > 1:
        raise ValueError(
            f"all images should have one shape, got {shapes[0]} and {shapes[1]}; resize them in its transform"
        )
    return np.concatenate(images), np.concatenate(labels)


def as_outputs(data: Data, names: Sequence[str], outputs: int) -> Data:
    """Labels as numbers of a network's outputs (`labels.outputs_of`); `names`: () where they are already. Raises ValueError."""
    if not names:
        return data
    number = torch.from_numpy(outputs_of(names, outputs))
    train, test = (None if part is None else Split(part.images, number[part.labels]) for part in data)
    assert train is not None
    return train, test


def check_data(arch: ArchSpec, data: Data) -> None:
    """Raises ValueError unless a network takes these images, or the middle of them, and has an output for each label."""
    largest = max(int(part.labels.max()) for part in data if part is not None)
    for part in filter(None, data):
        have = tuple(part.images.shape[1:])
        cut = [a - b for a, b in zip(have[1:], arch.in_shape[1:], strict=True)]
        if have[0] != arch.in_shape[0] or any(c < 0 or c % 2 for c in cut) or largest >= arch.classes:
            raise ValueError(
                f"the network takes {list(arch.in_shape)} inputs and has {arch.classes} classes, but got data of {list(have)} "
                f"with labels up to {largest}; choose the data it was trained on, and number labels as its outputs"
            )


def for_numpy(given: Any) -> Any:
    """What NumPy can read of a tensor; anything else as it is."""
    if not isinstance(given, Tensor):
        return given
    if given.is_meta or given.layout != torch.strided or given.is_quantized:
        kind = "on device meta" if given.is_meta else "quantized" if given.is_quantized else f"of layout {given.layout}"
        raise TypeError(f"a tensor {kind}; make it dense, with values (to_dense() if it is sparse)")
    dense = given.detach().cpu().resolve_conj().resolve_neg()
    return (dense.float() if dense.dtype == torch.bfloat16 else dense).numpy()
