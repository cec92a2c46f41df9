"""Images and labels in memory: digits (inside scikit-learn), IDX and .mat files in a torchvision-style root, own data."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from boundlab.data import own as owndata
from boundlab.data.mirrors import LARGEST_FILE
from boundlab.data.sources import fetch, locate
from boundlab.errors import DataError
from boundlab.specs.catalog import SHIPPED
from boundlab.specs.own_data import DATASETS, own_datasets
from boundlab.specs.run import RunSpec, TrainSpec
from boundlab.validation import one_of


@dataclass(frozen=True)
class Split:
    """(n, channels, height, width) float32 pixels in [0, 1] and (n,) integer labels."""

    images: Tensor
    labels: Tensor

    def to(self, device: str | torch.device) -> Split:
        return Split(self.images.to(device), self.labels.to(device))


def read_idx(path: Path, dims: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes, plain or .gz; raises DataError when magic, size or gzip stream is wrong."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is not a complete gzip file ({error}); delete it and fetch it again") from error
    if len(content) > LARGEST_FILE:
        raise DataError(f"{path} unpacks to more than {LARGEST_FILE:,} bytes: this is not one of the expected files")
    expected = bytes([0, 0, 8, dims])
    if content[:4] != expected:
        raise DataError(
            f"{path} should begin with the IDX magic {expected.hex()}, got {content[:4].hex() or 'nothing'}"
        )
    shape = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(dims)]
    body = len(content) - 4 - 4 * dims
    if body != int(np.prod(shape, dtype=object)):
        raise DataError(f"{path} announces {' x '.join(map(str, shape))} bytes but holds {max(body, 0)}: wrong size")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dims).reshape(shape)


def _idx(name: str, root: str | Path | None) -> tuple[Split, Split]:
    fetch(name, root)

    def split(part: str, size: int) -> Split:
        images = read_idx(locate(name, f"{part}-images-idx3-ubyte", root), 3)
        labels = read_idx(locate(name, f"{part}-labels-idx1-ubyte", root), 1)
        expected = (size, *DATASETS[name].in_shape[1:])
        if images.shape != expected or labels.shape != (size,) or labels.max() >= DATASETS[name].classes:
            raise DataError(
                f"{DATASETS[name].title} ({part}) needs images {expected} and {size} labels below "
                f"{DATASETS[name].classes}, got {images.shape} and {labels.shape} up to {labels.max(initial=0)}"
            )
        _check_counts(name, part, labels)
        return as_split(images[:, None], labels)

    return split("train", DATASETS[name].train_size), split("t10k", DATASETS[name].test_size)


def _check_counts(name: str, part: str, labels: np.ndarray) -> None:
    """Raise DataError unless there are as many images of each label as the catalogue says."""
    expected = DATASETS[name].train_counts if part == "train" else DATASETS[name].test_counts
    if (got := tuple(np.bincount(labels, minlength=len(expected)).tolist())) != expected:
        raise DataError(
            f"{DATASETS[name].title} ({part}) should have {expected} images of its labels, got {got}: these are other "
            "files; delete them and fetch them again"
        )


def as_split(images: np.ndarray, labels: np.ndarray) -> Split:
    """Tensors of bytes, or of floats in [0, 1]."""
    pixels = np.require(images.astype(np.float32, order="C", copy=False), requirements="W")
    if images.dtype == np.uint8:
        pixels /= 255.0  # in place: a second array of this size costs more than the division
    return Split(torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64)))


def read_mat(path: Path, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(images (n, 3, 32, 32) of bytes, labels (n,), 10 read as 0) of an SVHN file; raises DataError for any other file."""
    from scipy.io import loadmat, whosmat

    wanted = {"X": (32, 32, 3, n), "y": (n, 1)}
    try:
        with path.open("rb") as file:
            found = {name: shape for name, shape, _ in whosmat(file)}
            if found != wanted:
                raise DataError(
                    f"{path} should hold arrays of shapes {wanted}, got {found}; delete it and fetch it again"
                )
            content = loadmat(file)
    except DataError:
        raise
    except Exception as error:  # scipy raises what it likes on damaged bytes, NotImplementedError for MATLAB 7.3
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{path} should be a MATLAB 5 file, got: {reason}; delete it and fetch it again") from error
    images, labels = content["X"], np.asarray(content["y"]).reshape(-1)
    if images.dtype != np.uint8 or labels.dtype.kind not in "uif" or not np.isin(labels, range(1, 11)).all():
        raise DataError(
            f"{path} should hold bytes X and labels y from 1 to 10, got {images.dtype} and {labels.dtype} from "
            f"{min(labels)} to {max(labels)}; delete it and fetch it again"
        )
    return images.transpose(3, 2, 0, 1), labels.astype(np.int64) % 10


def _svhn(root: str | Path | None) -> tuple[Split, Split]:
    fetch("svhn", root)

    def split(part: str, size: int) -> Split:
        images, labels = read_mat(locate("svhn", f"{part}_32x32.mat", root), size)
        _check_counts("svhn", part, labels)
        return as_split(images, labels)

    return split("train", DATASETS["svhn"].train_size), split("test", DATASETS["svhn"].test_size)


def _own(key: str, root: str | Path | None) -> tuple[Split, Split]:
    pictures = owndata.read_own(key, root)
    assert pictures.test is not None
    return as_split(pictures.train.pixels, pictures.train.labels), as_split(pictures.test.pixels, pictures.test.labels)


def _digits() -> tuple[Split, Split]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(
        (images / 16.0).astype(np.float32).reshape(-1, 1, 8, 8),
        labels.astype(np.int64),
        test_size=DATASETS["digits"].test_size,
        random_state=0,
        stratify=labels,
    )
    x_train, x_test, y_train, y_test = (torch.from_numpy(np.ascontiguousarray(p)) for p in parts)
    return Split(x_train, y_train), Split(x_test, y_test)


def load_splits(name: str, root: str | Path | None = None) -> tuple[Split, Split]:
    """(train, test) of a data set; raises ValueError for an unknown name, DataError when files are missing or bad."""
    own = own_datasets(root)
    one_of("dataset", name, [*SHIPPED, *own])
    if name in own:
        return _own(name, root)
    if name == "digits":
        return _digits()
    return _svhn(root) if name == "svhn" else _idx(name, root)


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


def apply_task(spec: TrainSpec, root: str | Path | None = None) -> tuple[Split, Split]:
    """(train, test) as a run sees them: sub-task, then the first n of a permutation with seed 0, then label noise."""
    train, test = load_splits(spec.dataset, root)
    if spec.labels is not None:
        train, test = _relabel(train, spec.labels), _relabel(test, spec.labels)
    if spec.n_train is not None:
        if spec.n_train > len(train.labels):
            raise ValueError(f"n_train is {spec.n_train}, but this task has only {len(train.labels)} training images")
        chosen = torch.from_numpy(np.random.default_rng(0).permutation(len(train.labels))[: spec.n_train])
        train = Split(train.images[chosen], train.labels[chosen])
    if spec.label_noise:
        rng = np.random.default_rng([spec.seed, 1])
        classes = len(spec.labels) if spec.labels else DATASETS[spec.dataset].classes
        redraw = rng.random(len(train.labels)) < spec.label_noise
        labels = np.where(redraw, rng.integers(0, classes, len(train.labels)), train.labels.numpy())
        train = Split(train.images, torch.from_numpy(labels))
    return train, test
