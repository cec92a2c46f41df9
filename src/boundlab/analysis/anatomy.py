"""A bound taken apart: its factors and terms as rows that can be stacked and compared. numpy and pandas, no charts.

A row: `row` (its name), `label`, `kind` ("factor": multiplies; "total": a value reached; "term": added), `group`,
`start` and `end` (log2 of the running value before and after it), `log2` (end - start), `amount` (of a term: what it adds), `meaning`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from boundlab.bounds import BY_KEY
from boundlab.bounds.base import Value, effective_n, evaluate, only
from boundlab.bounds.factors import DATA, FACTORS, GEOMETRY, PROOF, WEIGHTS, describe
from boundlab.quantities.norms import NetworkNorms
from boundlab.quantities.paths import path_energy
from boundlab.quantities.sample import SampleStats
from boundlab.specs.settings import Settings

_LN2 = math.log(2)
_TERMS = {
    "confidence": ("+ confidence", "price of certainty: the bound fails with probability δ"),
    "chaining": ("+ chaining", "the last step of the covering argument; of order n to the −3/2"),
    "norm_grid": ("+ grid over norms", "an additive term of the released code that does not shrink with n"),
    "empirical": ("+ training margin error", "share of training examples within the margin (ramp or indicator)"),
}


def _log2(x: float) -> float:
    return math.log2(x) if x > 0 else -math.inf


def _row(
    name: str, label: str, kind: str, group: str, start: float, end: float, meaning: str, amount: float = math.nan
) -> dict[str, Any]:
    return {
        "row": name,
        "label": label,
        "kind": kind,
        "group": group,
        "start": start,
        "end": end,
        "log2": end - start,
        "amount": amount,
        "meaning": meaning,
    }


def _in_order(names: Iterable[str]) -> list[str]:
    """Reading order: by kind of factor, layers in their own order."""
    order = {stem: i for i, stem in enumerate(FACTORS)}

    def place(name: str) -> tuple[int, bool, bool, str]:  # conv1, conv2, ..., dense1, ..., output
        stem, _, layer = name.partition(".")
        return order[stem], layer == "output", layer.startswith("dense"), layer.zfill(12)

    return sorted(names, key=place)


def anatomy(value: Value, per_layer: bool = True) -> pd.DataFrame:
    """Rows of one network's `Value` (arrays of one element): factors, complexity, additive terms, value.

    `per_layer` False: factors of the same kind are multiplied over the layers. Raises ValueError for a bound without a value.
    """
    if value.value is None:
        raise ValueError(f"a bound that does not apply has no anatomy: {value.reason}")
    logs = {name: only(part) / _LN2 for name, part in value.log_factors.items()}
    if not per_layer:
        stems = dict.fromkeys(name.partition(".")[0] for name in logs)
        logs = {stem: sum(x for name, x in logs.items() if name.partition(".")[0] == stem) for stem in stems}
    rows, reached = [], 0.0
    for name in _in_order(logs):
        factor, layer = describe(name)
        label = f"{factor.label} {layer}".strip()
        rows.append(_row(name, label, "factor", factor.group, reached, reached + logs[name], factor.meaning))
        reached += logs[name]
    rows.append(_row("complexity", "complexity", "total", "", 0.0, reached, "product of the factors above"))
    return pd.DataFrame(rows + _terms(value))


def _terms(value: Value) -> list[dict[str, Any]]:
    """What is added to the complexity, and the sum."""
    so_far = only(value.complexity)
    parts = {name: only(term) for name, term in value.additive.items()}
    if (missed := only(value.empirical)) != 0:  # 0: this convention has no empirical term
        parts["empirical"] = missed
    rows = []
    for name, term in parts.items():
        label, meaning = _TERMS[name]
        rows.append(
            _row(name, label, "term", "", _log2(so_far), _log2(so_far + term), f"{meaning}; it adds {term:.3g}", term)
        )
        so_far += term
    rows.append(_row("value", "value", "total", "", 0.0, _log2(so_far), "complexity and the terms above"))
    return rows


def joined(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """row, label, kind, group, first, second, difference, in the order of both: log2 of factors and values (a factor that
    one of them does not have counts as 1 there); of terms, log2 of what they add."""
    both = pd.concat([first, second]).drop_duplicates("row").set_index("row")
    factors = _in_order(both.index[both["kind"] == "factor"])
    rest = ["complexity", *(name for name in _TERMS if name in both.index), "value"]
    table = both.loc[[*factors, *rest], ["label", "kind", "group", "meaning"]]
    for name, part in (("first", first), ("second", second)):
        given = part.set_index("row")
        size = given["log2"].where(given["kind"] != "term", np.log2(given["amount"].where(given["amount"] > 0)))
        size = size.reindex(table.index)
        table[name] = size.where(table["kind"] == "term", size.fillna(0.0))
    table["difference"] = table["second"] - table["first"]
    return table.reset_index()


def published_to_strict(net: NetworkNorms, sample: SampleStats, settings: Settings) -> pd.DataFrame:
    """The way from the plotted sparse curve to Theorem S, correction by correction (BOUNDS.md section 9's waterfall).

    `settings`: delta and, if wanted, margin. Raises ValueError where one of the two does not apply to the network.
    """
    plotted = evaluate(BY_KEY["sparse"], net, sample, Settings("published", settings.delta))
    proved = evaluate(BY_KEY["sparse"], net, sample, Settings("strict", settings.delta, margin=settings.margin))
    for value in (plotted, proved):
        if value.value is None:
            raise ValueError(f"the sparse bound does not apply: {value.reason}")
    start = only(plotted.complexity)
    rows = [_row("published", "published, complexity", "total", "", 0.0, _log2(start), "what the paper's figures plot")]
    reached = _log2(start)
    for name, (label, group, log_factor, meaning) in _corrections(net, sample, plotted, proved).items():
        rows.append(_row(name, label, "factor", group, reached, reached + log_factor / _LN2, meaning))
        reached += log_factor / _LN2
    rows.append(
        _row("complexity", "Theorem S, complexity", "total", "", 0.0, reached, "proved, every constant counted")
    )
    return pd.DataFrame(rows + _terms(proved))


def _corrections(
    net: NetworkNorms, sample: SampleStats, plotted: Value, proved: Value
) -> dict[str, tuple[str, str, float, str]]:
    """name -> (label, group, natural log of the factor, why)."""
    old = {name: only(part) for name, part in plotted.log_factors.items()}
    new = {name: only(part) for name, part in proved.log_factors.items()}
    areas = sum(part for name, part in old.items() if name.startswith("kernel_area."))
    pixel = sample.raw.max_pixel if net.shapes[0].spatial else sample.raw.frobenius
    raw, fed = (0.5 * math.log(path_energy(part.pixel_energy, net.shapes)) for part in (sample.raw, sample.fed))
    plotted_n = effective_n(sample, Settings("published"))
    loss = new["symmetrisation"] + new["gaussian"] + new["classes"]
    ignored = "the plotted formula ignores them; here a constant input that every neuron sees has them as weights"
    biases = {"biases": ("biases", WEIGHTS, new["biases"], ignored)} if "biases" in new else {}
    return {
        "n": (
            "this sample's n",
            DATA,
            math.log(plotted_n / sample.n),
            f"n = {sample.n:,} as in the sums, not the {plotted_n:,} of the released code",
        ),
        "grid": ("finer grid of norms", PROOF, new["scale_grid"] - old["grid"], "ρ times 1.01 instead of ρ + 1"),
        "centred": (
            "classes centred",
            WEIGHTS,
            new["frobenius_centered.output"] - old["frobenius.output"],
            "adding one function to all outputs changes no decision, so only the centred output layer counts",
        ),
        "classes": (
            "true price of classes",
            PROOF,
            loss - old["loss"],
            "an honest contraction of the multi-class margin",
        ),
        "depth": (
            "better peeling",
            PROOF,
            new["depth"] - old["depth"],
            "moments instead of exponentials, no union over paths",
        ),
        "paths": (
            "every path counted",
            GEOMETRY,
            raw - areas - math.log(pixel),
            "all paths from pixels through the output layer's fan-in, instead of the brightest pixel times kernel areas",
        ),
        "inputs": ("inputs as fed", DATA, fed - raw, "pixels as the network sees them (normalised), not raw in [0, 1]"),
        **biases,
        "margin": ("margin γ", DATA, new["margin"], "the margin that makes the certificate smallest, instead of 1"),
    }
