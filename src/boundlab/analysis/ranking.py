"""Whether a measure orders networks as their generalisation does: overall, with one variable moved at a time, in the worst case.

Overall: Kendall's tau-b (Kendall, Biometrika 33, 1945). Granulated: Jiang, Neyshabur, Mobahi, Krishnan, Bengio, "Fantastic
generalization measures and where to find them", ICLR 2020, section 2.2.2. Robust: Dziugaite et al., "In search of robust measures of
generalization", NeurIPS 2020, section 3 (sign-error per environment, and its largest).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from boundlab.analysis.measures import VARIED, measure_names
from boundlab.quantities.norms import Array

LEVEL = 0.95  # of the bootstrap's intervals
_RESAMPLES = 400
_MOST = 1500  # runs that are resampled: their pairs fill 20 MB
LEAST_PAIRS = 5  # of an environment, to be counted
# what two runs must agree in for nothing but one of `VARIED` to move
_IDENTITY = ("dataset", "setting", "seed", *VARIED)


@dataclass(frozen=True)
class Rank:
    """Kendall's tau-b of a measure with the target over `runs` runs, `pairs` pairs of them; `low`, `high`: percentiles of the
    bootstrap."""

    tau: float
    low: float
    high: float
    runs: int

    @property
    def pairs(self) -> int:
        """Every two runs are one."""
        return self.runs * (self.runs - 1) // 2


def overall(measure: Array, target: Array, configuration: Array, seed: int = 0) -> Rank:
    """tau-b over all runs that have both numbers, each (runs,). Resampled are configurations (equal numbers in `configuration`), each
    with all of its seeds, since seeds of one are no independent networks; NaN where fewer than two numbers differ."""
    known = np.isfinite(measure) & np.isfinite(target)
    x, y, group = measure[known], target[known], configuration[known]
    if len(np.unique(x)) < 2 or len(np.unique(y)) < 2:
        return Rank(np.nan, np.nan, np.nan, len(x))
    tau = float(kendalltau(x, y).statistic)
    low, high = tau + _spread(x, y, group, seed)
    return Rank(tau, float(low), float(high), len(x))


def _spread(x: Array, y: Array, group: Array, seed: int) -> Array:
    """How far below and above tau the bootstrap's interval reaches. Of more than `_MOST` runs, whose pairs would fill the memory, that of
    about so many, whole groups drawn without replacement, times the root of their share (Politis, Romano, Wolf, Subsampling, 1999)."""
    share = 1.0
    if len(x) > _MOST:
        order = np.random.default_rng(seed).permutation(np.unique(group))
        sizes = np.cumsum(np.bincount(group)[order])
        some = np.isin(group, order[: max(2, np.searchsorted(sizes, _MOST, side="right"))])
        share = float(some.mean())
        x, y, group = x[some], y[some], group[some]
    group = np.unique(group, return_inverse=True)[1]
    ends = np.nanquantile(resampled(x, y, group, _RESAMPLES, seed), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    reach: Array = np.sqrt(share) * (ends - kendalltau(x, y).statistic)
    return reach


def resampled(x: Array, y: Array, group: Array, resamples: int, seed: int) -> Array:
    """(resamples,) tau-b of runs drawn with replacement, whole groups at a time.

    A run that is drawn w times counts w times: with signs s, t of all pairs' differences, tau-b is w'(s t)w over the root of
    w'|s|w w'|t|w, which is the same as scipy's of the repeated runs.
    """
    groups = int(group.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=resamples)
    counts = drawn[:, group].astype(np.float32)
    s, t = (np.sign(v[:, None] - v[None, :]).astype(np.float32) for v in (x, y))

    def paired(signs: Array) -> Array:
        return np.einsum("bi,bi->b", (counts @ signs).astype(float), counts.astype(float))

    untied = np.sqrt(paired(np.abs(s)) * paired(np.abs(t)))
    return np.divide(paired(s * t), untied, out=np.full(resamples, np.nan), where=untied > 0)


def configurations(table: pd.DataFrame) -> Array:
    """(runs,) the same number for runs that differ in their seed alone."""
    fixed = [name for name in _IDENTITY if name != "seed"]
    return table.groupby(fixed, dropna=False, sort=False).ngroup().to_numpy()


@dataclass(frozen=True)
class Pairs:
    """Every pair of runs in which one variable moves and nothing else: rows `first` and `second` of the table, the variable's number
    in `VARIED`, the group of runs that agree in everything else, and the variable's two values, the lower one first."""

    first: Array
    second: Array
    variable: Array
    group: Array
    low: Array
    high: Array


def pairs_of(table: pd.DataFrame) -> Pairs:
    """Of a `measures_table`, for every measure alike."""
    parts: list[tuple[Array, ...]] = []
    groups = 0
    for number, variable in enumerate(VARIED):
        fixed = [name for name in _IDENTITY if name != variable]
        values = table[variable].to_numpy(float)
        for rows in table.groupby(fixed, dropna=False, sort=False).indices.values():
            places = rows[~np.isnan(values[rows])]
            i, j = (places[part] for part in np.triu_indices(len(places), 1))
            moved = values[i] != values[j]
            i, j = i[moved], j[moved]
            if len(i):
                low, high = np.sort(np.stack([values[i], values[j]]), axis=0)
                parts.append((i, j, np.full(len(i), number), np.full(len(i), groups), low, high))
                groups += 1
    if not parts:
        return Pairs(*(np.empty(0, int) for _ in range(6)))
    return Pairs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def granulated(pairs: Pairs, measure: Array, target: Array) -> pd.DataFrame:
    """Jiang's psi of every variable that moves anywhere: the mean, over groups of runs that agree in everything else (seed included),
    of (agreeing less disagreeing pairs) / pairs. `measure`, `target`: (runs,), pairs with one that is not finite are left out. Columns
    variable, psi, groups, pairs; the mean of psi over the variables is Psi."""
    signs, known = _agreement(pairs, measure, target)
    found = pd.DataFrame({"variable": pairs.variable, "group": pairs.group, "sign": signs})[known]
    of_group = found.groupby(["variable", "group"])["sign"].agg(["mean", "size"]).reset_index()
    rows = of_group.groupby("variable").agg(psi=("mean", "mean"), groups=("mean", "size"), pairs=("size", "sum"))
    return _named(rows.reset_index())


def environments(pairs: Pairs, measure: Array, target: Array) -> pd.DataFrame:
    """Dziugaite's sign-error of every environment, i.e. of all pairs of runs in which one variable goes from `low` to `high` and nothing
    else moves: the share of pairs ordered otherwise than the target orders them, ties of the measure counted half. Pairs whose
    targets are equal are left out, and environments of fewer than `LEAST_PAIRS` pairs. Columns variable, low, high, error, pairs."""
    signs, known = _agreement(pairs, measure, target)
    known = known & (target[pairs.first] != target[pairs.second])
    frame = {"variable": pairs.variable, "low": pairs.low, "high": pairs.high, "wrong": (1 - signs) / 2}
    found = pd.DataFrame(frame)[known].groupby(["variable", "low", "high"])["wrong"]
    rows = found.agg(error="mean", pairs="size").reset_index()
    return _named(rows[rows["pairs"] >= LEAST_PAIRS].reset_index(drop=True))


def _agreement(pairs: Pairs, x: Array, y: Array) -> tuple[Array, Array]:
    """+1, 0 or -1 for every pair, and whether its four numbers are finite."""
    known = np.isfinite(x[pairs.first] + x[pairs.second]) & np.isfinite(y[pairs.first] + y[pairs.second])
    with np.errstate(invalid="ignore"):
        return np.sign(x[pairs.first] - x[pairs.second]) * np.sign(y[pairs.first] - y[pairs.second]), known


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    names = list(VARIED)
    return rows.assign(variable=[names[number] for number in rows["variable"]])


def ranked(table: pd.DataFrame, target: str, keys: Sequence[str] | None = None) -> pd.DataFrame:
    """One row per measure (of `keys`; None: of all) that two runs of a `measures_table` have, the highest tau first: measure (its key),
    name, tau, low, high, runs, pairs; psi (mean over the variables that move), moved_pairs and, per variable, psi_VARIABLE; worst, the
    largest sign-error of an environment, `where` (variable, low, high) it is, worst_pairs, how many it has; middle, the median of all,
    and environments, how many there are."""
    pairs, alike, goal = pairs_of(table), configurations(table), table[target].to_numpy(float)
    rows = []
    names = measure_names()
    for key in names if keys is None else keys:
        values = table[key].to_numpy(float)
        rank = overall(values, goal, alike)
        if not np.isnan(rank.tau):
            rows.append(
                {"measure": key, "name": names[key], **asdict(rank), "pairs": rank.pairs, **_moved(pairs, values, goal)}
            )
    made = pd.DataFrame(rows)
    return made.sort_values("tau", ascending=False, ignore_index=True) if len(made) else made


def _moved(pairs: Pairs, values: Array, goal: Array) -> dict[str, object]:
    one, error = granulated(pairs, values, goal), environments(pairs, values, goal)
    found: dict[str, object] = {"psi": float(one["psi"].mean()) if len(one) else np.nan}
    found["moved_pairs"] = int(one["pairs"].sum())
    found |= {f"psi_{row.variable}": row.psi for row in one.itertuples()}
    worst = error.loc[error["error"].idxmax()] if len(error) else None
    return found | {
        "worst": np.nan if worst is None else float(worst["error"]),
        "worst_pairs": 0 if worst is None else int(worst["pairs"]),
        "where": None if worst is None else (worst["variable"], float(worst["low"]), float(worst["high"])),
        "middle": float(error["error"].median()) if len(error) else np.nan,
        "environments": len(error),
    }
