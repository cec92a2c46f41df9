"""runs x bounds -> tidy DataFrames. Every column name used by charts and pages is defined here; no plotly, no torch.

A tidy row is one value of one series of one record: columns `COLUMNS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from boundlab.analysis.gathering import Alike, Gathered, gathered, histories, identity, last_records
from boundlab.bounds import ALL
from boundlab.bounds.base import effective_n, evaluate
from boundlab.bounds.coded import coded_json
from boundlab.bounds.concentration import clopper_pearson
from boundlab.quantities.norms import Array
from boundlab.runs.run import Run
from boundlab.specs.settings import Settings
from boundlab.text import format_epoch

COLUMNS = (
    "run",
    "dataset",
    "architecture",
    "conv_layers",
    "channels",
    "weight_decay",
    "preset",
    "recipe",
    "seed",
    "n_train",
    "label_noise",
    "trained",
    "at_plateau",
    "fitted",
    "plateau_number",
    "step",
    "epoch",
    "n",
    "delta",
    "convention",
    "series",
    "value",
    "log2_value",
    "complexity",
    "confidence",
    "empirical",
    "margin",
    "reason",
)
_NUMBERS = (
    COLUMNS[COLUMNS.index("n") : COLUMNS.index("delta") + 1]
    + COLUMNS[COLUMNS.index("value") : COLUMNS.index("margin") + 1]
)
MEASURED = ("holdout", "test_error", "train_error", "gap")
SERIES = (*(bound.key for bound in ALL), *MEASURED)


@dataclass(frozen=True)
class Axis:
    """A variable the figures run over: its column here, its words, the paper's figure of it (None: it has none), and the recipe whose
    runs are compared over it, where that is one of its own (`recipes.studied`)."""

    key: str
    column: str
    title: str
    symbol: str
    paper_figure: int | None
    log: bool = False
    study: str | None = None

    @property
    def sound(self) -> tuple[str, ...]:
        """The columns that are true of a run which is not ringed."""
        return ("fitted",) if self.study else ("trained", "at_plateau")

    def at(self, value: float) -> str:
        """One of its values in words."""
        if self.key == "epoch":
            return f"{self.symbol} {format_epoch(value)}"
        return f"{self.symbol} {value:g}" if self.key == "label_noise" else f"{self.symbol} = {value:,g}"


AXES = {
    "epoch": Axis("epoch", "epoch", "epoch", "epoch", 1),
    "weight_decay": Axis("weight_decay", "weight_decay", "weight decay λ", "λ", 4, log=True),
    "channels": Axis("channels", "channels", "channels H per layer", "H", 2, log=True),
    "depth": Axis("depth", "conv_layers", "convolutional layers L", "L", 3),
}
LABEL_NOISE = Axis("label_noise", "label_noise", "share of random labels", "label noise", None, study="long")
N_TRAIN = Axis("n_train", "n_train", "training images n", "n", None, log=True, study="long")
MEMORISATION = {axis.key: axis for axis in (LABEL_NOISE, N_TRAIN)}


def final_table(runs: Sequence[Run], settings: Settings) -> pd.DataFrame:
    """Every series of the last record with errors of every run; a bound that does not apply has a `reason` instead."""
    return _tidy(last_records(tuple(runs)), settings)


def history_table(runs: Sequence[Run], settings: Settings, max_records: int | None = None) -> pd.DataFrame:
    """Every series of the records of every run; errors, margins and what needs them are NaN between epoch ends.

    `max_records`, of each run: keep the records with errors (at most so many, evenly spaced) and, evenly, some between them.
    """
    return _tidy(histories(tuple(runs), max_records), settings)


def growing_table(run: Run, records: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Every series of some records of a run that may still be training; what nothing was measured for yet is NaN."""
    return _tidy(gathered([(run, records)]), settings)


def _tidy(records: Gathered, settings: Settings) -> pd.DataFrame:
    """A row per series and record, in the order of `Lines`; text is kept as categories."""
    if not records.parts:
        return pd.DataFrame(columns=list(COLUMNS))
    rows, lines = records.lines(len(SERIES)), len(SERIES)
    block, code = np.full((len(_NUMBERS), len(rows.line)), np.nan), np.full(len(rows.line), -1, np.int16)
    reasons = dict[str, int]()
    for part in records.parts:
        mine = slice(lines * part.records.start, lines * part.records.stop)
        numbers = dict(zip(_NUMBERS, block[:, mine].reshape(len(block), lines, -1), strict=True))
        for line, reason in _fill(numbers, part, settings).items():
            code[mine].reshape(lines, -1)[line] = reasons.setdefault(reason, len(reasons))
    values = pd.DataFrame(block.T, columns=list(_NUMBERS), copy=False)
    text = {"reason": _category(code, list(reasons)), **_names(rows.line, settings)}
    return pd.concat([rows.labels, values, pd.DataFrame(text, copy=False)], axis=1)[list(COLUMNS)]


def _fill(numbers: dict[str, Array], part: Alike, settings: Settings) -> dict[int, str]:
    """Every series of alike runs into `numbers`, each (series, its records); returns the reasons of rows without a value."""
    reasons = {}
    numbers["n"][: len(ALL)] = effective_n(part.sample, settings)
    # of the bounds, and of the first of `MEASURED`
    numbers["delta"][: len(ALL) + 1] = settings.delta
    for row, bound in enumerate(ALL):
        result = evaluate(bound, part.norms, part.sample, settings)
        if result.reason is not None:
            reasons[row] = result.reason
            continue
        for name in ("value", "complexity", "confidence", "empirical", "margin"):
            if (found := getattr(result, name)) is not None:
                numbers[name][row] = found
    limit = clopper_pearson(part.test_error, part.test_images, settings.delta)
    measured = (limit, part.test_error, part.train_error, part.gap)
    numbers["value"][len(ALL) :] = measured
    np.log2(numbers["value"], out=numbers["log2_value"], where=numbers["value"] > 0)
    return reasons


def _names(line: Array, settings: Settings) -> dict[str, pd.Categorical]:
    """The columns series and convention of rows of these lines."""
    conventions = sorted({settings.convention, "measured"})
    of_line = [conventions.index("measured" if name in MEASURED else settings.convention) for name in SERIES]
    order = sorted(SERIES)
    series = [order.index(name) for name in SERIES]
    return {
        "convention": _category(np.array(of_line, np.int8)[line], conventions),
        "series": _category(np.array(series, np.int8)[line], order),
    }


def _category(codes: Array, values: Sequence[str]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, values, validate=False)  # type: ignore[arg-type]


def layers_table(run: Run, records: pd.DataFrame) -> pd.DataFrame:
    """epoch, the Frobenius norm of every layer under the layer's name, and their product rho; one row per record."""
    norms = run.norms(records)
    layers = {layer.shape.name: layer.frobenius for layer in norms.layers}
    return pd.DataFrame({"epoch": records["epoch"].to_numpy(float), **layers, "rho": norms.rho})


def runs_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run: what it is and whether it may be trusted (`gathering.identity`); no bounds."""
    rows = [identity(run) for run in runs if len(run.ends)]
    return pd.DataFrame(rows, columns=None if rows else list(COLUMNS[: COLUMNS.index("step")]))


def reasons(table: pd.DataFrame) -> dict[str, str]:
    """Series that do not apply here, and why."""
    missing = table.dropna(subset=["reason"]).drop_duplicates("series")
    return dict(zip(missing["series"], missing["reason"], strict=True))


def run_summaries(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One JSON object per run: id, every spec field, errors, rho, flags, final published bounds, Theorem D at delta 0.001."""
    table = final_table(runs, Settings()).set_index(["run", "series"])["value"]
    return [_summary(run, {} if run.epochs.empty else table[run.id].dropna().to_dict()) for run in runs]


def _summary(run: Run, values: dict[str, float]) -> dict[str, Any]:
    spec = run.spec.to_dict()
    rho = None if run.epochs.empty else float(run.norms(run.epochs.iloc[-1:]).rho[0])
    return {
        "id": run.id,
        **spec["arch"],
        **{name: value for name, value in spec.items() if name != "arch"},
        "n": run.sample.n,
        "state": run.state,
        "trained": run.trained,
        "at_plateau": run.at_plateau,
        "fitted": run.fitted,
        "plateau_number": None if run.spec.watched else run.plateau_number,
        "train_error": values.get("train_error"),
        "test_error": values.get("test_error"),
        "rho": rho,
        "bounds": {bound.key: values[bound.key] for bound in ALL if bound.key in values},
        "theorem_d": coded_json(run.coded, Settings().delta),
    }
