"""The report of a network as `boundlab.evaluate` returns it: a dictionary, a table, attributes."""

from __future__ import annotations

import html
from typing import Any

import pandas as pd

from boundlab.data.labels import mapping_words
from boundlab.text import percent

SAYS_NOTHING = "vacuous: 1 or more says nothing"
_UNDER_NOISE = " (of the network under noise on its weights)"
_PROVED = ("theorem_s2", "theorem_d", "pac_bayes", "hold_out")
_COLUMNS = ("value", "complexity", "confidence", "empirical", "margin", "reason")
_PARTS = (*_COLUMNS, "factors", "additive")


def _reason(bound: dict[str, Any]) -> str | None:
    """Why a bound has no value, or what keeps it from saying anything."""
    if bound["value"] is None or bound["value"] < 1:
        return bound.get("reason")
    code = (
        f"; the code of its hidden weights takes {bound['bits'] / bound['n']:,.3g} bits per image"
        if "bits" in bound
        else ""
    )
    return f"{SAYS_NOTHING} of an error{code}"


class BoundReport(dict[str, Any]):
    """One bound of a report, whose parts are attributes, too: `value`, `complexity`, `confidence`, `empirical`, `margin`, `reason`, and by
    name `factors` and `additive`; None where the bound has no value."""

    def __getattr__(self, name: str) -> Any:
        """Raises AttributeError for what no bound has."""
        if name in self or name in _PARTS:
            return self.get(name)
        raise AttributeError(f"a bound has {', '.join(_PARTS)}, not {name}")


class Report(dict[str, Any]):
    """The dictionary of `report.report`, which a notebook shows as a table; `to_frame()` and `bounds` are ways to it."""

    @property
    def bounds(self) -> dict[str, BoundReport]:
        """By key every bound that the report has under `bounds`, its parts as attributes."""
        return {key: BoundReport(bound) for key, bound in self["bounds"].items()}

    def to_frame(self) -> pd.DataFrame:
        """A row per bound (`bounds`, then Theorems S2 and D, PAC-Bayes of a graph, and the hold-out limit): value, complexity, confidence, empirical, margin, and the reason
        where there is no value, or one that says nothing."""
        rows = self["bounds"] | {key: self[key] for key in _PROVED if key in self}
        table = pd.DataFrame.from_dict(rows, orient="index", columns=[]).rename_axis("bound")
        found = {name: [bound.get(name) for bound in rows.values()] for name in _COLUMNS}
        found["reason"] = [_reason(bound) for bound in rows.values()]
        return table.assign(**found).astype(dict.fromkeys(_COLUMNS[:-1], float))

    def _rows(self) -> list[tuple[str, str]]:
        def told(value: float | None) -> str:
            return "not measured" if value is None else percent(value)

        rows = [(f"{part} error", told(self["errors"][part])) for part in ("train", "test")]
        if (limit := self["hold_out"]["value"]) is not None:
            rows.append(("hold-out", f"at most {percent(limit)}"))
        silent: dict[str, list[str]] = {}
        for key, bound in (self["bounds"] | {name: self[name] for name in _PROVED[:-1] if name in self}).items():
            if bound["value"] is None:
                silent.setdefault(bound["reason"], []).append(key)
            else:
                which = " (Theorem D2)" if bound.get("j") is not None else _UNDER_NOISE if "draws" in bound else ""
                says = "" if bound["value"] < 1 else f", {SAYS_NOTHING}"
                rows.append((key, f"{bound['value']:.4g}{which}{says}"))
        rows += [(", ".join(keys), f"- ({reason})") for reason, keys in silent.items()]
        return rows

    def _notes(self) -> list[str]:
        """How labels were numbered, what to doubt, and where there is a promise what it takes for granted."""
        numbered = (
            [f"Labels as outputs of the network: {said}."] if (said := mapping_words(self.get("labels", ()))) else []
        )
        return (
            numbered
            + self["warnings"]
            + [w for w in self["conditions"] if self["convention"] == "strict" and w not in self["warnings"]]
        )

    def _about(self) -> str:
        return f"{self['dataset']}, n = {self['n']:,}, {self['convention']} convention, delta = {self['delta']:g}"

    def __repr__(self) -> str:
        return "\n".join([self._about(), *(f"{name:12} {text}" for name, text in self._rows()), *self._notes()])

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{html.escape(a)}</td><td>{html.escape(b)}</td></tr>" for a, b in self._rows())
        said = "".join(f"<p>{html.escape(words)}</p>" for words in self._notes())
        return f"<table><caption>{html.escape(self._about())}</caption>{rows}</table>{said}"
