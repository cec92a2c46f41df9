"""The parts of a report as values that JSON takes: bounds, norms, the sample, the hold-out limit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from boundlab.bounds.base import Value
from boundlab.bounds.concentration import clopper_pearson
from boundlab.data.splits import Split
from boundlab.quantities.doubts import COUNTS
from boundlab.quantities.norms import NORM_FIELDS, NetworkNorms
from boundlab.quantities.paths import path_energy
from boundlab.quantities.sample import SampleStats
from boundlab.specs.shapes import LayerShape

UPPER = "spectral_map_upper"  # of a layer, in records of checkpoints and in the report
NO_ERRORS = {"value": None, "reason": "errors were left out (--no-errors)"}
_NOT_MEASURED = "needs the network's margins on the training sample (left out with --no-errors)"


def hold_out_json(test_error: float | None, test: Split | None, delta: float) -> dict[str, Any]:
    """What the test images alone promise (Clopper and Pearson 1934), with probability 1 - delta over them: `value` of the error, from `n`."""
    if test_error is None or test is None:
        return {"value": None, "reason": "there are no test images"} if test is None else dict(NO_ERRORS)
    n = len(test.labels)
    return {"value": float(clopper_pearson(test_error, n, delta)), "n": n}


def sample_json(sample: SampleStats, shapes: Sequence[LayerShape], record: Mapping[str, Any]) -> dict[str, Any]:
    """n, what is odd about the sample (`record`, where it was counted), and its pixels, as given (raw) and as a network gets them (fed)."""
    parts = {}
    for name, stats in (("raw", sample.raw), ("fed", sample.fed)):
        parts[name] = {
            "frobenius": stats.frobenius,
            "max_pixel": stats.max_pixel,
            "max_norm": stats.max_norm,
            "path_energy_root": math.sqrt(path_energy(stats.pixel_energy, shapes)),
        }
    counts = {name: record[name] for name in COUNTS if name in record}
    return {"n": sample.n, **counts, **parts}


def _number(value: Any) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def norms_json(norms: NetworkNorms, uppers: list[float | None]) -> dict[str, Any]:
    layers = [
        {"name": layer.shape.name, "map_frobenius": _number(layer.map_frobenius), "parameters": layer.shape.parameters}
        | {field: _number(getattr(layer, field)) for field in NORM_FIELDS if field != "tap_frobenius"}
        | {UPPER: _number(upper)}
        for layer, upper in zip(norms.layers, uppers, strict=True)
    ]
    positions = math.prod(shape.positions for shape in norms.shapes)
    rho = float(norms.rho)
    products = {"rho": rho, "rho_golowich": rho * math.sqrt(positions), "path_l1": float(norms.path_l1)}
    return {**{name: _number(value) for name, value in products.items()}, "layers": layers}


def value_json(value: Value) -> dict[str, Any]:
    """A scalar `Value`, {value, reason} where there is none: `value` is `complexity` (the product of `factors`) plus
    `confidence` (the sum of `additive`) plus `empirical` (the training error at `margin`)."""
    if value.value is None:
        return {"value": None, "reason": value.reason}
    number = _number(value.value)
    missing = {} if number is not None else {"reason": _NOT_MEASURED if np.isnan(value.value) else "it is infinite"}
    return missing | {
        "value": number,
        "complexity": _number(value.complexity),
        "confidence": _number(value.confidence),
        "empirical": _number(value.empirical),
        "margin": _number(value.margin),
        "factors": {name: _number(np.exp(factor)) for name, factor in value.log_factors.items()},
        "additive": {name: _number(term) for name, term in value.additive.items()},
    }
