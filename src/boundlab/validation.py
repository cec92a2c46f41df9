"""Field checks that say what was expected and what came."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any


def as_python(value: Any) -> Any:
    """Python numbers and lists of them from a NumPy scalar, an array or a tensor; anything else as it is."""
    return value.tolist() if hasattr(value, "tolist") else value


def shown(value: Any) -> str:
    """`repr` of what came, cut to what fits into a sentence."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # Python writes out neither very long numbers nor very deep lists
        return f"a {type(value).__name__} too long to write out"
    return text if len(text) <= 100 else f"{text[:100]} ..."


def one_of(name: str, value: Any, choices: Iterable[str]) -> None:
    """Raise ValueError naming the choices unless `value` is one of them."""
    if not any(value == choice for choice in choices):
        raise ValueError(f"{name} must be one of {sorted(choices)}, got {shown(value)}")


def whole(name: str, value: Any, low: int, high: int) -> None:
    """Raise ValueError unless `value` is an int (not a bool) in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, got {shown(value)}")


def number(name: str, value: Any, low: float, high: float) -> None:
    """Raise ValueError unless `value` is a finite number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low:g} to {high:g}, got {shown(value)}")


def between(value: Any, low: float, high: float) -> bool:
    """Whether `value` is a number (not a bool) strictly between the two."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low < value < high


def known_fields(given: Any, what: str, names: Sequence[str]) -> dict[str, Any]:
    """`given`; raises ValueError unless it is a JSON object whose keys are all among `names`."""
    if not isinstance(given, dict):
        raise ValueError(f"{what} must be a JSON object, got {type(given).__name__}")
    if unknown := sorted(set(given) - set(names), key=str):
        raise ValueError(f"{what} has unknown fields {shown(unknown)}; known are {sorted(names)}")
    return given


def numbers(name: str, given: Any, fields: Sequence[str]) -> tuple[Any, ...]:
    """As many Python values as `fields` names, from a list, tuple, array or tensor; raises ValueError for anything else."""
    given = as_python(given)
    if not isinstance(given, list | tuple) or len(given) != len(fields):
        raise ValueError(f"{name} must be [{', '.join(fields)}], got {shown(given)}")
    return tuple(map(as_python, given))


def limited(check: Callable[..., None], *limits: Any) -> dict[str, Any]:
    """Metadata of a dataclass's field, for `check_fields`: `check(name, value, *limits)` raises ValueError."""
    return {"check": lambda name, value: check(name, value, *limits)}


def check_fields(made: Any, names: Collection[str] | None = None) -> None:
    """Check the fields of a dataclass that are `limited`, in their order, all or those in `names`; raises ValueError."""
    for field in dataclasses.fields(made):
        if "check" in field.metadata and (names is None or field.name in names):
            field.metadata["check"](field.name, getattr(made, field.name))


def flag(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is a bool."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {shown(value)}")
