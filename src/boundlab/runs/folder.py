"""Run folders and the shipped pack: write atomically, read without torch.

A folder holds spec.json, sample.json, records.jsonl (and part_errors.jsonl) while running, then epochs.parquet, network.safetensors,
env.json and status.json. A sealed folder (status "done") is never edited; certificates.json and theorem_d.json lie
beside the seal.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from boundlab.errors import RunError
from boundlab.quantities.sample import SampleStats
from boundlab.runs import certificates
from boundlab.runs.certificates import CERTIFICATES, with_certificates
from boundlab.runs.coded import CODED, TRAINED, read_coded, with_coded
from boundlab.runs.contents import Origin, check_sample, problems
from boundlab.runs.run import DAMAGES, Found, Run, troubles
from boundlab.runs.status import STATUS_FILE, read_state
from boundlab.specs.run import RunSpec
from boundlab.system.files import make_folder, read_json, read_lines, read_parquet


def open_run(folder: Path) -> Run:
    """Open a run folder, finished or not; raises RunError."""
    try:
        spec = RunSpec.from_dict(read_json(folder / "spec.json"))
        sample = SampleStats.from_dict(read_json(folder / "sample.json"), spec.arch.normalize)
        check_sample(sample, spec.train, spec.arch)
        state = read_state(folder)
        table = _records(folder)
        if wrong := problems(table, np.zeros(len(table), int), [Origin(spec, sample, state == "done")]):
            raise ValueError(wrong[0])
        run = Run(spec, table.to_pandas(), sample, state)
    except DAMAGES as error:
        raise RunError(f"{folder} is not a readable run folder ({error}); delete it or train it again") from error
    try:
        run = with_certificates(run, certificates.read_certificates(folder / CERTIFICATES).get("", []), folder)
        for file in (CODED, TRAINED):
            run = with_coded(run, read_coded(folder, file).get(run.id, []), folder, file)
        return run
    except RunError as error:
        return dataclasses.replace(run, trouble=str(error))


def _records(folder: Path) -> pa.Table:
    lines = read_lines(folder / "records.jsonl")  # first: sealing removes them once the parquet is there
    sealed_records = folder / "epochs.parquet"
    if sealed_records.exists():
        return read_parquet(sealed_records)
    return pa.Table.from_pandas(pd.DataFrame(lines), preserve_index=False)


def sealed(folder: Path) -> bool:
    """Whether the run is finished and its results are there."""
    results = ("epochs.parquet", "network.safetensors")
    return read_state(folder) == "done" and all((folder / name).is_file() for name in results)


def remove_folder(folder: Path) -> None:
    """Delete a run's folder, whose lock is held, so that no reader sees half of it; raises OSError."""
    gone = folder.parent / ".deleted" / f"{folder.name}-{time.time_ns()}"
    make_folder(gone.parent)
    folder.rename(gone)
    shutil.rmtree(gone)


def list_runs(out: Path) -> Found:
    """Every run folder below `out` that has a record, ordered by id, and of what can never have one why; raises RunError when `out` is no folder."""
    if not out.is_dir():
        raise RunError(f"{out} is not a folder; give the --out of a training or sweep")
    runs, left_out = [], {}
    for folder in sorted({path.parent for name in ("spec.json", STATUS_FILE) for path in out.glob(f"*/{name}")}):
        try:
            if has_records(folder) or read_state(folder) == "done":
                runs.append(open_run(folder))
            elif (folder / "spec.json").exists():
                _check_spec(folder)
        except RunError as error:
            left_out[folder.name] = str(error)
    return Found(runs, left_out | troubles(runs))


def _check_spec(folder: Path) -> None:
    """Of a run that has nothing to open yet; raises RunError where it never will have."""
    try:
        RunSpec.from_dict(read_json(folder / "spec.json"))
    except DAMAGES as error:
        raise RunError(f"{folder} is not a readable run folder ({error}); delete it or train it again") from error


def has_records(folder: Path) -> bool:
    """Whether there is something to open: a job that waits, or failed before its first record, has nothing."""
    return (folder / "records.jsonl").exists() or (folder / "epochs.parquet").exists()
