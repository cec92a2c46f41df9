"""Several networks side by side, as numbers: what they are, their norms, bounds, guarantees and factors. No charts.

`network` in every table is a place in the list of subjects, from 0.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from boundlab.analysis.anatomy import anatomy
from boundlab.analysis.anatomy import joined as beside
from boundlab.analysis.subject import Subject
from boundlab.bounds import ALL, BY_KEY
from boundlab.bounds.base import Bound, evaluate, only
from boundlab.bounds.concentration import clopper_pearson
from boundlab.quantities.paths import path_energy
from boundlab.specs.own_data import DATASETS
from boundlab.specs.settings import Settings
from boundlab.specs.shapes import LayerShape

NORMS = {  # field of `LayerNorms`: symbol
    "frobenius": "‖W‖<sub>F</sub>",
    "spectral_map": "‖op(W)‖<sub>2</sub>",
    "map_frobenius": "‖op(W)‖<sub>F</sub>",
}
_OUTPUT = "output"
GUARANTEES = {"theorem_s2": "Theorem S2", "holdout": "Hold-out limit"}
NOT_MEASURED = "the network was not run over the data, so its margins and errors are not known"


@dataclass(frozen=True)
class Facts:
    """One network in numbers. `fan_in`: inputs of a neuron, per layer; `path_root`: sqrt(P) / ||X||_F of Theorem S, inputs
    as fed; `rho`, `rho_p`: products of Frobenius norms, in `rho_p` with the class-centred output layer."""

    parameters: int
    fan_in: tuple[int, ...]
    layers: int
    path_root: float
    rho: float
    rho_p: float


def facts(subject: Subject) -> Facts:
    """Size, geometry and norms of one network."""
    shapes, layers, fed = subject.arch.shapes(), subject.norms.layers, subject.sample.fed
    root = math.sqrt(path_energy(fed.pixel_energy, shapes)) / fed.frobenius if fed.frobenius > 0 else math.nan
    logs = [np.log2(np.maximum(only(layer.frobenius), 1e-300)) for layer in layers]
    centred = np.log2(np.maximum(only(layers[-1].centered_frobenius), 1e-300))
    rho, rho_p = (float(np.exp2(min(1023.0, total))) for total in (sum(logs), sum(logs[:-1]) + centred))
    return Facts(subject.arch.parameters, tuple(s.fan_in for s in shapes), len(shapes), root, rho, rho_p)


def test_size(subject: Subject) -> int | None:
    """Test images of its task, None for data that are not of the catalogue."""
    data = DATASETS.get(subject.dataset)
    return None if data is None else data.test_images(subject.labels)


def short_names(subjects: Sequence[Subject]) -> list[str]:
    """For legends: the first part of every title and the parts in which the titles differ; the same one again is numbered."""
    parts = [subject.title.split(" · ") for subject in subjects]
    common = set.intersection(*(set(p) for p in parts)) if len(parts) > 1 else set(parts[0])
    heads = len({p[0] for p in parts}) == len(parts)
    names = [p[0] if heads else " · ".join([p[0], *(x for x in p[1:] if x not in common)]) for p in parts]
    return [f"{name} ({names[:i].count(name) + 1})" if names.count(name) > 1 else name for i, name in enumerate(names)]


def bounds_table(groups: Sequence[Sequence[Subject]], settings: Settings) -> pd.DataFrame:
    """Columns network, series, value, low, high, seeds, reason: every bound of the first of each group, and its range over
    the group (the same network from other seeds)."""
    rows = []
    for number, group in enumerate(groups):
        for bound in ALL:
            found = [evaluate(bound, s.norms, s.sample, settings) for s in group]
            values = [math.nan if v.value is None else only(v.value) for v in found]
            have = [v for v in values if not math.isnan(v)] or [math.nan]
            reason = found[0].reason or (NOT_MEASURED if math.isnan(values[0]) else None)
            numbers = {"value": values[0], "low": min(have), "high": max(have), "seeds": len(group)}
            rows.append({"network": number, "series": bound.key, **numbers, "reason": reason})
    return pd.DataFrame(rows)


def places(subjects: Sequence[Subject]) -> list[str]:
    """Layers by position, "1", "2", ..., as many as the deepest network has before its output layer, then "output"."""
    return [*map(str, range(1, max(len(s.arch.shapes()) for s in subjects))), _OUTPUT]


def layers_beside(subjects: Sequence[Subject]) -> pd.DataFrame:
    """Columns network, place, layer, norm (of `NORMS`), value."""
    rows = [
        {"network": number, "place": _place(layer.shape, i), "layer": layer.shape.name, "norm": norm}
        | {"value": only(getattr(layer, norm))}
        for number, subject in enumerate(subjects)
        for i, layer in enumerate(subject.norms.layers, start=1)
        for norm in NORMS
    ]
    return pd.DataFrame(rows)


def _place(shape: LayerShape, number: int) -> str:
    return _OUTPUT if shape.name == "output" else str(number)


def guarantees_table(subjects: Sequence[Subject], delta: float) -> pd.DataFrame:
    """Columns network, kind (of `GUARANTEES`), limit (NaN: `reason` says why), delta, reason: Theorem S2 and the hold-out
    limit, each with `delta` over the number of limits, so that all of them hold together with probability 1 - delta."""
    pairs = [(number, kind) for number in range(len(subjects)) for kind in GUARANTEES]
    whole = [_guarantee(subjects[number], kind, delta) for number, kind in pairs]
    share = delta / max(1, sum(reason is None for _, reason in whole))
    rows = []
    for number, kind in pairs:
        limit, reason = _guarantee(subjects[number], kind, share)
        rows.append({"network": number, "kind": kind, "limit": limit, "delta": share, "reason": reason})
    return pd.DataFrame(rows)


def _guarantee(subject: Subject, kind: str, delta: float) -> tuple[float, str | None]:
    """(limit, None), or (NaN, why there is none)."""
    if kind == "theorem_s2":
        value = evaluate(BY_KEY["doubled"], subject.norms, subject.sample, Settings("strict", delta))
        limit = math.nan if value.value is None else only(value.value)
        return limit, value.reason or (NOT_MEASURED if math.isnan(limit) else None)
    size = test_size(subject)
    if subject.test_error is None:
        return math.nan, NOT_MEASURED
    if size is None:
        return math.nan, "the number of test images is not known"
    return float(clopper_pearson(subject.test_error, size, delta)), None


def margin_quantiles(subject: Subject) -> np.ndarray | None:
    """101 quantiles of the training margins, None where they were not measured."""
    found = subject.record.get("margin_quantiles")
    return None if found is None else np.asarray(found, dtype=np.float64)


def factors_table(subjects: Sequence[Subject], bound: Bound, settings: Settings) -> pd.DataFrame:
    """Of the networks to which `bound` applies, the first of them the reference: columns network, row, label, kind, group,
    meaning, log2 (of a term: of what it adds), difference (to the reference); factors of a kind merged over the layers."""
    values = {i: evaluate(bound, s.norms, s.sample, settings) for i, s in enumerate(subjects)}
    rows = {i: anatomy(v, per_layer=False) for i, v in values.items() if v.value is not None and np.isfinite(v.value)}
    if not rows:
        return pd.DataFrame(columns=["network", "row", "label", "kind", "group", "meaning", "log2", "difference"])
    first = next(iter(rows.values()))
    tables = []
    for number, part in rows.items():
        table = beside(first, part).rename(columns={"second": "log2"}).drop(columns="first")
        tables.append(table.assign(network=number))
    return pd.concat(tables, ignore_index=True)


def csv_table(groups: Sequence[Sequence[Subject]], settings: Settings) -> pd.DataFrame:
    """Everything that the page shows, one row per number: network, title, quantity, layer, value, low, high, seeds, delta."""
    subjects = [group[0] for group in groups]
    rows = []
    for number, subject in enumerate(subjects):
        known = {k: v for k, v in dataclasses.asdict(facts(subject)).items() if k != "fan_in"}
        known |= {"n": subject.sample.n, "train_error": subject.train_error, "test_error": subject.test_error}
        rows += [{"network": number, "quantity": name, "value": value} for name, value in known.items()]
        rows += [
            {"network": number, "quantity": "fan_in", "layer": shape.name, "value": shape.fan_in}
            for shape in subject.arch.shapes()
        ]
        if (quantiles := margin_quantiles(subject)) is not None:
            rows += [
                {"network": number, "quantity": f"margin quantile {q}", "value": quantiles[q]}
                for q in (5, 25, 50, 75, 95)
            ]
    layers = layers_beside(subjects).rename(columns={"norm": "quantity"})
    bounds = bounds_table(groups, settings).rename(columns={"series": "quantity"}).assign(delta=settings.delta)
    made = guarantees_table(subjects, settings.delta).rename(columns={"kind": "quantity", "limit": "value"})
    whole = pd.concat([pd.DataFrame(rows), layers, bounds, made], ignore_index=True)
    whole = whole.assign(title=[subjects[i].title for i in whole["network"]], convention=settings.convention)
    first = ["network", "title", "quantity", "layer", "value", "low", "high", "seeds", "delta", "convention", "reason"]
    return whole[first].sort_values("network", kind="stable", ignore_index=True)
