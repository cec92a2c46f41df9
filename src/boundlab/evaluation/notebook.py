"""`boundlab.evaluate(model, data)`: what `boundlab evaluate` prints, from a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from boundlab.data.labels import outputs_of
from boundlab.data.splits import Split
from boundlab.evaluation.branched_report import report_on_branched
from boundlab.evaluation.first_layer import channels_of, dark_sentences, map_shape, other_channels, rows_sentence
from boundlab.evaluation.given_data import OWN, as_outputs, check_data, given_data
from boundlab.evaluation.predictor_report import report_on_predictor
from boundlab.evaluation.printed_report import Report
from boundlab.evaluation.report import report_on
from boundlab.networks.branched import Branched, branched
from boundlab.networks.checkpoint import Checkpoint, load_checkpoint
from boundlab.networks.export import checkpoint_of
from boundlab.networks.not_followed import NotFollowed
from boundlab.networks.predictor import Predictor, predictor
from boundlab.networks.sequential import NotAChain
from boundlab.specs.own_data import DATASETS, at_root, dataset_key
from boundlab.specs.run import label_groups
from boundlab.specs.settings import Settings
from boundlab.validation import numbers


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
    (residual sums, channels side by side) the bounds that hold for it: Gonon's, Theorem D, PAC-Bayes, the hold-out limit; of one that no
    bound here is about (GELU, attention, recurrence) its errors and the hold-out limit. `data`: the name of a data set; arrays
    or tensors `(x_train, y_train)`, `(x_train, y_train, x_test, y_test)` or `((x, y), (x, y))`; a dictionary with these names or
    others that `boundlab.data.arrays` knows; one or two of torch's Dataset or DataLoader, read whole; or a file or folder that
    `boundlab data add` takes. Images are (n, height, width), (n, channels, height, width), channels last, or
    (n, features), which are laid out as `in_shape`, or as a square for a convolution of one channel; whole numbers are divided by 255. Labels that are not numbers of outputs become them in order (`labels` of the
    report). `in_shape` smaller than the images: their middle. `normalize`: (mean,
    deviation) that a module's inputs had. `labels`: a sub-task. The model is not changed. Raises ValueError,
    CheckpointError or DataError.
    """
    settings = Settings(convention, delta, n, margin)
    groups = None if labels is None else label_groups(labels)
    shape = None if in_shape is None else numbers("in_shape", in_shape, ("channels", "height", "width"))
    if data_root is not None and not isinstance(data_root, str | Path):
        raise ValueError(f"data_root must be the path of a folder, got {type(data_root).__name__}")
    with as_a_command(data_root):
        name = _name(data)
        read = _from_file(model, name, groups, shape, normalize) if isinstance(model, str | Path) else None
        splits, classes = given_data(name, data, groups, _channels(model, read, shape), data_root)
        have = tuple(splits[0].images.shape[1:])
        if laid := map_shape(have, read or model, shape):
            splits = _laid_out(splits[0], laid), None if splits[1] is None else _laid_out(splits[1], laid)
        network, why = (read, "") if read else _fitting(model, shape or laid or have, normalize)
        arch = network.arch if isinstance(network, Checkpoint) else network.inputs
        splits = as_outputs(splits, classes, arch.classes)
        check_data(arch, splits)
        if isinstance(network, Branched):
            found = report_on_branched(network, splits, name, settings, why, errors, data_root, groups)
        elif isinstance(network, Predictor):
            found = report_on_predictor(network, splits, name, settings, why, errors, data_root, groups)
        else:
            found = report_on(network, splits, name, settings, errors, root=data_root, labels=groups)
        said = [rows_sentence(laid)] if laid else []
        said += dark_sentences(float(splits[0].images.max())) if name == OWN else []
        found["warnings"] = said + found["warnings"]
        return Report(found | _numbered(classes, arch.classes))


def _laid_out(part: Split, shape: tuple[int, ...]) -> Split:
    return Split(part.images.reshape(-1, *shape), part.labels)


def _numbered(classes: Sequence[str], outputs: int) -> dict[str, Any]:
    """`labels`: what was given for each output, where labels were not the outputs' numbers."""
    own = bool(classes) and list(map(str, outputs_of(classes, outputs))) != list(classes)
    return {"labels": list(classes)} if own else {}


def _fitting(model: Any, in_shape: tuple[Any, ...], normalize: Any) -> tuple[Checkpoint | Branched | Predictor, str]:
    """`_followed`; where the images have another number of channels than the model takes, that is what is said."""
    try:
        return _followed(model, in_shape, normalize)
    except ValueError as error:
        if wanted := other_channels(tuple(in_shape), model):
            raise ValueError(wanted) from error
        raise


def _followed(model: Any, in_shape: tuple[Any, ...], normalize: Any) -> tuple[Checkpoint | Branched | Predictor, str]:
    """The network that a model is, and why it is no chain of layers where it is none. Raises ValueError."""
    try:
        return checkpoint_of(model, in_shape, normalize), ""
    except NotFollowed as error:
        return _tested_alone(model, in_shape, normalize, error)
    except NotAChain as error:
        try:
            return branched(model, in_shape, normalize), str(error)
        except NotFollowed:
            return _tested_alone(model, in_shape, normalize, error)
        except ValueError:
            raise error from None


def _tested_alone(
    model: nn.Module, in_shape: tuple[Any, ...], normalize: Any, why: ValueError
) -> tuple[Predictor, str]:
    """The model as something that answers. Raises ValueError where it is not even that."""
    try:
        return predictor(model, in_shape, normalize), str(why)
    except ValueError as error:
        raise ValueError(f"{why}. Nor can it be tested: {error}") from error


@contextmanager
def as_a_command(root: str | Path | None = None) -> Iterator[None]:
    """Meanwhile as in a process of its own: one thread, so that the sums are the command line's, and no warnings of NumPy
    (what is infinite or not measured is said in the result). Random numbers are left alone: building a network draws."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with at_root(root), np.errstate(all="ignore"), torch.random.fork_rng(devices=()):
            yield
    finally:
        torch.set_num_threads(threads)


def _name(data: Any) -> str:
    """The key of a known data set, given by it, or by what lists call it where no file is called so; else OWN."""
    if not isinstance(data, str) or (data not in DATASETS and Path(data).exists()):
        return OWN
    return key if (key := dataset_key(data)) in DATASETS else OWN


def _from_file(
    path: str | Path, name: str, labels: tuple[tuple[int, ...], ...] | None, in_shape: Any, normalize: Any
) -> Checkpoint:
    if in_shape is not None or normalize is not None:
        raise ValueError("in_shape and normalize of a checkpoint are in its file; leave them out")
    return load_checkpoint(path, None if name == OWN else name, None if labels is None else len(labels))


def _channels(model: Any, read: Checkpoint | None, in_shape: tuple[Any, ...] | None) -> tuple[int, ...]:
    """How many the network takes, () where any will do."""
    if read is not None or in_shape is not None:
        return ((read.arch.in_shape if read else in_shape or ())[0],)
    return channels_of(model)
