"""What of a store cannot be used, said on standard error: the rest is not held up by it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from boundlab.text import one_line

if TYPE_CHECKING:
    from boundlab.runs.run import Found

_MOST_NAMED = 5


def say_left_out(found: Found) -> None:
    """On standard error what is left out, and why: the first few by name, then how many."""
    for name, why in [*found.left_out.items()][:_MOST_NAMED]:
        print(f"boundlab: left out {name}: {one_line(why)}", file=sys.stderr)
    if found.left_out:
        more = len(found.left_out) - _MOST_NAMED
        rest = f" ({more} more than are named here)" if more > 0 else ""
        words = f"{len(found.left_out)} left out{rest}, {len(found.runs)} {'run is' if len(found.runs) == 1 else 'runs are'} there"
        print(f"boundlab: {words}", file=sys.stderr)
