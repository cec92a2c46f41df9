"""How `boundlab bench` times: ways to do a thing in turn, so that a neighbour on the machine disturbs all of them alike."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from boundlab.system import devices

Timings = dict[str, Any]


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Timings]:
    """`distribution` of each in milliseconds of processor time (of all threads), on which neighbours have little influence, and
    `clock_ms`, the median of what the clock says; one round before to warm up."""
    busy: dict[str, list[float]] = {name: [] for name in ways}
    clock: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            started, before = time.perf_counter(), time.process_time()
            way()
            if number:
                busy[name].append(1000 * (time.process_time() - before))
                clock[name].append(1000 * (time.perf_counter() - started))
    return {
        name: distribution(busy[name]) | {"clock_ms": three_digits(statistics.median(clock[name]))} for name in ways
    }


def distribution(milliseconds: Sequence[float]) -> Timings:
    """Median, quartiles, number of times."""
    low, middle, high = statistics.quantiles(milliseconds, n=4, method="inclusive")
    return {
        "ms": three_digits(middle),
        "quartiles": [three_digits(low), three_digits(high)],
        "times": len(milliseconds),
    }


def three_digits(value: float) -> float:
    """Three digits."""
    return float(f"{value:.3g}")


def machine() -> Timings:
    """Where and when it was measured."""
    cpu = devices.cpu()
    return {"machine": cpu.title, "python": platform.python_version(), "date": date.today().isoformat()}


def lines(found: Timings, indent: str = "") -> list[str]:
    """For reading: one line per number, tables indented."""
    said = []
    for name, value in found.items():
        if isinstance(value, dict) and "ms" in value:
            more = ", ".join(f"{key} {part}" for key, part in value.items() if key not in ("ms", "quartiles", "times"))
            low, high = value["quartiles"]
            said.append(
                f"{indent}{name}: {value['ms']:g} ms ({low:g} to {high:g}, {value['times']} times{', ' * bool(more)}{more})"
            )
        elif isinstance(value, dict):
            said += [f"{indent}{name}:", *lines(value, indent + "  ")]
        else:
            said.append(f"{indent}{name}: {value}")
    return said
