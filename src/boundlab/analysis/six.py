"""A bound in six bars: its factors multiplied together by what they are about. numpy and pandas, no charts."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from boundlab.analysis.anatomy import anatomy
from boundlab.bounds.base import Value
from boundlab.bounds.factors import DATA, FACTORS, GEOMETRY, PROOF, WEIGHTS


@dataclass(frozen=True)
class FactorKind:
    """`label`: a plain name; `symbol`: as in the formulas; `meaning`: a few words below it; `group`: as of its factors."""

    label: str
    symbol: str
    meaning: str
    group: str


BARS = {
    "weights": FactorKind("Weights", "‖W‖", "as training made them", WEIGHTS),
    "connections": FactorKind("Connections", "k", "what a neuron sees", GEOMETRY),
    "depth": FactorKind("Depth", "L", "price per layer", PROOF),
    "proof": FactorKind("Proof", "C", "classes and constants", PROOF),
    "inputs": FactorKind("Inputs", "‖x‖ / γ", "how bright, how sure", DATA),
    "examples": FactorKind("Examples", "1 / √n", "more make it smaller", DATA),
}
_BY_GROUP = {WEIGHTS: "weights", GEOMETRY: "connections", PROOF: "proof", DATA: "inputs"}
_APART = {"depth": "depth", "sample_size": "examples"}


def bar_of(name: str) -> str:
    """The key in `BARS` of a factor called as in `Terms.log_factors`."""
    stem = name.partition(".")[0]
    return _APART.get(stem) or _BY_GROUP[FACTORS[stem].group]


def six_bars(value: Value) -> pd.DataFrame:
    """Rows as of `anatomy.anatomy`, with `symbol`: a bar per kind of factor that the bound has, then the value, whose `meaning` names
    what is added to the product. Raises ValueError for a bound without a value."""
    rows = anatomy(value)
    factors = rows[rows["kind"] == "factor"]
    stems = factors["row"].map(bar_of)
    sizes = factors.groupby(stems)["log2"].sum()
    bars, reached = [], 0.0
    for name, bar in BARS.items():
        if name not in sizes:
            continue
        size = float(sizes[name])
        about = {"row": name, "label": bar.label, "symbol": bar.symbol, "meaning": bar.meaning, "group": bar.group}
        bars.append(about | {"kind": "factor", "start": reached, "end": reached + size, "log2": size})
        reached += size
    total = rows[rows["row"] == "value"].iloc[0]
    terms = rows[rows["kind"] == "term"]
    added = ", ".join(f"{row.label} {row.amount:.2g}" for row in terms.itertuples())
    bars.append(
        {
            "row": "value",
            "label": "The bound",
            "symbol": "",
            "meaning": added or "all of it multiplied",
            "group": "",
            "kind": "total",
            "start": 0.0,
            "end": float(total["end"]),
            "log2": float(total["end"]),
        }
    )
    return pd.DataFrame(bars).assign(amount=float("nan"))
