"""Whether a training's memory fits beside what runs, and the limit that keeps one from taking more than it said. No torch."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
# A process may take so many times its estimate, and at least that much more: allocators keep what was freed.
_SLACK, _LEAST_MORE = 1.5, GIB


@dataclass(frozen=True)
class Taken:
    """A training that runs: `need` as estimated, `now` what its process holds (None: not known, taken for all it needs)."""

    need: int
    now: int | None


def left(total: int, free: int | None, running: Sequence[Taken]) -> int:
    """Bytes for a further training beside those that run, each of which may yet grow to what it needs."""
    rest = total - sum(one.need for one in running)
    if free is not None:
        growing = sum(max(0, one.need - one.now) for one in running if one.now is not None)
        rest = min(rest, free - growing)
    return max(0, rest)


def most(total: int, free: int | None, running: Sequence[Taken]) -> int:
    """Bytes for a training once none of these runs."""
    return (
        total if free is None else min(total, free + sum(one.need if one.now is None else one.now for one in running))
    )


def resident(pid: int) -> int | None:
    """Bytes that a process holds; None where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None


def limit(need: int) -> int:
    """Bytes of data a training process may have."""
    return max(round(_SLACK * need), need + _LEAST_MORE)


def limit_itself(need: int) -> None:
    """Let this process have no more than `limit` beside what it has mapped already (libraries map more on some machines than
    on others); where the system knows no such limit (macOS) there is none."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = _mapped() + limit(need)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _mapped() -> int:
    """Bytes of data of this process as the limit counts them; 0 where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text()
        return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData:")), 0)
    except (OSError, ValueError, IndexError):
        return 0


def exceeded(error: BaseException) -> bool:
    """Whether this is how torch, numpy or Python say that the system gave no more memory."""
    words = ("allocate memory", "not enough memory", "bad_alloc", "Cannot allocate", "out of memory")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)
