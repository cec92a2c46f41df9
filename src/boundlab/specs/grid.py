"""Grids of runs: a JSON file that names every spec, or sets of values to multiply out."""

from __future__ import annotations

import itertools
import json
import tomllib
from pathlib import Path
from typing import Any

from boundlab.specs.run import RunSpec
from boundlab.validation import shown


def load_grid(path: Path) -> list[RunSpec]:
    """Specs of a grid file: a list of {"base": spec, "axes": {"arch.channels": [8, 16], ...}} (TOML: under [[grid]]).

    Each entry is a full product; duplicates are dropped. Raises ValueError naming what is wrong.
    """
    try:
        content = tomllib.loads(path.read_text()) if path.suffix == ".toml" else json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a readable grid ({error})") from error
    entries = content.get("grid") if isinstance(content, dict) else content
    if not isinstance(entries, list) or not entries or not all(map(_is_entry, entries)):
        raise ValueError(f'{path} must be a list of {{"base": spec, "axes": {{...}}}} (in TOML: [[grid]] tables)')
    specs = [spec for entry in entries for spec in product(entry.get("base", {}), entry.get("axes", {}))]
    return list({spec.id: spec for spec in specs}.values())


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict) or not set(entry) <= {"base", "axes"}:
        return False
    base, axes = entry.get("base", {}), entry.get("axes", {})
    return isinstance(base, dict) and isinstance(axes, dict) and isinstance(base.get("arch", {}), dict)


def product(base: dict[str, Any], axes: dict[str, list[Any]]) -> list[RunSpec]:
    """Specs of every combination of the axes' values on top of `base`; raises ValueError naming what is wrong."""
    for name, values in axes.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"axis {name} must be a non-empty list, got {shown(values)}")
    return [
        RunSpec.from_dict(_with(base, dict(zip(axes, point, strict=True))))
        for point in itertools.product(*axes.values())
    ]


def _with(base: dict[str, Any], point: dict[str, Any]) -> dict[str, Any]:
    spec = {**base, "arch": dict(base.get("arch", {}))}
    for name, value in point.items():
        target, key = (spec["arch"], name.removeprefix("arch.")) if name.startswith("arch.") else (spec, name)
        target[key] = value
    return spec
