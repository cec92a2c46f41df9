"""Run folders and the shipped pack: write atomically, read without torch.

A folder holds spec.json, sample.json, records.jsonl (and part_errors.jsonl) while running, then epochs.parquet, network.safetensors,
env.json and status.json. A sealed folder (status "done") is never edited; certificates.json lies beside the seal.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from boundlab import pacbayes
from boundlab.errors import RunError
from boundlab.files import locked, read_json, read_lines, write_atomic, write_parquet
from boundlab.norms import NetworkNorms, SampleStats, from_columns, norm_columns_of
from boundlab.specs import PLATEAU, RunSpec

CERTIFICATES = "certificates.json"
PACK = Path(__file__).resolve().parents[2] / "data" / "runs"


def runs_folder() -> Path:
    """Where runs trained here lie: BOUNDLAB_RUNS, else `.runs` in the working directory."""
    return Path(os.environ.get("BOUNDLAB_RUNS") or ".runs")


@dataclass(frozen=True)
class Run:
    """One run: spec, records (one row each, columns of `norms` and `measure`), the sample it was trained on."""

    spec: RunSpec
    records: pd.DataFrame
    sample: SampleStats
    state: str  # as in status.json, "paused", "stopped"
    certificates: tuple[pacbayes.PacBayes, ...] = ()  # at most one per prior

    @property
    def id(self) -> str:
        return self.spec.id

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """The records that carry errors and margins."""
        if "train_error" not in self.records:
            return self.records.iloc[:0]
        return self.records[self.records["train_error"].notna()]

    @property
    def final(self) -> pd.Series:
        """The last record with errors."""
        return self.epochs.iloc[-1]

    def norms(self, records: pd.DataFrame) -> NetworkNorms:
        """Norms of some of this run's records, vectorised over rows."""
        return from_columns(records, self.spec.arch.shapes())

    @property
    def plateau_number(self) -> float:
        """`RunSpec.plateau_number` of this run's sample size, to compare with `PLATEAU`."""
        return self.spec.plateau_number(self.sample.n)

    @property
    def at_plateau(self) -> bool:
        """Whether rho had time to come down (empirical rule, about weight decay; loss "certificate" does without)."""
        return self.spec.train.loss == "certificate" or self.plateau_number >= PLATEAU

    @property
    def trained(self) -> bool:
        """False when the final train error is near chance: rho -> 0 gives such a network a small bound for nothing."""
        return not self.epochs.empty and self.beats_chance(float(self.final["train_error"]))

    def beats_chance(self, train_error: float) -> bool:
        """Whether a train error is less than half of what guessing gives."""
        chance = 1 - 1 / self.spec.arch.classes
        return train_error < chance * (1 + self.spec.train.label_noise) / 2


def read_certificates(path: Path, packed: bool = False) -> dict[str, tuple[pacbayes.PacBayes, ...]]:
    """Run id -> certificates; of a run's own file, which has no id in it, under "". Nothing where there is no file.

    Raises RunError.
    """
    if not path.exists():
        return {}
    given = read_json(path)
    try:
        if packed and not isinstance(given, dict):
            raise ValueError(f"it must be an object of run ids, got a {type(given).__name__}")
        return {name: pacbayes.from_list(c) for name, c in (given if packed else {"": given}).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged ({error}); restore it, or delete it and run `boundlab certify`") from error


def open_run(folder: Path) -> Run:
    """Open a run folder, finished or not; raises RunError."""
    try:
        spec = RunSpec.from_dict(read_json(folder / "spec.json"))
        sample = SampleStats.from_dict(read_json(folder / "sample.json"), spec.arch.normalize)
        records = _records(folder)
        if missing := sorted(norm_columns_of(spec.arch.shapes()) - set(records)):
            raise ValueError(f"its records lack {missing[0]} and {len(missing) - 1} more columns")
        run = Run(spec, records, sample, status(folder)["state"])
        return _with_certificates(run, read_certificates(folder / CERTIFICATES).get("", ()), folder)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise RunError(f"{folder} is not a readable run folder ({error}); delete it or train it again") from error


def _records(folder: Path) -> pd.DataFrame:
    lines = read_lines(folder / "records.jsonl")  # first: sealing removes them once the parquet is there
    sealed_records = folder / "epochs.parquet"
    return pd.read_parquet(sealed_records) if sealed_records.exists() else pd.DataFrame(lines)


def _with_certificates(run: Run, certificates: tuple[pacbayes.PacBayes, ...], folder: Path) -> Run:
    """The run with its certificates; raises RunError when one is not about it: n, grid and KL follow from the run."""
    for found in certificates:
        n, kl = found.n + found.n_prior, _divergence(run, found)
        grid = len(pacbayes.GRID) if found.prior == "fixed" else 1
        if n != run.sample.n or found.grid != grid or not abs(found.kl - kl) <= 1e-4 * (1 + kl):
            raise RunError(
                f"{folder / CERTIFICATES} has a certificate of {run.id} that is not about it (n {n}, grid {found.grid}, KL "
                f"{found.kl:.6g}; the run has {run.sample.n}, {grid}, {kl:.6g}); restore it, or certify again"
            )
    return dataclasses.replace(run, certificates=certificates)


def _divergence(run: Run, found: pacbayes.PacBayes) -> float:
    """The certificate's KL, from the run's own final norms."""
    if found.prior == "learnt":
        return 0.0  # the prior's own network
    last = run.norms(run.records.iloc[-1:]).layers
    if len(last) != found.layers:
        return float("nan")
    size = np.array([float(layer.frobenius[0]) for layer in last])
    weights = np.array([layer.shape.weights for layer in last])
    return float(pacbayes.gaussian_kl(size, weights, np.array(found.noise), np.array(found.prior_noise)).sum())


def status(folder: Path) -> dict[str, Any]:
    """The run's status.json, or {"state": "new"}."""
    path = folder / "status.json"
    now = read_json(path) if path.exists() else {"state": "new"}
    if not isinstance(now, dict) or "state" not in now:
        raise RunError(
            f"{path} should be an object with a state, got {str(now)[:40]}; delete it to train the run again"
        )
    return now


def sealed(folder: Path) -> bool:
    """Whether the run is finished and its results are there."""
    results = ("epochs.parquet", "network.safetensors")
    return status(folder)["state"] == "done" and all((folder / name).is_file() for name in results)


def list_runs(out: Path) -> list[Run]:
    """Every run folder below `out` that has a record, ordered by id; raises RunError when `out` is no folder."""
    if not out.is_dir():
        raise RunError(f"{out} is not a folder; give the --out of a training or sweep")
    started = (path.parent for path in sorted(out.glob("*/status.json")))
    return [open_run(folder) for folder in started if has_records(folder) or status(folder)["state"] == "done"]


def has_records(folder: Path) -> bool:
    """Whether there is something to open: a job that waits, or failed before its first record, has nothing."""
    return (folder / "records.jsonl").exists() or (folder / "epochs.parquet").exists()


def write_pack(runs: Iterable[Run], folder: Path) -> None:
    """Pack finished runs: one parquet of all records, one JSON of specs and (shared) samples."""
    runs = sorted(runs, key=lambda run: run.id)
    folder.mkdir(parents=True, exist_ok=True)
    samples: list[dict[str, Any]] = []
    entries = []
    for run in runs:
        if (sample := run.sample.to_dict()) not in samples:
            samples.append(sample)
        entries.append({"id": run.id, "spec": run.spec.to_dict(), "sample": samples.index(sample)})
    frame = pd.concat([run.records.assign(run=run.id) for run in runs], ignore_index=True)
    write_parquet(frame, folder / "epochs.parquet")
    _write_certificates({run.id: run.certificates for run in runs}, folder)
    write_atomic(folder / "pack.json", json.dumps({"runs": entries, "samples": samples}) + "\n")


def _write_certificates(certificates: Mapping[str, Sequence[pacbayes.PacBayes]], folder: Path) -> None:
    """A pack's certificates.json: run id -> its certificates; no file where there are none."""
    found = {name: [c.to_dict() for c in given] for name, given in sorted(certificates.items()) if given}
    if found:
        write_atomic(folder / CERTIFICATES, json.dumps(found, indent=1) + "\n")
    else:
        (folder / CERTIFICATES).unlink(missing_ok=True)


def store_certificate(folder: Path, run: str, new: pacbayes.PacBayes, packed: bool = False) -> None:
    """Put `new` in place of the run's certificate of the same prior, in its run folder or in a pack; raises RunError."""
    with locked(folder):
        _store(folder, run, new, packed)


def _store(folder: Path, run: str, new: pacbayes.PacBayes, packed: bool) -> None:
    path = folder / CERTIFICATES
    stored = read_certificates(path, packed)
    now = pacbayes.replaced(stored.get(run if packed else "", ()), new)
    if packed:
        _write_certificates(stored | {run: now}, folder)
    else:
        write_atomic(path, json.dumps([c.to_dict() for c in now], indent=1) + "\n")


def read_pack(folder: Path = PACK) -> list[Run]:
    """The runs of a pack, ordered by id; raises RunError."""
    index = read_json(folder / "pack.json")
    try:
        frame = pd.read_parquet(folder / "epochs.parquet")
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"{folder / 'epochs.parquet'} cannot be read ({error})") from error
    certificates = read_certificates(folder / CERTIFICATES, packed=True)
    try:
        sample = cache(lambda at, normalize: SampleStats.from_dict(index["samples"][at], normalize))  # shared by runs
        groups = dict(iter(frame.groupby("run", sort=False)))
        specs = [RunSpec.from_dict(e["spec"]) for e in index["runs"]]
        runs = [
            Run(spec, groups[e["id"]], sample(e["sample"], spec.arch.normalize), "done")
            for spec, e in zip(specs, index["runs"], strict=True)
        ]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise RunError(f"{folder / 'pack.json'} is damaged or not of this pack ({error!r}); restore it") from error
    if strangers := sorted(set(certificates) - {run.id for run in runs}):
        raise RunError(
            f"{folder / CERTIFICATES} has certificates of {strangers[0]}, which is not in the pack; restore it"
        )
    return [_with_certificates(run, certificates.get(run.id, ()), folder) for run in runs]
