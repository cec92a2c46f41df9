"""One row per run: what was varied, how it generalised, and every number that might order the runs alike. No torch, no plotly."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from boundlab.analysis.gathering import Alike, Gathered, last_records
from boundlab.bounds import ALL
from boundlab.bounds.base import evaluate
from boundlab.quantities.norms import Array
from boundlab.runs.run import Run
from boundlab.specs.settings import CONVENTIONS, Settings

# What is varied between runs, and where a spec has it
VARIED = {
    "weight_decay": "train",
    "channels": "arch",
    "conv_layers": "arch",
    "kernel_size": "arch",
    "n_train": "train",
    "label_noise": "train",
    "batch_size": "train",
    "lr": "train",
}
TARGETS = {"gap": "test error (on equally noisy labels) less training error", "test_error": "test error"}
CONTROLS = {
    "parameters": "number of parameters",
    "product_frobenius": "product of Frobenius norms",
    "product_spectral": "product of spectral norms",
    "path_norm": "path norm",
    "inverse_margin": "1 / margin (first decile)",
    "distance": "distance from initialisation",
    "train_loss": "training loss",
    "small_weight_decay": "−λ",
    "random": "random numbers",
}
_DECILE = 0.1


def measure_names() -> dict[str, str]:
    """Key and words of every measure: each bound in each convention that it has, then the controls."""
    bounds = {
        f"{bound.key}:{convention}": f"{bound.title}, {convention}"
        for bound in ALL
        for convention in CONVENTIONS
        if convention in bound.formulas
    }
    return bounds | CONTROLS


def measures_table(runs: Sequence[Run], delta: float = 0.001) -> pd.DataFrame:
    """One row per run that has errors: run, dataset, trained, at_plateau, kind, preset, seed, `setting` (what else it is, besides `VARIED`
    and seed; a list, of one value per layer, is no variable), `VARIED`, `TARGETS` (fractions), and a column per key of `measure_names`. NaN where a bound does not apply."""
    found = last_records(tuple(runs))
    if not found.parts:
        return pd.DataFrame()
    kept = {run.id: run for run in runs}
    ordered = [kept[name] for name in found.labels["run"]]
    rows = pd.DataFrame([_varied(run) for run in ordered])
    columns = measured(found, (*TARGETS, *measure_names()), delta)
    finals = [run.final for run in ordered]
    columns["train_loss"] = np.array([float(final.get("train_loss", np.nan)) for final in finals])
    columns["parameters"] = np.array([float(run.spec.arch.parameters) for run in ordered])
    columns["small_weight_decay"] = -rows["weight_decay"].to_numpy(float)
    columns["random"] = np.array([zlib.crc32(run.id.encode()) / 2**32 for run in ordered])
    return pd.concat([rows, pd.DataFrame(columns)], axis=1)


def measured(found: Gathered, keys: Collection[str], delta: float) -> dict[str, Array]:
    """(records,) of each of `keys`, of the records' errors, norms and bounds; NaN where there is none."""
    columns = {key: np.full(len(found.labels), np.nan) for key in keys}
    for part in found.parts:
        for key, values in (_errors(part) | _bounds(part, delta, keys) | _norms(part, keys)).items():
            if key in columns:
                columns[key][part.records] = values
    return columns


def _varied(run: Run) -> dict[str, object]:
    arch, train = run.spec.arch.to_dict(), run.spec.train.to_dict()
    parts = {"arch": arch, "train": train}
    numbers = {name: where for name, where in VARIED.items() if not isinstance(parts[where].get(name), list)}
    varied = dict.fromkeys(VARIED) | {name: parts[where].pop(name, None) for name, where in numbers.items()}
    seed = train.pop("seed")
    if run.spec.train.epochs == run.spec.train.usual_epochs:  # they follow from what is varied
        del train["epochs"]
    known = {"run": run.id, "dataset": run.spec.train.dataset, "trained": run.trained, "at_plateau": run.at_plateau}
    known |= {"kind": run.spec.arch.kind, "preset": run.spec.train.preset}
    if varied["n_train"] is None:
        varied["n_train"] = run.sample.n
    return known | {"seed": seed, "setting": repr(sorted(arch.items()) + sorted(train.items()))} | varied


def _errors(part: Alike) -> dict[str, Array]:
    return {"gap": part.gap, "test_error": part.test_error}


def _bounds(part: Alike, delta: float, keys: Collection[str]) -> dict[str, Array]:
    found = {}
    asked = [(b, c) for c in CONVENTIONS for b in ALL if c in b.formulas and f"{b.key}:{c}" in keys]
    for bound, convention in asked:
        value = evaluate(bound, part.norms, part.sample, Settings(convention, delta))
        if value.reason is None and value.value is not None:
            found[f"{bound.key}:{convention}"] = value.value
    return found


def _norms(part: Alike, keys: Collection[str]) -> dict[str, Array]:
    layers = part.norms.layers
    found = {"product_frobenius": norm_products(part), "product_spectral": norm_products(part, "spectral_map")}
    found["path_norm"] = np.asarray(part.norms.path_l1)
    found["distance"] = np.sqrt(sum(np.asarray(layer.frobenius_from_init) ** 2 for layer in layers))
    if "inverse_margin" in keys and part.norms.margins is not None:
        found["inverse_margin"] = inverse_margins(part)
    return found


def norm_products(part: Alike, norm: str = "frobenius") -> Array:
    """(records,) the product over the layers of one of their norms."""
    return np.exp(np.sum([layer.log(norm) for layer in part.norms.layers], axis=0))


def inverse_margins(part: Alike) -> Array:
    """(records,) 1 over the largest margin of the grid that at most a tenth of the training images miss; NaN where there is none."""
    margins = part.norms.margins
    assert margins is not None
    missed = np.stack(
        [margins.at(margin, "indicator") for margin in margins.grid.reshape(-1, margins.grid.shape[-1])[0]]
    )
    places = (missed <= _DECILE).sum(axis=0) - 1
    grid = margins.grid.reshape(-1, margins.grid.shape[-1])[0]
    return np.where(places >= 0, 1 / grid[np.maximum(places, 0)], np.nan)
