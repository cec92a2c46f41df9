"""Every bound of one checkpoint: what `boundlab evaluate` prints."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from boundlab.bounds import ALL, Value, effective_n, evaluate
from boundlab.checkpoints import Checkpoint, load
from boundlab.datasets import load as load_data
from boundlab.datasets import window
from boundlab.measure import Outcome, feed, margin_errors, norm_columns, outcome, references, sample_stats
from boundlab.nets import from_weights
from boundlab.norms import MARGIN_GRID, NORM_FIELDS, MarginErrors, NetworkNorms, SampleStats, from_columns, norm_column
from boundlab.paths import path_energy
from boundlab.specs import Settings

NOT_MEASURED = "needs the network's margins on the training sample (left out with --no-errors)"


def evaluate_file(
    path: Path, dataset: str, settings: Settings, errors: bool = True, root: Path | None = None
) -> dict[str, Any]:
    """Norms, bounds and errors of a checkpoint on a data set, as JSON; raises CheckpointError or DataError."""
    torch.set_num_threads(1)
    checkpoint = load(path, dataset)
    arch, shapes = checkpoint.arch, checkpoint.arch.shapes()
    train, test = (window(part, arch.in_shape) for part in load_data(dataset, root))
    sample = sample_stats(train.images, arch.normalize, dataset, arch.classes)
    init = None if checkpoint.init is None else references(checkpoint.init, shapes)
    columns = norm_columns(checkpoint.weights, checkpoint.biases, init, shapes)
    result: dict[str, Any] = {"train": None, "test": None}
    margins = None
    if errors:
        net = from_weights(arch, [w.float() for w in checkpoint.weights], checkpoint.biases)
        seen = outcome(net, feed(train.images, arch.normalize), train.labels, patches=True)
        result = {
            "train": seen.error,
            "test": outcome(net, feed(test.images, arch.normalize), test.labels).error,
        }
        columns |= {norm_column(i, "patch_norm"): value for i, value in enumerate(seen.patch_norms)}
        margins = _margins(seen, settings.margin)
    norms = dataclasses.replace(from_columns(columns, shapes), margins=margins)
    return {
        "spec": arch.to_dict(),
        "dataset": dataset,
        "n": effective_n(sample, settings),
        "delta": settings.delta,
        "convention": settings.convention,
        "sample": _sample_json(sample, checkpoint),
        "norms": _norms_json(norms),
        "bounds": {bound.key: value_json(evaluate(bound, norms, sample, settings)) for bound in ALL},
        "errors": result,
    }


def _margins(seen: Outcome, margin: float | None) -> MarginErrors:
    """Exact errors at the stored grid and at the margin asked for."""
    grid = MARGIN_GRID if margin is None else np.unique(np.append(MARGIN_GRID, margin))
    return MarginErrors(grid, *margin_errors(seen.margins, grid))


def _sample_json(sample: SampleStats, checkpoint: Checkpoint) -> dict[str, Any]:
    shapes = checkpoint.arch.shapes()
    parts = {}
    for name, stats in (("raw", sample.raw), ("fed", sample.fed)):
        parts[name] = {
            "frobenius": stats.frobenius,
            "max_pixel": stats.max_pixel,
            "max_norm": stats.max_norm,
            "path_energy_root": math.sqrt(path_energy(stats.pixel_energy, shapes)),
        }
    return {"n": sample.n, **parts}


def _number(value: Any) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _norms_json(norms: NetworkNorms) -> dict[str, Any]:
    layers = [
        {"name": layer.shape.name, "map_frobenius": _number(layer.map_frobenius), "parameters": layer.shape.parameters}
        | {field: _number(getattr(layer, field)) for field in NORM_FIELDS if field != "tap_frobenius"}
        for layer in norms.layers
    ]
    positions = math.prod(shape.positions for shape in norms.shapes)
    rho = float(norms.rho)
    products = {"rho": rho, "rho_golowich": rho * math.sqrt(positions), "path_l1": float(norms.path_l1)}
    return {**{name: _number(value) for name, value in products.items()}, "layers": layers}


def value_json(value: Value) -> dict[str, Any]:
    """A scalar `Value`; factors multiply to the complexity, `confidence` is the sum of the additive terms."""
    if value.value is None:
        return {"value": None, "reason": value.reason}
    number = _number(value.value)
    missing = {} if number is not None else {"reason": NOT_MEASURED if np.isnan(value.value) else "it is infinite"}
    return missing | {
        "value": number,
        "complexity": _number(value.complexity),
        "confidence": _number(value.confidence),
        "empirical": _number(value.empirical),
        "margin": _number(value.margin),
        "factors": {name: _number(np.exp(factor)) for name, factor in value.log_factors.items()},
        "additive": {name: _number(term) for name, term in value.additive.items()},
    }
