"""Time left and time in words. No torch."""

from __future__ import annotations

_OWN_SPEED = 0.03  # fraction of a run after which its own speed counts as much as the estimate


def remaining(step: int, steps: int, seconds: float, expected: float, start: int = 0) -> float:
    """Seconds that a running job still needs.

    `seconds`: since this attempt began, at step `start`, until `step` of `steps`; `expected`: `Cost.seconds` of the
    whole run. Its own speed and the expected one are mixed (geometric mean), by how much of the run it has done itself.
    """
    done, left = step - start, max(0, steps - step)
    if done <= 0 or seconds <= 0:
        return expected * left / max(1, steps)
    trust = done / (done + _OWN_SPEED * steps)
    return left * float((seconds / done) ** trust * (max(expected, 1e-3) / steps) ** (1 - trust))
