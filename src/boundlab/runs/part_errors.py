"""Errors of a fixed part of the images, measured at every epoch's end while a run trains.

The records carry errors of all images every few epochs only. In between, and for the live view alone, part_errors.jsonl of the
run folder says how a part of them does; sealing removes it, and no table, bound or record ever holds one of these numbers.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = "part_errors.jsonl"


@dataclass(frozen=True)
class PartErrors:
    """Errors (fractions) after `step` steps, and of how many images each is."""

    step: int
    epoch: float
    train_error: float
    train_images: int
    test_error: float
    test_images: int

    def line(self) -> str:
        """As `read` takes it."""
        return json.dumps(asdict(self)) + "\n"


def _parsed(line: str) -> PartErrors | None:
    try:
        given: dict[str, Any] = json.loads(line)
        found = PartErrors(**given)
        counts = (found.step, found.train_images, found.test_images)
        sound = all(type(count) is int and count >= 0 for count in counts)
        sound &= 0 <= found.train_error <= 1 and 0 <= found.test_error <= 1 and math.isfinite(found.epoch)
        return found if sound else None
    except (ValueError, TypeError, RecursionError):
        return None


def read_part_errors(folder: Path) -> list[PartErrors]:
    """What was measured so far, one per step; lines that are no such thing, or only half there, are left out."""
    try:
        lines = (folder / FILE).read_text(errors="replace").split("\n")
    except OSError:
        return []
    found = {part.step: part for part in map(_parsed, lines) if part}
    return [found[step] for step in sorted(found)]
