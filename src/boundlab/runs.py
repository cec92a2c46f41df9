"""Run folders and the shipped pack: write atomically, read without torch.

A folder holds spec.json, sample.json, records.jsonl while running, then epochs.parquet, network.safetensors,
env.json and status.json. A sealed folder (status "done") is never edited.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from boundlab.errors import RunError
from boundlab.norms import NetworkNorms, SampleStats, from_columns, norm_columns_of
from boundlab.specs import PLATEAU, RunSpec

PACK = Path(__file__).resolve().parents[2] / "data" / "runs"


@dataclass(frozen=True)
class Run:
    """One run: spec, records (one row each, columns of `norms` and `measure`), the sample it was trained on."""

    spec: RunSpec
    records: pd.DataFrame
    sample: SampleStats
    state: str  # "running", "done", "failed"

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
        if self.epochs.empty:
            return False
        chance = 1 - 1 / self.spec.arch.classes
        return bool(self.final["train_error"] < chance * (1 + self.spec.train.label_noise) / 2)


def write_atomic(path: Path, text: str) -> None:
    """Write beside and rename: a reader never sees half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Zstandard; floats split by byte, which packs slowly changing norms well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(
        table,
        temporary,
        compression="zstd",
        compression_level=15,
        use_dictionary=False,
        column_encoding=_encodings(table),
    )
    temporary.replace(path)


def _encodings(table: pa.Table) -> dict[str, str]:
    def path(field: pa.Field) -> str:
        return f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name

    def floats(kind: pa.DataType) -> bool:
        return pa.types.is_floating(kind.value_type if pa.types.is_list(kind) else kind)

    return {path(f): "BYTE_STREAM_SPLIT" for f in table.schema if floats(f.type)}


def read_json(path: Path) -> Any:
    """Parsed JSON; raises RunError naming the file."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} cannot be read as JSON ({error})") from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Records written so far; a half-written last line is left out."""
    lines = path.read_text().split("\n") if path.exists() else []
    return [json.loads(line) for line in lines[:-1]]


def open_run(folder: Path) -> Run:
    """Open a run folder, finished or not; raises RunError."""
    try:
        spec = RunSpec.from_dict(read_json(folder / "spec.json"))
        sample = SampleStats.from_dict(read_json(folder / "sample.json"))
        if (folder / "epochs.parquet").exists():
            records = pd.read_parquet(folder / "epochs.parquet")
        else:
            records = pd.DataFrame(read_lines(folder / "records.jsonl"))
        if missing := sorted(norm_columns_of(spec.arch.shapes()) - set(records)):
            raise ValueError(f"its records lack {missing[0]} and {len(missing) - 1} more columns")
        return Run(spec, records, sample, status(folder)["state"])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise RunError(f"{folder} is not a readable run folder ({error}); delete it or train it again") from error


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
    """Every run folder below `out` that has started, ordered by id; raises RunError when `out` is no folder."""
    if not out.is_dir():
        raise RunError(f"{out} is not a folder; give the --out of a training or sweep")
    return [open_run(path.parent) for path in sorted(out.glob("*/status.json"))]


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
    write_atomic(folder / "pack.json", json.dumps({"runs": entries, "samples": samples}) + "\n")


def read_pack(folder: Path = PACK) -> list[Run]:
    """The runs of a pack, ordered by id; raises RunError."""
    index = read_json(folder / "pack.json")
    try:
        frame = pd.read_parquet(folder / "epochs.parquet")
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"{folder / 'epochs.parquet'} cannot be read ({error})") from error
    try:
        samples = [SampleStats.from_dict(s) for s in index["samples"]]
        groups = dict(iter(frame.groupby("run", sort=False)))
        return [Run(RunSpec.from_dict(e["spec"]), groups[e["id"]], samples[e["sample"]], "done") for e in index["runs"]]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise RunError(f"{folder / 'pack.json'} is damaged or not of this pack ({error!r}); restore it") from error
