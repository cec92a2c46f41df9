"""A bound in six bars: its factors multiplied together by what they are about. numpy and pandas, no charts."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from boundlab.analysis.anatomy import anatomy
from boundlab.bounds.base import Value
from boundlab.bounds.factors import DATA, FACTORS, GEOMETRY, PROOF, WEIGHTS


@dataclass(frozen=True)
class FactorKind:
    """`label`: a plain name; `symbol`: as in the formulas; `meaning`: a few words below it; `stems`: the factors in it."""

    label: str
    symbol: str
    meaning: str
    group: str
    stems: tuple[str, ...]


BARS = {
    "weights": FactorKind(
        "Weights",
        "‖W‖",
        "as training made them",
        WEIGHTS,
        (
            *("frobenius", "frobenius_centered", "map_frobenius", "spectral_kernel", "spectral_map"),
            *("layers", "covering", "path_norm"),
        ),
    ),
    "connections": FactorKind(
        "Connections",
        "k",
        "what a neuron sees",
        GEOMETRY,
        ("positions", "kernel_area", "paths", "pooling", "parameters"),
    ),
    "depth": FactorKind("Depth", "L", "price per layer", PROOF, ("depth",)),
    "proof": FactorKind(
        "Proof",
        "C",
        "classes and constants",
        PROOF,
        (
            *("loss", "symmetrisation", "gaussian", "classes", "constant"),
            *("logarithms", "rounding", "grid", "scale_grid"),
        ),
    ),
    "inputs": FactorKind("Inputs", "‖x‖ / γ", "how bright, how sure", DATA, ("margin", "data", "unseen")),
    "examples": FactorKind("Examples", "1 / √n", "more make it smaller", DATA, ("sample_size",)),
}
_BAR_OF = {stem: name for name, bar in BARS.items() for stem in bar.stems}
if missing := set(FACTORS) - set(_BAR_OF):
    raise RuntimeError(f"every factor belongs to a bar of analysis/six.py, these do not: {sorted(missing)}")


def six_bars(value: Value) -> pd.DataFrame:
    """Rows as of `anatomy.anatomy`, with `symbol`: a bar per kind of factor that the bound has, then the value, whose `meaning` names
    what is added to the product. Raises ValueError for a bound without a value."""
    rows = anatomy(value)
    factors = rows[rows["kind"] == "factor"]
    stems = factors["row"].str.partition(".")[0].map(_BAR_OF)
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
