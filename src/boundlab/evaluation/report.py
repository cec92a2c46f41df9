"""Every bound of one checkpoint: what `boundlab evaluate` prints, as plain values that JSON takes."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from boundlab.analysis.conditions import conditions
from boundlab.analysis.subject import Subject
from boundlab.bounds import BY_KEY, LITERATURE
from boundlab.bounds.base import BIASES_IGNORED, effective_n, evaluate
from boundlab.bounds.coded import CodedCertificate, coded_json
from boundlab.checkpoints.completed import completed
from boundlab.data.splits import Split, apply_task, cut_window
from boundlab.evaluation.kept_norms import norms_of
from boundlab.evaluation.known_data import facts_of, known_facts
from boundlab.evaluation.precision import check_weights, precision
from boundlab.evaluation.report_parts import NO_ERRORS, UPPER, hold_out_json, norms_json, sample_json, value_json
from boundlab.evaluation.theorem_d import certify_coded
from boundlab.networks.build import from_weights, layers
from boundlab.networks.checkpoint import Checkpoint, load_checkpoint
from boundlab.networks.outcome import Outcome, margin_errors, outcome, outcome_columns
from boundlab.networks.sample_stats import feed
from boundlab.quantities.doubts import doubts
from boundlab.quantities.norms import MARGIN_GRID, MarginErrors
from boundlab.quantities.records import norm_column
from boundlab.specs.run import Labels, TrainSpec
from boundlab.specs.settings import Settings
from boundlab.system.devices import usable_cores

D_LEFT_OUT = 'computed in the convention strict only (`convention="strict"`, `--convention strict`), and not where errors are left out'


def measure_checkpoint(
    checkpoint: Checkpoint,
    data: tuple[Split, Split | None],
    dataset: str,
    title: str,
    errors: bool = True,
    watch: Callable[[], None] = lambda: None,
    root: str | Path | None = None,
    workers: int = 1,
    keep: bool = False,
) -> tuple[Subject, Outcome | None]:
    """Measure a network on (train, test or None) of pixels in [0, 1]; the outcome on the training images if `errors`.

    Of images larger than the network's input, their middle; in float64 where float32 would not do (`precision`). `watch`
    is called between the parts of a pass over the data. `root`: where the data set's files lie. `workers`: threads for that pass. `keep`:
    whether norms that take long are kept (`kept_norms`). Raises CheckpointError for
    weights that cannot be measured.
    """
    arch = checkpoint.arch
    train, test = cut_window(data[0], arch.in_shape), None if data[1] is None else cut_window(data[1], arch.in_shape)
    check_weights([*checkpoint.weights, *checkpoint.biases, *(checkpoint.init or [])])
    dtype = precision(checkpoint, train.images) if errors else torch.float32  # the pass over the data decides
    train = Split(train.images.to(dtype), train.labels)
    test = None if test is None else Split(test.images.to(dtype), test.labels)
    sample, columns = facts_of(train, data, arch, dataset, root)  # of the very numbers that the network gets
    record = norms_of(checkpoint, keep, root) | columns
    seen = None
    if errors:
        seen, unseen = outcomes_on(checkpoint, train, test, dtype, watch, workers)
        record |= outcome_columns(seen, unseen)
    return Subject(title, arch, None, sample, record), seen


def outcomes_on(
    checkpoint: Checkpoint,
    train: Split,
    test: Split | None,
    dtype: torch.dtype,
    watch: Callable[[], None],
    workers: int,
) -> tuple[Outcome, Outcome | None]:
    """The network over (train, test), in `dtype`."""
    net = from_weights(checkpoint.arch, [w.to(dtype) for w in checkpoint.weights], checkpoint.biases).to(dtype)
    if dtype == torch.float64:  # rounded once more, a weight might not be what its norm was taken of
        for layer, weight in zip(layers(net), checkpoint.weights, strict=True):
            layer.weight.data.copy_(weight)  # type: ignore[union-attr, operator]
    biased, output = checkpoint.biases[-1] is not None, checkpoint.weights[-1].double()
    centred = None if biased else (output - output.mean(dim=0)).to(dtype)

    def over(part: Split, patches: bool) -> Outcome:
        inputs = feed(part.images, checkpoint.arch.normalize)
        return outcome(net, inputs, part.labels, patches, watch=watch, centred=centred, workers=workers)

    return over(train, True), None if test is None else over(test, False)


def report(
    subject: Subject,
    settings: Settings,
    seen: Outcome | None = None,
    coded: tuple[CodedCertificate, ...] = (),
    not_coded: str = D_LEFT_OUT,
) -> dict[str, Any]:
    """Norms, every bound and errors as JSON; `seen`: for exact errors at the margin asked for.

    `errors` are fractions (None: not measured), `bounds` by key and `theorem_s2` as `value_json` has them, `theorem_d` the smaller
    one of `coded` (Theorem D where `j` is None, else D2; `not_coded`: why there is none), `norms` those of
    `NetworkNorms` (`spectral_map`, approached from below, beside `spectral_map_upper`, which it does not exceed), `sample` pixels as given (raw) and as the network gets them (fed), `warnings` what to doubt about the
    sample, and what `published` leaves out of this network, `conditions` what the guarantees take for granted.
    """
    norms, sample = subject.norms, subject.sample
    if seen is not None:
        norms = dataclasses.replace(norms, margins=_margins(seen, settings.margin))
    return {
        "spec": subject.arch.to_dict(),
        "dataset": subject.dataset,
        "n": effective_n(sample, settings),
        "delta": settings.delta,
        "convention": settings.convention,
        "sample": sample_json(sample, subject.arch.shapes(), subject.record),
        "norms": norms_json(norms, [subject.record.get(norm_column(i, UPPER)) for i in range(len(norms.layers))]),
        "bounds": {bound.key: value_json(evaluate(bound, norms, sample, settings)) for bound in LITERATURE},
        "theorem_s2": value_json(evaluate(BY_KEY["doubled"], norms, sample, settings)),
        "theorem_d": coded_json(coded, settings.delta) or {"value": None, "reason": not_coded},
        "errors": {"train": subject.train_error, "test": subject.test_error},
        "warnings": doubts(subject.record, subject.arch.in_shape) + _left_out(subject, settings),
        "conditions": conditions(subject.dataset, subject.arch, subject.labels),
    }


def _left_out(subject: Subject, settings: Settings) -> list[str]:
    return [BIASES_IGNORED] if settings.convention == "published" and subject.arch.bias else []


def evaluate_file(
    path: Path,
    dataset: str,
    settings: Settings,
    errors: bool = True,
    root: Path | None = None,
    labels: Labels | None = None,
    spec: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """`report` of a checkpoint on a data set or, with `labels`, a sub-task of it; `spec`: what network it is, of a file that does
    not say. Raises CheckpointError, DataError or ValueError."""
    torch.set_num_threads(1)
    asked = TrainSpec(dataset, labels=labels)
    classes = None if labels is None else len(labels)
    if spec is None:
        checkpoint = load_checkpoint(path, dataset, classes)
    else:
        with tempfile.TemporaryDirectory(prefix="boundlab-spec-") as folder:
            (file := Path(folder, path.name)).write_bytes(completed(path, spec))
            checkpoint = load_checkpoint(file, dataset, classes)
    if not errors:
        return _without_errors(checkpoint, asked, settings, path.stem, root)
    return report_on(checkpoint, apply_task(asked, root), dataset, settings, True, path.stem, root, labels)


def _without_errors(
    checkpoint: Checkpoint, asked: TrainSpec, settings: Settings, title: str, root: Path | None
) -> dict[str, Any]:
    """`report` without a pass over the data, nor reading them where they are known."""
    check_weights([*checkpoint.weights, *checkpoint.biases, *(checkpoint.init or [])])
    sample, columns = known_facts(asked, checkpoint.arch, root)
    record = norms_of(checkpoint, True, root) | columns
    made = report(Subject(title, checkpoint.arch, asked.labels, sample, record), settings)
    return made | {"hold_out": dict(NO_ERRORS)}


def report_on(
    checkpoint: Checkpoint,
    data: tuple[Split, Split | None],
    dataset: str,
    settings: Settings,
    errors: bool = True,
    title: str = "network",
    root: str | Path | None = None,
    labels: Labels | None = None,
) -> dict[str, Any]:
    """`report` of a checkpoint measured on (train, test), those of the sub-task `labels` if there are any; in the strict
    convention with Theorem D, which takes minutes for large networks."""
    subject, seen = measure_checkpoint(
        checkpoint, data, dataset, title, errors, root=root, workers=usable_cores(), keep=True
    )
    coded, not_coded = tuple[CodedCertificate, ...](), D_LEFT_OUT
    if seen is not None and settings.convention == "strict":
        train, test = (None if part is None else cut_window(part, checkpoint.arch.in_shape) for part in data)
        assert train is not None
        try:
            coded = certify_coded(checkpoint, train, test).certificates
        except ValueError as error:
            not_coded = str(error)
    made = report(dataclasses.replace(subject, labels=labels), settings, seen, coded, not_coded)
    return made | {"hold_out": hold_out_json(subject.test_error, data[1], settings.delta)}


def _margins(seen: Outcome, margin: float | None) -> MarginErrors:
    """Exact errors at the stored grid and at the margin asked for."""
    grid = MARGIN_GRID if margin is None else np.unique(np.append(MARGIN_GRID, margin))
    return MarginErrors(grid, *margin_errors(seen.margins, grid))
