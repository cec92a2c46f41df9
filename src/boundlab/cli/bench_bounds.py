"""`boundlab bench bounds`: every bound of 1,000 runs x 100 records, and the tables of the pages, beside one record at a time;
and of a checkpoint."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from boundlab.analysis.gathering import Gathered, histories
from boundlab.analysis.tables import final_table, history_table
from boundlab.bounds import ALL
from boundlab.bounds.base import evaluate
from boundlab.cli.bench_timing import Timings, in_turn, machine, three_digits
from boundlab.errors import RunError
from boundlab.quantities.records import from_columns
from boundlab.runs.pack import read_pack
from boundlab.runs.places import PACK
from boundlab.runs.run import Run
from boundlab.specs.presets import PRESETS
from boundlab.specs.settings import CONVENTIONS, Settings

RUNS, _RECORDS = 1000, 100
_ALONE = 40  # records that are evaluated one at a time
_FIGURE = 43  # records of a run that a figure page asks for at most, where there is one line


def measure(rounds: int, shipped: Sequence[Run] | None = None) -> Timings:
    """{"published": {way: milliseconds}, ...}, what it was measured on, and of what. `shipped`: None for the pack."""
    shipped = [run for run in read_pack() if not PRESETS[run.spec.train.preset].varied] if shipped is None else shipped
    runs = enlarged(shipped, RUNS, _RECORDS)
    started = time.process_time()
    gathered = histories(runs, None)
    once = three_digits(1000 * (time.process_time() - started))
    found: Timings = {"measured": machine() | {"set": _said(shipped, gathered)}, "once, records into arrays, ms": once}
    for convention in CONVENTIONS:
        found[convention] = _ways(runs, gathered, shipped, convention, rounds)
    return found | _checkpoint(shipped, rounds)


def enlarged(shipped: Sequence[Run], runs: int, records: int) -> tuple[Run, ...]:
    """So many runs of so many records each, made of the shipped ones: their norms and errors as they are, the runs over and
    over (as if of further seeds), records evenly left out or repeated. Raises RunError where there is none."""
    if not shipped:
        raise RunError("there are no shipped runs to measure with; restore data/runs")
    made = []
    for number in range(runs):
        run = shipped[number % len(shipped)]
        seed = run.spec.train.seed + 1000 * (number // len(shipped))
        spec = dataclasses.replace(run.spec, train=dataclasses.replace(run.spec.train, seed=seed))
        places = np.linspace(0, len(run.records) - 1, records).round().astype(int)
        made.append(dataclasses.replace(run, spec=spec, records=run.records.iloc[places]))
    return tuple(made)


def all_at_once(gathered: Gathered, settings: Settings) -> None:
    """Evaluate all bounds of all records, group by group."""
    for part in gathered.parts:
        for bound in ALL:
            evaluate(bound, part.norms, part.sample, settings)


def one_at_a_time(records: Sequence[tuple[Run, Mapping[str, Any]]], settings: Settings) -> list[dict[str, Any]]:
    """The values of a few records, each a dictionary as it is stored, one after the other: the plain way to do it."""
    found = []
    for run, record in records:
        norms = from_columns(record, run.spec.arch.shapes())
        found.append({bound.key: evaluate(bound, norms, run.sample, settings).value for bound in ALL})
    return found


def _ways(runs: tuple[Run, ...], gathered: Gathered, shipped: Sequence[Run], convention: str, rounds: int) -> Timings:
    deltas = (0.001 * (1 + number / 1000) for number in itertools.count())

    def moved() -> Settings:
        """Another delta each time, as from a slider: nothing that depends on it was computed before."""
        return Settings(convention, next(deltas))

    alone = _spread_out(runs)
    drawn = tuple(run for run in shipped if run.spec.arch.papers and run.spec.train.dataset == "digits")
    found = in_turn(
        {
            "all bounds": lambda: all_at_once(gathered, moved()),
            "all bounds, one record at a time": lambda: one_at_a_time(alone, moved()),
            "table of all records": lambda: history_table(runs, moved()),
            "table of last records": lambda: final_table(runs, moved()),
            f"table of a figure's {len(drawn)} runs": lambda: history_table(drawn, moved(), _FIGURE),
        },
        rounds,
    )
    plain, times = found["all bounds, one record at a time"], RUNS * _RECORDS / len(alone)
    for name in ("ms", "clock_ms"):
        plain[name] = three_digits(times * plain[name])
    plain["quartiles"] = [three_digits(times * part) for part in plain["quartiles"]]
    plain |= {"extrapolated": f"from {len(alone)} records"}
    plain["times as long"] = three_digits(plain["ms"] / found["all bounds"]["ms"])
    return found


def _checkpoint(shipped: Sequence[Run], rounds: int) -> Timings:
    """The widest convolutional network whose file ships: from the file, its sample's statistics known, to every bound."""
    import torch

    from boundlab.evaluation.kept_norms import norms_of
    from boundlab.networks.checkpoint import load_checkpoint

    torch.set_num_threads(1)
    files = {path.stem: path for path in PACK.rglob("*.safetensors")}
    kept = [run for run in shipped if run.id in files and run.spec.arch.papers]
    if not kept:
        return {"a checkpoint": "left out: no network of the paper's kind ships"}
    run = max(kept, key=lambda run: (run.spec.arch.parameters, run.id))

    def of_file(keep: bool) -> list[dict[str, Any]]:
        record = norms_of(load_checkpoint(files[run.id], run.spec.train.dataset), keep)
        return [one_at_a_time([(run, record)], Settings(convention))[0] for convention in CONVENTIONS]

    of_file(True)
    name = f"{run.spec.arch.title} on {run.spec.train.dataset}: read, norms, all bounds in each convention"
    ways = {name: lambda: of_file(False), f"{name}; its norms kept from another time": lambda: of_file(True)}
    return {"a checkpoint": in_turn(ways, rounds)}


def _spread_out(runs: Sequence[Run]) -> list[tuple[Run, dict[str, Any]]]:
    """Some of all records, as dictionaries."""
    places = np.linspace(0, len(runs) - 1, _ALONE).round().astype(int)
    return [(runs[at], _stored(runs[at].records.iloc[(7 * at) % _RECORDS])) for at in places.tolist()]


def _stored(record: pd.Series) -> dict[str, Any]:
    return {str(name): value for name, value in record.items()}


def _said(shipped: Sequence[Run], gathered: Gathered) -> str:
    errors = sum(int(np.isfinite(part.test_error).sum()) for part in gathered.parts)
    return (
        f"{RUNS:,} runs x {_RECORDS} records, made of the {len(shipped)} shipped runs: their norms as they are, each run up to "
        f"{-(-RUNS // len(shipped))} times, its records evenly left out or repeated; {len(gathered.parts)} architectures and tasks, "
        f"{len(ALL)} bounds, {errors:,} records with errors and margins"
    )
