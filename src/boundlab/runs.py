"""Run folders and the shipped pack: write atomically, read without torch.

A folder holds spec.json, sample.json, records.jsonl (and part_errors.jsonl) while running, then epochs.parquet, network.safetensors,
env.json and status.json. A sealed folder (status "done") is never edited; certificates.json lies beside the seal.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from boundlab import pacbayes, stored_certificates
from boundlab.errors import RunError
from boundlab.files import make_folder, read_json, read_lines, write_atomic, write_parquet
from boundlab.norms import NetworkNorms, SampleStats, from_columns
from boundlab.records import Origin, check_sample, faults
from boundlab.specs import PLATEAU, RunSpec
from boundlab.stored_certificates import CERTIFICATES

_DAMAGES = (  # what reading contents that nobody wrote may raise
    *(OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, pa.ArrowException),
)
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
    trouble: str | None = None  # why a stored certificate was left out

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


class Found(NamedTuple):
    """What a store holds: the runs that can be used, and of everything else its name and why it was left out."""

    runs: list[Run]
    left_out: dict[str, str]


def open_run(folder: Path) -> Run:
    """Open a run folder, finished or not; raises RunError."""
    try:
        spec = RunSpec.from_dict(read_json(folder / "spec.json"))
        sample = SampleStats.from_dict(read_json(folder / "sample.json"), spec.arch.normalize)
        check_sample(sample, spec.train, spec.arch)
        state = status(folder)["state"]
        table = _records(folder)
        if wrong := faults(table, np.zeros(len(table), int), [Origin(spec, sample, state == "done")]):
            raise ValueError(wrong[0])
        run = Run(spec, table.to_pandas(), sample, state)
    except _DAMAGES as error:
        raise RunError(f"{folder} is not a readable run folder ({error}); delete it or train it again") from error
    try:
        return _with_certificates(run, stored_certificates.read(folder / CERTIFICATES).get("", []), folder)
    except RunError as error:
        return dataclasses.replace(run, trouble=str(error))


def _table(path: Path) -> pa.Table:
    """A parquet file, read once: it may be replaced meanwhile."""
    import pyarrow.parquet as pq

    return pq.read_table(pa.BufferReader(path.read_bytes()))


def _records(folder: Path) -> pa.Table:
    lines = read_lines(folder / "records.jsonl")  # first: sealing removes them once the parquet is there
    sealed_records = folder / "epochs.parquet"
    if sealed_records.exists():
        return _table(sealed_records)
    return pa.Table.from_pandas(pd.DataFrame(lines), preserve_index=False)


def _with_certificates(run: Run, given: Any, folder: Path) -> Run:
    """The run with those of its stored certificates that are about it."""
    found, trouble = stored_certificates.usable(run, given, folder / CERTIFICATES)
    return dataclasses.replace(run, certificates=found, trouble=trouble)


def status(folder: Path) -> dict[str, Any]:
    """The run's status.json, or {"state": "new"}."""
    path = folder / "status.json"
    now = read_json(path) if path.exists() else {"state": "new"}
    if not isinstance(now, dict) or not isinstance(now.get("state"), str):
        raise RunError(
            f"{path} should be an object with a state, got {str(now)[:40]}; delete it to train the run again"
        )
    return now


def sealed(folder: Path) -> bool:
    """Whether the run is finished and its results are there."""
    results = ("epochs.parquet", "network.safetensors")
    return status(folder)["state"] == "done" and all((folder / name).is_file() for name in results)


def list_runs(out: Path) -> Found:
    """Every run folder below `out` that has a record, ordered by id; raises RunError when `out` is no folder."""
    if not out.is_dir():
        raise RunError(f"{out} is not a folder; give the --out of a training or sweep")
    runs, left_out = [], {}
    for folder in (path.parent for path in sorted(out.glob("*/status.json"))):
        try:
            if has_records(folder) or status(folder)["state"] == "done":
                runs.append(open_run(folder))
        except RunError as error:
            left_out[folder.name] = str(error)
    return Found(runs, left_out | _troubles(runs))


def _troubles(runs: Iterable[Run]) -> dict[str, str]:
    return {f"certificate of {run.id}": run.trouble for run in runs if run.trouble}


def has_records(folder: Path) -> bool:
    """Whether there is something to open: a job that waits, or failed before its first record, has nothing."""
    return (folder / "records.jsonl").exists() or (folder / "epochs.parquet").exists()


def write_pack(runs: Iterable[Run], folder: Path) -> None:
    """Pack finished runs: one parquet of all records, one JSON of specs and (shared) samples."""
    runs = sorted(runs, key=lambda run: run.id)
    make_folder(folder)
    samples: list[dict[str, Any]] = []
    entries = []
    for run in runs:
        if (sample := run.sample.to_dict()) not in samples:
            samples.append(sample)
        entries.append({"id": run.id, "spec": run.spec.to_dict(), "sample": samples.index(sample)})
    frame = pd.concat([run.records.assign(run=run.id) for run in runs], ignore_index=True)
    write_parquet(frame, folder / "epochs.parquet")
    stored_certificates.write({run.id: [c.to_dict() for c in run.certificates] for run in runs}, folder)
    write_atomic(folder / "pack.json", json.dumps({"runs": entries, "samples": samples}) + "\n")


def read_pack(folder: Path = PACK) -> list[Run]:
    """The runs of a pack that can be used, ordered by id; raises RunError."""
    return open_pack(folder).runs


def open_pack(folder: Path = PACK) -> Found:
    """A pack; what is wrong with one of its runs or certificates costs that one alone. Raises RunError."""
    index = read_json(folder / "pack.json")
    try:
        entries, samples = list(index["runs"]), list(index["samples"])
    except (KeyError, TypeError) as error:
        raise RunError(f"{folder / 'pack.json'} is damaged or not of a pack ({error!r}); restore it") from error
    heads, left_out = _heads(entries, samples)
    runs, more = _packed(folder / "epochs.parquet", heads, set(left_out))
    given, left_out = {}, left_out | more
    try:
        given = stored_certificates.read(folder / CERTIFICATES, packed=True)
    except RunError as error:
        left_out[CERTIFICATES] = str(error)
    for name in set(given) - {head.spec.id for head in heads}:
        left_out.setdefault(
            f"certificate of {name[:80]}", f"{folder / CERTIFICATES} has it, but the run is not in the pack"
        )
    runs = [_with_certificates(run, given.get(run.id, []), folder) for run in runs]
    return Found(runs, left_out | _troubles(runs))


def _packed(path: Path, heads: list[Origin], known: set[str]) -> tuple[list[Run], dict[str, str]]:
    """The runs of a pack's records, and of those that cannot be used why; `known`: what was left out before."""
    try:
        table = _table(path)
        codes, names = pd.factorize(table["run"].to_pandas())
    except (OSError, KeyError, TypeError, pa.ArrowException) as error:
        raise RunError(f"{path} cannot be read ({error}); restore it") from error
    places = {head.spec.id: at for at, head in enumerate(heads)}
    left_out = {str(name)[:80]: f"{path} has records of it, but pack.json has not" for name in names}
    left_out = {name: why for name, why in left_out.items() if name not in places and name not in known}
    whose = np.array([*(places.get(name, -1) for name in names), -1])[codes]
    wrong, frame, runs = faults(table, whose, heads), table.to_pandas(), []
    for at, head in enumerate(heads):
        if at in wrong:
            left_out[head.spec.id] = f"{wrong[at]}; restore {path}"
        else:
            runs.append(Run(head.spec, _rows(frame, whose == at), head.sample, "done"))
    return runs, left_out


def _rows(frame: pd.DataFrame, mine: np.ndarray) -> pd.DataFrame:
    """The rows of a mask; without a copy where they lie together, as they do."""
    places = np.flatnonzero(mine)
    first, last = places[0], places[-1] + 1
    return frame.iloc[first:last] if last - first == len(places) else frame.iloc[places]


def _heads(entries: list[Any], samples: list[Any]) -> tuple[list[Origin], dict[str, str]]:
    """What pack.json says of each run, and of the entries that say nothing usable their ids and why."""
    shared = cache(lambda at, normalize: SampleStats.from_dict(samples[at], normalize))
    heads: dict[str, Origin] = {}
    left_out = {}
    for number, entry in enumerate(entries, start=1):
        try:
            spec = RunSpec.from_dict(entry["spec"])
            if entry["id"] != spec.id or spec.id in heads:
                raise ValueError(f"its spec is of {spec.id}" if spec.id not in heads else "it comes twice")
            sample = shared(entry["sample"], spec.arch.normalize)
            check_sample(sample, spec.train, spec.arch)
            heads[spec.id] = Origin(spec, sample, True)
        except _DAMAGES as error:
            name = entry.get("id") if isinstance(entry, dict) else None
            left_out[str(name or f"entry {number}")[:80]] = f"its entry in pack.json is damaged ({error})"
    return list(heads.values()), left_out
