"""Sub-tasks that pages offer by name."""

from __future__ import annotations

from boundlab.specs.own_data import DATASETS

TASKS: dict[str, tuple[tuple[int, ...], ...] | None] = {
    "all classes": None,
    "0 against 1": ((0,), (1,)),
    "even against odd": ((0, 2, 4, 6, 8), (1, 3, 5, 7, 9)),
}


def tasks(dataset: str) -> tuple[str, ...]:
    """The tasks that a data set's labels allow: even and odd are of digits."""
    return tuple(TASKS)[: {2: 1, 10: 3}.get(DATASETS[dataset].classes, 2)]
