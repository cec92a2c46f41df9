"""`boundlab bench store`: opening what ships and listing a folder of runs, beside reading the same files with pandas."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from boundlab.cli.bench_timing import Timings, in_turn, machine
from boundlab.runs.folder import list_runs
from boundlab.runs.pack import open_pack, read_pack
from boundlab.runs.places import PACK
from boundlab.runs.run import Run
from boundlab.system.files import write_parquet

_FOLDERS = 60


def measure(rounds: int) -> Timings:
    """{"the pack": {way: milliseconds}, "60 run folders": {...}}, and what it was measured on, and of what."""
    runs = read_pack()
    files = sorted(PACK.rglob("*.parquet")) + sorted(PACK.rglob("*.json"))
    size = sum(path.stat().st_size for path in files) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        names = write_folders(runs[:: max(1, len(runs) // _FOLDERS)][:_FOLDERS], Path(folder))
        pack = in_turn(
            {
                "open, checked (open_pack)": open_pack,
                "the same files: pandas.read_parquet, json.load": lambda: _plainly(files),
            },
            rounds,
        )
        folders = in_turn(
            {
                "list, checked (list_runs)": lambda: list_runs(Path(folder)),
                "the same files: pandas.read_parquet, json.load": lambda: _plainly(names),
            },
            rounds,
        )
    records = sum(len(run.records) for run in runs)
    said = f"{len(runs)} runs, {records:,} records, {len(files)} files, {size:.1f} MB"
    return {"measured": machine() | {"pack": said}, "the pack": pack, f"{_FOLDERS} run folders": folders}


def _plainly(files: Sequence[Path]) -> list[object]:
    """Without any check, and without a run made of it."""
    return [pd.read_parquet(path) if path.suffix == ".parquet" else json.loads(path.read_text()) for path in files]


def write_folders(runs: Sequence[Run], out: Path) -> list[Path]:
    """Run folders as training leaves them, without what listing does not read; their files."""
    files = []
    for run in runs:
        folder = out / run.id
        folder.mkdir()
        whole = {"spec.json": run.spec.to_dict(), "sample.json": run.sample.to_dict(), "status.json": {"state": "done"}}
        for name, content in whole.items():
            (folder / name).write_text(json.dumps(content))
        write_parquet(run.records.dropna(axis="columns", how="all"), folder / "epochs.parquet")
        files += [*(folder / name for name in whole), folder / "epochs.parquet"]
    return files
