"""Field checks that say what was expected and what came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def one_of(name: str, value: Any, choices: Iterable[str]) -> None:
    """Raise ValueError naming the choices unless `value` is one of them."""
    if value not in list(choices):
        raise ValueError(f"{name} must be one of {sorted(choices)}, got {value!r}")


def whole(name: str, value: Any, low: int, high: int) -> None:
    """Raise ValueError unless `value` is an int (not a bool) in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value!r}")


def number(name: str, value: Any, low: float, high: float) -> None:
    """Raise ValueError unless `value` is a finite number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low:g} to {high:g}, got {value!r}")


def known_fields(given: Any, what: str, names: Sequence[str]) -> dict[str, Any]:
    """`given`; raises ValueError unless it is a JSON object whose keys are all among `names`."""
    if not isinstance(given, dict):
        raise ValueError(f"{what} must be a JSON object, got {type(given).__name__}")
    if unknown := sorted(set(given) - set(names)):
        raise ValueError(f"{what} has unknown fields {unknown}; known are {sorted(names)}")
    return given
