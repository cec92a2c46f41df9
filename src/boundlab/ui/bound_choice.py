"""Which formulas, with which δ, of which bounds: the same controls on every page."""

from __future__ import annotations

from boundlab.analysis.tables import MEASURED, SERIES
from boundlab.bounds import ALL
from boundlab.bounds.base import Bound
from boundlab.charts.theme import STYLES, styles
from boundlab.specs.settings import CONVENTIONS, Settings
from boundlab.ui.controls import Controls
from boundlab.words.glossary import explained, options_explained

DELTAS = ("0.1", "0.05", "0.01", "0.001", "0.0001")
_SHOW_HELP = (
    f"Hide or show lines; the axes stay put. Hold-out limit: {explained('hold-out limit')} Generalization gap: {explained('generalization gap')} "
    "An arrow at a name: its line is off the picture."
)
CONVENTION_HELP = options_explained(*CONVENTIONS)


def choose_settings(controls: Controls, default: str | None = None) -> Settings:
    """Convention (`default` where the link does not say) and delta; the same two on every page."""
    return Settings(convention=choose_convention(controls, default), delta=choose_delta(controls))


def choose_convention(controls: Controls, default: str | None = None) -> str:
    """Which formulas."""
    return controls.pick("Convention", CONVENTIONS, "convention", CONVENTION_HELP, default)


def choose_delta(controls: Controls) -> float:
    """The probability that a bound may fail with."""
    return float(controls.choose("δ", DELTAS, "delta", explained("delta"), "0.001"))


def choose_bound(controls: Controls, convention: str, width: int = 280) -> Bound:
    """One of the bounds that the convention has; the link carries their names in `published`."""
    possible = {STYLES[bound.key].name: bound for bound in reversed(ALL) if convention in bound.formulas}
    looks = styles(convention)
    called = lambda name: looks[possible[name].key].name  # noqa: E731
    return possible[controls.choose("Bound", list(possible), "bound", width=width, called=called)]


def choose_series(controls: Controls, convention: str) -> list[str]:
    """Which series are drawn, in display order, out of those the convention has; the link carries their names."""
    names = {STYLES[key].name: key for key in SERIES}
    possible = {bound.key for bound in ALL if convention in bound.formulas} | set(MEASURED)
    looks, offered = styles(convention), [name for name, key in names.items() if key in possible]
    called = lambda name: looks[names[name]].name  # noqa: E731
    return [
        names[name]
        for name in controls.choose_some("Show", list(names), "show", _SHOW_HELP, offered, convention, called)
    ]
