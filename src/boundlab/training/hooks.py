"""What a training calls on its way, for who watches, counts or shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from boundlab.training.cuda_graph import Step

Record = dict[str, Any]


def _nothing(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Hooks:
    """Callables with defaults that do nothing; none of them changes what is trained.

    `watch` is called between steps and within passes over the data; when it raises, or has a member leave, `Training.state`
    is that of this very step. `before_step` gets the number of finished steps, `preview` (place, record) of step 0 before its errors are there.
    `run_step` makes of the plain step the one that runs; None: a captured CUDA graph on a GPU, else the plain step.
    """

    watch: Callable[[], None] = _nothing
    before_step: Callable[[int], None] = _nothing
    preview: Callable[[int, Record], None] = _nothing
    run_step: Callable[[Step], Step] | None = None
