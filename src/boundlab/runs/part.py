"""One part of a pack: many runs in one parquet file, read without torch. Once written it stays as it is; certificates.json
and theorem_d.json lie beside, and may grow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from boundlab.errors import RunError
from boundlab.quantities.sample import SampleStats
from boundlab.runs import certificates
from boundlab.runs.certificates import CERTIFICATES, with_certificates
from boundlab.runs.coded import CODED, TRAINED, read_coded, store_coded, with_coded
from boundlab.runs.contents import Origin, check_sample, problems
from boundlab.runs.run import DAMAGES, Found, Run, troubles
from boundlab.specs.arch import ArchSpec
from boundlab.specs.run import RunSpec
from boundlab.system.files import make_folder, read_json, read_parquet, write_atomic, write_parquet

INDEX, RECORDS, CHECKPOINTS = "pack.json", "epochs.parquet", "checkpoints"
Scaling = tuple[float, float] | None
# JSON form, how the pixels are fed, and the sample itself.
Samples = list[tuple[Any, Scaling, SampleStats]]


def write_part(runs: Iterable[Run], folder: Path) -> None:
    """Finished runs as a part: one parquet of all records, their certificates, one JSON, written last, of specs and (shared) samples."""
    runs = sorted(runs, key=lambda run: run.id)
    make_folder(folder)
    samples: list[dict[str, Any]] = []
    entries = []
    for run in runs:
        if (sample := run.sample.to_dict()) not in samples:
            samples.append(sample)
        entries.append({"id": run.id, "spec": run.spec.to_dict(), "sample": samples.index(sample)})
    frame = pd.concat([run.records.assign(run=run.id) for run in runs], ignore_index=True)
    write_parquet(frame, folder / RECORDS)
    certificates.write_certificates({run.id: [c.to_dict() for c in run.certificates] for run in runs}, folder)
    for run in runs:
        for file in (CODED, TRAINED):
            if own := [one for one in run.coded if one.trained == (file == TRAINED)]:
                store_coded(folder, run.id, own, file)
    write_atomic(folder / INDEX, json.dumps({"runs": entries, "samples": samples}) + "\n")


def open_part(folder: Path, known: Samples | None = None) -> Found:
    """A part; what is wrong with one of its runs or certificates costs that one alone. Equal samples of all that is opened with
    the same `known` are one object. Raises RunError."""
    if (folder / RECORDS).exists() and not (folder / INDEX).exists():
        raise RunError(f"{folder} has records of a part but no {INDEX}; restore it")
    index = read_json(folder / INDEX)
    try:
        entries, samples = list(index["runs"]), list(index["samples"])
    except (KeyError, TypeError) as error:
        raise RunError(f"{folder / INDEX} is damaged or not of a part ({error!r}); restore it") from error
    heads, left_out = _heads(entries, samples, [] if known is None else known)
    runs, more = _packed(folder / RECORDS, heads, set(left_out))
    left_out |= more
    readers = {CERTIFICATES: lambda: certificates.read_certificates(folder / CERTIFICATES, packed=True)}
    readers |= {CODED: lambda: read_coded(folder), TRAINED: lambda: read_coded(folder, TRAINED)}
    given: dict[str, dict[str, Any]] = {}
    for file, read in readers.items():
        try:
            given[file] = read()
        except RunError as error:
            given[file], left_out[file] = {}, str(error)
        for name in set(given[file]) - {head.spec.id for head in heads}:
            left_out.setdefault(f"certificate of {name[:80]}", f"{folder / file} has it, but the run is not there")
    runs = [with_certificates(run, given[CERTIFICATES].get(run.id, []), folder) for run in runs]
    for file in (CODED, TRAINED):
        runs = [with_coded(run, given[file].get(run.id, []), folder, file) for run in runs]
    return Found(runs, left_out | troubles(runs))


def _packed(path: Path, heads: list[Origin], known: set[str]) -> tuple[list[Run], dict[str, str]]:
    """The runs of a part's records, and of those that cannot be used why; `known`: what was left out before."""
    try:
        table = read_parquet(path)
        codes, names = pd.factorize(table["run"].to_pandas())
    except (OSError, KeyError, TypeError, pa.ArrowException) as error:
        raise RunError(f"{path} cannot be read ({error}); restore it") from error
    places = {head.spec.id: at for at, head in enumerate(heads)}
    left_out = {str(name)[:80]: f"{path} has records of it, but pack.json has not" for name in names}
    left_out = {name: why for name, why in left_out.items() if name not in places and name not in known}
    whose = np.array([*(places.get(name, -1) for name in names), -1])[codes]
    wrong, runs = problems(table, whose, heads), []
    frame = table.drop_columns(["run"]).to_pandas().copy()  # a copy has its numbers together: runs are slices of it
    order = np.argsort(whose, kind="stable")
    ends = np.searchsorted(whose[order], np.arange(len(heads) + 1))
    for at, head in enumerate(heads):
        if at in wrong:
            left_out[head.spec.id] = f"{wrong[at]}; restore {path}"
        else:
            runs.append(Run(head.spec, _rows(frame, order[ends[at] : ends[at + 1]]), head.sample, "done"))
    return runs, left_out


def _rows(frame: pd.DataFrame, places: np.ndarray) -> pd.DataFrame:
    """The rows at rising places; without a copy where they lie together, as they do."""
    first, last = places[0], places[-1] + 1
    return frame.iloc[first:last] if last - first == len(places) else frame.iloc[places]


def _shared(stored: Any, normalize: Scaling, known: Samples) -> SampleStats:
    """The sample from its JSON; the one that is known already where they are equal. Raises what `from_dict` raises."""
    for json_form, scaling, sample in known:
        if scaling == normalize and json_form == stored:
            return sample
    known.append((stored, normalize, SampleStats.from_dict(stored, normalize)))
    return known[-1][2]


def _heads(entries: list[Any], samples: list[Any], known: Samples) -> tuple[list[Origin], dict[str, str]]:
    """What pack.json says of each run, and of the entries that say nothing usable their ids and why."""
    shared = cache(lambda at, normalize: _shared(samples[at], normalize, known))
    same: dict[ArchSpec, ArchSpec] = {}  # one for all runs: what is computed of it is kept
    heads: dict[str, Origin] = {}
    left_out = {}
    for number, entry in enumerate(entries, start=1):
        try:
            spec = RunSpec.from_dict(entry["spec"])
            spec = RunSpec(same.setdefault(spec.arch, spec.arch), spec.train)
            if entry["id"] != spec.id or spec.id in heads:
                raise ValueError(f"its spec is of {spec.id}" if spec.id not in heads else "it comes twice")
            sample = shared(entry["sample"], spec.arch.normalize)
            check_sample(sample, spec.train, spec.arch)
            heads[spec.id] = Origin(spec, sample, True)
        except DAMAGES as error:
            name = entry.get("id") if isinstance(entry, dict) else None
            left_out[str(name or f"entry {number}")[:80]] = f"its entry in pack.json is damaged ({error})"
    return list(heads.values()), left_out
