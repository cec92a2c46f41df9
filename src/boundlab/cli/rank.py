"""`boundlab rank`: which numbers order the runs as their generalisation does."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boundlab.cli.arguments import Commands, Parser, command, decimal
from boundlab.cli.left_out import say_left_out
from boundlab.errors import RunError
from boundlab.specs.own_data import DATASETS
from boundlab.validation import between, one_of, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from boundlab.runs.run import Run

_TARGETS = ("gap", "test_error")


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    text = (
        "Kendall's tau of every bound and of plain controls with the gap or the test error, over the runs of a data set"
    )
    sub: Parser = command(commands, "rank", text, _run)
    sub.add_argument("--dataset", default="digits")
    sub.add_argument("--target", choices=_TARGETS, default="gap")
    sub.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="only such runs, as links of page All runs say it: kind=conv|mlp, channels=8..16, lr=0.1; may be given several times",
    )
    sub.add_argument("--delta", type=decimal, default=0.001)
    sub.add_argument("--out", type=Path, help="run folders (default: the shipped pack)")
    sub.add_argument("--json", action="store_true")


def _run(a: argparse.Namespace) -> int:
    from boundlab.analysis.measures import measures_table
    from boundlab.analysis.ranking import ranked
    from boundlab.runs.folder import list_runs
    from boundlab.runs.pack import open_pack

    one_of("dataset", a.dataset, DATASETS)
    if not between(a.delta, 0, 1):
        raise ValueError(f"delta must lie strictly between 0 and 1, got {shown(a.delta)}")
    found = list_runs(a.out) if a.out else open_pack()
    say_left_out(found)
    chosen = _chosen([run for run in found.runs if run.spec.train.dataset == a.dataset], a.where, a.delta)
    table = measures_table(chosen, a.delta)
    rows = ranked(table, a.target) if chosen else table
    if rows.empty:
        raise RunError(f"there are no two such runs on {a.dataset} that trained and differ; ask for fewer conditions")
    if a.json:
        print(json.dumps({"dataset": a.dataset, "target": a.target, "runs": len(chosen), "measures": _plain(rows)}))
    else:
        _print(rows, len(chosen), a)
    return 0


def _chosen(runs: Sequence[Run], conditions: Sequence[str], delta: float) -> list[Run]:
    """The runs that trained, of those that are asked for. Raises ValueError for a condition that cannot be read."""
    from boundlab.analysis.narrowing import read_condition, rows_where
    from boundlab.analysis.run_columns import column_values, fields_table, run_columns, with_columns

    kinds = {key: column.kind for key, column in run_columns(runs).items()}
    asked = [read_condition(condition, kinds) for condition in conditions]
    columns = ["trained", *(condition.column for condition in asked)]
    table = with_columns(fields_table(runs), columns, lambda key: column_values(runs, key, delta))
    kept = set(rows_where(table, [*asked, read_condition("trained=yes", kinds)])["run"])
    return [run for run in runs if run.id in kept]


def _plain(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """As JSON takes them: null for what there is none of."""
    parsed: list[dict[str, Any]] = json.loads(rows.to_json(orient="records"))
    return parsed


def _print(rows: pd.DataFrame, runs: int, a: argparse.Namespace) -> None:
    print(
        f"{a.dataset}, {runs} runs that trained: Kendall's tau-b with the {a.target.replace('_', ' ')}, and the bootstrap's 95 % interval "
        "(whole configurations are drawn again);"
    )
    print(
        "Psi: one variable moved at a time, averaged (Jiang et al. 2020); worst: largest sign-error of an environment (Dziugaite et al. 2020)"
    )
    for row in rows.itertuples():
        worst = "      -" if row.environments == 0 else f"{100 * row.worst:5.0f} %"
        print(f"{row.name:46} {row.tau:6.2f}  [{row.low:5.2f}, {row.high:5.2f}]  Psi {row.psi:5.2f}  worst {worst}")
