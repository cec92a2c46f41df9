"""How bounds are evaluated: convention, delta, n, margin; and a certificate's prior."""

from __future__ import annotations

from dataclasses import dataclass

from boundlab.specs.run import LARGEST_MARGIN
from boundlab.validation import as_python, between, one_of, shown, whole

CONVENTIONS = ("published", "theorem", "strict")
PRIORS = ("fixed", "learnt")  # of a PAC-Bayes certificate


@dataclass(frozen=True)
class Settings:
    """What the reader chooses. `n` None: the convention's own; `margin` None: 1, or optimised in `strict`."""

    convention: str = "published"
    delta: float = 0.001
    n: int | None = None
    margin: float | None = None

    def __post_init__(self) -> None:
        for name in ("delta", "n", "margin"):
            object.__setattr__(self, name, as_python(getattr(self, name)))
        one_of("convention", self.convention, CONVENTIONS)
        if not between(self.delta, 0, 1):
            raise ValueError(f"delta must lie strictly between 0 and 1, got {shown(self.delta)}")
        if self.n is not None:
            whole("n", self.n, 2, 10**15)
        if self.margin is not None and not between(self.margin, 0, LARGEST_MARGIN):
            raise ValueError(f"margin must be a positive number below {LARGEST_MARGIN:g}, got {shown(self.margin)}")
