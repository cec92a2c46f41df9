"""`boundlab.evaluate(model, data)`: what `boundlab evaluate` prints, from a notebook."""

from __future__ import annotations

import html
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from boundlab.catalog import DATASETS
from boundlab.checkpoints import Checkpoint, load
from boundlab.datasets import Split, task
from boundlab.errors import DataError
from boundlab.exports import checkpoint_of
from boundlab.reports import report_on
from boundlab.specs import Settings, TrainSpec

OWN = "your data"  # the name of arrays that belong to no data set
WHOLE = (torch.int16, torch.int32, torch.int64)  # uint8 aside
NAMES = ("x_train", "y_train", "x_test", "y_test")
Data = tuple[Split, Split | None]


class Report(dict[str, Any]):
    """The dictionary of `reports.report`, which a notebook shows as a table."""

    def _rows(self) -> list[tuple[str, str]]:
        def percent(value: float | None) -> str:
            return "not measured" if value is None else f"{100 * value:.2f} %"

        rows = [(f"{part} error", percent(self["errors"][part])) for part in ("train", "test")]
        for key, bound in (self["bounds"] | {"theorem_s2": self["theorem_s2"]}).items():
            rows.append((key, f"- ({bound['reason']})" if bound["value"] is None else f"{bound['value']:.4g}"))
        return rows

    def _about(self) -> str:
        return f"{self['dataset']}, n = {self['n']:,}, {self['convention']} convention, delta = {self['delta']:g}"

    def __repr__(self) -> str:
        return "\n".join([self._about(), *(f"{name:12} {text}" for name, text in self._rows())])

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{html.escape(a)}</td><td>{html.escape(b)}</td></tr>" for a, b in self._rows())
        return f"<table><caption>{html.escape(self._about())}</caption>{rows}</table>"


def evaluate(
    model: nn.Sequential | str | Path,
    data: Any,
    convention: str = "published",
    delta: float = 0.001,
    n: int | None = None,
    margin: float | None = None,
    *,
    errors: bool = True,
    in_shape: Sequence[int] | None = None,
    normalize: Sequence[float] | None = None,
    labels: Sequence[Sequence[int]] | None = None,
    data_root: str | Path | None = None,
) -> Report:
    """Norms, every bound and errors of a network, as `boundlab evaluate` has them.

    `model`: a Sequential that `boundlab.export` takes, or the path of a checkpoint. `data`: the name of a data set, arrays
    or tensors `(x_train, y_train)` or `(x_train, y_train, x_test, y_test)`, or a `.npz` with these names; images are
    (n, height, width), (n, channels, height, width) or (n, features), whole numbers are divided by 255. `in_shape` smaller
    than the images: their middle. `normalize`: (mean, deviation) that a Sequential's inputs had. `labels`: a sub-task.
    The model is not changed. Raises ValueError, CheckpointError or DataError.
    """
    settings = Settings(convention, delta, n, margin)
    groups = None if labels is None else tuple(tuple(group) for group in labels)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so that the sums are the command line's
    try:
        # what is infinite or not measured is said in the result; building a network draws weights
        with np.errstate(all="ignore"), torch.random.fork_rng(devices=()):
            name, splits = _data(data, groups, data_root)
            checkpoint = _checkpoint(model, name, splits[0], in_shape, normalize, groups)
            if name == OWN:
                _fits(checkpoint, splits)
            return Report(report_on(checkpoint, splits, name, settings, errors))
    finally:
        torch.set_num_threads(threads)


def _checkpoint(
    model: nn.Sequential | str | Path,
    name: str,
    train: Split,
    in_shape: Sequence[int] | None,
    normalize: Sequence[float] | None,
    labels: tuple[tuple[int, ...], ...] | None,
) -> Checkpoint:
    if isinstance(model, str | Path):
        if in_shape is not None or normalize is not None:
            raise ValueError("in_shape and normalize of a checkpoint are in its file; leave them out")
        return load(model, None if name == OWN else name, None if labels is None else len(labels))
    return checkpoint_of(model, tuple(train.images.shape[1:]) if in_shape is None else in_shape, normalize)


def _data(given: Any, labels: tuple[tuple[int, ...], ...] | None, root: str | Path | None) -> tuple[str, Data]:
    if isinstance(given, str) and given in DATASETS:
        return given, task(TrainSpec(given, labels=labels), root)
    if labels is not None:
        raise ValueError("labels choose a sub-task of a data set; leave them out for data of your own")
    if isinstance(given, str | Path):
        given = _npz(Path(given))
    if not isinstance(given, tuple | list) or len(given) not in (2, 4):
        raise ValueError(
            f"data must be one of {sorted(DATASETS)}, a .npz file, or (x_train, y_train) or (x_train, y_train, x_test, "
            f"y_test), got {type(given).__name__}"
        )
    parts = [_split(given[i], given[i + 1], NAMES[i : i + 2]) for i in range(0, len(given), 2)]
    return OWN, (parts[0], parts[1] if len(parts) > 1 else None)


def _npz(path: Path) -> list[np.ndarray]:
    if path.suffix != ".npz" or not path.is_file():
        raise DataError(f"data must be one of {sorted(DATASETS)} or a .npz file that exists, got {str(path)!r}")
    try:
        with np.load(path, allow_pickle=False) as file:
            names = NAMES if "x_test" in file else NAMES[:2]
            if missing := [name for name in names if name not in file]:
                raise DataError(f"{path} must hold arrays {', '.join(names)}, {', '.join(missing)} missing")
            return [file[name] for name in names]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not a readable .npz of plain arrays ({error})") from error


def _split(x: Any, y: Any, names: Sequence[str]) -> Split:
    images, labels = (torch.as_tensor(np.array(v) if not isinstance(v, Tensor) else v).detach().cpu() for v in (x, y))
    if images.ndim not in (2, 3, 4) or not len(images) or labels.shape != (len(images),):
        raise ValueError(
            f"{names[0]} must be (n, height, width), (n, channels, height, width) or (n, features) and {names[1]} (n,), got "
            f"{tuple(images.shape)} and {tuple(labels.shape)}"
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool or labels.min() < 0:
        raise ValueError(
            f"{names[1]} must be whole numbers from 0 on, one class each, got {labels.dtype} from {labels.min()}"
        )
    if (
        not images.is_floating_point()
        and images.dtype != torch.uint8
        and not (images.dtype in WHOLE and images.max() <= 255)
    ):
        raise ValueError(f"{names[0]} must be pixels in [0, 1] or whole numbers from 0 to 255, got {images.dtype}")
    pixels = images.float() if images.is_floating_point() else images.float() / 255
    if not torch.isfinite(pixels).all():
        raise ValueError(f"{names[0]} has NaN or infinite values; every pixel must be finite")
    if pixels.min() < 0 or pixels.max() > 1:
        raise ValueError(
            f"{names[0]} must be pixels in [0, 1], got {pixels.min():.9g} to {pixels.max():.9g}; give what was subtracted and "
            "divided as normalize=(mean, deviation)"
        )
    pixels = pixels[:, None, None] if pixels.ndim == 2 else pixels[:, None] if pixels.ndim == 3 else pixels
    return Split(pixels.contiguous(), labels.long())


def _fits(checkpoint: Checkpoint, data: Data) -> None:
    arch, largest = checkpoint.arch, max(int(part.labels.max()) for part in data if part is not None)
    for part in filter(None, data):
        have = tuple(part.images.shape[1:])
        cut = [a - b for a, b in zip(have[1:], arch.in_shape[1:], strict=True)]
        if have[0] != arch.in_shape[0] or any(c < 0 or c % 2 for c in cut) or largest >= arch.classes:
            raise ValueError(
                f"the network takes {list(arch.in_shape)} inputs and has {arch.classes} classes, the data is {list(have)} "
                f"with labels up to {largest}"
            )
