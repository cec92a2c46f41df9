"""Images and labels as tensors: a data set's files are located, read and checked, and made the task of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from boundlab.data.checks import check_published
from boundlab.data.download import fetch
from boundlab.data.pictures import Part
from boundlab.data.read import read_published
from boundlab.data.stored import check_stored, read_stored, stored_file
from boundlab.specs.own_data import DATASETS, Catalogue, catalogue
from boundlab.specs.run import RunSpec, TrainSpec
from boundlab.validation import one_of


@dataclass(frozen=True)
class Split:
    """(n, channels, height, width) float32 pixels in [0, 1] and (n,) integer labels."""

    images: Tensor
    labels: Tensor

    def to(self, device: str | torch.device) -> Split:
        return Split(self.images.to(device), self.labels.to(device))


def as_split(part: Part) -> Split:
    """Tensors of bytes, or of floats in [0, 1]."""
    images = part.pixels
    pixels = np.require(images.astype(np.float32, order="C", copy=False), requirements="W")
    if images.dtype == np.uint8:
        pixels /= 255.0  # in place: a second array of this size costs more than the division
    return Split(torch.from_numpy(pixels), torch.from_numpy(part.labels.astype(np.int64)))


def load_splits(name: str, root: str | Path | None = None) -> tuple[Split, Split]:
    """(train, test) of a data set; raises ValueError for an unknown name, DataError when files are missing or bad."""
    known = catalogue(root)
    one_of("dataset", name, known)
    train, test = map(as_split, _stored(known, name) if name in known.own else _published(known, name))
    return train, test


def _published(known: Catalogue, name: str) -> Iterator[Part]:
    files = fetch(name, known.root)
    return (check_published(known[name], part, arrays) for part, arrays in read_published(known[name], files))


def _stored(known: Catalogue, name: str) -> tuple[Part, Part]:
    path = stored_file(known, name)
    return check_stored(path, read_stored(path, known[name].class_names))


def _relabel(split: Split, groups: tuple[tuple[int, ...], ...]) -> Split:
    new = torch.full((max(int(split.labels.max()), *map(max, groups)) + 1,), -1)
    for index, group in enumerate(groups):
        new[list(group)] = index
    labels = new[split.labels]
    keep = labels >= 0
    return Split(split.images[keep], labels[keep])


def cut_window(split: Split, in_shape: tuple[int, int, int]) -> Split:
    """The middle of the images, as large as a network of `in_shape` looks at."""
    (height, width), (_, h, w) = split.images.shape[-2:], in_shape
    top, left = (height - h) // 2, (width - w) // 2
    return Split(split.images[..., top : top + h, left : left + w].contiguous(), split.labels)


def seen(spec: RunSpec, root: str | Path | None = None) -> tuple[Split, Split]:
    """(train, test) as a run's network sees them, before `normalize`: its task's images, or the middle of them."""
    train, test = apply_task(spec.train, root)
    return cut_window(train, spec.arch.in_shape), cut_window(test, spec.arch.in_shape)


def seen_together(specs: Sequence[RunSpec], root: str | Path | None = None) -> list[tuple[Split, Split]]:
    """What `seen` gives for each, with images that are the same kept once; `specs`: of one architecture and data set."""
    pictures: dict[object, tuple[Split, Split]] = {}
    found = []
    for spec in specs:
        task = (spec.train.labels, spec.train.n_train)
        if task not in pictures:
            plain = dataclasses.replace(spec, train=dataclasses.replace(spec.train, label_noise=0.0))
            pictures[task] = seen(plain, root)
        train, test = pictures[task]
        found.append((_with_noise(train, spec.train) if spec.train.label_noise else train, test))
    return found


def apply_task(spec: TrainSpec, root: str | Path | None = None) -> tuple[Split, Split]:
    """(train, test) as a run sees them: sub-task, then the first n of a permutation with seed 0, then label noise."""
    train, test = load_splits(spec.dataset, root)
    if spec.labels is not None:
        train, test = _relabel(train, spec.labels), _relabel(test, spec.labels)
    if spec.n_train is not None:
        train = _first(train, spec.n_train)
    return _with_noise(train, spec) if spec.label_noise else train, test


def _first(train: Split, n: int) -> Split:
    if n > len(train.labels):
        raise ValueError(f"n_train is {n}, but this task has only {len(train.labels)} training images")
    chosen = torch.from_numpy(np.random.default_rng(0).permutation(len(train.labels))[:n])
    return Split(train.images[chosen], train.labels[chosen])


def _with_noise(train: Split, spec: TrainSpec) -> Split:
    """A fraction of the labels drawn anew, each class as likely as any other."""
    rng = np.random.default_rng([spec.seed, 1])
    classes = len(spec.labels) if spec.labels else DATASETS[spec.dataset].classes
    redraw = rng.random(len(train.labels)) < spec.label_noise
    labels = np.where(redraw, rng.integers(0, classes, len(train.labels)), train.labels.numpy())
    return Split(train.images, torch.from_numpy(labels))
