"""`boundlab.evaluate(model, data)`: what `boundlab evaluate` prints, from a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from boundlab.data.arrays import NAMES, read_arrays
from boundlab.data.npz import read_npz
from boundlab.data.splits import Split, apply_task, as_split
from boundlab.errors import DataError
from boundlab.evaluation.branched_report import report_on_branched
from boundlab.evaluation.report import report_on
from boundlab.networks.branched import Branched, branched
from boundlab.networks.build import LocallyConnected2d
from boundlab.networks.checkpoint import Checkpoint, load_checkpoint
from boundlab.networks.export import checkpoint_of
from boundlab.networks.sequential import NotAChain
from boundlab.specs.arch import ArchSpec
from boundlab.specs.own_data import DATASETS, at_root
from boundlab.specs.run import TrainSpec, label_groups
from boundlab.specs.settings import Settings
from boundlab.text import percent
from boundlab.validation import numbers

_OWN = "your data"  # the name of arrays that belong to no data set
Data = tuple[Split, Split | None]


class Report(dict[str, Any]):
    """The dictionary of `report.report`, which a notebook shows as a table."""

    def _rows(self) -> list[tuple[str, str]]:
        def told(value: float | None) -> str:
            return "not measured" if value is None else percent(value)

        rows = [(f"{part} error", told(self["errors"][part])) for part in ("train", "test")]
        if (limit := self["hold_out"]["value"]) is not None:
            rows.append(("hold-out", f"at most {percent(limit)}"))
        proved = ("theorem_s2", "theorem_d") if self["convention"] == "strict" else ("theorem_s2",)
        silent: dict[str, list[str]] = {}
        for key, bound in (self["bounds"] | {name: self[name] for name in proved}).items():
            if bound["value"] is None:
                silent.setdefault(bound["reason"], []).append(key)
            else:
                which = " (Theorem D2)" if bound.get("j") is not None else ""
                says = "" if bound["value"] < 1 else ", vacuous: 1 or more says nothing"
                rows.append((key, f"{bound['value']:.4g}{which}{says}"))
        rows += [(", ".join(keys), f"- ({reason})") for reason, keys in silent.items()]
        return rows

    def _notes(self) -> list[str]:
        """What to doubt, and where there is a promise what it takes for granted."""
        return self["warnings"] + [
            w for w in self["conditions"] if self["convention"] == "strict" and w not in self["warnings"]
        ]

    def _about(self) -> str:
        return f"{self['dataset']}, n = {self['n']:,}, {self['convention']} convention, delta = {self['delta']:g}"

    def __repr__(self) -> str:
        return "\n".join([self._about(), *(f"{name:12} {text}" for name, text in self._rows()), *self._notes()])

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{html.escape(a)}</td><td>{html.escape(b)}</td></tr>" for a, b in self._rows())
        said = "".join(f"<p>{html.escape(words)}</p>" for words in self._notes())
        return f"<table><caption>{html.escape(self._about())}</caption>{rows}</table>{said}"


def evaluate(
    model: nn.Module | str | Path,
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

    `model`: an nn.Module that `boundlab.export` takes, or the path of a checkpoint; of a module whose layers do not follow each other
    (residual sums, channels side by side) the bounds that hold for it: Gonon's, Theorem D, the hold-out limit. `data`: the name of a data set, arrays
    or tensors `(x_train, y_train)` or `(x_train, y_train, x_test, y_test)`, or a dictionary or `.npz` with these names or
    others that `boundlab.data.arrays` knows; images are (n, height, width), (n, channels, height, width), channels last, or
    (n, features); whole numbers are divided by 255. `in_shape` smaller than the images: their middle. `normalize`: (mean,
    deviation) that a module's inputs had. `labels`: a sub-task. The model is not changed. Raises ValueError,
    CheckpointError or DataError.
    """
    settings = Settings(convention, delta, n, margin)
    groups = None if labels is None else label_groups(labels)
    shape = None if in_shape is None else numbers("in_shape", in_shape, ("channels", "height", "width"))
    if data_root is not None and not isinstance(data_root, str | Path):
        raise ValueError(f"data_root must be the path of a folder, got {type(data_root).__name__}")
    with _as_a_command(data_root):
        name = data if isinstance(data, str) and data in DATASETS else _OWN
        read = _from_file(model, name, groups, shape, normalize) if isinstance(model, str | Path) else None
        splits = _data(name, data, groups, _channels(model, read, shape), data_root)
        network, why = (read, "") if read else _followed(model, shape or tuple(splits[0].images.shape[1:]), normalize)
        if isinstance(network, Branched):
            _fits(network.inputs, splits)
            return Report(report_on_branched(network, splits, name, settings, why, errors, data_root, groups))
        _fits(network.arch, splits)
        return Report(report_on(network, splits, name, settings, errors, root=data_root, labels=groups))


def _followed(model: Any, in_shape: tuple[Any, ...], normalize: Any) -> tuple[Checkpoint | Branched, str]:
    """The network that a model is, and why it is no chain of layers where it is none. Raises ValueError."""
    try:
        return checkpoint_of(model, in_shape, normalize), ""
    except NotAChain as error:
        with suppress(ValueError):
            return branched(model, in_shape, normalize), str(error)
        raise


@contextmanager
def _as_a_command(root: str | Path | None) -> Iterator[None]:
    """Meanwhile as in a process of its own: one thread, so that the sums are the command line's, and no warnings of NumPy
    (what is infinite or not measured is said in the result). Random numbers are left alone: building a network draws."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with at_root(root), np.errstate(all="ignore"), torch.random.fork_rng(devices=()):
            yield
    finally:
        torch.set_num_threads(threads)


def _from_file(
    path: str | Path, name: str, labels: tuple[tuple[int, ...], ...] | None, in_shape: Any, normalize: Any
) -> Checkpoint:
    if in_shape is not None or normalize is not None:
        raise ValueError("in_shape and normalize of a checkpoint are in its file; leave them out")
    return load_checkpoint(path, None if name == _OWN else name, None if labels is None else len(labels))


def _channels(model: Any, read: Checkpoint | None, in_shape: tuple[Any, ...] | None) -> tuple[int, ...]:
    """How many the network takes, () where any will do."""
    if read is not None or in_shape is not None:
        return ((read.arch.in_shape if read else in_shape or ())[0],)
    for module in model.modules() if isinstance(model, nn.Module) else ():
        if isinstance(module, nn.Conv2d | LocallyConnected2d):
            return (module.in_channels if isinstance(module, nn.Conv2d) else module.shape.in_channels,)
    return ()


def _data(
    name: str,
    given: Any,
    labels: tuple[tuple[int, ...], ...] | None,
    channels: tuple[int, ...],
    root: str | Path | None,
) -> Data:
    if name != _OWN:
        return apply_task(TrainSpec(name, labels=labels), root)
    if labels is not None:
        raise ValueError("labels choose a sub-task of a data set; leave them out for data of your own")
    if isinstance(given, str | Path):
        if Path(given).suffix != ".npz" or not Path(given).is_file():
            raise DataError(f"data must be one of {sorted(DATASETS)} or a .npz file that exists, got {str(given)!r}")
        pictures = read_npz(Path(given), channels, store=False)
    elif isinstance(given, Mapping):
        pictures = read_arrays(given, channels, False, _for_numpy)
    elif isinstance(given, tuple | list) and len(given) in (2, 4):
        pictures = read_arrays(dict(zip(NAMES, given, strict=False)), channels, False, _for_numpy)
    else:
        raise ValueError(
            f"data must be one of {sorted(DATASETS)}, a .npz file, or (x_train, y_train) or (x_train, y_train, x_test, "
            f"y_test), got {type(given).__name__}"
        )
    return as_split(pictures.train), None if pictures.test is None else as_split(pictures.test)


def _for_numpy(given: Any) -> Any:
    """What NumPy can read of a tensor; anything else as it is."""
    if not isinstance(given, Tensor):
        return given
    if given.is_meta or given.layout != torch.strided or given.is_quantized:
        kind = "on device meta" if given.is_meta else "quantized" if given.is_quantized else f"of layout {given.layout}"
        raise TypeError(f"a tensor {kind}; make it dense, with values (to_dense() if it is sparse)")
    dense = given.detach().cpu().resolve_conj().resolve_neg()
    return (dense.float() if dense.dtype == torch.bfloat16 else dense).numpy()


def _fits(arch: ArchSpec, data: Data) -> None:
    largest = max(int(part.labels.max()) for part in data if part is not None)
    for part in filter(None, data):
        have = tuple(part.images.shape[1:])
        cut = [a - b for a, b in zip(have[1:], arch.in_shape[1:], strict=True)]
        if have[0] != arch.in_shape[0] or any(c < 0 or c % 2 for c in cut) or largest >= arch.classes:
            raise ValueError(
                f"the network takes {list(arch.in_shape)} inputs and has {arch.classes} classes, but got data of {list(have)} "
                f"with labels up to {largest}; choose the data it was trained on, and number labels as its outputs"
            )
